from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import accelsim
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.store import Store
from accelsim.sweeps import driver as sweeps
from accelsim.sweeps.points import Inputs, Point, hand_over, point_of, run_points
from accelsim.threads import cpus

GRID = {"array.rows": [4, 8], "multiplier": ["exact_fp32", "ax_fpm"]}


def run_sweep(out, grid=None, **changes):
    return accelsim.sweep("lenet5_digits", grid or GRID, out=out, images=1, workers=1, **changes)


def test_a_row_per_point_in_grid_order_equal_to_simulate(tmp_path, monkeypatch):
    seen = []
    table = run_sweep(tmp_path / "s", progress=lambda *counts: seen.append(counts))
    assert list(zip(table["array.rows"], table["multiplier"], strict=True)) == [
        (4, "exact_fp32"),
        (4, "ax_fpm"),
        (8, "exact_fp32"),
        (8, "ax_fpm"),
    ]
    assert seen == [(0, 4, 0), (1, 4, 0), (2, 4, 0), (3, 4, 0), (4, 4, 0)]
    model, images, labels = accelsim.load_workload("lenet5_digits", limit=1)
    machine = accelsim.Accelerator.preset("edge_16x16").replace(
        multiplier="ax_fpm", **{"array.rows": 8}
    )
    run = accelsim.simulate(
        accelsim.trace(model, images, name="lenet5_digits"), machine, labels=labels
    )
    for column in ("latency_cycles", "energy_uj", "config_hash", "trace_hash", "accuracy"):
        assert table[column].iloc[3] == run.summary[column].iloc[0]
    assert (table["error"] == "").all()

    # The same again costs nothing, and a larger grid only its new points.
    def nothing_to_do(todo, *_):
        assert not todo
        return iter(())

    monkeypatch.setattr(sweeps, "_evaluate", nothing_to_do)
    pd.testing.assert_frame_equal(run_sweep(tmp_path / "s"), table)
    todo = []
    monkeypatch.setattr(sweeps, "_evaluate", lambda new, *a: todo.extend(new.values()) or iter(()))
    run_sweep(tmp_path / "s", {**GRID, "array.rows": [4, 8, 2]})
    assert [point.varied["array.rows"] for point in todo] == [2, 2]


@pytest.mark.usefixtures("in_this_process")
def test_units_of_integers_are_calibrated_and_their_scheme_varied(tmp_path):
    grid = {"multiplier": ["exact_fp32", "exact_int8"], "quantization.weights": ["auto", "affine"]}
    table = run_sweep(tmp_path / "s", grid)
    assert (table["error"] == "").all()
    assert (table["accuracy"] == 1).all()
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=1)
    trace = accelsim.trace(model, images, name="lenet5_digits")
    calibration = accelsim.nn.calibrate_workload("lenet5_digits", model)
    expected = [trace.fingerprint] * 2 + [trace.calibrated(calibration).fingerprint] * 2
    assert table["trace_hash"].tolist() == expected
    cycles = table["latency_cycles"]
    assert cycles[0] == cycles[1]
    assert cycles[2] < cycles[3]


def test_a_network_is_traced_once_and_read_by_whoever_runs_it(tmp_path, monkeypatch):
    """Rows are the same, labels and ranges included; nothing is built again."""
    fields = {"array.rows": 4, "multiplier": "exact_int8"}
    base = accelsim.Accelerator.preset("edge_16x16")
    _, point = point_of(fields, base, "lenet5_digits", 1, None, values=True)
    (row,) = run_points([point])
    with pytest.raises(DataError, match="cannot be written to .* for the workers: .* in TMPDIR"):
        hand_over([point], tmp_path / "no")
    hand_over([point], tmp_path)
    sweeps.forget_inputs()
    monkeypatch.setattr("accelsim.sweeps.points.load_workload", None)
    assert run_points([point], networks=tmp_path) == [row]
    assert row["accuracy"] == 1


def test_a_topology_is_swept_by_shape(tmp_path, monkeypatch):
    """One image unless told; a stored point counts while the layers are the same."""
    done = []

    def evaluate(todo, *_):
        for key, point in todo.items():
            done.append((Path(point.inputs.workload).name, point.inputs.images))
            yield key, *run_points([point])

    monkeypatch.setattr(sweeps, "_evaluate", evaluate)
    monkeypatch.chdir(tmp_path)
    net, grid = Path("net.csv"), {"array.rows": [4, 8]}

    def run(**changes):
        return accelsim.sweep("net.csv", grid, out="s", values=False, **changes)

    net.write_text("a, 9, 5, 7\n")
    table = run()
    assert (table["error"] == "").all()
    assert table["workload"].tolist() == ["net", "net"]
    assert table["macs"].tolist() == [9 * 5 * 7] * 2
    net.write_text("# the same\na, 9, 5, 7\n")
    run()
    assert done == [("net.csv", 1)] * 2
    net.write_text("a, 9, 5, 8\n")
    run(images=3)
    assert done[2:] == [("net.csv", 3)] * 2
    with pytest.raises(DataError, match="'net' is a topology"):
        accelsim.sweep("net.csv", grid, out="t")
    with pytest.raises(ConfigError, match=r"net.csv is a topology: .* so data cannot be used"):
        accelsim.sweep("net.csv", grid, out="t", values=False, data="d")


def test_a_unit_file_counts_by_what_is_in_it(tmp_path, energies_of, monkeypatch):
    """Stored rows of one path are not those of another unit that is written there later."""
    unit, energies = str(tmp_path / "unit.npz"), energies_of("mine")
    todo = []
    monkeypatch.setattr(
        sweeps, "_evaluate", lambda new, *_: iter([(k, stub(todo, k)) for k in new])
    )
    for delay_ps, known in ((900, 1), (900, 1), (1200, 2), (900, 2)):
        accelsim.import_multiplier(
            lambda a, w: a * w, name="mine", bits=8, signed=True, delay_ps=delay_ps, out=unit,
            operand_order="activation,weight",
        )  # fmt: skip
        run_sweep(tmp_path / "s", {"multiplier": [unit], "energy_table": [str(energies)]})
        assert len(set(todo)) == known


def stub(todo, key):
    """A row that nobody simulated; its key is noted."""
    todo.append(key)
    return {"error": ""}


@pytest.mark.usefixtures("in_this_process")
def test_a_point_that_fails_is_kept_with_its_error_and_the_rest_go_on(tmp_path):
    table = run_sweep(tmp_path / "s", {"glb.ifmap_kib": [0.5, 64]})
    assert "layer 'conv1' fits no tiling" in table["error"].iloc[0]
    assert table["error"].iloc[1] == ""
    assert table["latency_cycles"].iloc[1] > 0


@pytest.mark.usefixtures("in_this_process")
def test_an_interrupted_sweep_keeps_what_it_had_and_goes_on(tmp_path, monkeypatch):
    real = sweeps._evaluate

    def interrupted(todo, *rest):
        for number, item in enumerate(real(todo, *rest)):
            if number == 2:
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(sweeps, "_evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(tmp_path / "s")
    assert len(pd.read_csv(tmp_path / "s" / "results.csv")) == 2
    with Store(tmp_path / "s" / sweeps.STORE) as store:
        first = store.rows()
    assert len(first) == 2

    asked = []
    monkeypatch.setattr(
        sweeps, "_evaluate", lambda todo, *rest: asked.append(len(todo)) or real(todo, *rest)
    )
    assert len(run_sweep(tmp_path / "s")) == 4
    assert asked == [2]
    with Store(tmp_path / "s" / sweeps.STORE) as store:
        assert {key: store.rows()[key] for key in first} == first


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        ({}, ConfigError, "the grid is empty"),
        ({"array.rows": []}, ConfigError, "the grid is empty"),
        (
            {"array.rows": 8},
            ConfigError,
            "array.rows must have a list of values",
        ),
        ({"multiplier": "ax_fpm"}, ConfigError, "multiplier must have a list of values"),
        ({"array.rows": [4, 0]}, ConfigError, "array.rows: .* got 0"),
        ({"array.rwos": [4]}, ConfigError, "no field 'array.rwos'"),
        ({"energy_table": ["none"]}, UnknownNameError, "no energy table named 'none'"),
        ({"multiplier": ["ax_fmp"]}, UnknownNameError, "no multiplier named 'ax_fmp'"),
    ],
)
def test_rejects_a_bad_grid_before_the_first_point(tmp_path, grid, error, message):
    with pytest.raises(error, match=message):
        run_sweep(tmp_path / "s", grid) if grid else accelsim.sweep(
            "lenet5_digits", {}, out=tmp_path / "s"
        )
    assert not (tmp_path / "s").exists()


def test_rejects_a_folder_of_something_else(tmp_path, runs):
    runs[0].save(tmp_path / "run")
    with pytest.raises(DataError, match="holds a run, not a sweep"):
        run_sweep(tmp_path / "run")


@pytest.mark.usefixtures("in_this_process")
def test_numpy_values_and_other_grids_in_one_folder(tmp_path):
    first = run_sweep(tmp_path / "s", {"array.rows": np.array([4, 8])}, values=False)
    assert first["array.rows"].tolist() == [4, 8]
    wider = run_sweep(tmp_path / "s", {"array.rows": [8], "array.cols": [16, 4]}, values=False)
    assert wider["array.cols"].tolist() == [16, 4]
    assert wider["latency_cycles"].iloc[0] == first["latency_cycles"].iloc[1]
    with Store(tmp_path / "s" / sweeps.STORE) as store:
        assert len(store.rows()) == 3


def test_workers_have_their_share_of_the_cores(monkeypatch, tmp_path):
    """All of them together use the cores."""

    class StopHereError(Exception):
        pass

    def executor(max_workers, env, timeout, initializer):
        assert env["ACCELSIM_THREADS"] == env["OMP_NUM_THREADS"] == str(cpus())
        raise StopHereError

    monkeypatch.setattr("loky.get_reusable_executor", executor)
    with pytest.raises(StopHereError):
        run_sweep(tmp_path)


def test_a_point_is_calibrated_and_keyed_by_all_of_its_units(tmp_path):
    machine = accelsim.Accelerator.preset("edge_16x16")
    path = tmp_path / "net.csv"
    path.write_text("a, 8, 8, 4\nb, 8, 8, 4\n")
    inputs, keys = Inputs(str(path), 1, None), []
    for unit, integers in (("ax_fpm", False), ("exact_int8", True)):
        mixed = machine.replace(layer_multipliers={"a": unit})
        assert Point({}, mixed, inputs, True, "").calibrated == integers
        assert not Point({}, mixed, inputs, False, "").calibrated
        for layer in "ab":
            varied = {f"layer_multipliers.{layer}": unit}
            key, point = point_of(varied, machine, str(path), None, None, False)
            assert point.accelerator.unit_of(layer) == unit
            keys.append(key)
    keys.append(point_of({"multiplier": "ax_fpm"}, machine, str(path), None, None, False)[0])
    assert len(set(keys)) == 5
    with pytest.raises(ConfigError, match=r"layer_multipliers\.c=ax_fpm: 'c' is none of the netw"):
        point_of({"layer_multipliers.c": "ax_fpm"}, machine, str(path), None, None, False)
