"""Tests of accelsim.robustness.attacks.deepfool."""

from __future__ import annotations

import numpy as np
import torch

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances
from accelsim.robustness.methods.unfinished import Unfinished


def test_deepfool_steps_to_the_hyperplane_at_once(tiny):
    """Of a linear model the boundary is |x0 - x1| / sqrt(2) away; the step is that plus 1e-4, and
    lengthened by the overshoot."""
    model, images, labels = tiny
    result = ATTACKS["deepfool"].replace(overshoot=0.1).run(model, images, labels, classes=2)
    assert result.success.tolist() == [True, True, True, False]
    pixels = images.reshape(4, 2).astype(float)
    expected = 1.1 * (np.abs(pixels[:, 0] - pixels[:, 1]) / np.sqrt(2) + 1e-4)
    found = distances(images, result.examples)["l2"]
    np.testing.assert_allclose(found[:3], expected[:3], rtol=1e-4)
    # One question for the classes, then one each for the step and for its result.
    assert result.forwards_per_image == 3 * 3 / 4


def test_deepfool_is_as_near_as_that_of_art(lenet):
    from art.attacks.evasion import DeepFool

    from accelsim.robustness.classifier import Classifier

    model, images, labels = lenet
    images, labels = images[:3], labels[:3]
    result = ATTACKS["deepfool"].run(model, images, labels, classes=10)
    assert result.success.all()
    classifier = Classifier(model, images.shape[1:], 10, 6)
    other = DeepFool(classifier.art, epsilon=0.02, nb_grads=10, batch_size=6, verbose=False)
    theirs = distances(images, other.generate(images))["l2"]
    assert np.median(distances(images, result.examples)["l2"]) <= 1.1 * np.median(theirs)


def test_what_fools_is_not_run_again(tiny):
    model, images, _ = tiny
    asked = []
    model.register_forward_hook(lambda _, given, __: asked.append(len(given[0])))
    unfinished = Unfinished(model, torch.tensor([0, 0, 1, 0]))
    x = torch.from_numpy(images).requires_grad_()
    first = unfinished(x)
    again = unfinished(x)
    assert asked == [4, 3]
    assert torch.equal(first, again)
    (gradient,) = torch.autograd.grad(again.sum(), x)
    assert gradient.flatten(1).any(dim=1).tolist() == [True, True, True, False]
