"""Tests of accelsim.robustness.attacks.mim."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS

EPSILON = 0.1
STEPS = 4


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_mim_is_its_definition(lenet, decay):
    """Algorithm 1 of the paper, here by torch; without decay it is iterative FGSM."""
    model, images, labels = lenet
    x = torch.from_numpy(images)
    example, momentum = x.clone(), torch.zeros_like(x)
    for _ in range(STEPS):
        example = example.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(model(example), torch.from_numpy(labels))
        (gradient,) = torch.autograd.grad(loss, example)
        norm = gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
        momentum = decay * momentum + gradient / norm
        example = example + EPSILON / STEPS * momentum.sign()
        example = torch.minimum(torch.maximum(example, x - EPSILON), x + EPSILON).clamp(0, 1)
    attack = ATTACKS["mim"].replace(steps=STEPS, decay=decay)
    found = attack.run(model, images, labels, classes=10, epsilon=EPSILON).examples
    # A gradient of about 0 may change its sign with the order of torch's sums.
    assert (np.abs(found - example.detach().numpy()) < 1e-6).mean() > 0.995


def test_momentum_changes_the_way(lenet):
    with_it, without = (
        ATTACKS["mim"].replace(steps=STEPS, decay=decay).run(*lenet, classes=10).examples
        for decay in (1.0, 0.0)
    )
    assert (with_it != without).mean() > 0.01


def test_images_that_are_wrong_are_attacked_too(tiny):
    """Its examples are made to fool others: the true class 0 of the last image loses still more."""
    result = ATTACKS["mim"].run(*tiny, classes=2, epsilon=0.05)
    change = (result.examples - tiny[1]).reshape(4, 2)
    expected = np.array([[-1, 1], [-1, 1], [1, -1], [-1, 1]]) * 0.05
    np.testing.assert_allclose(change, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "bad", "reason"),
    [
        ("steps", 0, "an int >= 1"),
        ("decay", -0.1, r"a number >= 0\.0"),
        ("relative_step", -1.0, r"a number >= 0\.0"),
    ],
)
def test_rejects_settings(setting, bad, reason):
    with pytest.raises(ConfigError, match=f"{setting} must be {reason}, got"):
        ATTACKS["mim"].replace(**{setting: bad})
