"""Row-stationary layers on the machine against closed form, reference bits and laws of physics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import accelsim
from accelsim.config import Accelerator
from accelsim.dataflows.row_stationary import accumulation_order, compute_cycles
from accelsim.errors import MappingError, TraceError
from accelsim.kernels.network import run_trace
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace
from accelsim.machine import run_machine, run_program
from accelsim.machine.array import accumulation_orders, array_model, budget_of
from accelsim.machine.program import compile_program, unit_work
from accelsim.quantization import scheme_of

EYERISS = Accelerator.preset("eyeriss_168")
SHAPES = {
    "n": st.integers(1, 3),
    "m": st.integers(1, 6),
    "c": st.integers(1, 6),
    "h": st.integers(1, 9),
    "w": st.integers(1, 9),
    "r": st.integers(1, 3),
    "s": st.integers(1, 3),
    "stride": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "padding": st.tuples(st.integers(0, 3), st.integers(0, 3)),
    "groups": st.integers(1, 3),
}
SIZE = st.integers(64, 1024).map(lambda words: 2 * words * 4 / 1024)
WIDTH = st.sampled_from([1, 3, 8, None])
MACHINES = {
    "array.rows": st.integers(3, 9),
    "array.cols": st.integers(1, 9),
    "array.pipelined": st.booleans(),
    "spatial.ifmap_rf_words": st.integers(3, 12),
    "spatial.filter_rf_words": st.integers(3, 40),
    "spatial.psum_rf_words": st.integers(2, 8),
    "spatial.ifmap_words_per_cycle": WIDTH,
    "spatial.filter_words_per_cycle": WIDTH,
    "spatial.psum_words_per_cycle": WIDTH,
    "spatial.hop_cycles": st.integers(0, 3),
    "spatial.psum_add_cycles": st.integers(0, 1),
    "clock_mhz": st.sampled_from([100, 600]),
    "glb.ifmap_kib": SIZE,
    "glb.weight_kib": SIZE,
    "glb.ofmap_kib": SIZE,
    "glb.unified": st.booleans(),
    "glb.double_buffered": st.booleans(),
    "glb.banks": st.integers(1, 8),
    "glb.read_words_per_cycle": st.sampled_from([1, 4, 64]),
    "dram.kind": st.sampled_from(["simple", "ddr4_2400"]),
    "dram.bytes_per_cycle": st.sampled_from([1, 4, 64]),
    "dram.latency_cycles": st.integers(0, 30),
    "dma.queue_depth": st.integers(1, 3),
    "vector_unit.lanes": st.integers(1, 8),
    "mapper.objective": st.sampled_from(["cycles", "traffic"]),
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
few = settings(max_examples=60)

BUILT_IN = [name for name, one in accelsim.WORKLOADS.items() if one.dataset == "digits"]


@st.composite
def traces(draw):
    """Convolutions, grouped and depthwise ones and linear layers among them."""
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
    linear = (shape.h, shape.w, shape.r, shape.s, shape.p, shape.groups) == (1,) * 6
    op = "linear" if linear and shape.q == 1 else "conv2d"
    layer = MacLayer("layer", op, INPUT, shape, weight.astype(np.float32), bias, range_)
    images = rng.standard_normal((shape.n, shape.c, shape.h, shape.w)).astype(np.float32)
    return Trace("one", (layer,), images, "layer")


def compiled(trace, changes):
    machine = EYERISS.replace(**changes)
    try:
        return machine, compile_program(trace, machine)
    except MappingError:
        assume(False)


def reference(trace, machine):
    units = machine.multiplier, machine.accumulator
    return run_trace(trace, *units, scheme_of(machine), accumulation_orders(trace, machine))


@given(traces(), machines)
def test_any_layer_on_any_array(trace, changes):
    """Bits, cycles and traffic of one layer, whatever the mapping."""
    machine, program = compiled(trace, changes)
    result = run_program(program, trace, machine)
    expected = reference(trace, machine)
    assert result.outputs.tobytes() == expected.tobytes()

    (record,), (step,), array = result.layers, program.steps, array_model(machine)
    shape, mapping = step.layer.shape, step.tiling.mapping
    assert record.compute_cycles == compute_cycles(shape, mapping, array)
    assert record.stall_cycles >= 0
    assert record.compute_cycles + record.stall_cycles == record.total_cycles

    counts, unit = record.counts, machine.multiplier
    words = counts["dram", "read"] + counts["dram", "write"]
    assert record.total_cycles >= words * 4 / machine.dram.bytes_per_cycle
    assert counts["dram", "write"] == expected.size
    assert counts["dram", "read"] == counts["glb.ifmap", "write"] + counts["glb.weight", "write"]
    assert counts[f"multiplier.{unit}", "compute"] == shape.macs
    # Every product, and every sum of a PE: as many as the order has segments.
    adds = shape.macs + expected.size * len(accumulation_order(shape, mapping).sizes)
    (adder,) = (key for key in counts if key[0].startswith("accumulator."))
    assert counts[adder] >= adds
    assert counts[adder] == adds or unit_work(machine).sums_activations
    # What goes into the psums again came out before.
    drained = expected.size if counts.get(("vector_unit", "add"), 0) else 0
    psums = counts["glb.ofmap", "write"] - drained
    back = counts["glb.ofmap", "read"] - expected.size - drained * array.psum_words
    assert psums - back == expected.size * array.psum_words
    for operand in ("ifmap", "filter"):
        assert counts[f"rf.{operand}", "read"] == shape.macs
    assert counts["rf.psum", "read"] > shape.macs
    assert all(count >= 0 for count in counts.values())


@given(traces(), machines)
def test_a_tile_stays_within_its_share_of_every_memory(trace, changes):
    machine, program = compiled(trace, changes)
    (step,), budget, rf = program.steps, budget_of(machine), machine.spatial
    shape, mapping, psum_words = step.layer.shape, step.tiling.mapping, budget.psum_words
    psums = mapping.n * mapping.m * mapping.e * mapping.f * psum_words
    assert psums <= budget.ofmap_words
    parts = -(-mapping.m // (mapping.p * mapping.t))
    for one in step.tiling.tiles():
        weights, ifmap = one.filter_words(shape) + one.filters.size, one.ifmap_words(shape)
        assert weights <= budget.weight_words
        assert ifmap <= budget.ifmap_words
        assert budget.total_words is None or ifmap + weights + psums <= budget.total_words
        assert parts * one.psums * psum_words <= psums
        assert one.active_pes(shape) <= machine.array.rows * machine.array.cols
        assert one.pe_channels * shape.s <= rf.ifmap_rf_words
        assert one.pe_filters * one.pe_channels * shape.s <= rf.filter_rf_words
        assert one.pe_filters * psum_words <= rf.psum_rf_words


@few
@given(traces(), st.fixed_dictionaries(MACHINES | FLOATS))
def test_with_ideal_noc_and_ports_passes_take_the_closed_form(trace, changes):
    ideal = {f"spatial.{name}_words_per_cycle": None for name in ("ifmap", "filter", "psum")}
    machine, program = compiled(trace, {**changes, **ideal, "glb.word_bits": 2**20})
    result = run_program(program, trace, machine, values=False)
    busy = sum(e.cycle_end - e.cycle_start for e in result.timeline if e.block == "array")
    # Ports of many words still take a cycle each for the weights of a pass.
    loads = sum(e.cycle_end - e.cycle_start for e in result.timeline if e.what == "load weights")
    assert busy - loads == result.layers[0].compute_cycles


BETTER = {
    "dram.bytes_per_cycle": lambda value, by: value + by,
    "dram.latency_cycles": lambda value, by: max(0, value - by),
    "dma.queue_depth": lambda value, by: value + by,
    "glb.read_words_per_cycle": lambda value, by: value + by,
    "vector_unit.lanes": lambda value, by: value + by,
    "spatial.ifmap_words_per_cycle": lambda value, by: value and value + by,
    "spatial.filter_words_per_cycle": lambda value, by: value and value + by,
    "spatial.psum_words_per_cycle": lambda value, by: value and value + by,
}


@few
@given(
    traces(),
    st.fixed_dictionaries({**MACHINES, **FLOATS, "glb.banks": st.just(8)}),
    st.sampled_from(list(BETTER)),
    st.integers(1, 30),
)
def test_nothing_better_makes_it_slower_while_the_mapping_is_held(trace, changes, name, by):
    machine, program = compiled(trace, changes)
    section, _, field = name.partition(".")
    value = getattr(getattr(machine, section), field)
    better = machine.replace(**{name: BETTER[name](value, by)})
    slow, fast = (run_program(program, trace, m, values=False).layers[0] for m in (machine, better))
    assert fast.total_cycles <= slow.total_cycles
    assert fast.compute_cycles == slow.compute_cycles
    assert fast.counts == slow.counts


@few
@given(traces(), machines, st.integers(0, 2))
def test_an_image_has_the_same_bits_in_every_batch(trace, changes, at):
    machine, program = compiled(trace, changes)
    outputs = run_program(program, trace, machine).outputs
    at %= len(trace.images)
    alone = replace(trace.batch(1), images=trace.images[at : at + 1])
    assert run_machine(alone, machine).outputs.tobytes() == outputs[at : at + 1].tobytes()


@few
@given(traces(), st.fixed_dictionaries(MACHINES | INTEGERS))
def test_sums_that_wrap_around_are_those_of_the_plain_order(trace, changes):
    assume(changes["accumulator"] != "int32_saturating")
    machine, _ = compiled(trace, changes)
    plain = run_trace(trace, machine.multiplier, machine.accumulator, scheme_of(machine))
    assert run_machine(trace, machine).outputs.tobytes() == plain.tobytes()


class Net(nn.Module):
    """Stride, padding, groups, a depthwise layer, ReLU, pooling, with and without bias."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv1 = nn.Conv2d(2, 6, 3, stride=(1, 2), padding=(1, 2))
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
        self.grouped = nn.Conv2d(6, 4, (2, 3), groups=2)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(24, 40)
        self.fc2 = nn.Linear(40, 5)

    def forward(self, x):
        x = torch.relu(self.depthwise(torch.relu(self.conv1(x))))
        x = self.pool(self.grouped(x))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


@pytest.fixture(scope="module")
def net():
    return Net().eval()


@pytest.mark.parametrize(
    "changes",
    [
        {"multiplier": "exact_fp32"},
        {"multiplier": "ax_fpm", "glb.forwarding": True},
        {"multiplier": "ax_fpm", "accumulator": "float64", "dram.kind": "lpddr4_3200"},
        {"multiplier": "exact_int8", "accumulator": "int32_saturating"},
        {"multiplier": "exact_uint8"},
        {"multiplier": "drum6_s16", "array.rows": 5, "array.cols": 3},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_logits_out_of_the_dram_are_nn_approximates(net, changes):
    images, others = np.random.default_rng(1).standard_normal((2, 3, 2, 7, 9)).astype(np.float32)
    calibration = accelsim.nn.calibrate(net, others)
    machine = EYERISS.replace(**changes)
    trace = accelsim.trace(net, images, calibration=calibration)
    approximate = accelsim.nn.approximate(
        net,
        multiplier=machine.multiplier,
        accumulator=machine.accumulator,
        calibration=calibration,
        scheme=scheme_of(machine),
        orders=accelsim.accumulation_orders(trace, machine),
    )
    with torch.no_grad():
        logits = approximate(torch.from_numpy(images)).numpy()
    run = accelsim.simulate(trace, machine)
    assert run.outputs.tobytes() == logits.tobytes()
    # Images beyond the simulated ones are classified in the same order.
    part = accelsim.simulate(trace, machine, images=1)
    assert part.outputs.tobytes() == logits.tobytes()


def test_the_order_is_part_of_the_bits(net):
    images = np.random.default_rng(1).standard_normal((3, 2, 7, 9)).astype(np.float32)
    trace = accelsim.trace(net, images)
    outputs = accelsim.simulate(trace, EYERISS).outputs
    plain = run_trace(trace, "exact_fp32", "float32").reshape(outputs.shape)
    assert outputs.tobytes() != plain.tobytes()
    np.testing.assert_allclose(outputs, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_workload_runs(name):
    model, images, _ = accelsim.load_workload(name, limit=2)
    trace = accelsim.trace(model, images)
    run = accelsim.simulate(trace, EYERISS)
    assert run.outputs.tobytes() == reference(trace, EYERISS).tobytes()
    assert run.summary["dataflow"][0] == "rs"
