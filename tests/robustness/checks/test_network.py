"""Tests of accelsim.robustness.checks.network: the checks of a network on a unit."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.config import Accelerator
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.nn import approximate, calibrate_workload, slope_ratio
from accelsim.robustness.checks import (
    determinism,
    gradient_consistency,
    network_checks,
    saturation,
)


def test_the_checks_are_those_of_the_network_that_judges(lenet):
    model, images, labels = lenet
    images, labels = images[:6], labels[:6]
    ranges = calibrate_workload("lenet5_digits", model)
    asked = {"gradients": ("exact", "effective"), "calibration": ranges}
    found = network_checks(model, images, labels, "ax_fpm", **asked)
    assert list(found.slopes) == ["exact", "effective"]
    assert found.determinism == determinism(approximate(model, gradient="none"), images)
    for gradient in found.slopes:
        net = approximate(model, gradient=gradient, calibration=ranges)
        ratios = {step: slope_ratio(net, images, labels, step) for step in (0.05, 0.2, 0.5)}
        expected = [gradient_consistency(ratios), saturation(net, model, images, labels)]
        assert found.of(gradient) == [found.determinism, *expected]
    assert found.of("exact")[1] != found.of("effective")[1]


def test_without_a_gradient_the_slopes_are_not_run(lenet):
    model, images, labels = lenet
    found = network_checks(model, images[:4], labels[:4], "ax_fpm", gradients=())
    assert [check.passed for check in found.of()] == [True, None, None]
    assert [check.number for check in found.of()] == [1, 2, 3]
    assert found.of()[1].reason == "slopes of that gradient were not measured"


def test_the_network_is_that_of_the_pes(lenet):
    """A layer on a unit of its own is on that unit."""
    model, images, labels = lenet
    machine = Accelerator.preset("edge_16x16").replace(layer_multipliers={"conv1": "exact_fp32"})
    run = (model, images[:4], labels[:4])
    alone = network_checks(*run, "ax_fpm")
    mixed = network_checks(*run, "ax_fpm", accelerator=machine)
    assert mixed.of()[2].reason != alone.of()[2].reason  # with other logits
    assert mixed.determinism.passed is True


@pytest.mark.parametrize(
    ("unit", "settings", "error"),
    [
        ("ax_fmp", {}, UnknownNameError),
        ("ax_fpm", {"gradients": ("exakt",)}, ConfigError),
        ("ax_fpm", {"gradients": ("none",)}, ConfigError),
        ("exact_int8", {}, ConfigError),
    ],
)
def test_rejects(lenet, unit, settings, error):
    model, images, labels = lenet
    with pytest.raises(error):
        network_checks(model, images[:2], labels[:2], unit, **settings)
    with pytest.raises(DataError):
        network_checks(model, np.zeros((0, 1, 28, 28), np.float32), labels[:0], "ax_fpm")
