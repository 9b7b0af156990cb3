"""Tests of accelsim.robustness.attacks.lsa."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier
from accelsim.robustness.distances import distances


@pytest.fixture(scope="module", autouse=True)
def foolbox():
    """Foolbox, imported without the warning that it provokes."""
    return Classifier(nn.Flatten(), (1, 1, 1), 1, 1).foolbox


def weighted(weights):
    """Two classes; the first one's logit is a weighted sum of the pixels less 1/2, the other 0."""
    weights = torch.tensor(weights, dtype=torch.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight[0] = weights.flatten()
        model[1].bias.zero_()
        model[1].bias[0] = -weights.sum() / 2
    return model


def attack(**settings):
    return ATTACKS["lsa"].replace(share=1.0, pixels=1, rounds=1, **settings)


@pytest.mark.parametrize("score", ["prob", "margin"])
def test_the_pixel_that_lowers_the_score_most_is_changed_for_good(score):
    """Centered pixels .4 .3 -.2 .4, weights 1 2 3 -.5: a logit of .2. As candidates, at 10 times
    their signs, they change it by 9.6, 19.4, -29.4 and -4.8: the third becomes 3/2 * -.2 = -.3, a
    logit of -.1."""
    image = np.float32([0.9, 0.8, 0.3, 0.9]).reshape(1, 1, 2, 2)
    result = attack(score=score).run(weighted([1, 2, 3, -0.5]), image, np.array([0]), classes=2)
    assert result.success.all()
    expected = np.float32([0.9, 0.8, 0.2, 0.9]).reshape(1, 1, 2, 2)
    np.testing.assert_allclose(result.examples, expected, atol=1e-6)
    assert distances(image, result.examples)["l0"] == 1
    assert result.forwards_per_image == 4 + 1


def test_what_leaves_the_range_comes_back_at_its_other_end():
    """Centered pixels .4 and -.4, weights 1 and 1/2: the second lowers the logit most and becomes
    -.6 + 1 = .4, which raises it: greed does not pay, and the image itself is returned."""
    from accelsim.robustness.methods import local_search

    values = torch.tensor([0.6, -0.6, 0.3, -0.75, 0.5, 1.0])
    torch.testing.assert_close(
        local_search._cyclic(values), torch.tensor([-0.4, 0.4, 0.3, 0.25, 0.5, 0.0])
    )
    image = np.float32([0.9, 0.1]).reshape(1, 1, 1, 2)
    result = attack().run(weighted([1, 0.5]), image, np.array([0]), classes=2)
    assert not result.success.any()
    np.testing.assert_array_equal(result.examples, image)


@pytest.mark.parametrize(("barred", "changed", "rounds"), [(30, 3, 3), (0, 1, 2)])
def test_changed_pixels_are_barred(barred, changed, rounds):
    """Centered pixels .45 and three of -.1, weights 1, 1.2, 1, 1: a logit of .13. The second lowers
    it by .06; barred then, the others by .05 each, else itself by .09 more."""
    image = np.float32([0.95, 0.4, 0.4, 0.4]).reshape(1, 1, 1, 4)
    search = attack(barred=barred).replace(rounds=6)
    result = search.run(weighted([1, 1.2, 1, 1]), image, np.array([0]), classes=2)
    assert result.success.all()
    assert distances(image, result.examples)["l0"] == changed
    candidates = 4 + 3 + 2 if barred else 4 * rounds
    assert result.forwards_per_image == candidates + rounds


def test_few_pixels_change(lenet):
    model, images, labels = lenet
    result = ATTACKS["lsa"].replace(rounds=3).run(model, images[:4], labels[:4], classes=10)
    assert distances(images[:4], result.examples)["l0"].max() <= 3 * 5
    assert result.forwards_per_image <= 3 * 129


def test_rejects_settings():
    with pytest.raises(
        ConfigError, match="score must be one of prob, margin, got 'margn'.*Did you"
    ):
        ATTACKS["lsa"].replace(score="margn")
    with pytest.raises(ConfigError, match="r must be at most 2 and share at most 1, got r=3"):
        ATTACKS["lsa"].replace(r=3)
