"""Modes of the multipliers' energy: what they count, what they change, what they refuse."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import accelsim
from accelsim.circuits.cells import SUPPLY_V
from accelsim.config import Accelerator
from accelsim.energy import load_table, tables
from accelsim.energy.modes import check_mode, flowing_operands, gated_counts
from accelsim.energy.scaling import energy_factor
from accelsim.energy.streams import LayerOperands
from accelsim.errors import ConfigError, EnergyTableError
from accelsim.kernels import im2col
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.machine.program import MacStep, compile_program
from accelsim.multipliers import MULTIPLIERS
from accelsim.resources import resource_dir

MACHINE = Accelerator.preset("edge_16x16")
GATED = MACHINE.replace(**{"multiplier_energy.mode": "zero_gated"})
TOGGLES = MACHINE.replace(**{"multiplier_energy.mode": "toggles"})


@pytest.fixture(scope="module")
def network():
    """A padded convolution, a ReLU whose zeros the second convolution reads, a linear layer."""
    rng = np.random.default_rng(5)
    shapes = {
        "conv1": LayerShape(n=2, m=4, c=1, h=8, w=8, r=3, s=3, padding=(1, 1)),
        "conv2": LayerShape(n=2, m=6, c=4, h=8, w=8, r=3, s=2, stride=(2, 1), groups=2),
        "fc": LayerShape(n=2, m=5, c=6 * 3 * 7),
    }

    def mac(name, op, source):
        one = shapes[name]
        weight = rng.standard_normal((one.m, one.c // one.groups, one.r, one.s))
        weight[rng.random(weight.shape) < 0.1] = 0
        return MacLayer(name, op, source, one, weight.astype(np.float32), None, (-6.0, 6.0))

    layers = (
        mac("conv1", "conv2d", INPUT),
        VectorLayer("relu1", "relu", "conv1", (2, 4, 8, 8), (2, 4, 8, 8)),
        mac("conv2", "conv2d", "relu1"),
        mac("fc", "linear", "conv2"),
    )
    return Trace("net", layers, rng.standard_normal((2, 1, 8, 8)).astype(np.float32), "fc")


def operands_of(trace, machine):
    program = compile_program(trace, machine)
    steps = [(one.layer, one.tiling) for one in program.steps if isinstance(one, MacStep)]
    return flowing_operands(trace, steps, machine)


def columns_of(shape, images, fill):
    """Return the activations of each group's products, (groups, k, pixels), by another way."""
    padding = (shape.padding[0],) * 2 + (shape.padding[1],) * 2
    window = (shape.r, shape.s), shape.stride, padding, shape.dilation, (shape.p, shape.q)
    whole = [im2col(one, *window, fill) for one in images]
    return np.concatenate(whole, axis=1).reshape(shape.groups, -1, shape.n * shape.p * shape.q)


@pytest.mark.parametrize("unit", ["exact_fp32", "exact_int8", "exact_uint8"])
def test_products_by_zero_are_counted_one_by_one(network, unit):
    machine = MACHINE.replace(multiplier=unit)
    for one in operands_of(network, machine):
        shape = one.layer.shape
        pads = [slice(pad, -pad or None) for pad in shape.padding]
        inner = one.activations[:, :, pads[0], pads[1]]
        fill = one.activations[0, 0, 0, 0] if any(shape.padding) else 0
        a = columns_of(shape, inner, fill).astype(np.float32)
        w = one.weights.reshape(shape.groups, -1, shape.gemm.k).astype(np.float32)
        brute = sum(
            np.count_nonzero(a[g, :, None, :] * w[g].T[:, :, None]) for g in range(shape.groups)
        )
        assert one.nonzero_products() == brute
        counts = {(f"multiplier.{unit}", "compute"): shape.macs, ("rf", "read"): 3}
        found = gated_counts(counts, one, machine)
        assert found[f"multiplier.{unit}", "gated"] == shape.macs - brute
        assert sum(n for (part, _), n in found.items() if part != "rf") == shape.macs
        assert found["rf", "read"] == 3


def test_gating_changes_the_multipliers_energy_alone(network):
    fixed, gated = (accelsim.simulate(network, machine) for machine in (MACHINE, GATED))
    assert fixed.outputs.tobytes() == gated.outputs.tobytes()
    own = ["energy_pj", "energy_multiplier_pj", "gated_macs"]
    pd.testing.assert_frame_equal(
        fixed.layers.drop(columns=own[:2]), gated.layers.drop(columns=own)
    )
    layers = gated.layers
    pd.testing.assert_series_equal(
        layers["energy_multiplier_pj"], 3.7 * (layers["macs"] - layers["gated_macs"]).astype(float),
        check_names=False,
    )  # fmt: skip
    pd.testing.assert_series_equal(
        fixed.layers["energy_pj"] - layers["energy_pj"],
        3.7 * layers["gated_macs"].astype(float),
        check_names=False,
        atol=1e-6,
    )
    row = gated.summary.iloc[0]
    # conv1's padding alone: 2 images x 4 filters x (8 x 8 x 9 - 22 x 22) taps.
    assert layers["gated_macs"][0] >= 2 * 4 * (64 * 9 - 22 * 22)
    assert row["gated_macs"] == layers["gated_macs"].sum()
    assert row["multiplier_energy"] == "zero_gated"
    assert gated.manifest["multiplier_energy"] == {"mode": "zero_gated"}
    assert fixed.summary["multiplier_energy"][0] == "fixed"
    assert fixed.manifest["multiplier_energy"] == {"mode": "fixed"}


@pytest.mark.parametrize("way", ["functional", "unit_delay"])
def test_toggles_are_the_multipliers_energy_and_bound_it(network, way, tmp_path):
    machine = TOGGLES.replace(
        multiplier="exact_int8",
        **{"multiplier_energy.toggles": way, "multiplier_energy.transitions": "all"},
    )
    fixed = accelsim.simulate(network, MACHINE.replace(multiplier="exact_int8"))
    run = accelsim.simulate(network, machine)
    assert run.outputs.tobytes() == fixed.outputs.tobytes()
    layers = run.layers
    assert (layers["energy_multiplier_pj"] == layers[f"multiplier_{way}_pj"]).all()
    assert (layers["multiplier_functional_pj"] < layers["multiplier_unit_delay_pj"]).all()
    assert (layers["multiplier_functional_transitions"] == layers["macs"]).all()
    np.testing.assert_allclose(
        layers["energy_pj"] - layers["energy_multiplier_pj"],
        fixed.layers["energy_pj"] - fixed.layers["energy_multiplier_pj"],
    )
    row = run.summary.iloc[0]
    assert row["energy_multiplier_uj"] == pytest.approx(row[f"multiplier_{way}_uj"])
    assert row["multiplier_energy"] == f"toggles_{way}"
    mode = run.manifest["multiplier_energy"]
    assert mode["energy_factor"] == pytest.approx(energy_factor(45, SUPPLY_V, 45, 0.9))
    assert (mode["circuit_voltage_v"], mode["table_voltage_v"]) == (1.1, 0.9)
    assert (mode["circuit"], mode["transitions"]) == ("exact_int8", "all")
    loaded = accelsim.load_run(run.save(tmp_path / "run"))
    assert loaded.manifest["multiplier_energy"] == mode
    pd.testing.assert_frame_equal(loaded.layers, run.layers)


def test_a_layer_of_the_vector_unit_switches_no_multiplier(small_trace):
    machine = TOGGLES.replace(**{"multiplier_energy.transitions": 1000})
    run = accelsim.simulate(small_trace, machine, images=1)
    layers = run.layers.set_index("layer")
    columns = [f"multiplier_{way}_{end}" for way in ("functional", "unit_delay")
               for end in ("pj", "low_pj", "high_pj", "transitions")]  # fmt: skip
    assert (layers.loc[["pool1", "pool2"], columns] == 0).all(axis=None)
    row = run.summary.iloc[0]
    half = row["multiplier_functional_high_uj"] - row["multiplier_functional_uj"]
    parts = (layers["multiplier_functional_high_pj"] - layers["multiplier_functional_pj"]) / 1e6
    assert half == pytest.approx(np.sqrt((parts**2).sum()))
    # A whole network's sample is about as large as was asked for.
    assert row["multiplier_functional_transitions"] <= 1000
    # The published constant, 3.7 pJ, lies between the bounds per product at 0.9 V.
    per_mac = row["multiplier_functional_uj"], row["multiplier_unit_delay_uj"]
    assert per_mac[0] * 1e6 / row["macs"] < 3.7 < per_mac[1] * 1e6 / row["macs"]


def test_other_images_than_the_simulated_ones_are_not_counted(small_trace):
    machine = TOGGLES.replace(**{"multiplier_energy.transitions": 1000})
    run = accelsim.simulate(small_trace, machine, images=1)
    assert len(run.outputs) == 2
    alone = accelsim.simulate(small_trace.batch(1), machine)
    pd.testing.assert_frame_equal(run.layers, alone.layers)


def test_rejects_toggles_of_a_unit_without_a_netlist(network):
    with pytest.raises(ConfigError, match="'mitchell_fp32' has none; those that have one: ama5"):
        accelsim.simulate(network, TOGGLES.replace(multiplier="mitchell_fp32"))


@pytest.mark.parametrize("machine", [GATED, TOGGLES], ids=["gated", "toggles"])
def test_rejects_a_simulation_without_operands(network, machine):
    with pytest.raises(ConfigError, match="needs the operands, and a timing-only simulation has"):
        accelsim.simulate(network, machine, values=False)


def test_rejects_toggles_of_a_dataflow_whose_streams_are_not_known():
    machine = TOGGLES.replace(**{"array.dataflow": "rs"})
    with pytest.raises(ConfigError, match="for the dataflows os, ws and is, got 'rs'; choose one"):
        check_mode(machine, load_table("cmos45"), values=True)


def test_row_stationary_arrays_gate_the_same_products(network):
    """The products of a layer are the same on any array; exact integers have the same zeros."""
    machine = GATED.replace(multiplier="exact_int8")
    runs = [
        accelsim.simulate(network, machine.replace(**{"array.dataflow": flow}))
        for flow in ("os", "rs")
    ]
    assert runs[0].layers["gated_macs"].tolist() == runs[1].layers["gated_macs"].tolist()
    assert runs[1].layers["gated_macs"].sum() > 0


def table_of(tmp_path, change):
    path = tmp_path / "mine.csv"
    path.write_text(change((resource_dir("energy_tables") / "cmos45.csv").read_text()))
    return str(path)


def test_rejects_a_table_without_the_row_for_gated_products(network, tmp_path):
    table = table_of(tmp_path, lambda text: text.replace("fp32,gated", "fp32x,gated"))
    with pytest.raises(EnergyTableError, match="'multiplier.exact_fp32', action 'gated'; add one"):
        accelsim.simulate(network, GATED.replace(energy_table=table))
    accelsim.simulate(network, MACHINE.replace(energy_table=table), values=False)


def test_toggles_are_converted_by_the_law_that_scales_tables(network):
    """From 45 nm and 1.1 V to what the table is of."""
    runs = {
        name: accelsim.simulate(network, TOGGLES.replace(energy_table=name))
        for name in ("cmos45", "cmos7")
    }
    energies = [run.summary["energy_multiplier_uj"][0] for run in runs.values()]
    assert energies[1] / energies[0] == pytest.approx(energy_factor(45, 0.9, 7, 0.7))
    assert runs["cmos7"].manifest["multiplier_energy"]["energy_factor"] == pytest.approx(
        energy_factor(45, SUPPLY_V, 7, 0.7)
    )


def test_rejects_gating_of_a_unit_that_makes_something_of_zero():
    unit = MULTIPLIERS["exact_int8"]
    table = np.array(unit.table)
    table[0, 5] = 1
    with pytest.MonkeyPatch.context() as patch:
        other = dataclasses.replace(unit, scalar=None, values=table)
        patch.setitem(MULTIPLIERS._entries, "exact_int8", other)
        with pytest.raises(ConfigError, match="products with zero that are not zero"):
            check_mode(GATED.replace(multiplier="exact_int8"), load_table("cmos45"), values=True)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("mode", "toggle", "'fixed', 'zero_gated' or 'toggles', got 'toggle'"),
        ("toggles", "glitches", "'functional' or 'unit_delay', got 'glitches'"),
        ("transitions", 999, "greater than or equal to 1000, got 999"),
        ("transitions", "some", "'auto' or 'all', got 'some'"),
        ("seed", -1, "greater than or equal to 0, got -1"),
    ],
)
def test_rejects_fields_that_cannot_be(field, value, rule):
    with pytest.raises(ConfigError, match=f"multiplier_energy.{field}: .*{rule}"):
        MACHINE.replace(**{f"multiplier_energy.{field}": value})


def test_every_unit_with_an_energy_has_one_for_gated_products():
    for name in tables():
        rows = load_table(name).rows
        found = {
            action: {row.component for row in rows if row.action == action}
            for action in ("compute", "gated")
        }
        assert found["compute"] == found["gated"]


def test_operands_of_a_layer_hold_its_padding(rng):
    shape = LayerShape(n=1, m=1, c=1, h=2, w=2, r=2, s=2, padding=(1, 0))
    layer = MacLayer("conv", "conv2d", INPUT, shape, np.ones((1, 1, 2, 2), np.float32), None)
    one = LayerOperands.of(layer, None, {INPUT: np.ones(4, np.float32)}, None)
    assert one.activations[0, 0].tolist() == [[0, 0], [1, 1], [1, 1], [0, 0]]


def test_gating_knows_matmuls_and_row_stationary_arrays(rng):
    """Products by zero are those of the operands that are multiplied, whatever the array."""
    first = rng.standard_normal((2, 3, 5, 4)).astype(np.float32)
    first[rng.random(first.shape) < 0.4] = 0
    views = [View((2, 3, 5, 4), (60, 20, 4, 1)), View((2, 3, 4, 5), (60, 20, 1, 4))]
    layer = MacLayer(
        "mul", "matmul", INPUT, LayerShape.of_matmul(6, 5, 5, 4), Operand(INPUT, views[1]), None,
        view=views[0],
    )  # fmt: skip
    trace = Trace("net", (layer,), first, "mul")
    products = np.einsum("nhik,nhjk->nhijk", first != 0, first != 0)
    for dataflow in ("os", "rs"):
        machine = Accelerator.preset("eyeriss_168").replace(
            **{"array.dataflow": dataflow, "multiplier_energy.mode": "zero_gated"}
        )
        layers = accelsim.simulate(trace, machine).layers
        assert layers["gated_macs"][0] == products.size - products.sum()
