"""Tests of accelsim.robustness.verdict."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch import nn

from accelsim.errors import DataError
from accelsim.robustness.verdict import judge


class Shape(nn.Module):
    """A module whose outputs are a function of its inputs."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_verdict_of_images_computed_by_hand(tiny):
    """Logits are the two pixels: softmax of (0.6, 0.5) is 1 / (1 + exp(-0.1)) for class 0."""
    verdict = judge(*tiny, batch_size=3)
    np.testing.assert_array_equal(verdict.right, [True, True, True, False])
    expected = [1 / (1 + math.exp(-gap)) for gap in (0.1, 0.8, 0.3, -0.8)]
    np.testing.assert_allclose(verdict.confidence, expected, rtol=1e-6)
    np.testing.assert_array_equal(verdict.chosen, [0, 0, 1, 1])
    np.testing.assert_allclose(verdict.sure, [*expected[:3], 1 - expected[3]], rtol=1e-6)
    np.testing.assert_allclose(verdict.margin, [0.1, 0.8, 0.3, -0.8], rtol=1e-6)
    assert verdict.classes == 2


def test_read_only_and_reversed_images_are_taken(tiny):
    model, images, labels = tiny
    images.setflags(write=False)
    verdict = judge(model, images[::-1], labels[::-1], batch_size=3)
    np.testing.assert_array_equal(verdict.right, [False, True, True, True])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_wrong(tiny, bad):
    _, images, labels = tiny
    network = Shape(lambda x: x.flatten(1).index_fill(1, x.new_tensor([0]).long(), bad))
    verdict = judge(network, images, labels, batch_size=4)
    assert not verdict.right.any()
    np.testing.assert_array_equal(verdict.confidence, 0)
    np.testing.assert_array_equal(verdict.sure, 0)
    np.testing.assert_array_equal(verdict.chosen, -1)
    np.testing.assert_array_equal(verdict.margin, -np.inf)


def test_rejects_outputs_that_are_no_logits(tiny):
    _, images, labels = tiny
    with pytest.raises(DataError, match=r"must return logits \(N, classes\), got shape \(4, 1, 1"):
        judge(nn.Identity(), images, labels, batch_size=4)


def test_rejects_labels_beyond_the_classes(tiny):
    model, images, _ = tiny
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.1, got 7 at index 3"):
        judge(model, images, np.array([0, 1, 0, 7]), batch_size=4)
