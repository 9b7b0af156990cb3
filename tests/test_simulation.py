import numpy as np
import pandas as pd
import pytest

import accelsim
from accelsim.energy.account import COMPONENTS
from accelsim.errors import DataError, EnergyTableError, TraceError, UnknownNameError
from accelsim.machine import run_machine

MACHINE = accelsim.Accelerator.preset("edge_16x16")


def test_breakdown_sums_to_the_total(runs):
    for run in runs:
        parts = run.layers[[f"energy_{name}_pj" for name in COMPONENTS]].sum(axis=1)
        np.testing.assert_allclose(parts, run.layers["energy_pj"], rtol=1e-12)
        row = run.summary.iloc[0]
        assert sum(row[f"energy_{name}_uj"] for name in COMPONENTS) == pytest.approx(
            row["energy_uj"]
        )
        assert row["energy_uj"] == pytest.approx(run.layers["energy_pj"].sum() / 1e6)


def test_cycles_add_up(runs):
    for run in runs:
        row = run.summary.iloc[0]
        assert row["latency_cycles"] == run.layers["total_cycles"].sum()
        assert row["latency_cycles"] == row["compute_cycles"] + row["stall_cycles"]
        assert row["latency_cycles"] == run.timeline["cycle_end"].max()
        assert row["latency_us"] == pytest.approx(row["latency_cycles"] * 5e-3)


def test_utilization_is_macs_per_pe_and_cycle(runs):
    """conv2 of two images: 7,225,344 MACs on 256 PEs."""
    conv2 = runs[0].layers.set_index("layer").loc["conv2"]
    assert conv2["macs"] == 7_225_344
    assert conv2["utilization"] == pytest.approx(7_225_344 / (256 * conv2["total_cycles"]))
    row = runs[0].summary.iloc[0]
    assert row["utilization"] == pytest.approx(2 * 4_467_664 / (256 * row["latency_cycles"]))
    assert row["array_cycles"] == runs[0].layers.query("macs > 0")["compute_cycles"].sum()


def test_a_logit_that_is_nan_classifies_nothing(small_trace, monkeypatch):
    from accelsim import simulation

    real = simulation.run_program

    def poisoned(*arguments, **keywords):
        result = real(*arguments, **keywords)
        result.outputs[1].flat[3] = np.nan
        return result

    monkeypatch.setattr(simulation, "run_program", poisoned)
    truth = run_machine(small_trace, MACHINE).outputs.reshape(2, -1).argmax(axis=1)
    truth[1] = 3
    run = accelsim.simulate(small_trace, MACHINE, labels=truth)
    assert run.summary["accuracy"][0] == 0.5


def test_an_approximate_unit_changes_logits_and_multiplier_energy_only_where_it_should(runs):
    exact, approximate = runs
    assert not np.array_equal(exact.outputs, approximate.outputs)
    ratio = approximate.summary["energy_multiplier_uj"] / exact.summary["energy_multiplier_uj"]
    assert ratio[0] == pytest.approx(1.924 / 3.7)
    for component in ("dram", "rf", "accumulator"):
        column = f"energy_{component}_uj"
        assert approximate.summary[column][0] == pytest.approx(exact.summary[column][0], rel=0.05)


def test_images_beyond_the_simulated_ones_have_the_same_bits(small_trace, small_labels, runs):
    run = accelsim.simulate(small_trace, MACHINE, images=1, labels=small_labels)
    assert run.outputs.tobytes() == runs[0].outputs.tobytes()
    assert run.summary["images"][0] == 1
    assert run.summary["latency_cycles"][0] < runs[0].summary["latency_cycles"][0]
    assert run.summary["accuracy"][0] == runs[0].summary["accuracy"][0]


def test_accuracy_counts_the_labels(small_trace, small_labels):
    right = accelsim.simulate(small_trace, MACHINE, labels=small_labels).outputs.argmax(axis=1)
    half = np.array([right[0], (right[1] + 1) % 10])
    assert accelsim.simulate(small_trace, MACHINE, labels=half).summary["accuracy"][0] == 0.5


def test_timing_only_has_the_same_cycles_and_energy_and_no_outputs(small_trace, runs):
    run = accelsim.simulate(small_trace, MACHINE, values=False)
    assert run.outputs is None
    assert np.isnan(run.summary["accuracy"][0])
    pd.testing.assert_frame_equal(run.layers, runs[0].layers)


def test_simulating_twice_gives_the_same(small_trace, small_labels, runs):
    again = accelsim.simulate(small_trace, MACHINE, labels=small_labels, seed=7)
    pd.testing.assert_frame_equal(again.summary, runs[0].summary)
    pd.testing.assert_frame_equal(again.timeline, runs[0].timeline)


@pytest.fixture(scope="module")
def calibrated(small_trace):
    """The small trace with the ranges that the command line would find."""
    model = accelsim.load_workload("lenet5_digits", limit=1)[0]
    calibration = accelsim.nn.calibrate_workload("lenet5_digits", model)
    return small_trace.calibrated(calibration)


def test_a_unit_of_integers_computes_from_a_calibrated_trace(calibrated, small_labels, runs):
    machine = MACHINE.replace(multiplier="exact_int8")
    run = accelsim.simulate(calibrated, machine, labels=small_labels)
    # Eight bits move these logits, of size 20, by a few tenths.
    assert 0 < np.abs(run.outputs - runs[0].outputs).max() < 0.5
    assert run.summary["accumulator"][0] == "int32"
    assert run.manifest["calibration"] == "minmax over the first 128 train images"
    assert runs[0].manifest["calibration"] is None
    part = accelsim.simulate(calibrated, machine, images=1, labels=small_labels)
    assert part.outputs.tobytes() == run.outputs.tobytes()
    timing = accelsim.simulate(calibrated, machine, values=False)
    pd.testing.assert_frame_equal(timing.layers, run.layers)


def test_the_manifest_says_what_was_in_a_unit_file(small_trace, runs, tmp_path, energies_of):
    path = str(tmp_path / "unit.npz")
    unit = accelsim.import_multiplier(
        lambda a, w: a * w, name="mine", bits=8, signed=True, delay_ps=900, out=path,
        operand_order="activation,weight",
    )  # fmt: skip
    machine = MACHINE.replace(multiplier=path, energy_table=str(energies_of("mine")))
    run = accelsim.simulate(small_trace, machine, values=False)
    assert run.manifest["unit_files"] == {path: unit.fingerprint}
    assert runs[0].manifest["unit_files"] == {}


def test_rejects_a_unit_of_integers_without_calibration(small_trace, monkeypatch):
    machine = MACHINE.replace(multiplier="exact_int8")
    assert accelsim.simulate(small_trace, machine, values=False).outputs is None
    monkeypatch.setattr("accelsim.simulation.run_program", lambda *a, **k: pytest.fail("ran"))
    with pytest.raises(
        DataError, match=r"layer 'conv1': .* accelsim\.trace\(model, images, calibr"
    ):
        accelsim.simulate(small_trace, machine)


@pytest.mark.parametrize("labels", [[1], [0.5, 1.0], [[0, 1]], ["a", "b"]])
def test_rejects_labels_that_do_not_fit(small_trace, labels):
    with pytest.raises(DataError, match="labels must be 2 integers"):
        accelsim.simulate(small_trace, MACHINE, labels=labels)


@pytest.mark.parametrize("labels", [[0, 10], [-1, 0]])
def test_rejects_labels_that_are_no_class(small_trace, labels):
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.9, got "):
        accelsim.simulate(small_trace, MACHINE, labels=labels)


def test_takes_an_accelerator_by_name_and_rejects_what_is_none(small_trace, runs):
    run = accelsim.simulate(small_trace, "edge_16x16", values=False)
    assert run.accelerator == runs[0].accelerator
    with pytest.raises(DataError, match="accelerator must be of type Accelerator, got NoneType"):
        accelsim.simulate(small_trace, None)
    with pytest.raises(DataError, match="trace must be of type Trace, got int"):
        accelsim.simulate(3, MACHINE)


def test_rejects_more_images_than_there_are(small_trace):
    with pytest.raises(TraceError, match=r"images must be an int in 1\.\.2"):
        accelsim.simulate(small_trace, MACHINE, images=3)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"energy_table": "none"}, UnknownNameError),
        ({"multiplier": "none"}, UnknownNameError),
        ({"glb.weight_kib": 4096}, EnergyTableError),
    ],
)
def test_rejects_before_the_work_what_could_fail_after_it(small_trace, change, error, monkeypatch):
    monkeypatch.setattr("accelsim.simulation.run_program", lambda *a, **k: pytest.fail("ran"))
    with pytest.raises(error):
        accelsim.simulate(small_trace, MACHINE.replace(**change))
