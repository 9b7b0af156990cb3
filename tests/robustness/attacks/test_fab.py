"""Tests of accelsim.robustness.attacks.fab."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances


@pytest.fixture
def library():
    pytest.importorskip("pyautoattack", reason="pip install accelsim[fab]")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("targets", [0, 1, 5])
def test_finds_the_nearest_example_of_a_linear_model(tiny, targets):
    """The pixels change sides where each goes half their difference: 0.05, 0.4 and 0.15."""
    model, images, labels = tiny
    attack = ATTACKS["fab"].replace(steps=10, targets=targets)
    result = attack.run(model, images, labels, classes=2, epsilon=0.2)
    found = distances(images, result.examples)["linf"]
    assert result.success.tolist() == [True, False, True, False]
    assert 0.05 <= found[0] < 0.051
    assert 0.15 <= found[2] < 0.153
    np.testing.assert_array_equal(result.examples[[1, 3]], images[[1, 3]])


@pytest.mark.usefixtures("library")
def test_as_strong_as_pgd_and_nearer(lenet):
    model, images, labels = lenet[0], lenet[1][:16], lenet[2][:16]
    fab, pgd = (
        ATTACKS[name].replace(steps=15).run(model, images, labels, classes=10, epsilon=0.05)
        for name in ("fab", "pgd")
    )
    near, full = (distances(images, result.examples)["linf"] for result in (fab, pgd))
    assert fab.success.sum() >= pgd.success.sum() - 1
    assert 0 < near[fab.success].mean() < 0.9 * full[fab.success].mean()


@pytest.mark.usefixtures("library")
def test_large_logits_change_nothing(tiny):
    model, images, labels = tiny
    with torch.no_grad():
        model[1].weight.mul_(2000)
    result = ATTACKS["fab"].replace(steps=10).run(model, images, labels, classes=2, epsilon=0.1)
    assert result.success.tolist() == [True, False, False, False]


@pytest.mark.usefixtures("library")
def test_one_backward_pass_a_step_if_targeted_and_one_a_class_if_not(lenet):
    model, images, labels = (part[:4] if isinstance(part, np.ndarray) else part for part in lenet)
    for targets, gradients in ((0, 10), (1, 1)):
        attack = ATTACKS["fab"].replace(steps=3, targets=targets)
        result = attack.run(model, images, labels, classes=10)
        assert result.right.all()
        assert result.gradients_per_image == 3 * gradients


def test_rejects_a_missing_library(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack.fab_pt", None)
    with pytest.raises(ConfigError, match=r"needs pyautoattack, .* pip install 'accelsim\[fab\]'"):
        ATTACKS["fab"].run(*tiny, classes=2)


@pytest.mark.parametrize(("setting", "low"), [("steps", 1), ("restarts", 1), ("targets", 0)])
def test_rejects_settings(setting, low):
    with pytest.raises(ConfigError, match=f"{setting} must be an int >= {low}, got"):
        ATTACKS["fab"].replace(**{setting: low - 1})
