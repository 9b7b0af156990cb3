"""Tests of accelsim.robustness.attacks.apgd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from art.attacks.evasion import AutoProjectedGradientDescent
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.verdict import judge

BOTH = pytest.mark.parametrize("name", ["apgd_ce", "apgd_dlr"])
STEPS = 20
EPSILON = 0.05


def run(name, model, images, labels, classes=10, **settings):
    attack = ATTACKS[name].replace(**{"steps": STEPS} | settings)
    return attack.run(model, images, labels, classes=classes, epsilon=EPSILON)


class Scaled(nn.Module):
    """A network whose logits are so large that float32 has no probability but 0 and 1."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return 10_000 * self.model(images)


@BOTH
def test_at_least_as_strong_as_pgd(name, lenet):
    pgd = ATTACKS["pgd"].replace(steps=STEPS).run(*lenet, classes=10, epsilon=EPSILON)
    found = run(name, *lenet)
    assert 0 < pgd.success.sum() < len(pgd.success)
    # One image less is within the error of 24 that PGD's own random start makes.
    assert found.success.sum() >= pgd.success.sum() - 1


@BOTH
def test_fools_whatever_the_library_fools(name, lenet):
    """The library returns the last point if it fools; here that of largest loss counts."""
    model, images, labels = lenet
    classifier = Classifier(model, images.shape[1:], 10, 64)
    with seeded(0):
        theirs = AutoProjectedGradientDescent(
            classifier.art,
            eps=EPSILON,
            eps_step=2 * EPSILON,
            max_iter=STEPS,
            nb_random_init=1,
            batch_size=64,
            loss_type=ATTACKS[name].art_loss,
            verbose=False,
        ).generate(images, labels)
    fooled = ~judge(model, theirs, labels, 64).right
    ours = judge(model, run(name, *lenet).examples, labels, 64)
    assert fooled.any()
    assert not (fooled & ours.right).any()
    kept = ~fooled
    theirs = judge(model, theirs, labels, 64)
    assert ours.confidence[kept].mean() < theirs.confidence[kept].mean()


@BOTH
def test_every_pixel_goes_to_the_end_of_the_budget(name):
    """Three classes, one pixel each: the loss is largest where pixel 0 falls and pixel 1 rises."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(3))
    images = np.float32([[0.6, 0.5, 0.1], [0.2, 0.9, 0.5]]).reshape(2, 1, 1, 3)
    result = run(name, model, images, np.array([0, 1]), classes=3)
    change = (result.examples - images).reshape(2, 3)
    np.testing.assert_allclose(change[[0, 1], [0, 1]], -EPSILON, atol=1e-6)
    np.testing.assert_allclose(change[[0, 1], [1, 2]], EPSILON, atol=1e-6)
    assert result.success.tolist() == [False, False]


def test_large_logits_stop_the_cross_entropy_and_not_the_ratio(lenet):
    model, images, labels = lenet
    plain = run("apgd_dlr", model, images, labels)
    found = {name: run(name, Scaled(model), images, labels) for name in ("apgd_ce", "apgd_dlr")}
    assert abs(found["apgd_dlr"].success.sum() - plain.success.sum()) <= 1
    assert found["apgd_ce"].success.sum() < plain.success.sum()
    assert "no gradient" in found["apgd_ce"].cause


@BOTH
def test_restarts_go_on_with_what_is_left(name, lenet):
    one, three = (run(name, *lenet, restarts=restarts, steps=5) for restarts in (1, 3))
    assert not (one.success & ~three.success).any()
    assert one.gradients_per_image < three.gradients_per_image < 3 * one.gradients_per_image


@BOTH
def test_no_restart_without_an_image_left(name, lenet):
    images, labels = lenet[1][:2], lenet[2][:2]
    one, two = (
        ATTACKS[name]
        .replace(restarts=restarts)
        .run(lenet[0], images, labels, classes=10, epsilon=0.5)
        for restarts in (1, 2)
    )
    assert one.success[one.right].all()
    np.testing.assert_array_equal(two.examples, one.examples)


@BOTH
def test_what_is_wrong_already_stays_and_costs_no_gradient(name, lenet):
    model, images, labels = lenet
    labels = np.where(np.arange(len(labels)) < 20, (labels + 1) % 10, labels)
    result = run(name, model, images, labels)
    np.testing.assert_array_equal(result.examples[~result.right], images[~result.right])
    assert result.gradients_per_image == STEPS * result.right.sum() / len(labels)


def test_equal_logits_are_no_hazard():
    """The ratio is 0/0."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.zero_()
    images = np.full((2, 1, 2, 2), 0.5, np.float32)
    result = run("apgd_dlr", model, images, np.array([0, 0]), classes=3)
    assert result.success.tolist() == [False, False]


def test_rejects_two_classes_for_the_ratio(tiny):
    with pytest.raises(
        ConfigError, match=r"ApgdDlr needs 3 classes or more .* got 2; take apgd_ce"
    ):
        run("apgd_dlr", *tiny, classes=2)


@BOTH
def test_rejects_probabilities(name, lenet):
    model, images, labels = lenet
    with pytest.raises(ConfigError, match=r"attack Apgd.* cannot be used: .*probabilities"):
        run(name, nn.Sequential(model, nn.Softmax(dim=1)), images, labels)


@pytest.mark.parametrize("setting", ["steps", "restarts"])
def test_rejects_settings(setting):
    with pytest.raises(ConfigError, match=f"{setting} must be an int >= 1, got 0"):
        ATTACKS["apgd_ce"].replace(**{setting: 0})
