"""The operands of each PE: those of the array stepped register by register, and of the machine."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import accelsim
from accelsim import pe_level
from accelsim.dataflows import DATAFLOWS, PeTiming
from accelsim.dataflows.tiling import ArrayModel, Tiling
from accelsim.energy.modes import flowing_operands
from accelsim.energy.streams import LayerOperands, Streams
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace, VectorLayer
from accelsim.machine import sums
from accelsim.machine.array import array_model
from accelsim.machine.machine import run_program
from accelsim.machine.program import MacStep, compile_program
from accelsim.multipliers import MULTIPLIERS

TIMINGS = [PeTiming(), PeTiming(2, 1), PeTiming(3, 2, 3, 2), PeTiming(1, 3)]


def fed_by_blocks(streams):
    """Return (row, column) -> the patterns (activation, weight) that `Streams.blocks` gives."""
    array = streams.array
    fed = {(i, j): [] for i in range(array.rows) for j in range(array.cols)}
    held = {place: [0, 0] for place in fed}
    for (rows, cols, _), (_, block) in zip(streams.sizes, streams.blocks(), strict=True):
        for pe in range(rows * cols):
            own = block[:, pe].T.tolist()
            assert own[0] == held[divmod(pe, cols)]
            fed[divmod(pe, cols)] += own[1:]
            held[divmod(pe, cols)] = own[-1]
    return fed


def fed_register_by_register(products, accelerator, unit, **array):
    """Return the same of matrix products one after the other, each (activations, weights)."""
    rows, cols = accelerator
    fed = {(i, j): [] for i in range(rows) for j in range(cols)}
    for activations, weights in products:
        run = pe_level.run(
            activations, weights, rows=rows, cols=cols, multiplier=unit, record=True, **array
        )
        for i, j in fed:
            fed[i, j] += unit.circuit.ports.encode(run.fed[i][j], "test").tolist()
    return fed


@pytest.mark.parametrize("overlap", ["none", "both"])
@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_each_pe_makes_as_many_products_as_its_multiplier_is_fed(flow, overlap):
    """5 x 7 outputs of 6 products on 3 x 4 PEs: whole and partly filled passes in both loops."""
    (m, n, k), (rows, cols) = (5, 7, 6), (3, 4)
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(
        **{
            "array.rows": rows,
            "array.cols": cols,
            "array.dataflow": flow,
            "array.overlap": overlap,
        },
    )
    weight = np.ones((n, k, 1, 1), np.float32)
    layer = MacLayer("fc", "linear", INPUT, LayerShape(n=m, m=n, c=k), weight, None)
    trace = Trace("net", (layer,), np.ones((m, k, 1, 1), np.float32), "fc")
    program = compile_program(trace, machine)
    whole = replace(program.steps[0], tiling=Tiling(layer.shape, m, 1, n, k, True, 0))
    program = replace(program, steps=(whole,))
    (record,) = run_program(program, trace, machine, values=False).layers
    made = np.zeros((rows, cols), int)
    for block, passes in record.pe_blocks.items():
        made[block.row_start : block.row_stop, block.col_start : block.col_stop] += (
            block.macs * passes
        )
    run = pe_level.run(
        np.ones((m, k), np.float32),
        np.ones((k, n), np.float32),
        dataflow=flow,
        rows=rows,
        cols=cols,
        overlap=overlap,
        record=True,
    )
    assert made.tolist() == [[len(run.fed[i][j]) for j in range(cols)] for i in range(rows)]


@pytest.mark.parametrize("unit", ["exact_int8", "exact_fp32"])
@given(
    flow=st.sampled_from(["os", "ws", "is"]),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    bounds=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)),
    overlap=st.sampled_from(["none", "load", "drain", "both"]),
    timing=st.sampled_from(TIMINGS),
    seed=st.integers(0, 99),
)
def test_each_pe_is_fed_what_its_registers_hold(unit, flow, size, bounds, overlap, timing, seed):
    unit, (m, n, k), rng = MULTIPLIERS[unit], bounds, np.random.default_rng(seed)
    if unit.name == "exact_int8":
        a, w = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((m, k), (n, k)))
    else:
        a, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (n, k)))
    expected = fed_register_by_register(
        [(a, w.T.copy())], size, unit, dataflow=flow, overlap=overlap, timing=timing
    )
    shape = LayerShape(n=m, m=n, c=k)
    layer = MacLayer("fc", "linear", INPUT, shape, w, None)
    operands = LayerOperands(
        layer, Tiling(shape, m, 1, n, k, True, 0), a.reshape(m, k, 1, 1), w.reshape(n, k)
    )
    array = ArrayModel(DATAFLOWS[flow], *size, timing, 16, 0, overlap)
    streams = Streams([operands], array, unit.circuit.ports)
    assert fed_by_blocks(streams) == expected
    assert streams.transitions == m * n * k


def small_network(rng):
    """Grouped, strided, dilated and padded convolutions, a ReLU between, a linear layer."""
    shapes = {
        "conv1": LayerShape(n=2, m=6, c=2, h=9, w=8, r=3, s=2, padding=(1, 2), stride=(2, 1)),
        "conv2": LayerShape(n=2, m=4, c=6, h=5, w=11, r=2, s=3, dilation=(2, 1), groups=2),
        "fc": LayerShape(n=2, m=5, c=4 * 3 * 9),
    }
    weights = {
        name: rng.standard_normal((one.m, one.c // one.groups, one.r, one.s)).astype(np.float32)
        for name, one in shapes.items()
    }
    bias = {name: rng.standard_normal(one.m).astype(np.float32) for name, one in shapes.items()}

    def mac(name, op, source):
        span = (-8.0, 8.0)
        return MacLayer(name, op, source, shapes[name], weights[name], bias[name], span)

    layers = (
        mac("conv1", "conv2d", INPUT),
        VectorLayer("relu1", "relu", "conv1", (2, 6, 5, 11), (2, 6, 5, 11)),
        mac("conv2", "conv2d", "relu1"),
        mac("fc", "linear", "conv2"),
    )
    return Trace("small", layers, rng.standard_normal((2, 2, 9, 8)).astype(np.float32), "fc")


class Attention(torch.nn.Module):
    """Linear layers on a sequence, and two matmuls of activations."""

    def __init__(self):
        super().__init__()
        self.query, self.key = torch.nn.Linear(5, 4), torch.nn.Linear(5, 4)

    def forward(self, images):
        words = images.flatten(1, 2)
        scores = self.query(words) @ self.key(words).transpose(-1, -2)
        return (scores @ words).flatten(1)


def attention(rng):
    torch.manual_seed(0)
    images = rng.standard_normal((2, 1, 6, 5)).astype(np.float32)
    return accelsim.trace(Attention(), images, calibration=images)


def cut_up(step, weights_outer):
    """Return a step of tiles of both images, two rows, two filters and half of the channels."""
    if not isinstance(step, MacStep):
        return step
    channels = max(1, step.layer.shape.c // step.layer.shape.groups // 2)
    tiling = replace(
        step.tiling, images=2, rows=2, filters=2, channels=channels, weights_outer=weights_outer
    )
    return replace(step, tiling=tiling)


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
@pytest.mark.parametrize(("unit", "weights_outer"), [("exact_fp32", True), ("exact_uint8", False)])
@pytest.mark.parametrize("network", [small_network, attention])
def test_each_pe_is_fed_what_the_machine_multiplies_there(
    flow, unit, weights_outer, network, monkeypatch
):
    """Tile after tile, as the machine hands them to its kernels; padding and zero points too."""
    unit, trace = MULTIPLIERS[unit], network(np.random.default_rng(3))
    accelerator = accelsim.Accelerator.preset("tiny_4x4").replace(
        multiplier=unit.name, **{"array.dataflow": flow, "array.cols": 3}
    )
    products, real = [], sums.accumulate_groups

    def recorded(unit, adder, activations, weights, psums, order):
        both = (np.ascontiguousarray(one[0].T) for one in (activations, weights))
        products.append(tuple(both))
        real(unit, adder, activations, weights, psums, order)

    monkeypatch.setattr(sums, "accumulate_groups", recorded)
    program = compile_program(trace, accelerator)
    program = replace(program, steps=tuple(cut_up(one, weights_outer) for one in program.steps))
    run_program(program, trace, accelerator)
    steps = [(one.layer, one.tiling) for one in program.steps if isinstance(one, MacStep)]
    assert len(products) > 5 * len(steps)  # several tiles a layer
    streams = Streams(
        flowing_operands(trace, steps, accelerator), array_model(accelerator), unit.circuit.ports
    )
    expected = fed_register_by_register(products, (4, 3), unit, dataflow=flow)
    assert fed_by_blocks(streams) == expected
    assert streams.transitions == trace.macs


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_any_transition_is_that_of_the_blocks(flow):
    """Those between passes, tiles and layers, and the first of a PE, from zeros, among them."""
    trace = small_network(np.random.default_rng(4))
    accelerator = accelsim.Accelerator.preset("tiny_4x4").replace(
        **{"array.dataflow": flow, "glb.ifmap_kib": 0.5, "glb.weight_kib": 0.25}
    )
    program = compile_program(trace, accelerator)
    steps = [(one.layer, one.tiling) for one in program.steps if isinstance(one, MacStep)]
    unit = MULTIPLIERS["exact_fp32"]
    streams = Streams(
        flowing_operands(trace, steps, accelerator), array_model(accelerator), unit.circuit.ports
    )
    for p, ((rows, cols, count), (_, block)) in enumerate(
        zip(streams.sizes, streams.blocks(), strict=True)
    ):
        i, j, s = (own.ravel() for own in np.mgrid[:rows, :cols, :count])
        before, after = streams.transition(np.full(i.size, p), i, j, s)
        assert before.tolist() == block[:, :, :-1].reshape(2, -1).tolist()
        assert after.tolist() == block[:, :, 1:].reshape(2, -1).tolist()
