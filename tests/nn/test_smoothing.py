"""Smoothed gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate, smoothed

IMAGES = torch.rand(4, 2, 3, generator=torch.Generator().manual_seed(0))


class Squares(nn.Module):
    """Its gradient is twice the input, and of the noisy input twice that."""

    def forward(self, x):
        return x.flatten(1).square()


def gradient(net, images=IMAGES):
    x = images.clone().requires_grad_()
    net(x).sum().backward()
    return x.grad


def test_gradient_of_a_linear_model_is_the_exact_one():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    torch.testing.assert_close(gradient(smoothed(model, 0.5)), gradient(model))


def test_gradient_is_the_mean_over_normal_noise():
    """Of twice the noise the mean has standard deviation 2 sigma / sqrt(samples)."""
    noise = gradient(smoothed(Squares(), 0.5, samples=10000)) / 2 - IMAGES
    assert 0 < noise.abs().max() < 0.02
    one = torch.zeros(1, 1, 20000)
    single = gradient(smoothed(Squares(), 0.5, samples=1), one) / 2
    assert single.std() == pytest.approx(0.5, rel=0.03)
    assert single.mean().abs() < 0.02


def test_value_is_the_models_own_bits():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 5))
    for inner in (model, approximate(model, gradient="effective")):
        net = smoothed(inner, 0.3, samples=3)
        assert torch.equal(net(IMAGES.clone().requires_grad_()), inner(IMAGES))
        assert torch.equal(net(IMAGES), inner(IMAGES))


def test_noise_is_the_images_own():
    """The same at every call and every place in a batch; another seed is another noise."""
    net = smoothed(Squares(), 0.5)
    whole = gradient(net)
    assert torch.equal(gradient(net), whole)
    assert torch.equal(gradient(net, IMAGES.flip(0)).flip(0), whole)
    assert torch.equal(torch.cat([gradient(net, one[None]) for one in IMAGES]), whole)
    assert torch.equal(gradient(copy.deepcopy(net)), whole)
    assert not torch.equal(gradient(smoothed(Squares(), 0.5, seed=1)), whole)
    assert not torch.equal(whole[0] - 2 * IMAGES[0], whole[1] - 2 * IMAGES[1])


def test_the_model_runs_once_where_the_input_takes_no_gradient():
    calls = []
    model = nn.Linear(3, 2)
    model.register_forward_hook(lambda *_: calls.append(1))
    net = smoothed(model, 0.5, samples=5)
    net(IMAGES)
    assert len(calls) == 1
    gradient(net)
    assert len(calls) == 1 + 1 + 5


def test_state_dict_and_mode_are_the_models():
    model = approximate(nn.Sequential(nn.Flatten(), nn.Linear(6, 3))).eval()
    net = smoothed(model, 0.5)
    assert list(net.state_dict()) == ["1.weight", "1.bias"]
    net.load_state_dict(model.state_dict())
    assert not net.training
    assert "sigma=0.5, samples=8, seed=0" in repr(net)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sigma": 0}, "sigma must be a finite number > 0, got 0; without noise"),
        ({"sigma": -1.0}, "sigma must be .* got -1.0"),
        ({"sigma": float("nan")}, "sigma must be .* got nan"),
        ({"sigma": True}, "sigma must be .* got True"),
        ({"sigma": 1, "samples": 0}, "samples must be an int >= 1, got 0"),
        ({"sigma": 1, "samples": 2.0}, "samples must be an int >= 1, got 2.0"),
        ({"sigma": 1, "seed": -1}, "seed must be an int >= 0, got -1"),
    ],
)
def test_rejects_settings(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        smoothed(Squares(), **settings)


def test_rejects_what_is_no_module_and_what_is_no_tensor():
    with pytest.raises(ConfigError, match=r"model must be a torch\.nn\.Module, got int"):
        smoothed(3, 0.5)
    with pytest.raises(DataError, match=r"takes a float32 tensor \(N, \.\.\.\), got torch.float64"):
        smoothed(Squares(), 0.5)(IMAGES.double())

    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    for x in (IMAGES, IMAGES.clone().requires_grad_()):
        with pytest.raises(DataError, match="must return one tensor, got tuple"):
            smoothed(Pair(), 0.5)(x)
