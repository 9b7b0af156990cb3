"""The measure of how true a gradient is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate, slope_ratio

IMAGES = np.random.default_rng(0).random((5, 1, 2, 3), np.float32)
LABELS = np.array([0, 1, 2, 0, 1])


class Lying(torch.autograd.Function):
    """The identity that says its slope is another."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return ctx.factor * grad, None


class Liar(nn.Module):
    def __init__(self, factor):
        super().__init__()
        torch.manual_seed(0)
        self.factor, self.linear = factor, nn.Linear(6, 3)
        # No class overtakes another, so that the margin is linear.
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor([0.0, 40.0, 80.0]))

    def forward(self, x):
        return Lying.apply(self.linear(x.flatten(1)), self.factor)


@pytest.mark.parametrize("factor", [1.0, 4.0, 0.5, -2.0])
def test_ratio_is_what_the_gradient_says_too_much(factor):
    ratios = slope_ratio(Liar(factor), IMAGES, LABELS, 0.2)
    np.testing.assert_allclose(ratios, 1 / factor, rtol=1e-3)


def test_batches_and_kinds_of_arrays_make_no_difference():
    net = approximate(Liar(1.0), gradient="exact")
    whole = slope_ratio(net, IMAGES, LABELS, 0.2)
    assert whole.shape == (5,)
    x = torch.from_numpy(IMAGES).requires_grad_()
    np.testing.assert_allclose(
        slope_ratio(net, x, torch.from_numpy(LABELS), 0.2, batch_size=2), whole, rtol=1e-5
    )
    with torch.no_grad():
        np.testing.assert_array_equal(slope_ratio(net, IMAGES, LABELS, 0.2), whole)


def test_the_effective_gradient_is_truer_than_the_exact_one():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))
    images = np.random.default_rng(1).random((40, 6), np.float32)
    labels = model(torch.from_numpy(images)).argmax(1)
    medians = {
        gradient: np.median(slope_ratio(approximate(model, gradient=gradient), images, labels, 0.2))
        for gradient in ("exact", "effective")
    }
    assert medians["exact"] > 1.5
    assert 0.8 < medians["effective"] < 1.2


def test_no_gradient_is_nan():
    assert np.isnan(slope_ratio(Liar(0.0), IMAGES, LABELS, 0.2)).all()


def test_rejects_bad_settings():
    with pytest.raises(ConfigError, match="step must be a finite number > 0, got 0"):
        slope_ratio(Liar(1.0), IMAGES, LABELS, 0)
    with pytest.raises(ConfigError, match="batch_size must be an int >= 1, got 0"):
        slope_ratio(Liar(1.0), IMAGES, LABELS, 0.1, batch_size=0)
    with pytest.raises(ConfigError, match="carry no gradient .* another gradient than 'none'"):
        slope_ratio(approximate(Liar(1.0), gradient="none"), IMAGES, LABELS, 0.1)
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.2"):
        slope_ratio(Liar(1.0), IMAGES, LABELS + 1, 0.1)
    with pytest.raises(DataError, match=r"must return logits \(N, classes\), got \(5, 1, 2, 3\)"):
        slope_ratio(nn.Identity(), IMAGES, LABELS, 0.1)
