"""Matmuls and copies small enough to work by hand: event logs, and words of strided operands."""

from dataclasses import replace

import numpy as np
import pytest

from accelsim.config import Accelerator
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.machine import run_machine

# 2x2 PEs at 100 MHz, a cycle for a product and one for a sum. DRAM: 3 cycles + one a word.
MACHINE = Accelerator.preset("tiny_4x4").replace(
    **{
        "array.rows": 2,
        "array.cols": 2,
        "dram.bytes_per_cycle": 4,
        "dram.latency_cycles": 3,
        "vector_unit.lanes": 1,
    }
)


def log(result):
    """Return the timeline by time, without the DMA's entries, which are the DRAM's."""
    return sorted(
        (e.cycle_start, e.cycle_end, e.block, e.what, e.tile)
        for e in result.timeline
        if not e.block.startswith("dma")
    )


def square(images, *, transposed=False, second_offset=4):
    """Return images of two 2x2 matrices, and their product, the second one transposed or not."""
    strides = (8, 1, 2) if transposed else (8, 2, 1)
    first = View((images, 2, 2), (8, 2, 1))
    second = Operand(INPUT, View((images, 2, 2), strides, second_offset))
    shape = LayerShape.of_matmul(images, 2, 2, 2)
    layer = MacLayer("mul", "matmul", INPUT, shape, second, None, view=first)
    values = np.arange(1, 8 * images + 1, dtype=np.float32).reshape(images, 8, 1, 1)
    return Trace("net", (layer,), values, "mul")


def test_two_matrices():
    """Each image is a group: its own second operand, then its first, 3 + 4 cycles either.

    A pass of 2 x 2 outputs of 2 products: fill 2 + 2 - 2, stream (2 - 1) + 2, drain 2: 7 cycles.
    The second image's operands come while the first one is multiplied, for there are two slots;
    outputs are written when the DMA's program comes to them, behind these operands.
    """
    result = run_machine(square(2), MACHINE)
    assert log(result) == [
        (0, 7, "dram", "read weight", 0),
        (7, 14, "dram", "read ifmap", 0),
        (14, 21, "array", "pass", 0),
        (14, 21, "dram", "read weight", 1),
        (21, 28, "dram", "read ifmap", 1),
        (28, 35, "array", "pass", 1),
        (28, 35, "dram", "write ofmap", 0),
        (35, 42, "dram", "write ofmap", 1),
    ]
    a = np.arange(1, 17, dtype=np.float32).reshape(2, 2, 2, 2)
    assert result.outputs.tobytes() == (a[:, 0] @ a[:, 1]).tobytes()
    (record,) = result.layers
    assert (record.op, record.macs, record.outputs) == ("matmul", 16, 8)
    assert record.counts["dram", "read"] == 16
    assert record.counts["glb.weight", "write"] == record.counts["glb.ifmap", "write"] == 8


def test_a_transposed_operand_takes_as_many_words_and_as_long():
    straight, turned = (run_machine(square(2, transposed=t), MACHINE) for t in (False, True))
    assert log(turned) == log(straight)
    a = np.arange(1, 17, dtype=np.float32).reshape(2, 2, 2, 2)
    assert turned.outputs.tobytes() == (a[:, 0] @ a[:, 1].swapaxes(1, 2)).tobytes()


def test_a_copy():
    """A 2 x 3 matrix, transposed: 6 words in 3 + 6 cycles, through one lane in 6, out in 3 + 6."""
    view = View((1, 3, 2, 1), (6, 1, 3, 1))
    layer = VectorLayer("copy", "copy", INPUT, view.shape, view.shape, view=view)
    values = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    result = run_machine(Trace("net", (layer,), values, "copy"), MACHINE)
    assert log(result) == [
        (0, 9, "dram", "read ifmap", 0),
        (9, 15, "vector_unit", "copy", 0),
        (15, 24, "dram", "write ofmap", 0),
    ]
    assert result.outputs.ravel().tolist() == [0, 3, 1, 4, 2, 5]
    (record,) = result.layers
    assert (record.op, record.macs, record.compute_cycles) == ("copy", 0, 6)
    counts = {key: count for key, count in record.counts.items() if count}
    moves = [("dram", "read"), ("dram", "write"), ("glb.ifmap", "read"), ("glb.ofmap", "read")]
    moves += [("glb.ifmap", "write"), ("glb.ofmap", "write")]
    # It moves every word once over each way, and computes nothing.
    assert counts == dict.fromkeys(moves, 6)


def test_a_copy_of_many_dimensions_goes_through_all_of_them():
    """Six dimensions; a slot has room for 4 words, 2 of a channel's 3 rows."""
    shape, order = (2, 3, 2, 2, 3, 2), (0, 4, 2, 5, 1, 3)
    dense = View.dense(shape)
    view = View(*(tuple(part[at] for at in order) for part in dense[:2]))
    layer = VectorLayer("copy", "copy", INPUT, view.shape, view.shape, view=view)
    values = np.arange(144, dtype=np.float32).reshape(2, 72, 1, 1)
    small = MACHINE.replace(**{f"glb.{name}_kib": 0.03125 for name in ("ifmap", "ofmap")})
    result = run_machine(Trace("net", (layer,), values, "copy"), small)
    expected = values.reshape(shape).transpose(order)
    assert result.outputs.tobytes() == expected.tobytes()
    assert sum(what == "copy" for _, _, _, what, _ in log(result)) == (2 * 3 * 2) * 2 * 2


def test_both_operands_of_a_matmul_are_quantized_as_they_are_fed():
    """2 x 2 words of either an image, each read once for the one pass."""
    ranges = {"activation_range": (0, 16), "weight_range": (0, 16)}
    trace = square(2)
    trace = replace(trace, layers=(replace(trace.layers[0], **ranges),))
    machine = MACHINE.replace(multiplier="exact_int16")
    (record,) = run_machine(trace, machine).layers
    assert record.counts["vector_unit", "quantize"] == 2 * (4 + 4)
    constant = np.ones((2, 8, 1, 1), np.float32)
    linear = MacLayer("fc", "linear", INPUT, LayerShape(2, 2, 8), constant, None, (0, 16))
    (record,) = run_machine(Trace("net", (linear,), trace.images, "fc"), machine).layers
    assert record.counts["vector_unit", "quantize"] == 2 * 8


@pytest.mark.parametrize(("transposed", "bursts"), [(True, 2), (False, 16)])
def test_bursts_are_those_of_the_words_addresses(transposed, bursts):
    """16 filters of 16 channels, 2 filters a tile: 32 words, in bursts of 16.

    Transposed, a filter's channels follow each other, and a tile's words are one run of 2 bursts.
    Else a filter's words lie 16 apart, and each tile touches all 16 bursts of the matrix.
    """
    strides = (512, 1, 16) if transposed else (512, 16, 1)
    second = Operand(INPUT, View((1, 16, 16), strides, 256))
    shape = LayerShape.of_matmul(1, 16, 16, 16)
    first = View((1, 16, 16), (512, 16, 1))
    layer = MacLayer("mul", "matmul", INPUT, shape, second, None, view=first)
    values = np.random.default_rng(0).standard_normal((1, 512, 1, 1)).astype(np.float32)
    # Two slots of 2 filters with room for their biases, 34 words.
    sizes = {"glb.weight_kib": 2 * 34 * 4 / 1024, "glb.ifmap_kib": 4, "glb.ofmap_kib": 4}
    how = {"dram.kind": "ddr4_2400", "mapper.objective": "traffic"}
    machine = MACHINE.replace(**how, **sizes)
    (record,) = run_machine(Trace("net", (layer,), values, "mul"), machine).layers
    assert record.tiling.startswith("n1 p16 m2 c16")
    # Of 8 tiles; beside them the activations once, and 2 outputs of a tile in each of 16 rows.
    assert record.dram_row_hits + record.dram_row_misses == 8 * bursts + 16 + 8 * 16
