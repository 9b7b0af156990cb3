"""Tests of accelsim.robustness.attacks.square."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from art.attacks.evasion import SquareAttack
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.attacks.square import Square
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.verdict import judge


class Blind(nn.Module):
    """A network whose logits carry no gradient."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        with torch.no_grad():
            return self.model(images)


def test_finds_the_best_corner_of_two_pixels(tiny):
    """The margin is the difference of the pixels; what is fooled need not be the best corner."""
    result = Square(queries=40).run(*tiny, classes=2, epsilon=0.1)
    change = (result.examples - tiny[1]).reshape(4, 2)
    np.testing.assert_allclose(change[[1, 2]], [[-0.1, 0.1], [0.1, -0.1]], atol=1e-7)
    assert result.success.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(result.examples[3], tiny[1][3])


@pytest.mark.parametrize("queries", [1, 7, 100])
def test_the_budget_of_queries_is_kept(lenet, queries):
    result = Square(queries=queries).run(*lenet, classes=10, epsilon=0.01)
    assert not result.success.all()
    assert 1 < result.forwards_per_image <= queries + 1
    assert result.gradients_per_image == 0


def test_more_queries_fool_more(lenet):
    few, many = (
        Square(queries=queries).run(*lenet, classes=10, epsilon=0.15).success.sum()
        for queries in (3, 100)
    )
    assert few < many


def test_at_least_as_strong_as_the_librarys_on_as_many_queries(lenet):
    model, images, labels = lenet[0], lenet[1][:12], lenet[2][:12]
    classifier = Classifier(model, images.shape[1:], 10, 64)
    steps = 40
    with seeded(0):
        theirs = SquareAttack(
            classifier.art, max_iter=steps, eps=0.15, batch_size=64, verbose=False
        ).generate(images, labels)
    queries = int(classifier.forwards / len(images))
    assert queries > steps
    right = judge(model, images, labels, 64).right
    fooled = right & ~judge(model, theirs, labels, 64).right
    ours = Square(queries=queries).run(model, images, labels, classes=10, epsilon=0.15)
    assert 0 < fooled.sum() <= ours.success.sum()


def test_an_image_gets_the_same_example_in_batches_of_any_size(tiny):
    whole, single = (
        Square(queries=20).run(*tiny, classes=2, batch_size=size).examples for size in (64, 1)
    )
    np.testing.assert_array_equal(whole, single)


def test_needs_no_gradient(tiny):
    model, images, labels = tiny
    blind = Blind(model)
    assert Square(queries=20).run(blind, images, labels, classes=2, epsilon=0.1).success[0]


def test_squares_shrink_and_fit():
    sides = [Square(queries=10_000)._side(query, 28, 28) for query in (10, 11, 51, 201, 8001)]
    assert sides == [25, 18, 13, 9, 1]
    assert Square()._side(1, 2, 64) == 2


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"queries": 0}, "queries must be an int >= 1, got 0"),
        ({"first_share": 0.0}, r"first_share must be in \(0, 1\], got 0\.0"),
        ({"first_share": 1.5}, r"first_share must be in \(0, 1\], got 1\.5"),
    ],
)
def test_rejects_settings(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        ATTACKS["square"].replace(**settings)
