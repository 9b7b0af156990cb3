"""What blocks and PEs did: bytes, products, waits, and which PE made which products."""

import numpy as np
import pytest

from accelsim.config import Accelerator
from accelsim.dataflows.row_mapper import RowTiling
from accelsim.layer import INPUT, WORD_BYTES, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine
from accelsim.machine.array import array_model
from accelsim.machine.program import compile_program

MACHINES = {
    "os": Accelerator.preset("edge_16x16"),
    "ws, a queue": Accelerator.preset("tiny_4x4").replace(
        **{"array.dataflow": "ws", "dma.queue_depth": 3, "dram.kind": "lpddr4_3200"}
    ),
    "is, one port": Accelerator.preset("edge_16x16").replace(
        **{"array.dataflow": "is", "glb.banks": 1, "glb.unified": True, "glb.forwarding": True}
    ),
    "rs": Accelerator.preset("eyeriss_168"),
}


@pytest.fixture(scope="module", params=MACHINES)
def simulated(request, small_trace):
    """A machine, and what it does with the small network."""
    machine = MACHINES[request.param]
    return machine, run_machine(small_trace, machine, values=False)


def test_stretches_add_up_to_the_counts_of_each_layer(simulated):
    _, result = simulated
    for record in result.layers:
        own = [entry for entry in result.timeline if entry.layer == record.layer]

        def moved(*blocks, own=own):
            return sum(entry.bytes for entry in own if entry.block in blocks)

        counts = record.counts
        for action in ("read", "write"):
            assert moved(f"dma_{action}") == WORD_BYTES * counts.get(("dram", action), 0)
        assert moved("dram") == moved("dma_read", "dma_write")
        through = sum(n for (component, _), n in counts.items() if component.startswith("glb."))
        assert moved("array", "vector_unit", "dram") == WORD_BYTES * through
        assert sum(entry.macs for entry in own) == record.macs
        assert all(
            entry.cycle_start + entry.latency_cycles < entry.cycle_end
            and entry.cycle_start - entry.queued_cycles >= record.cycle_start
            for entry in own
        )


def test_pes_do_the_products_of_their_layer(simulated):
    machine, result = simulated
    for record in result.layers:
        made = np.zeros((machine.array.rows, machine.array.cols), int)
        for block, passes in record.pe_blocks.items():
            assert block.row_stop <= machine.array.rows
            assert block.col_stop <= machine.array.cols
            part = made[block.row_start : block.row_stop, block.col_start : block.col_stop]
            part += block.macs * passes
        assert made.sum() == record.macs


def test_sets_of_a_row_stationary_pass_lie_apart(small_trace):
    """Each pass's blocks are of different PEs, as many as have work, and make all its products."""
    machine = MACHINES["rs"]
    array, seen = array_model(machine), 0
    for step in compile_program(small_trace, machine).steps:
        if not isinstance(getattr(step, "tiling", None), RowTiling):
            continue
        shape = step.layer.shape
        for one in {one.sizes: one for one in step.tiling.tiles()}.values():
            taken = np.zeros((machine.array.rows, machine.array.cols), int)
            macs = 0
            for block in one.pe_blocks(shape, array):
                part = taken[block.row_start : block.row_stop, block.col_start : block.col_stop]
                part += 1
                macs += block.macs * part.size
            assert taken.max() == 1
            assert taken.sum() <= one.active_pes(shape)
            assert macs == one.macs(shape)
            seen += 1
    assert seen > 4


def test_a_set_that_is_wider_than_the_array_lies_in_pieces():
    """10 ofmap rows on 4 columns: three pieces of 4, 4 and 2, one above the other, of 3 rows."""
    shape = LayerShape(n=1, m=1, c=1, h=12, w=5, r=3, s=3)
    machine = MACHINES["rs"].replace(**{"array.rows": 9, "array.cols": 4})
    layer = MacLayer("c", "conv2d", INPUT, shape, np.zeros((1, 1, 3, 3), np.float32), None)
    trace = Trace("net", (layer,), np.zeros((1, 1, 12, 5), np.float32), "c")
    (record,) = run_machine(trace, machine, values=False).layers
    # 3 ofmap columns of 3 products each for every PE.
    assert record.pe_blocks == {
        (0, 3, 0, 4, 9): 1,
        (3, 6, 0, 4, 9): 1,
        (6, 9, 0, 2, 9): 1,
    }


def test_waits_of_transfers_worked_by_hand():
    """Latency 3, 4 bytes a cycle, two places in the queue; one tile of 4 weights, 2 activations.

    Both are issued at cycle 0. The weights' data come from cycle 3 to 7; the activations' latency
    has passed by then, and theirs follow at once, from 7 to 9. The pass has 4 products and moves
    2 + 4 operands and 2 psums, 32 bytes; 2 outputs go back after a latency of 3.
    """
    machine = Accelerator.preset("tiny_4x4").replace(
        **{"dma.queue_depth": 2, "dram.latency_cycles": 3, "dram.bytes_per_cycle": 4}
    )
    shape = LayerShape(n=1, m=2, c=2)
    layer = MacLayer("fc", "linear", INPUT, shape, np.ones((2, 2, 1, 1), np.float32), None)
    trace = Trace("net", (layer,), np.ones((1, 2, 1, 1), np.float32), "fc")
    entries = run_machine(trace, machine).timeline
    log = [
        (e.cycle_start, e.cycle_end, e.what, e.bytes, e.macs, e.queued_cycles, e.latency_cycles)
        for e in entries
        if not e.block.startswith("dma")
    ]
    end = log[2][1]
    assert log == [
        (0, 7, "read weight", 16, 0, 0, 3),
        (7, 9, "read ifmap", 8, 0, 7, 0),
        (9, end, "pass", 32, 4, 0, 0),
        (end, end + 5, "write ofmap", 8, 0, 0, 3),
    ]
