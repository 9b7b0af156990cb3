"""Tests of accelsim.robustness.attacks.noise."""

from __future__ import annotations

import numpy as np

from accelsim.robustness.attacks import ATTACKS


def test_noise_stops_at_the_first_draw_that_fools(tiny):
    """Pixels 0.6 and 0.5 swap their order soon, 0.9 and 0.1 cannot within 0.2."""
    model, images, labels = tiny
    result = ATTACKS["noise"].replace(draws=40).run(model, images, labels, classes=2, epsilon=0.2)
    assert result.success[0]
    assert not result.success[1]
    assert 40 / 4 < result.forwards_per_image < 2 * 40 / 4 + 40 / 4


def test_noise_is_uniform(lenet):
    model, images, labels = lenet
    result = ATTACKS["noise"].replace(draws=1).run(model, images, labels, classes=10, epsilon=0.05)
    change = (result.examples - images)[result.right]
    inside = change[(images[result.right] >= 0.05) & (images[result.right] <= 0.95)]
    assert abs(inside.mean()) < 0.002
    np.testing.assert_allclose(np.quantile(inside, [0.25, 0.75]), [-0.025, 0.025], atol=0.003)


def test_attacks_beat_noise_at_the_same_budget(lenet):
    model, images, labels = lenet
    runs = {
        name: ATTACKS[name].run(model, images, labels, classes=10, epsilon=0.1).success.sum()
        for name in ("noise", "fgsm", "pgd")
    }
    assert runs["noise"] < runs["fgsm"] <= runs["pgd"]
