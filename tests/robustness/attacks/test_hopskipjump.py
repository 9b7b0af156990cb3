"""Tests of accelsim.robustness.attacks.hopskipjump, and of what label attacks share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.distances import distances
from accelsim.robustness.methods.questions import (
    NoQuestionsLeftError,
    Questions,
    starting_points,
)


def test_hopskipjump_finds_the_distance_to_a_hyperplane(tiny):
    model, images, labels = tiny
    result = ATTACKS["hopskipjump"].replace(queries=600).run(model, images, labels, classes=2)
    assert result.success.tolist() == [True, True, True, False]
    pixels = images.reshape(4, 2).astype(float)
    expected = np.abs(pixels[:, 0] - pixels[:, 1]) / np.sqrt(2)
    found = distances(images, result.examples)["l2"]
    assert (found[:3] >= expected[:3] * (1 - 1e-5)).all()
    # The boundary is found to a share of 2^-1.5 of the line to the start in two dimensions.
    assert (found[:3] <= expected[:3] * 1.5).all()


def test_hopskipjump_is_as_near_as_that_of_foolbox_alone(lenet):
    """Run image by image, where Foolbox's lengths are right, with as many questions."""
    model, images, labels = lenet
    images, labels = images[:2], labels[:2]
    result = ATTACKS["hopskipjump"].replace(queries=500).run(model, images, labels, classes=10)
    assert result.success.all()
    from foolbox import Misclassification
    from foolbox.attacks import HopSkipJumpAttack

    classifier = Classifier(model, images.shape[1:], 10, 4)
    theirs = []
    with seeded(0):
        points, _, _ = starting_points(
            classifier, torch.from_numpy(images), torch.from_numpy(labels), 10
        )
        classifier.forwards = 0
        for one in range(2):
            example = HopSkipJumpAttack(steps=3).run(
                classifier.foolbox,
                torch.from_numpy(images[one : one + 1]),
                Misclassification(torch.from_numpy(labels[one : one + 1])),
                starting_points=points[one : one + 1],
            )
            theirs.append(distances(images[one : one + 1], example.numpy())["l2"][0])
    assert classifier.forwards / 2 > 440
    assert np.median(distances(images, result.examples)["l2"]) <= 1.1 * np.median(theirs)


def test_more_questions_more_near(lenet):
    model, images, labels = lenet
    near = []
    for queries in (100, 600):
        attack = ATTACKS["hopskipjump"].replace(queries=queries)
        result = attack.run(model, images[:4], labels[:4], classes=10)
        near.append(np.median(distances(images[:4], result.examples)["l2"]))
    assert near[1] < 0.9 * near[0]


def questions(tiny, limit):
    model, images, labels = tiny
    classifier = Classifier(model, images.shape[1:], 2, 2)
    given = torch.from_numpy(images[:3]), torch.from_numpy(labels[:3])
    return classifier, Questions(classifier, *given, limit)


def test_questions_tell_classes_keep_the_nearest_and_end(tiny):
    classifier, asked = questions(tiny, 4)
    far, near = 1 - asked.images, asked.images.flip(3)
    assert asked(near).tolist() == [[0, 1], [0, 1], [1, 0]]
    assert asked.fools(torch.stack([far, asked.images])).tolist() == [[True] * 3, [False] * 3]
    assert asked.left == 1
    assert classifier.forwards == 9
    nearest = torch.stack([far, near])[[1, 1, 1], range(3)]
    assert torch.equal(asked.nearest, nearest)
    with pytest.raises(NoQuestionsLeftError):
        asked.fools(torch.stack([far, near]))


def test_starts_are_noise_else_another_image(tiny):
    """Every image of a model that says 0 to nearly all is 0; the nearest of the others starts."""
    model, images, labels = tiny
    with torch.no_grad():
        model[1].weight[0] *= 1e6
    images[2] = [[[0.0, 0.5]]]
    classifier = Classifier(model, images.shape[1:], 2, 4)
    given = torch.from_numpy(images[:3]), torch.from_numpy(labels[:3])
    points, found, asked = starting_points(classifier, *given, 3)
    assert found.all()
    assert asked == 3
    assert torch.equal(points[:2], given[0][[2, 2]])
    assert not torch.equal(points[2], given[0][0])
    only = starting_points(classifier, given[0][:2], given[1][:2], 3)
    assert not only[1].any()


def test_rejects_too_few_queries():
    with pytest.raises(ConfigError, match="queries must be an int >= 50, got 49"):
        ATTACKS["hopskipjump"].replace(queries=49)
