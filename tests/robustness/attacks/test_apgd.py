"""Tests of accelsim.robustness.attacks.apgd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from art.attacks.evasion import AutoProjectedGradientDescent
from torch import nn

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.attacks.apgd import TargetedDlr
from accelsim.robustness.classifier import Classifier, seeded
from accelsim.robustness.verdict import judge

BOTH = pytest.mark.parametrize("name", ["apgd_ce", "apgd_dlr"])
STEPS = 20
EPSILON = 0.05


def run(name, model, images, labels, classes=10, **settings):
    attack = ATTACKS[name].replace(**{"steps": STEPS} | settings)
    return attack.run(model, images, labels, classes=classes, epsilon=EPSILON)


@pytest.fixture(scope="module")
def targeted(lenet):
    """What `apgd_t` makes of the shipped network with all targets."""
    return run("apgd_t", *lenet)


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


def ratio(logits, label, target):
    """The loss by its formula, in float64."""
    first, _, third, fourth = np.sort(np.float64(logits))[::-1][:4]
    return -(logits[label] - logits[target]) / (first - (third + fourth) / 2)


HAND_MADE = [
    ([5.0, 3.0, 2.0, 1.0, -4.0], 0, 1, -2 / 3.5),
    ([5.0, 3.0, 2.0, 1.0, -4.0], 0, 4, -9 / 3.5),
    ([5.0, 3.0, 2.0, 1.0, -4.0], 1, 0, 2 / 3.5),
    ([5.0, 3.0, 2.0, 1.0, -4.0], 2, 3, -1 / 3.5),
]
"""Logits, true class, target and loss; the third is fooled, the last by others than its target."""


def loss_of(logits, labels, targets, reduction):
    loss = TargetedDlr()
    loss.reduction = reduction
    rows = TargetedDlr.encode(np.array(labels), np.array(targets), len(logits[0]))
    assert (rows.argmax(axis=1) == labels).all()
    return loss(torch.tensor(logits), torch.from_numpy(rows))


def test_the_targeted_loss_is_the_formula():
    logits, labels, targets, expected = (list(part) for part in zip(*HAND_MADE, strict=True))
    by_formula = [ratio(*one) for one in zip(logits, labels, targets, strict=True)]
    assert by_formula == pytest.approx(expected)
    found = loss_of(logits, labels, targets, "none")
    assert found.tolist() == pytest.approx(expected)
    assert loss_of(logits, labels, targets, "mean").item() == pytest.approx(np.mean(expected))
    scaled = loss_of([[1e4 * z for z in one] for one in logits], labels, targets, "none")
    assert scaled.tolist() == pytest.approx(expected)


def test_the_targeted_loss_rises_with_the_target_and_falls_with_the_truth():
    """Where both are beneath the fourth logit, which the scale does not see."""
    logits = torch.tensor([[9.0, 8.0, 7.0, 6.0, 2.0, 1.0]], requires_grad=True)
    rows = torch.from_numpy(TargetedDlr.encode(np.array([4]), np.array([5]), 6))
    (gradient,) = torch.autograd.grad(TargetedDlr()(logits, rows), logits)
    np.testing.assert_allclose(gradient[0, 4:], [-1 / 2.5, 1 / 2.5], rtol=1e-6)


def test_a_tie_does_not_end_a_batch():
    """Logits in steps of 1/4 tie often; the library ends a batch whose losses are all 0."""
    found = loss_of([[2.0, 2.0, 1.0, 0.0], [2.0, 2.0, 1.0, 0.0]], [0, 1], [1, 0], "none")
    assert (found > 0).all()
    assert (found < 1e-30).all()


def test_as_strong_as_the_ratio_without_targets(lenet, targeted):
    plain = run("apgd_dlr", *lenet)
    assert 0 < plain.success.sum() < len(plain.success)
    # One image less is within what the random start makes.
    assert targeted.success.sum() >= plain.success.sum() - 1


def test_as_strong_as_its_authors_code(lenet, targeted):
    library = pytest.importorskip("pyautoattack.autopgd_base", reason="accelsim[fab]")
    model, images, labels = lenet
    attack = library.APGDAttack_targeted(model.eval(), n_iter=STEPS, eps=EPSILON, device="cpu")
    with seeded(0):
        theirs = attack.perturb(torch.from_numpy(images), torch.from_numpy(labels)).detach().numpy()
    fooled = ~judge(model, theirs, labels, 64).right
    assert 0 < fooled.sum() < len(fooled)
    assert abs(int(targeted.success.sum()) - int(fooled.sum())) <= 1


def test_large_logits_do_not_stop_the_targeted_ratio(lenet):
    model, images, labels = lenet[0], lenet[1][:12], lenet[2][:12]
    plain, scaled = (
        run("apgd_t", one, images, labels, targets=2) for one in (model, Scaled(model))
    )
    assert 0 < plain.success.sum() < len(labels)
    assert abs(int(scaled.success.sum()) - int(plain.success.sum())) <= 1


def linear(rows):
    """A network of one pixel a column, whose logits are *rows* times the pixels."""
    weights = torch.tensor(rows)
    model = nn.Sequential(nn.Flatten(), nn.Linear(weights.shape[1], len(weights), bias=False))
    with torch.no_grad():
        model[1].weight.copy_(weights)
    return model


ONE_CLASS_MOVES = linear([[1.0, 0.0], [0.9, 0.0], [0.8, 0.0], [0.2, 9.0], [0.0, 0.0]])
"""Of two pixels. Class 0 is above 1 and 2 at any brightness of the first; 3 needs the second."""


@pytest.mark.parametrize(("targets", "fooled"), [(1, False), (2, False), (3, True), (9, True)])
def test_each_of_the_likeliest_classes_has_its_turn(targets, fooled):
    """Of the pixels 0.8 and 0.02 the logits are 0.8, 0.72, 0.64, 0.34 and 0: class 3 is the third
    target. In the corner 0.75 and 0.07 it has 0.78, and the true class 0.75."""
    images = np.float32([[0.8, 0.02]]).reshape(1, 1, 1, 2)
    result = run("apgd_t", ONE_CLASS_MOVES, images, np.array([0]), classes=5, targets=targets)
    assert result.success.tolist() == [fooled]


def test_targets_are_what_it_costs(lenet):
    """At a budget that fools nobody: a gradient a step of each turn, at most one turn a class."""
    model, images, labels = lenet[0], lenet[1][:4], lenet[2][:4]
    for targets, restarts, turns in ((1, 1, 1), (3, 2, 6), (9, 1, 9), (50, 1, 9)):
        attack = ATTACKS["apgd_t"].replace(steps=3, targets=targets, restarts=restarts)
        result = attack.run(model, images, labels, classes=10, epsilon=1e-6)
        assert result.gradients_per_image == 3 * turns * result.right.mean()


def test_of_an_image_that_withstands_the_nearest_example_counts(lenet, targeted):
    """And not that of the last target, the least likely."""
    model, _, labels = lenet
    first = run("apgd_t", *lenet, targets=1)
    left = targeted.right & ~targeted.success
    assert left.any()
    before, after = (
        judge(model, one.examples[left], labels[left], 64).margin for one in (first, targeted)
    )
    assert (after <= before + 1e-5).all()


def test_rejects_three_classes_for_the_targeted_ratio():
    images = np.float32([[0.6, 0.5, 0.1]]).reshape(1, 1, 1, 3)
    message = r"ApgdT needs 4 classes or more .* got 3; take apgd_ce"
    with pytest.raises(ConfigError, match=message):
        run("apgd_t", linear(torch.eye(3).tolist()), images, np.array([0]), classes=3)


def test_rejects_no_target():
    with pytest.raises(ConfigError, match="targets must be an int >= 1, got 0"):
        ATTACKS["apgd_t"].replace(targets=0)
