"""Tests of accelsim.robustness.checks.model: networks that pass and networks that fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.nn import approximate
from accelsim.robustness.checks import determinism, gradient_consistency, saturation


class Spoiled(nn.Module):
    """A network whose logits depend on the number of the call or on the size of the batch."""

    def __init__(self, model, by):
        super().__init__()
        self.model, self.by, self.calls = model, by, 0

    def forward(self, images):
        self.calls += 1
        off = {"call": self.calls > 1, "batch": len(images) == 1}[self.by]
        logits = self.model(images)
        return logits + 1e-6 * off * (images.flatten(1)[:, :1] > 0.5)


def test_determinism_passes_of_a_unit(lenet):
    model, images, _ = lenet
    check = determinism(approximate(model, multiplier="ax_fpm", gradient="none"), images[:6], 4)
    assert (check.number, check.name, check.passed) == (1, "determinism", True)
    assert check.reason == "3 runs of 6 images and batches of 1 and 4 agree"


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("call", "logits of 2 of 4 images differ in another run"),
        ("batch", "logits of 2 of 4 images differ in batches of 1"),
    ],
)
def test_determinism_fails(tiny, by, message):
    """Two of the four images have a first pixel above 0.5."""
    model, images, _ = tiny
    check = determinism(Spoiled(model, by), images)
    assert (check.passed, check.reason) == (False, message)


def test_gradient_consistency_passes_and_fails():
    true = np.array([0.9, 1.0, 1.3, np.nan])
    check = gradient_consistency({0.05: true, 0.2: true})
    assert (check.number, check.passed) == (2, True)
    assert check.reason == (
        "median slope ratio 1.15 at step 0.05, 1.15 at step 0.2; must lie in 0.5..2.0"
    )
    steep = gradient_consistency({0.05: true, 0.5: 10 * true})
    assert steep.passed is False
    assert "11.50 at step 0.5" in steep.reason
    assert gradient_consistency({0.05: -true}).passed is False


def test_slopes_of_zero_count_as_infinite():
    """Two of three images have no slope: the median is infinite."""
    assert gradient_consistency({0.05: np.array([1.0, np.nan, np.inf])}).passed is False


def test_gradient_consistency_needs_numbers():
    assert gradient_consistency({}).passed is None


def test_saturation_passes_and_tells_the_gain(tiny):
    """The second network's logits are 3 times those of the first, and 3 more."""
    model, images, labels = tiny
    larger = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        larger[1].weight.copy_(3 * torch.eye(2))
        larger[1].bias.fill_(3.0)
    check = saturation(larger, model, images, labels)
    assert (check.number, check.passed) == (3, True)
    assert check.reason == (
        "0 of 4 images without gradient (must be < 1%), softmax 1.0 on 0, "
        "logits 3.00 times the exact ones"
    )


def test_saturation_fails_where_the_softmax_is_full(tiny):
    """Logits of 1e4 times the pixels: three images are right with certainty, the fourth wrong."""
    model, images, labels = tiny
    steep = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        steep[1].weight.copy_(1e4 * torch.eye(2))
    check = saturation(steep, model, images, labels, batch_size=3)
    assert check.passed is False
    assert check.reason.startswith(
        "3 of 4 images without gradient (must be < 1%), softmax 1.0 on 4"
    )


def test_saturation_needs_a_gradient(lenet):
    model, images, labels = lenet
    unit = approximate(model, multiplier="ax_fpm", gradient="none")
    check = saturation(unit, model, images[:2], labels[:2])
    assert (check.passed, check.reason) == (
        None,
        "the model's logits carry no gradient (gradient='none')",
    )
