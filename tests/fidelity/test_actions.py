"""The actions of a run: they are all that its energy is made of, and none is made up or lost."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.config import Accelerator
from accelsim.dataflows.tiling import tile_gemm
from accelsim.energy import energy_per_action, load_table
from accelsim.energy.account import COMPONENTS, static_powers
from accelsim.errors import MappingError
from accelsim.layer import INPUT, LayerShape, MacLayer, Trace, VectorLayer
from accelsim.machine.dram_kinds import dram_kinds
from accelsim.machine.program import compile_program

TINY = Accelerator.preset("tiny_4x4")
MACHINES = {
    "array.rows": st.integers(1, 6),
    "array.cols": st.integers(1, 6),
    "array.dataflow": st.sampled_from(["os", "ws", "is", "rs"]),
    "accumulator": st.sampled_from(["float32", "float64"]),
    "glb.weight_kib": st.sampled_from([0.5, 1, 4]),
    "glb.word_bits": st.sampled_from([None, 32, 64]),
    "dram.kind": st.sampled_from(dram_kinds()),
    "dram.channels": st.sampled_from([1, 2]),
    "multiplier": st.sampled_from(["exact_fp32", "ax_fpm"]),
    "multiplier_energy.mode": st.sampled_from(["fixed", "zero_gated"]),
}


def convolution(shape, seed=0):
    """A trace of one convolution with some weights that are zero."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((shape.m, shape.c // shape.groups, shape.r, shape.s))
    weight[rng.random(weight.shape) < 0.3] = 0
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight.astype(np.float32), None)
    images = rng.standard_normal((shape.n, shape.c, shape.h, shape.w)).astype(np.float32)
    return Trace("net", (layer,), images, "conv")


@st.composite
def traces(draw):
    r, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = LayerShape(
        n=draw(st.integers(1, 2)), m=draw(st.integers(1, 6)), c=draw(st.integers(1, 4)),
        h=r + draw(st.integers(0, 5)), w=s + draw(st.integers(0, 5)), r=r, s=s,
    )  # fmt: skip
    return convolution(shape, draw(st.integers(0, 9)))


def counts_of(run):
    frame = run.actions
    return frame.groupby(["component", "action"])["count"].sum().to_dict()


@settings(max_examples=20)
@given(traces(), st.fixed_dictionaries(MACHINES))
def test_energy_is_the_sum_of_counts_times_the_table_and_counts_are_conserved(trace, changes):
    try:
        gated = changes["multiplier_energy.mode"] == "zero_gated"  # needs the operands
        run = accelsim.simulate(trace, TINY.replace(**changes), values=gated)
    except MappingError:
        assume(False)
    machine, actions, (layer,) = run.accelerator, run.actions, run.layers.to_dict("records")
    table = load_table(machine.energy_table)
    assert (actions["count"] > 0).all()
    assert not actions.duplicated(["layer", "component", "action"]).any()
    for row in actions.itertuples():
        one = energy_per_action(row.component, row.action, machine, table)
        assert row.energy_per_action_pj == one >= 0
        assert row.energy_pj == row.count * one
    assert layer["energy_pj"] == pytest.approx(actions["energy_pj"].sum(), rel=1e-12)
    parts = sum(layer[f"energy_{component}_pj"] for component in COMPONENTS)
    assert layer["energy_pj"] == pytest.approx(parts, rel=1e-12)
    assert run.summary["energy_uj"][0] == pytest.approx(actions["energy_pj"].sum() / 1e6)

    counts, shape = counts_of(run), trace.layers[0].shape
    unit = f"multiplier.{machine.multiplier}"
    macs = counts.get((unit, "compute"), 0) + counts.get((unit, "gated"), 0)
    assert macs == shape.macs == layer["macs"]
    outputs = shape.n * shape.m * shape.p * shape.q
    spilled, forwarded = layer["psum_spill_bytes"] // 4, layer["forwarded_bytes"] // 4
    assert counts["dram", "write"] == outputs + spilled - forwarded
    assert {counts[pair] for pair in static_powers(machine, table)} == {layer["total_cycles"]}


def network():
    """A convolution, a ReLU and a linear layer."""
    rng = np.random.default_rng(3)
    shapes = LayerShape(n=2, m=3, c=2, h=6, w=6, r=3, s=3), LayerShape(n=2, m=5, c=48)
    weights = [
        rng.standard_normal((one.m, one.c, one.r, one.s)).astype(np.float32) for one in shapes
    ]
    layers = (
        MacLayer("conv", "conv2d", INPUT, shapes[0], weights[0], None),
        VectorLayer("relu", "relu", "conv", (2, 3, 4, 4), (2, 3, 4, 4)),
        MacLayer("fc", "linear", "relu", shapes[1], weights[1], None),
    )
    return Trace("net", layers, rng.standard_normal((2, 2, 6, 6)).astype(np.float32), "fc")


@pytest.mark.parametrize("mode", ["fixed", "zero_gated", "toggles"])
def test_every_layer_is_the_sum_of_its_own_actions(mode):
    run = accelsim.simulate(network(), TINY.replace(**{"multiplier_energy.mode": mode}))
    for layer in run.layers.to_dict("records"):
        own = run.actions[run.actions["layer"] == layer["layer"]]
        spent = own["count"] * own["energy_per_action_pj"]
        assert spent.to_numpy() == pytest.approx(own["energy_pj"].to_numpy(), rel=1e-12)
        leaks, family = own["action"] == "leak", own["component"].str.partition(".")[0]
        for component in COMPONENTS:
            part = leaks if component == "leakage" else (family == component) & ~leaks
            assert layer[f"energy_{component}_pj"] == pytest.approx(own["energy_pj"][part].sum())
        products = own["component"].str.startswith("multiplier.") & ~leaks
        assert own["count"][products].sum() == layer["macs"]


def test_in_mode_toggles_a_products_energy_is_the_layers_mean():
    machine = TINY.replace(**{"multiplier_energy.mode": "toggles"})
    run = accelsim.simulate(network(), machine)
    products = run.actions[run.actions["action"] == "compute"].set_index("layer")
    layers = run.layers[run.layers["macs"] > 0].set_index("layer")
    assert (products["energy_pj"] == layers["multiplier_functional_pj"]).all()
    mean = layers["multiplier_functional_pj"] / layers["macs"]
    assert (products["energy_per_action_pj"] == mean).all()
    assert mean.nunique() == 2


def register_accesses(dataflow, m, n, k, rows, cols, psum_words, resumes):
    """Return (reads, writes) of the registers in one tile, counted PE by PE and fold by fold.

    os: a PE holds one output; activation, weight and psum are each read and written for each of
    its products, then its psum moves up to the edge, through the register of each PE above it and
    its own, the way that it came where it *resumes*. ws and is: a PE holds one operand, read for
    each of its products, that came down through the PEs above; the other operand and the psum pass
    it, each written and read once.
    """
    reads = writes = 0
    folds = {"os": (m, n), "ws": (k, n), "is": (k, m)}[dataflow]
    for first in range(0, folds[0], rows):
        height = min(rows, folds[0] - first)
        for left in range(0, folds[1], cols):
            for row in range(height):
                for _ in range(min(cols, folds[1] - left)):
                    moves = row + 1
                    if dataflow == "os":
                        moves *= 2 if resumes else 1
                        reads += (2 + psum_words) * k + psum_words * moves
                        writes += (2 + psum_words) * k + psum_words * moves
                    else:
                        streamed = m if dataflow == "ws" else n
                        reads += (2 + psum_words) * streamed + moves
                        writes += (1 + psum_words) * streamed + moves
    return reads, writes


@settings(max_examples=40)
@given(
    traces(),
    st.sampled_from(["os", "ws", "is"]),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(["float32", "float64"]),
)
def test_registers_are_accessed_as_the_dataflow_implies(trace, dataflow, rows, cols, accumulator):
    changes = {"array.rows": rows, "array.cols": cols, "array.dataflow": dataflow}
    machine = TINY.replace(**changes, accumulator=accumulator)
    try:
        (step,), shape = compile_program(trace, machine).steps, trace.layers[0].shape
    except MappingError:
        assume(False)
    words = 2 if accumulator == "float64" else 1
    expected = [
        register_accesses(
            dataflow, *tile_gemm(shape, tile), rows, cols, words, not tile.starts_psums
        )
        for tile in step.tiling.tiles()
    ]
    counts = counts_of(accelsim.simulate(trace, machine, values=False))
    reads, writes = (sum(side) for side in zip(*expected, strict=True))
    assert (counts["rf", "read"], counts["rf", "write"]) == (reads, writes)


@settings(max_examples=25)
@given(traces(), st.integers(1, 6), st.integers(1, 6))
def test_row_stationary_rfs_are_read_for_every_product_and_every_sum(trace, rows, cols):
    """Two operands and the psum for each product, two psums for each sum that goes up a PE."""
    changes = {"array.rows": rows, "array.cols": cols, "array.dataflow": "rs"}
    try:
        run = accelsim.simulate(trace, TINY.replace(**changes), values=False)
    except MappingError:
        assume(False)
    counts, macs = counts_of(run), trace.layers[0].shape.macs
    sums = counts["accumulator.float32", "add"] - macs
    assert sums > 0
    assert counts["rf.ifmap", "read"] == counts["rf.filter", "read"] == macs
    assert counts["rf.psum", "read"] == macs + 2 * sums
    assert counts["rf.psum", "write"] == macs + sums
    assert 0 < counts["rf.ifmap", "write"] <= macs
    assert 0 < counts["rf.filter", "write"] <= macs
