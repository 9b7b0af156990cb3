"""Tests of accelsim.robustness.attacks.pgd."""

from __future__ import annotations

import numpy as np

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.verdict import judge


def test_pgd_raises_the_loss_more_than_fgsm(lenet):
    """Iterating beats one step, or something is wrong with the gradient (sanity check 5)."""
    model, images, labels = lenet
    confidence = {
        name: judge(
            model,
            ATTACKS[name].run(model, images, labels, classes=10, epsilon=0.1).examples,
            labels,
            64,
        ).confidence.mean()
        for name in ("fgsm", "pgd")
    }
    assert confidence["pgd"] < confidence["fgsm"]


def test_pgd_starts_at_random(lenet):
    model, images, labels = lenet
    first, second = (
        ATTACKS["pgd"].run(model, images, labels, classes=10, seed=seed).examples for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


def test_pgd_takes_40_steps(lenet):
    model, images, labels = lenet
    result = ATTACKS["pgd"].run(model, images, labels, classes=10)
    assert 40 <= result.forwards_per_image <= 50
