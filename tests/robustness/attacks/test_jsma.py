"""Tests of accelsim.robustness.attacks.jsma."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.verdict import judge


def linear(*rows):
    """Logits as sums of four pixels, weighted by *rows*."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, len(rows), bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor(rows))
    return model


def test_the_two_best_values_are_raised():
    """Class 1 gains 1 from the second value and 0.5 from the third: 0.8 against 1.5."""
    model = linear([1.0, 0, 0, 0], [0, 1, 0.5, 0])
    image = np.float32([0.8, 0, 0, 0]).reshape(1, 1, 2, 2)
    attack = ATTACKS["jsma"].replace(gamma=0.5)
    result = attack.run(model, image, np.array([0]), classes=2)
    np.testing.assert_array_equal(result.examples.ravel(), np.float32([0.8, 1, 1, 0]))
    assert result.success.all()


def test_a_negative_theta_lowers_values():
    """The class 0 that is 0.8 + 0.6 loses both, and class 1, a constant for it, wins."""
    model = linear([1.0, 1, 0, 0], [-1, -1, 1, 0])
    image = np.float32([0.8, 0.6, 0.5, 0]).reshape(1, 1, 2, 2)
    attack = ATTACKS["jsma"].replace(gamma=0.5, theta=-1.0)
    result = attack.run(model, image, np.array([0]), classes=2)
    np.testing.assert_array_equal(result.examples.ravel(), np.float32([0, 0, 0.5, 0]))


def test_the_next_class_is_tried_where_the_likeliest_cannot_be_reached():
    """Class 1, the runner-up at 0.7, can gain no 0.1; the last two values bring class 2 to 1.6."""
    model = linear([1.0, 0, 0, 0], [0.02, 0.7, 0.01, 0], [0, 0, 0.8, 0.8])
    image = np.float32([0.8, 1, 0, 0]).reshape(1, 1, 2, 2)
    one, two = (ATTACKS["jsma"].replace(gamma=0.5, targets=targets) for targets in (1, 2))
    stuck = one.run(model, image, np.array([0]), classes=3)
    found = two.run(model, image, np.array([0]), classes=3)
    np.testing.assert_array_equal(stuck.examples, image)
    np.testing.assert_array_equal(found.examples.ravel(), np.float32([0.8, 1, 1, 1]))
    assert stuck.cause.tolist() == ["gave up"]


@pytest.mark.parametrize("gamma", [0.01, 0.145])
def test_few_values_change_and_to_the_end(lenet, gamma):
    model, images, labels = (part[:8] if isinstance(part, np.ndarray) else part for part in lenet)
    result = ATTACKS["jsma"].replace(gamma=gamma).run(model, images, labels, classes=10)
    changed = result.examples != images
    assert changed.sum(axis=(1, 2, 3)).max() <= gamma * images[0].size
    assert (result.examples[changed] == 1).all()
    np.testing.assert_array_equal(result.examples[~result.success], images[~result.success])
    assert result.success.mean() > 0.7 or gamma < 0.1


def test_what_is_wrong_already_stays(tiny):
    model, images, labels = tiny
    attack = ATTACKS["jsma"].replace(gamma=1.0)
    result = attack.run(model, images, labels, classes=2)
    np.testing.assert_array_equal(result.examples[3], images[3])
    assert not judge(model, images[3:], labels[3:], 64).right


def test_rejects_a_share_of_less_than_a_pair(tiny):
    with pytest.raises(
        ConfigError, match=r"Jsma changes values in pairs, but gamma 0.9 of 2 .* 1;"
    ):
        ATTACKS["jsma"].replace(gamma=0.9).run(*tiny, classes=2)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"theta": 0.0}, r"theta must be in -1\.\.1 and not 0, got 0\.0"),
        ({"theta": 1.5}, r"theta must be in -1\.\.1 and not 0, got 1\.5"),
        ({"theta": -2.0}, r"theta must be a number >= -1\.0"),
        ({"gamma": 0.0}, r"gamma must be a share in \(0, 1\], got 0\.0"),
        ({"gamma": 1.1}, r"gamma must be a share in \(0, 1\], got 1\.1"),
        ({"targets": 0}, "targets must be an int >= 1"),
    ],
)
def test_rejects_settings(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        ATTACKS["jsma"].replace(**settings)
