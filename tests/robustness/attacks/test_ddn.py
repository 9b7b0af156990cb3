"""Tests of accelsim.robustness.attacks.ddn."""

from __future__ import annotations

import numpy as np

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances


def test_ddn_finds_the_distance_to_a_hyperplane(tiny):
    """|x0 - x1| / sqrt(2), up to the share by which the length changes in the last steps."""
    model, images, labels = tiny
    result = ATTACKS["ddn"].replace(gamma=0.01, steps=300).run(model, images, labels, classes=2)
    assert result.success.tolist() == [True, True, True, False]
    pixels = images.reshape(4, 2).astype(float)
    expected = np.abs(pixels[:, 0] - pixels[:, 1]) / np.sqrt(2)
    found = distances(images, result.examples)["l2"]
    assert (found[:3] >= expected[:3] * (1 - 1e-5)).all()
    np.testing.assert_allclose(found[:3], expected[:3], rtol=0.02)


def test_ddn_takes_its_steps(lenet):
    model, images, labels = lenet
    result = ATTACKS["ddn"].replace(steps=7).run(model, images[:4], labels[:4], classes=10)
    assert result.forwards_per_image == result.gradients_per_image == 7
