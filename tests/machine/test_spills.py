"""Psums that wait in DRAM between channels: same bits, their own words, an event log by hand."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.config import Accelerator
from accelsim.dataflows.tiling import Tiling
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import mac, run_machine, run_program
from accelsim.machine.array import budget_of
from accelsim.machine.block import Block
from accelsim.machine.program import compile_program
from accelsim.quantization import scheme_of

# 16 filters of 64 channels on 8 rows, and a GLB that makes spilling the least traffic.
MACHINE = Accelerator.preset("tiny_4x4").replace(
    **{
        "glb.ifmap_kib": 0.5,
        "glb.weight_kib": 1.125,
        "glb.ofmap_kib": 0.125,
        "mapper.objective": "traffic",
        "mapper.spills": True,
    }
)


def layer_of_many_channels(seed=0):
    rng = np.random.default_rng(seed)
    shape = LayerShape(n=1, m=16, c=64, h=8, w=1)
    weight = rng.standard_normal((16, 64, 1, 1)).astype(np.float32)
    bias = rng.standard_normal(16).astype(np.float32)
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight, bias, (-3.0, 3.0))
    return Trace("net", (layer,), rng.standard_normal((1, 64, 8, 1)).astype(np.float32), "conv")


@pytest.mark.parametrize("weights_outer", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"multiplier": "ax_fpm", "accumulator": "float32"},
        {"multiplier": "exact_fp32", "accumulator": "float64", "glb.ofmap_kib": 0.25},
        {"multiplier": "exact_uint8"},
        {"multiplier": "exact_int16", "accumulator": "int64", "glb.ofmap_kib": 0.25},
        {"glb.double_buffered": False, "dma.queue_depth": 3, "array.dataflow": "ws"},
    ],
    ids=["ax_fpm", "float64", "uint8", "int64", "single"],
)
def test_psums_come_back_bit_for_bit(changes, weights_outer):
    """Both loop orders, psums of every type; what is read is what was written."""
    trace, machine = layer_of_many_channels(), MACHINE.replace(**changes)
    program = compile_program(trace, machine)
    (step,) = program.steps
    assert step.tiling.spills
    turned = replace(step, tiling=replace(step.tiling, weights_outer=weights_outer))
    result = run_program(replace(program, steps=(turned,)), trace, machine)
    expected = run_trace(trace, machine.multiplier, machine.accumulator, scheme_of(machine))
    assert result.outputs.tobytes() == expected.tobytes()
    (record,) = result.layers
    splits = 64 // step.tiling.channels - 1
    psum_words = step.spilled.counts[3]
    assert record.spilled_words == splits * 128 * psum_words > 0
    assert record.counts["dram", "write"] == 128 + record.spilled_words


@st.composite
def spilling(draw):
    """A layer and a tiling of it that spills, of any extents."""
    shape = LayerShape(
        n=draw(st.integers(1, 3)),
        m=draw(st.integers(1, 5)),
        c=draw(st.integers(2, 6)),
        h=draw(st.integers(2, 5)),
        w=draw(st.integers(1, 4)),
        r=draw(st.integers(1, 2)),
        padding=(draw(st.integers(0, 1)), 0),
    )
    images = draw(st.integers(1, shape.n))
    extents = (
        images,
        shape.p if images > 1 else draw(st.integers(1, shape.p)),
        draw(st.integers(1, shape.m)),
        draw(st.integers(1, shape.c - 1)),
    )
    weights_outer = draw(st.booleans())
    inner = images < shape.n or extents[1] < shape.p
    assume(inner if weights_outer else extents[2] < shape.m)
    return shape, Tiling(shape, *extents, weights_outer, 0, spills=True)


@given(
    spilling(),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from(["os", "ws", "is"]),
)
def test_any_tiling_that_spills_keeps_bits_and_words(case, accumulator, double, depth, dataflow):
    shape, tiling = case
    machine = Accelerator.preset("server_64x64").replace(
        accumulator=accumulator,
        **{
            "array.rows": 3,
            "array.cols": 2,
            "array.dataflow": dataflow,
            "glb.double_buffered": double,
            "dma.queue_depth": depth,
        },
    )
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((shape.m, shape.c, shape.r, 1)).astype(np.float32)
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight, None)
    images = rng.standard_normal((shape.n, shape.c, shape.h, shape.w)).astype(np.float32)
    trace = Trace("net", (layer,), images, "conv")
    result = run_program(spilled_program(trace, machine, tiling), trace, machine)
    expected = run_trace(trace, machine.multiplier, accumulator, scheme_of(machine))
    assert result.outputs.tobytes() == expected.tobytes()
    (record,) = result.layers
    splits = -(-shape.c // tiling.channels) - 1
    assert record.spilled_words == splits * expected.size * budget_of(machine).psum_words
    assert record.counts["dram", "write"] == expected.size + record.spilled_words
    filled = record.counts["glb.ifmap", "write"] + record.counts["glb.weight", "write"]
    assert record.counts["dram", "read"] == filled + record.spilled_words


def spilled_program(trace, machine, tiling):
    """Return the program of the one layer of *trace* with *tiling*, its psums behind all else."""
    program = compile_program(trace, machine)
    (step,) = program.steps
    *outer, columns = step.ofmap.counts
    words = columns * budget_of(machine).psum_words
    shape = (*outer, words)
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(4))
    spilled = Block(program.dram_words, shape, strides)
    step = replace(step, tiling=tiling, spilled=spilled)
    return replace(program, steps=(step,), dram_words=program.dram_words + spilled.words)


def test_a_wrong_address_of_psums_gives_wrong_outputs(monkeypatch):
    trace = layer_of_many_channels()
    right = run_machine(trace, MACHINE).outputs
    block, calls = mac.psum_block, []

    def off_by_one(*arguments):
        calls.append(block(*arguments))
        moved = len(calls) == 7
        return replace(calls[-1], address=calls[-1].address - int(moved))

    monkeypatch.setattr(mac, "psum_block", off_by_one)
    assert run_machine(trace, MACHINE).outputs.tobytes() != right.tobytes()


def test_without_values_time_and_counts_are_the_same():
    trace = layer_of_many_channels()
    full, bare = (run_machine(trace, MACHINE, values=values) for values in (True, False))
    assert bare.layers == full.layers
    assert bare.timeline == full.timeline


def test_spilled_psums_worked_by_hand():
    """2 rows of a pixel, 2 channels one at a time, 1 filter: 4 tiles on one PE.

    DRAM: a word a cycle, no latency. A pass of one product takes 3 (stream 2, drain 1), 4 where it
    loads psums. Write-backs bear the number of the tile that started their outputs.
    The GLB has one slot for each operand, so the program is: operands of a tile, psums out of the
    tile before, its own psums in.

    ====  =================================================================
    0, 1  weight and activation of tile 0 (channel 0, row 0); pass 2 to 5
    5     activation of tile 1 (row 1; the weight stays), psums of tile 0 out
    7     pass of tile 1, which needed the slot that those psums left
    10    weight and activation of tile 2 (channel 1, row 0)
    12    psums of tile 1 out, those of tile 0 back in; pass 14 to 18
    18    activation of tile 3; output of tile 2 out; psums of tile 1 back in
    21    pass of tile 3 to 25, its output out
    ====  =================================================================
    """
    machine = MACHINE.replace(
        **{
            "array.rows": 1,
            "array.cols": 1,
            "dram.bytes_per_cycle": 4,
            "dram.latency_cycles": 0,
            "glb.double_buffered": False,
        }
    )
    shape = LayerShape(n=1, m=1, c=2, h=2, w=1)
    layer = MacLayer("conv", "conv2d", INPUT, shape, np.float32([[[[2]], [[3]]]]), None)
    trace = Trace("net", (layer,), np.float32([[[[1], [10]], [[100], [1000]]]]), "conv")
    tiling = Tiling(shape, 1, 1, 1, 1, weights_outer=True, dram_words=0, spills=True)
    result = run_program(spilled_program(trace, machine, tiling), trace, machine)
    log = [
        (e.cycle_start, e.cycle_end, e.block, e.what, e.tile)
        for e in result.timeline
        if not e.block.startswith("dma")
    ]
    assert log == [
        (0, 1, "dram", "read weight", 0),
        (1, 2, "dram", "read ifmap", 0),
        (2, 5, "array", "pass", 0),
        (5, 6, "dram", "read ifmap", 1),
        (6, 7, "dram", "write psum", 0),
        (7, 10, "array", "pass", 1),
        (10, 11, "dram", "read weight", 2),
        (11, 12, "dram", "read ifmap", 2),
        (12, 13, "dram", "write psum", 1),
        (13, 14, "dram", "read psum", 2),
        (14, 18, "array", "pass", 2),
        (18, 19, "dram", "read ifmap", 3),
        (19, 20, "dram", "write ofmap", 0),
        (20, 21, "dram", "read psum", 3),
        (21, 25, "array", "pass", 3),
        (25, 26, "dram", "write ofmap", 1),
    ]
    assert result.outputs.ravel().tolist() == [302, 3020]
    assert result.layers[0].spilled_words == 2
