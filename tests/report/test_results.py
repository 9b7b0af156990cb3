"""Folders become what a report is about."""

import itertools
import shlex
from pathlib import Path

import pandas as pd
import pytest

import accelsim
from accelsim.cli import main
from accelsim.config import Accelerator
from accelsim.errors import DataError
from accelsim.folders import write_manifest, write_table
from accelsim.report import report
from accelsim.report.reproduction import recipes
from accelsim.report.results import gather
from accelsim.sweeps import Range

GRID = {
    "array.pipelined": [True, False],
    "glb.word_bits": [None, 64],
    "clock_mhz": [200, 150.5, "auto"],
    "multiplier": ["exact_fp32", "ax_fpm"],
}


@pytest.fixture
def swept(tmp_path):
    """A folder of a sweep over fields of every type, and its accelerators in order."""
    base = Accelerator.preset("edge_16x16")
    points = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    machines = [base.replace(**point) for point in points]
    same = {"workload": "lenet5_digits", "error": "", "table_hash": "0" * 16}
    costs = {"latency_us_per_image": 2.0, "energy_uj_per_image": 3.0}
    rows = [
        {**point, **same, **costs, "config_hash": machine.config_hash}
        for point, machine in zip(points, machines, strict=True)
    ]
    write_table(tmp_path / "results.csv", pd.DataFrame(rows))
    manifest = {"kind": "sweep", "workload": "lenet5_digits", "grid": GRID}
    write_manifest(tmp_path, {**manifest, "accelerator": base.model_dump(mode="json")})
    return tmp_path, machines


def test_points_of_a_table_become_accelerators_again(swept):
    folder, machines = swept
    (sweep,) = gather([folder]).sweeps
    assert [sweep.machine(point) for _, point in sweep.points.iterrows()] == machines


def test_a_point_whose_accelerator_is_not_known_is_told(swept):
    folder, _ = swept
    path = folder / "results.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ",0123456789abcdef"
    path.write_text("\n".join(lines) + "\n")
    text = report([folder])
    assert "the accelerator of array.pipelined=True, glb.word_bits=nan, clock_mhz=200" in text
    assert text.count("is not known") == 1


@pytest.mark.usefixtures("in_this_process")
def test_the_command_of_a_search_makes_the_same_table(tmp_path, monkeypatch):
    """Of ranges, on a base that has another value of a field that varies."""
    monkeypatch.chdir(tmp_path)
    net = tmp_path / "net.csv"
    net.write_text("a, 64, 8, 9\nb, 64, 8, 900\n")
    base = Accelerator.preset("edge_16x16").replace(technology_nm=45, **{"array.rows": 4})
    grid = {
        "array.rows": Range(2, 9),
        "clock_mhz": Range(50.0, 200.0),
        "array.pipelined": [True, False],
    }
    how = {"search": "random", "points": 6, "seed": 5, "objectives": ["utilization:max"]}
    table = accelsim.sweep(net, grid, out="s", accelerator=base, values=False, **how)
    results = gather(["s"])
    machines = [results.sweeps[0].machine(point) for _, point in table.iterrows()]
    assert [one.config_hash for one in machines] == list(table["config_hash"])
    (recipe,) = recipes(results)
    with pytest.raises(SystemExit) as done:
        main(shlex.split(recipe.command)[1:])
    assert not done.value.code
    again = Path("again/s/results.csv").read_bytes()
    assert again == Path("s/results.csv").read_bytes()
    assert "array.rows in 2..9; clock_mhz in 50.0..200.0; array.pip" in report(["s"])


def test_rejects_a_sweep_over_networks(swept):
    folder, _ = swept
    path = folder / "results.csv"
    path.write_text(path.read_text().replace("lenet5_digits", "lenet5_mnist", 1))
    with pytest.raises(DataError, match="several networks: lenet5_mnist, lenet5_digits; a report"):
        gather([folder])
