"""Tests of accelsim.robustness.attack: the base verifies, and trusts no attack."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.attack import BUDGET_TOLERANCE, Attack

EPSILON = 0.25


class Shift(Attack):
    """An attack that does as it is told."""

    title = "shift"
    norm = "linf"
    default_epsilon = EPSILON

    def __init__(self, change):
        self.change = change

    def generate(self, classifier, images, labels, epsilon):
        return self.change(images)


def shift(tiny, change, **settings):
    model, images, labels = tiny
    return Shift(change).run(model, images, labels, classes=2, **settings)


def test_a_good_attack_passes_and_rounding_is_clipped(tiny):
    result = shift(tiny, lambda x: np.clip(x + np.float32(EPSILON), 0, 1 + BUDGET_TOLERANCE / 2))
    assert result.epsilon == EPSILON
    assert result.examples.dtype == np.float32
    assert result.examples.max() == 1


def test_an_attack_cannot_change_the_images_given_to_it(tiny):
    before = tiny[1].copy()
    shift(tiny, lambda x: np.add(x, np.float32(0.05), out=x))
    np.testing.assert_array_equal(tiny[1], before)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x[:2], r"must return examples of shape \(4, 1, 1, 2\), got \(2, 1, 1, 2\)"),
        (lambda x: x.tolist(), r"must return examples of shape \(4, 1, 1, 2\), got list"),
        (lambda x: x * np.float32(np.nan), "returned NaN or infinite pixels"),
        (
            lambda x: np.clip(x + 0.251, 0, 1),
            r"left its budget: .* must be <= 0\.25, got 0\.2[0-9]+",
        ),
        (lambda x: x + np.float32(0.2), r"left the pixel range \[0, 1\]: got 0\.3.*\.\.1\.1"),
        (lambda x: x - np.float32(0.2), r"left the pixel range \[0, 1\]: got -0\.1"),
    ],
)
def test_rejects_examples_of_a_wrong_attack(tiny, change, reason):
    with pytest.raises(DataError, match=f"attack Shift {reason}"):
        shift(tiny, change)


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.01, 8, np.nan, np.inf, True, "0.1"])
def test_rejects_epsilon(tiny, epsilon):
    with pytest.raises(ConfigError, match=r"epsilon must be a number in \(0, 1\].*, got"):
        shift(tiny, lambda x: x, epsilon=epsilon)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, True, None])
def test_rejects_seed(tiny, seed):
    with pytest.raises(ConfigError, match=r"seed must be an int in 0\.\.4294967295, got"):
        shift(tiny, lambda x: x, seed=seed)


@pytest.mark.parametrize("factor", [255, -1])
def test_rejects_images_outside_the_pixel_range(tiny, factor):
    model, images, labels = tiny
    with pytest.raises(DataError, match=r"images must lie in \[0, 1\] to be attacked, got .*\.\."):
        shift((model, images * np.float32(factor), labels), lambda x: x)


def test_rejects_labels_beyond_the_classes(tiny):
    model, images, labels = tiny
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.1, got 0\.\.2"):
        shift((model, images, labels * 2), lambda x: x)
