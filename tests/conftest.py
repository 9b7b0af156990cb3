"""Shared fixtures: a small trace and runs of it, and what tests need that may not be there."""

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import accelsim
from accelsim.resources import resource_dir

# No test is timed: the first example of many compiles a kernel. CI looks at the same examples each
# time; elsewhere hypothesis looks for new ones.
settings.register_profile(
    "accelsim",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("accelsim")


@pytest.fixture(scope="session")
def small_trace():
    """The first two test images of the built-in workload."""
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=2)
    return accelsim.trace(model, images, name="lenet5_digits")


@pytest.fixture(scope="session")
def small_labels():
    return accelsim.load_workload("lenet5_digits", limit=2)[2]


@pytest.fixture(scope="session")
def runs(small_trace, small_labels):
    """One run per unit on the default machine."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    return [
        accelsim.simulate(
            small_trace, machine.replace(multiplier=unit), labels=small_labels, seed=7
        )
        for unit in ("exact_fp32", "ax_fpm")
    ]


@pytest.fixture(scope="session")
def mixed_run(small_trace, small_labels):
    """The default machine with one layer on the other unit."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    mixed = machine.replace(layer_multipliers={"conv1": "ax_fpm"})
    return accelsim.simulate(small_trace, mixed, labels=small_labels, seed=7)


@pytest.fixture
def in_this_process(monkeypatch):
    """Points of a sweep run one by one in this process, which has imported torch already.

    For tests of what a sweep takes, keeps and prints; others start workers.
    """

    def one_by_one(function, tasks, workers, *, skip, crashed):
        return ((key, function(task)) for key, task in tasks.items() if not skip(key))

    monkeypatch.setattr("accelsim.sweeps.driver.in_processes", one_by_one)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def energies_of(tmp_path):
    """Return a function that writes cmos45 with rows for a unit of a user's, as exact_int8's."""

    def write(unit):
        rows = (resource_dir("energy_tables") / "cmos45.csv").read_text().splitlines()
        own = [row.replace("exact_int8", unit) for row in rows if "multiplier.exact_int8" in row]
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([*rows, *own]) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def data_folder():
    """Folder of published files, or None: ACCELSIM_DATA, else shared/data beside the project."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ACCELSIM_DATA") or beside)
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data(data_folder):
    """The folder of published files."""
    if data_folder is None:
        pytest.skip("no published files: neither in ACCELSIM_DATA nor in ../shared/data")
    return data_folder


@pytest.fixture
def yosys():
    """Skips where no Yosys can be run."""
    if shutil.which("yosys") is None and importlib.util.find_spec("pyosys") is None:
        pytest.skip("no yosys program on PATH and no pyosys package: pip install accelsim[rtl]")
