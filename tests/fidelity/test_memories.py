"""Memories worked by hand: a DRAM's rows and bursts, ports of the GLB; and those that cannot be."""

import numpy as np
import pytest

from accelsim.config import Accelerator
from accelsim.errors import ConfigError, MappingError
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine, run_program
from accelsim.machine.program import compile_program


def two_linear_layers():
    shapes = [LayerShape(n=1, m=2, c=2), LayerShape(n=1, m=1, c=2)]
    weights = [np.float32([[1, 2], [3, 4]]), np.float32([[5, 6]])]
    layers = tuple(
        MacLayer(name, "linear", source, shape, weight.reshape(shape.m, shape.c, 1, 1), None)
        for name, source, shape, weight in zip(
            ("fc1", "fc2"), (INPUT, "fc1"), shapes, weights, strict=True
        )
    )
    return Trace("net", layers, np.float32([1, 10]).reshape(1, 2, 1, 1), "fc2")


def test_two_layers_worked_by_hand():
    """Two linear layers (2 to 2, 2 to 1) on 2x2 PEs, DDR4 behind a link of a word a cycle.

    100 MHz, so 10 ns a cycle: a read's latency is tCL = 14.11 ns, 2 cycles, a write's tCWL = 9.96
    ns, 1 cycle. All words (2 images, 2 outputs, 4 weights, 1 output, 2 weights) lie in one burst
    of 64 bytes. It takes 3.33 ns and, the first time, tRCD = 14.11 ns to open the row: never longer
    than the link, which takes a cycle for each word. Turning round: 2 clocks from read to write, 1
    cycle; tWTR + tCL = 21.58 ns from write to read, 3 cycles. Two descriptors under way.

    ====  ==========================================================================
      0   both reads of fc1 are issued; the first data come at 2
      2   4 weights, a cycle each; 2 activations follow at once: their latency is hidden
      8   pass of 1 x 2 outputs, 2 products each: fill 1 + stream 1 + 2 + drain 1
     13   the write is issued, 1 cycle later come 2 words
     16   both reads of fc2; data from 16 + 3, not 16 + 2: the bus turns round
     19   2 weights, 2 activations
     23   pass of 1 x 1 output: stream 3, drain 1
     27   write: latency 1, a word
    ====  ==========================================================================
    """
    machine = Accelerator.preset("tiny_4x4").replace(
        **{
            "array.rows": 2,
            "array.cols": 2,
            "dram.kind": "ddr4_2400",
            "dram.bytes_per_cycle": 4,
            "dram.latency_cycles": 0,
            "dma.queue_depth": 2,
        }
    )
    result = run_machine(two_linear_layers(), machine)
    log = [entry[:6] for entry in result.timeline if not entry.block.startswith("dma")]
    assert log == [
        (0, 6, "dram", "read weight", "fc1", 0),
        (6, 8, "dram", "read ifmap", "fc1", 0),
        (8, 13, "array", "pass", "fc1", 0),
        (13, 16, "dram", "write ofmap", "fc1", 0),
        (16, 21, "dram", "read weight", "fc2", 0),
        (21, 23, "dram", "read ifmap", "fc2", 0),
        (23, 27, "array", "pass", "fc2", 0),
        (27, 29, "dram", "write ofmap", "fc2", 0),
    ]
    rows = [(layer.dram_row_hits, layer.dram_row_misses) for layer in result.layers]
    assert rows == [(2, 1), (3, 0)]
    assert result.outputs.item() == 5 * 21 + 6 * 43


def test_a_single_port_serves_one_at_a_time():
    """One bank of a word a cycle: the DMA's second ifmap waits for the array, or the array for it.

    Without contention the pass of 5 cycles lasts as long as its longest access.
    """
    base = {"glb.word_bits": 32, "dram.latency_cycles": 0, "dram.bytes_per_cycle": 64}
    shape = LayerShape(n=1, m=8, c=64)
    layer = MacLayer("fc", "linear", INPUT, shape, np.zeros((8, 64, 1, 1), np.float32), None)
    trace = Trace("net", (layer,), np.zeros((1, 64, 1, 1), np.float32), "fc")
    machine = Accelerator.preset("tiny_4x4").replace(**{**base, "glb.weight_kib": 1})
    program = compile_program(trace, machine)
    assert len(list(program.steps[0].tiling.tiles())) > 2
    totals = {
        banks: run_program(
            program, trace, machine.replace(**{"glb.banks": banks}), values=False
        ).total_cycles
        for banks in (1, 2, 8)
    }
    # 512 weights go in and out of the weight partition: 1,024 cycles of its port.
    assert totals[1] >= 1024
    assert totals[2] == totals[8] < totals[1]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("dram.bytes_per_cycle", 0, "greater than or equal to 1, got 0"),
        ("dram.latency_cycles", -1, "greater than or equal to 0, got -1"),
        ("dram.channels", 0, "greater than or equal to 1, got 0"),
        ("dma.queue_depth", 0, "greater than or equal to 1, got 0"),
        ("glb.banks", 0, "greater than or equal to 1, got 0"),
        ("glb.ports", -2, "greater than or equal to 1, got -2"),
        ("glb.word_bits", 48, "multiple of 32, got 48"),
        ("glb.ifmap_kib", 0, "greater than 0, got 0"),
    ],
)
def test_rejects_a_memory_that_cannot_be(name, value, rule):
    with pytest.raises(ConfigError, match=f"{name}.*{rule}"):
        Accelerator.preset("tiny_4x4").replace(**{name: value})


def test_rejects_a_layer_that_does_not_fit_a_unified_glb_and_says_the_way_out():
    """The smallest tile is an activation, a weight, room for a bias, and a psum: 4 words.

    A slot of half of 6 words is too small, all 6 are enough.
    """
    machine = Accelerator.preset("tiny_4x4").replace(
        **{f"glb.{name}_kib": 2 * 4 / 1024 for name in ("ifmap", "weight", "ofmap")},
        **{"glb.unified": True},
    )
    rule = "layer 'fc1' fits no tiling.*the unified GLB holds tiles of 3 words, .* needs 4"
    with pytest.raises(MappingError, match=f"{rule}.*set glb.double_buffered to false"):
        run_machine(two_linear_layers(), machine)
    single = machine.replace(**{"glb.double_buffered": False})
    assert run_machine(two_linear_layers(), single).outputs.item() == 5 * 21 + 6 * 43
