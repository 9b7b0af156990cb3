"""Tests of accelsim.robustness.attacks.boundary."""

from __future__ import annotations

import numpy as np
from torch import from_numpy

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.distances import distances


def test_boundary_comes_near_a_hyperplane(tiny):
    """In two dimensions the walk finds the nearest point, |x0 - x1| / sqrt(2) away."""
    model, images, labels = tiny
    result = ATTACKS["boundary"].replace(queries=1500).run(model, images, labels, classes=2)
    assert result.success.tolist() == [True, True, True, False]
    pixels = images.reshape(4, 2).astype(float)
    expected = np.abs(pixels[:, 0] - pixels[:, 1]) / np.sqrt(2)
    found = distances(images, result.examples)["l2"]
    assert (found[:3] >= expected[:3] * (1 - 1e-5)).all()
    np.testing.assert_allclose(found[:3], expected[:3], rtol=0.05)


def test_boundary_is_as_near_as_that_of_foolbox(lenet):
    """From its own start, blended noise, with as many steps."""
    model, images, labels = lenet
    images, labels = images[:2], labels[:2]
    result = ATTACKS["boundary"].replace(queries=300).run(model, images, labels, classes=10)
    assert result.success.all()
    from foolbox import Misclassification
    from foolbox.attacks import BoundaryAttack, LinearSearchBlendedUniformNoiseAttack

    classifier = Classifier(model, images.shape[1:], 10, 4)
    with seeded(0):
        start = LinearSearchBlendedUniformNoiseAttack(steps=50)
        theirs = BoundaryAttack(init_attack=start, steps=270).run(
            classifier.foolbox, from_numpy(images), Misclassification(from_numpy(labels))
        )
    assert np.median(distances(images, result.examples)["l2"]) <= 1.1 * np.median(
        distances(images, theirs.numpy())["l2"]
    )
