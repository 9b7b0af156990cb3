"""Matmuls on the machine against closed forms, and against the units without a machine."""

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

import accelsim
from accelsim.config import Accelerator
from accelsim.dataflows import row_stationary
from accelsim.dataflows.tiling import tile_gemm
from accelsim.errors import MappingError
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.machine import run_machine
from accelsim.machine.array import accumulation_orders, array_model
from accelsim.machine.program import compile_program
from accelsim.quantization import scheme_of

SIZE = st.integers(64, 1024).map(lambda size: size / 1024)
MACHINES = {
    "array.rows": st.integers(1, 5),
    "array.cols": st.integers(1, 5),
    "array.dataflow": st.sampled_from(["os", "ws", "is"]),
    "array.overlap": st.sampled_from(["none", "load", "drain", "both"]),
    "glb.ifmap_kib": SIZE,
    "glb.weight_kib": SIZE,
    "glb.ofmap_kib": SIZE,
    "glb.double_buffered": st.booleans(),
    "glb.unified": st.booleans(),
    "glb.banks": st.integers(1, 8),
    "dram.kind": st.sampled_from(["simple", "ddr4_2400"]),
    "dma.queue_depth": st.integers(1, 3),
    "mapper.objective": st.sampled_from(["cycles", "traffic"]),
    "mapper.spills": st.booleans(),
}
UNITS = [
    {"multiplier": "exact_fp32", "accumulator": "float64"},
    {"multiplier": "ax_fpm"},
    {"multiplier": "exact_int8"},
    {"multiplier": "exact_uint8", "quantization.weights": "affine"},
]


@st.composite
def operands(draw):
    """A matmul whose operands are anywhere among the images' words, in any order of dimensions."""
    images, heads = draw(st.integers(1, 3)), tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    m, n, k = (draw(st.integers(1, 7)) for _ in range(3))
    room = 0
    views = []
    for rows, columns in ((m, k), (k, n)):
        shape = (*heads, rows, columns)
        order = draw(st.permutations(range(len(shape))))
        dense = View.dense(tuple(shape[at] for at in order)).strides
        strides = [dense[order.index(at)] for at in range(len(shape))]
        for at in range(len(heads)):
            strides[at] *= draw(st.integers(0, 1))  # a head is read again, or not
        offset = draw(st.integers(0, 9))
        views.append((shape, strides, offset))
        room = max(room, offset + prod(shape))
    room += draw(st.integers(0, 5))
    first, second = (View((images, *s), (room, *t), offset) for s, t, offset in views)
    shape = LayerShape.of_matmul(images * prod(heads), m, n, k)
    layer = MacLayer(
        "mul", "matmul", INPUT, shape, Operand(INPUT, second), None, (-2.0, 2.5), (-3.0, 1.0), first
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.standard_normal((images, room, 1, 1)).astype(np.float32)
    return Trace("one", (layer,), values, "mul")


@given(operands(), st.fixed_dictionaries(MACHINES), st.sampled_from(UNITS), st.booleans())
def test_any_matmul_on_any_machine(trace, changes, units, relu):
    """Bits, cycles and words of one matmul, wherever its operands lie and whatever the tiling."""
    machine = Accelerator.preset("tiny_4x4").replace(**changes, **units)
    layer = trace.layers[0]
    if relu:
        shape = (*layer.output_shape, *(1,) * (4 - len(layer.output_shape)))
        after = VectorLayer("relu", "relu", "mul", shape, shape)
        trace = Trace("one", (layer, after), trace.images, "relu")
    try:
        (step,) = compile_program(trace, machine).steps
    except MappingError:
        assume(False)
    result = run_machine(trace, machine)
    expected = run_trace(trace, machine.multiplier, machine.accumulator, scheme_of(machine))
    assert result.outputs.tobytes() == expected.tobytes()

    (record,), array, shape = result.layers, array_model(machine), layer.shape
    assert record.op == "matmul+relu" if relu else "matmul"
    tiles = list(step.tiling.tiles())
    closed = sum(
        array.compute_cycles(*tile_gemm(shape, tile), resume=not tile.starts_psums)
        for tile in tiles
    )
    assert record.compute_cycles == closed
    assert record.compute_cycles + record.stall_cycles == record.total_cycles

    counts = record.counts
    fetched = sum(
        (tile.rows.size * tile.fetch_ifmap + tile.filters.size * tile.fetch_weights)
        * tile.channels.size
        for tile in tiles
    )
    assert counts["dram", "read"] == fetched + record.spilled_words
    assert counts["dram", "write"] == expected.size + record.spilled_words
    assert counts["dram", "read"] + counts["dram", "write"] == step.tiling.dram_words
    assert counts[f"multiplier.{machine.multiplier}", "compute"] == shape.macs
    filled = counts["glb.ifmap", "write"] + counts["glb.weight", "write"]
    assert filled == fetched


@given(
    operands(),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["os", "ws", "is"]),
    st.sampled_from(["none", "load", "drain", "both"]),
)
def test_a_matrix_in_one_tile_takes_the_dataflows_closed_form(trace, rows, cols, name, overlap):
    machine = Accelerator.preset("server_64x64").replace(
        clock_mhz=100,
        **{"array.rows": rows, "array.cols": cols, "dram.latency_cycles": 10**6},
        **{"array.dataflow": name, "array.overlap": overlap},
    )
    (record,) = run_machine(trace, machine, values=False).layers
    shape, timing = trace.layers[0].shape, array_model(machine).timing
    closed = accelsim.DATAFLOWS[name].compute_cycles(
        *shape.gemm, rows=rows, cols=cols, timing=timing, overlap=overlap
    )
    assert record.compute_cycles == shape.groups * closed


@given(
    operands(),
    st.fixed_dictionaries(
        {
            "spatial.ifmap_rf_words": st.integers(1, 6),
            "spatial.filter_rf_words": st.integers(6, 30),
            "spatial.psum_rf_words": st.integers(2, 6),
            "dma.queue_depth": st.integers(1, 3),
        }
    ),
    st.sampled_from(UNITS),
)
def test_any_matmul_on_a_row_stationary_array(trace, changes, units):
    """A row-stationary array adds in an order of its own, and gets the words all the same."""
    machine = Accelerator.preset("eyeriss_168").replace(**changes, **units)
    (step,), orders = compile_program(trace, machine).steps, accumulation_orders(trace, machine)
    result = run_machine(trace, machine)
    how = (machine.multiplier, machine.accumulator, scheme_of(machine), orders)
    assert result.outputs.tobytes() == run_trace(trace, *how).tobytes()

    (record,), shape = result.layers, trace.layers[0].shape
    assert record.compute_cycles == row_stationary.compute_cycles(
        shape, step.tiling.mapping, array_model(machine)
    )
    assert record.counts[f"multiplier.{machine.multiplier}", "compute"] == shape.macs
    assert record.counts["dram", "write"] == result.outputs.size


class Attention(nn.Module):
    """A network of the operators that attention has, its normalization aside."""

    def __init__(self, channels=6, heads=2):
        super().__init__()
        torch.manual_seed(0)
        self.heads = heads
        self.patches = nn.Conv2d(1, channels, 4, stride=4)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        self.mix = nn.Parameter(torch.randn(channels, channels))
        self.head = nn.Linear(channels, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        n, t, c = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = torch.relu(q @ k.transpose(-2, -1))
        x = self.merge((scores @ v).transpose(1, 2).reshape(n, t, c)) @ self.mix
        return self.head(x[:, 0])


@pytest.fixture(scope="module")
def attention():
    """The network, its calibration on other images, and the trace of three."""
    images, others = np.random.default_rng(1).standard_normal((2, 3, 1, 16, 12)).astype(np.float32)
    net = Attention().eval()
    calibration = accelsim.nn.calibrate(net, others)
    return net, accelsim.trace(net, images, calibration=calibration), calibration


HOW = {
    "plain": {},
    "small": {"glb.ifmap_kib": 0.5, "glb.weight_kib": 0.25, "glb.ofmap_kib": 0.0625},
    "forwarding": {"glb.unified": True, "glb.forwarding": True, "dram.kind": "lpddr4_3200"},
    "single": {"glb.double_buffered": False, "dma.queue_depth": 4, "glb.banks": 1},
}


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(
    ("dataflow", "overlap"), [("os", "none"), ("os", "both"), ("ws", "both"), ("is", "load")]
)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("units", UNITS, ids=lambda units: units["multiplier"])
def test_logits_of_attention_out_of_the_dram_are_nn_approximates(
    attention, units, how, dataflow, overlap, images
):
    net, trace, calibration = attention
    machine = Accelerator.preset("tiny_4x4").replace(
        **units, **HOW[how], **{"array.dataflow": dataflow, "array.overlap": overlap}
    )
    result = run_machine(trace.batch(images), machine)
    approximate = accelsim.nn.approximate(
        net,
        multiplier=machine.multiplier,
        accumulator=machine.accumulator,
        calibration=calibration,
        scheme=scheme_of(machine),
    )
    with torch.no_grad():
        logits = approximate(torch.from_numpy(trace.images)).numpy()[:images]
    assert result.outputs.tobytes() == logits.tobytes()
    operators = ["conv2d", "linear", "matmul+relu", "matmul", "copy", "linear", "linear", "linear"]
    assert [layer.op for layer in result.layers] == operators
    assert sum(layer.macs for layer in result.layers) * 3 == trace.macs * images


def test_which_operand_comes_first_is_part_of_the_bits():
    """ax_fpm does not commute: (a b)^T is not b^T a^T."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((2, 4, 4)).astype(np.float32))

    class Product(nn.Module):
        def __init__(self, swapped):
            super().__init__()
            self.swapped = swapped

        def forward(self, x):
            a, b = x[:, 0], x[:, 1]
            return (b.mT @ a.mT).mT if self.swapped else a @ b

    images = torch.stack([x, x.flip(2)], dim=1)
    machine = Accelerator.preset("tiny_4x4").replace(multiplier="ax_fpm")
    outputs = [
        accelsim.simulate(accelsim.trace(Product(swapped), images.numpy()), machine).outputs
        for swapped in (False, True)
    ]
    assert not np.array_equal(*outputs)
    for swapped, output in zip((False, True), outputs, strict=True):
        net = accelsim.nn.approximate(Product(swapped), multiplier="ax_fpm")
        assert output.tobytes() == net(images).reshape(2, -1).numpy().tobytes()


def test_a_wrong_address_of_the_second_operand_gives_wrong_outputs(monkeypatch, attention):
    from dataclasses import replace

    from accelsim.machine import array_run

    _, trace, _ = attention
    machine = Accelerator.preset("tiny_4x4")
    right, block = run_machine(trace, machine).outputs, array_run.weight_block

    def off_by_one(step, tile):
        found = block(step, tile)
        moved = step.layer.op == "matmul" and tile.index == 1
        return replace(found, address=found.address + int(moved))

    monkeypatch.setattr(array_run, "weight_block", off_by_one)
    assert run_machine(trace, machine).outputs.tobytes() != right.tobytes()


def test_without_values_time_and_counts_are_the_same(attention):
    _, trace, _ = attention
    machine = Accelerator.preset("tiny_4x4").replace(**{"dram.kind": "ddr4_2400"})
    full, bare = (run_machine(trace, machine, values=values) for values in (True, False))
    assert bare.layers == full.layers
    assert bare.timeline == full.timeline


@pytest.mark.parametrize("units", UNITS, ids=lambda units: units["multiplier"])
def test_logits_of_attention_out_of_a_row_stationary_array(attention, units):
    """They are nn.approximate's in the array's order, and an image's are so in every batch."""
    net, trace, calibration = attention
    machine = Accelerator.preset("eyeriss_168").replace(**units)
    three, one = (run_machine(trace.batch(images), machine).outputs for images in (3, 1))
    assert three[:1].tobytes() == one.tobytes()
    approximate = accelsim.nn.approximate(
        net,
        multiplier=machine.multiplier,
        accumulator=machine.accumulator,
        calibration=calibration,
        scheme=scheme_of(machine),
        orders=accelsim.accumulation_orders(trace, machine),
    )
    with torch.no_grad():
        logits = approximate(torch.from_numpy(trace.images)).numpy()
    assert logits.tobytes() == three.tobytes()
