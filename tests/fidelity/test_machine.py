"""The machine against its closed form, and its logits against the units without a machine."""

from itertools import pairwise
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import accelsim
from accelsim.accumulators import accumulator_of
from accelsim.config import Accelerator
from accelsim.dataflows.tiling import tile_gemm
from accelsim.errors import MappingError, TraceError
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine
from accelsim.machine.array import array_model
from accelsim.machine.program import compile_program
from accelsim.multipliers import IntegerMultiplier
from accelsim.quantization import scheme_of

# Only a unit whose delay is known can be in a machine.
UNITS = [name for name, unit in accelsim.MULTIPLIERS.items() if unit.delay_ps is not None]
INTEGER_UNITS = [
    name for name in UNITS if isinstance(accelsim.MULTIPLIERS[name], IntegerMultiplier)
]
FLOAT_UNITS = [name for name in UNITS if name not in INTEGER_UNITS]
FLOAT_ACCUMULATORS = [name for name, entry in accelsim.ACCUMULATORS.items() if not entry.integer]
PRESETS = ["tiny_4x4", "edge_16x16", "edge_16x16_multicycle"]
SCHEMES = {
    "auto": {},
    "affine": {"quantization.activations": "affine", "quantization.weights": "affine"},
    "symmetric": {
        "quantization.activations": "symmetric",
        "quantization.weights": "symmetric",
        "quantization.per_channel": False,
    },
}

SHAPES = {
    "n": st.integers(1, 3),
    "m": st.integers(1, 9),
    "c": st.integers(1, 5),
    "h": st.integers(1, 9),
    "w": st.integers(1, 9),
    "r": st.integers(1, 3),
    "s": st.integers(1, 3),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 2)),
    "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
    "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "groups": st.integers(1, 2),
}
MACHINES = {
    "array.rows": st.integers(1, 9),
    "array.cols": st.integers(1, 9),
    "array.pipelined": st.booleans(),
    "array.dataflow": st.sampled_from(["os", "ws", "is"]),
    "array.overlap": st.sampled_from(["none", "load", "drain", "both"]),
    "clock_mhz": st.sampled_from([100, 600]),
    "glb.ifmap_kib": st.integers(128, 2048).map(lambda size: size / 1024),
    "glb.weight_kib": st.integers(128, 2048).map(lambda size: size / 1024),
    "glb.ofmap_kib": st.integers(128, 2048).map(lambda size: size / 1024),
    "glb.read_words_per_cycle": st.sampled_from([1, 4, 64]),
    "dram.bytes_per_cycle": st.sampled_from([1, 4, 64]),
    "dram.latency_cycles": st.integers(0, 30),
    "vector_unit.lanes": st.integers(1, 8),
    "dram.kind": st.sampled_from(["simple", "ddr4_2400"]),
    "dma.queue_depth": st.integers(1, 3),
    "glb.unified": st.booleans(),
    "glb.double_buffered": st.booleans(),
    "glb.banks": st.integers(1, 8),
    "mapper.objective": st.sampled_from(["cycles", "traffic"]),
    "mapper.spills": st.booleans(),
}
KINDS = st.sampled_from(["auto", "affine", "symmetric"])
FLOATS = {
    "multiplier": st.sampled_from(["exact_fp32", "ax_fpm"]),
    "accumulator": st.sampled_from(["float32", "float64"]),
}
INTEGERS = {
    "multiplier": st.sampled_from(["exact_int8", "exact_uint8", "exact_int16"]),
    "accumulator": st.sampled_from(["int32", "int64", "int32_saturating"]),
    "quantization.activations": KINDS,
    "quantization.weights": KINDS,
    "quantization.per_channel": st.booleans(),
}
machines = st.one_of(
    st.fixed_dictionaries(MACHINES | FLOATS), st.fixed_dictionaries(MACHINES | INTEGERS)
)

BUILT_IN = [name for name, one in accelsim.WORKLOADS.items() if one.dataset == "digits"]


@st.composite
def traces(draw):
    bounds = draw(st.fixed_dictionaries(SHAPES))
    bounds["m"] *= bounds["groups"]
    bounds["c"] *= bounds["groups"]
    try:
        shape = LayerShape(**bounds)
    except TraceError:
        assume(False)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weight = rng.standard_normal((shape.m, shape.c // shape.groups, shape.r, shape.s))
    bias = rng.standard_normal(shape.m).astype(np.float32) if draw(st.booleans()) else None
    range_ = (-1.5, draw(st.sampled_from([0.0, 2.0])))
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight.astype(np.float32), bias, range_)
    images = rng.standard_normal((shape.n, shape.c, shape.h, shape.w)).astype(np.float32)
    return Trace("one", (layer,), images, "conv")


def glb_words(step, machine):
    """Count what a layer moves between GLB and array once more, pixel by pixel and tap by tap."""
    shape = step.layer.shape
    unit = accelsim.MULTIPLIERS[machine.multiplier]
    psum_words = accumulator_of(unit, machine.accumulator).bytes // 4
    # What is not a float32 already, or has a bias, passes through the vector unit.
    worked_on = step.bias is not None or psum_words > 1 or isinstance(unit, IntegerMultiplier)
    words = dict.fromkeys(
        [("glb.ifmap", "read"), ("glb.weight", "read"), ("glb.ofmap", "write")], 0
    )
    preloaded = 0
    for tile in step.tiling.tiles():
        m, n, k = tile_gemm(shape, tile)
        taps = 0
        for p in range(tile.rows.start, tile.rows.stop):
            for q in range(shape.q):
                for r in range(shape.r):
                    for s in range(shape.s):
                        h = p * shape.stride[0] - shape.padding[0] + r * shape.dilation[0]
                        w = q * shape.stride[1] - shape.padding[1] + s * shape.dilation[1]
                        taps += 0 <= h < shape.h and 0 <= w < shape.w
        ifmap_reads, weight_reads, sums = {
            "os": (-(-n // machine.array.cols), -(-m // machine.array.rows), 1),
            "ws": (-(-n // machine.array.cols), 1, -(-k // machine.array.rows)),
            "is": (1, -(-m // machine.array.cols), -(-k // machine.array.rows)),
        }[machine.array.dataflow]
        words["glb.ifmap", "read"] += tile.images.size * taps * tile.channels.size * ifmap_reads
        words["glb.weight", "read"] += n * k * weight_reads
        words["glb.ofmap", "write"] += m * n * psum_words * sums
        preloaded += m * n * psum_words * (sums - int(tile.starts_psums))
        if tile.ends_psums and step.bias is not None:
            words["glb.weight", "read"] += n
        if tile.ends_psums and worked_on:
            words["glb.ofmap", "write"] += m * n
            preloaded += m * n * psum_words
    spilled = 0
    if step.tiling.spills:
        unfinished = [tile for tile in step.tiling.tiles() if not tile.ends_psums]
        spilled = sum(prod(tile_gemm(shape, tile)[:2]) for tile in unfinished) * psum_words
    words["glb.ofmap", "write"] += spilled
    return {**words, ("glb.ofmap", "read"): preloaded + step.ofmap.words + spilled}


@given(traces(), machines)
def test_any_layer_on_any_machine(trace, changes):
    """Bits, cycles, traffic and physics of one layer, whatever the tiling."""
    machine = Accelerator.preset("tiny_4x4").replace(**changes)
    try:
        step = compile_program(trace, machine).steps[0]
    except MappingError:
        assume(False)
    result = run_machine(trace, machine)
    expected = run_trace(trace, machine.multiplier, machine.accumulator, scheme_of(machine))
    assert result.outputs.tobytes() == expected.tobytes()

    (record,), array, shape = result.layers, array_model(machine), trace.layers[0].shape
    closed = sum(
        array.compute_cycles(*tile_gemm(shape, tile), resume=not tile.starts_psums)
        for tile in step.tiling.tiles()
    )
    assert record.compute_cycles == closed
    assert record.stall_cycles >= 0
    assert record.compute_cycles + record.stall_cycles == record.total_cycles

    counts = record.counts
    words = counts["dram", "read"] + counts["dram", "write"]
    assert record.total_cycles >= words * 4 / machine.dram.bytes_per_cycle
    assert counts["dram", "write"] == expected.size + record.spilled_words
    assert counts[f"multiplier.{machine.multiplier}", "compute"] == shape.macs
    filled = counts["glb.ifmap", "write"] + counts["glb.weight", "write"]
    assert filled + record.spilled_words == counts["dram", "read"]
    expected_words = glb_words(step, machine)
    assert {key: counts[key] for key in expected_words} == expected_words
    assert all(count >= 0 for count in counts.values())


@given(
    traces(),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["os", "ws", "is"]),
    st.sampled_from(["none", "load", "drain", "both"]),
)
def test_a_layer_in_one_tile_takes_the_dataflows_closed_form(trace, rows, cols, name, overlap):
    """One tile a group: compute cycles are the dataflow's `compute_cycles` of its product."""
    machine = Accelerator.preset("server_64x64").replace(
        clock_mhz=100,
        **{"array.rows": rows, "array.cols": cols, "dram.latency_cycles": 10**6},
        **{"array.dataflow": name, "array.overlap": overlap},
    )
    result = run_machine(trace, machine, values=False)
    shape = trace.layers[0].shape
    timing = array_model(machine).timing
    closed = accelsim.DATAFLOWS[name].compute_cycles(
        *shape.gemm, rows=rows, cols=cols, timing=timing, overlap=overlap
    )
    assert result.layers[0].compute_cycles == shape.groups * closed


@given(traces(), machines)
def test_blocks_do_one_thing_at_a_time(trace, changes):
    machine = Accelerator.preset("tiny_4x4").replace(**changes)
    try:
        timeline = run_machine(trace, machine, values=False).timeline
    except MappingError:
        assume(False)
    for block in {entry.block for entry in timeline}:
        busy = [entry for entry in timeline if entry.block == block]
        assert all(a.cycle_end <= b.cycle_start for a, b in pairwise(busy))


class Branches(nn.Module):
    """Every operator, ReLUs that can and cannot be fused, reshapes before vector layers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(1, 5, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(5, 6, 3, stride=2, groups=1, bias=False)
        self.average = nn.AvgPool2d(2, stride=1, padding=1, ceil_mode=True)
        self.fc1 = nn.Linear(6 * 16, 32)
        self.fc2 = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(torch.relu(self.pool(self.conv1(x))))
        x = self.average(self.conv2(x))
        x = torch.relu(self.fc1(torch.relu(torch.flatten(x, 1))))
        x = functional.max_pool2d(x.view(-1, 2, 4, 4), 2)
        return self.fc2(torch.flatten(x, 1))


def check_bits(net, trace, machine, calibration=None):
    """The machine's logits are those of the torch module, bit for bit."""
    run = accelsim.simulate(trace, machine)
    approximate = accelsim.nn.approximate(
        net,
        multiplier=machine.multiplier,
        accumulator=machine.accumulator,
        calibration=calibration,
        scheme=scheme_of(machine),
    )
    with torch.no_grad():
        logits = approximate(torch.from_numpy(trace.images)).numpy()
    assert run.outputs.tobytes() == logits.tobytes()


@pytest.mark.parametrize("multiplier", FLOAT_UNITS)
@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("preset", PRESETS)
def test_logits_out_of_the_dram_are_nn_approximates(multiplier, accumulator, preset):
    images = np.random.default_rng(1).standard_normal((3, 1, 14, 14)).astype(np.float32)
    machine = Accelerator.preset(preset).replace(multiplier=multiplier, accumulator=accumulator)
    net = Branches().eval()
    check_bits(net, accelsim.trace(net, images), machine)


class Grouped(nn.Module):
    """Groups, padding, stride and dilation, with and without bias, on activations of both signs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv1 = nn.Conv2d(2, 6, 3, padding=(1, 2), groups=2)
        self.conv2 = nn.Conv2d(6, 6, (3, 2), stride=(2, 1), dilation=(1, 2), groups=3, bias=False)
        self.fc = nn.Linear(192, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.conv2(torch.relu(self.conv1(x))), 1))


@pytest.fixture(scope="module")
def grouped():
    """The network, its calibration on other images, and the trace of three."""
    images, others = np.random.default_rng(1).standard_normal((2, 3, 2, 9, 8)).astype(np.float32)
    net = Grouped().eval()
    calibration = accelsim.nn.calibrate(net, others)
    return net, accelsim.trace(net, images, calibration=calibration), calibration


@pytest.mark.parametrize(("preset", "scheme"), list(zip(PRESETS, SCHEMES, strict=True)))
@pytest.mark.parametrize("multiplier", INTEGER_UNITS)
def test_logits_of_integer_units_out_of_the_dram_are_nn_approximates(
    multiplier, preset, scheme, grouped
):
    net, trace, calibration = grouped
    machine = Accelerator.preset(preset).replace(multiplier=multiplier, **SCHEMES[scheme])
    check_bits(net, trace, machine, calibration)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_logits_of_integer_units_with_branches_and_reshapes(scheme):
    """Calibrated on images, by each for itself."""
    images, others = np.random.default_rng(1).standard_normal((2, 3, 1, 14, 14)).astype(np.float32)
    machine = Accelerator.preset("tiny_4x4").replace(multiplier="exact_int8", **SCHEMES[scheme])
    net = Branches().eval()
    check_bits(net, accelsim.trace(net, images, calibration=others), machine, others)


@pytest.mark.parametrize(
    ("dataflow", "overlap"), [("os", "none"), ("os", "both"), ("ws", "both"), ("is", "load")]
)
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_workload_keeps_its_bits(name, dataflow, overlap):
    model, images, _ = accelsim.load_workload(name, limit=2)
    how = {"array.dataflow": dataflow, "array.overlap": overlap}
    for multiplier in ("ax_fpm", "exact_int8"):
        machine = Accelerator.preset("edge_16x16").replace(multiplier=multiplier, **how)
        check_bits(model, accelsim.trace(model, images, calibration=images), machine, images)


def test_a_wrong_address_gives_wrong_logits(monkeypatch):
    """The machine executes: with weights from elsewhere the outputs change, or it refuses."""
    from dataclasses import replace

    from accelsim.machine import array_run

    layer = MacLayer(
        "fc", "linear", INPUT, LayerShape(n=1, m=2, c=3),
        np.arange(1, 7, dtype=np.float32).reshape(2, 3, 1, 1), None,
    )  # fmt: skip
    trace = Trace("net", (layer,), np.ones((1, 3, 1, 1), np.float32), "fc")
    machine = Accelerator.preset("tiny_4x4")
    right = run_machine(trace, machine).outputs
    assert right.ravel().tolist() == [6, 15]
    block = array_run.weight_block
    monkeypatch.setattr(
        array_run, "weight_block", lambda *a: replace(block(*a), strides=(1, 1, 1, 1))
    )
    assert run_machine(trace, machine).outputs.ravel().tolist() == [6, 9]
    monkeypatch.setattr(
        array_run, "weight_block", lambda *a: replace(block(*a), address=block(*a).address - 1)
    )
    with pytest.raises(IndexError, match="reaches beyond the 2 words of DRAM"):
        run_machine(trace, machine)
