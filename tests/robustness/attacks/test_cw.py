"""Tests of accelsim.robustness.attacks.cw."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances
from accelsim.robustness.verdict import judge


def test_cw_finds_the_distance_to_a_hyperplane(tiny):
    """Logits are the pixels: the classes tie at the mean pixel, |x0 - x1| / sqrt(2) away."""
    model, images, labels = tiny
    result = ATTACKS["cw"].run(model, images, labels, classes=2)
    assert result.success.tolist() == [True, True, True, False]
    pixels = images.reshape(4, 2).astype(float)
    expected = np.abs(pixels[:, 0] - pixels[:, 1]) / np.sqrt(2)
    found = distances(images, result.examples)["l2"]
    np.testing.assert_allclose(found[:3], expected[:3], rtol=0.02)
    assert (found[:3] >= expected[:3] * (1 - 1e-5)).all()


def test_cw_with_confidence_goes_that_far_past_the_boundary(tiny):
    model, images, labels = tiny
    result = ATTACKS["cw"].replace(confidence=0.2).run(model, images, labels, classes=2)
    margin = judge(model, result.examples, labels, 4).margin
    np.testing.assert_allclose(margin[:3], -0.2, atol=0.02)
    assert (margin[:3] <= -0.2 + 1e-6).all()


def test_cw_is_as_near_as_ddn(lenet):
    """Two searches for the same minimum, by other means, within 10 %."""
    model, images, labels = lenet
    near = {}
    for name, attack in (
        ("cw", ATTACKS["cw"].replace(steps=100, searches=6)),
        ("ddn", ATTACKS["ddn"]),
    ):
        result = attack.run(model, images[:4], labels[:4], classes=10)
        assert result.success.all()
        near[name] = np.median(distances(images[:4], result.examples)["l2"])
    assert near["cw"] <= 1.1 * near["ddn"]
    assert near["ddn"] <= 1.1 * near["cw"]


def test_rejects_settings():
    with pytest.raises(ConfigError, match=r"confidence must be a number >= 0.0, got -1"):
        ATTACKS["cw"].replace(confidence=-1)
    with pytest.raises(ConfigError, match=r"searches must be an int >= 1, got 0"):
        ATTACKS["cw"].replace(searches=0)
