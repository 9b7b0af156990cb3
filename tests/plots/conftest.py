"""What the tests of the scripts in plots/ share."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest

import accelsim
from accelsim.robustness import Plan, Proxies, evaluate
from accelsim.robustness.controls import power_of_two_weights
from accelsim.workload import WORKLOADS, workload_split

PLOTS = Path(__file__).parents[2] / "plots"
NAME = "lenet5_digits"
IMAGES = 12
CONTROL = "weights_po2"


@pytest.fixture
def script(monkeypatch):
    """Import the script of a name; its command line is what `sys.argv` is made to hold."""

    def load(name, *arguments):
        path = PLOTS / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"plots_{name}", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.syspath_prepend(PLOTS)  # As for a script, whose folder comes first.
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        return module

    return load


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder of outcomes of three scenarios, two attacks at their least; a control in two."""
    folder = tmp_path_factory.mktemp("outcomes")
    model, images, labels = accelsim.load_workload(NAME, limit=IMAGES)
    entry = WORKLOADS[NAME]
    recipe = dataclasses.replace(entry.recipe, epochs=1)
    proxies = Proxies(entry.build, workload_split(entry, "train").first(64).images, recipe)
    deepfool = Plan("deepfool", settings={"steps": 5, "candidates": 2})
    for scenario in ("transfer", "white_box", "black_box"):
        evaluate(
            model,
            images,
            labels,
            attacks=[Plan("fgsm", 0.2), deepfool],
            multipliers=["exact_fp32", "ax_fpm"],
            controls={} if scenario == "black_box" else {CONTROL: power_of_two_weights(model)},
            scenario=scenario,
            gradients=("exact",),
            proxies=proxies if scenario == "black_box" else None,
            folder=folder,
        )
    return folder
