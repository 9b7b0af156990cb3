"""Tests of accelsim.robustness.attack: the base verifies, and trusts no attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate
from accelsim.robustness.attack import BUDGET_TOLERANCE, Attack
from accelsim.robustness.attacks import ATTACKS

EPSILON = 0.25


class Shift(Attack):
    """An attack that does as it is told."""

    title = "shift"
    norm = "linf"
    default_epsilon = EPSILON

    def __init__(self, change):
        self.change = change

    def generate(self, classifier, images, labels, epsilon):
        return self.change(images)


def shift(tiny, change, **settings):
    model, images, labels = tiny
    return Shift(change).run(model, images, labels, classes=2, **settings)


def test_a_good_attack_passes_and_rounding_is_clipped(tiny):
    result = shift(tiny, lambda x: np.clip(x + np.float32(EPSILON), 0, 1 + BUDGET_TOLERANCE / 2))
    assert result.epsilon == EPSILON
    assert result.examples.dtype == np.float32
    assert result.examples.max() == 1


def test_an_attack_cannot_change_the_images_given_to_it(tiny):
    before = tiny[1].copy()
    shift(tiny, lambda x: np.add(x, np.float32(0.05), out=x))
    np.testing.assert_array_equal(tiny[1], before)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x[:2], r"must return examples of shape \(4, 1, 1, 2\), got \(2, 1, 1, 2\)"),
        (lambda x: x.tolist(), r"must return examples of shape \(4, 1, 1, 2\), got list"),
        (lambda x: x * np.float32(np.nan), "returned NaN or infinite pixels"),
        (
            lambda x: np.clip(x + 0.251, 0, 1),
            r"left its budget: .* must be <= 0\.25, got 0\.2[0-9]+",
        ),
        (lambda x: x + np.float32(0.2), r"left the pixel range \[0, 1\]: got 0\.3.*\.\.1\.1"),
        (lambda x: x - np.float32(0.2), r"left the pixel range \[0, 1\]: got -0\.1"),
    ],
)
def test_rejects_examples_of_a_wrong_attack(tiny, change, reason):
    with pytest.raises(DataError, match=f"attack Shift {reason}"):
        shift(tiny, change)


class Meddler(Shift):
    """One that makes its own copy of the model wrong instead of the images."""

    def generate(self, classifier, images, labels, epsilon):
        with torch.no_grad():
            for weight in classifier.model.parameters():
                weight.neg_()
        return images


def test_an_attack_cannot_change_the_model_that_judges_it(tiny):
    model, images, labels = tiny
    result = Meddler(None).run(model, images, labels, classes=2)
    assert not result.success.any()


@dataclass(frozen=True)
class Asker(Attack):
    """One that asks *looks* times about every image, whatever its limit is."""

    title = "asker"
    access = "label"
    default_epsilon = EPSILON
    skips_wrong = True

    queries: int = 3
    looks: int = 4

    def generate(self, classifier, images, labels, epsilon):
        for _ in range(self.looks):
            classifier.model(torch.from_numpy(images))
        return images


def test_rejects_an_attack_that_asks_more_than_it_may(tiny):
    """One look at the image itself is free; images that are left alone lend it no questions."""
    model, images, labels = tiny
    assert Asker().run(model, images, labels, classes=2).forwards_per_image == 3
    with pytest.raises(DataError, match=r"attack Asker left its budget of queries: .* 3 .*got 5"):
        Asker(looks=5).run(model, images, labels, classes=2)


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.01, 8, np.nan, np.inf, True, "0.1"])
def test_rejects_epsilon(tiny, epsilon):
    with pytest.raises(ConfigError, match=r"epsilon must be a number in \(0, 1\].*, got"):
        shift(tiny, lambda x: x, epsilon=epsilon)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, True, None])
def test_rejects_seed(tiny, seed):
    with pytest.raises(ConfigError, match=r"seed must be an int in 0\.\.4294967295, got"):
        shift(tiny, lambda x: x, seed=seed)


@pytest.mark.parametrize("factor", [255, -1])
def test_rejects_images_outside_the_pixel_range(tiny, factor):
    model, images, labels = tiny
    with pytest.raises(DataError, match=r"images must lie in \[0, 1\] to be attacked, got .*\.\."):
        shift((model, images * np.float32(factor), labels), lambda x: x)


def test_rejects_labels_beyond_the_classes(tiny):
    model, images, labels = tiny
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.1, got 2 at index 2 \(1 in"):
        shift((model, images, labels * 2), lambda x: x)


def test_success_is_judged_here_and_failures_have_a_cause(tiny):
    """Image 3 is wrong already; of the others the shift of the first pixel fools the third."""
    result = shift(tiny, lambda x: x + np.float32([0.1, 0]))
    assert result.right.tolist() == [True, True, True, False]
    assert result.success.tolist() == [False, False, False, False]
    assert result.cause.tolist() == ["gave up", "gave up", "gave up", ""]
    result = shift(tiny, lambda x: np.clip(x + np.float32([EPSILON, -EPSILON]), 0, 1))
    assert result.success.tolist() == [False, False, True, False]
    assert result.cause.tolist() == ["budget", "clipped", "", ""]


def test_most_pixels_at_an_end_are_a_cause(tiny):
    model, images, labels = tiny
    images = np.concatenate([images, np.float32([1, 0]).reshape(1, 1, 1, 2)])
    result = Shift(lambda x: x).run(model, images, np.append(labels, 0), classes=2)
    assert result.cause.tolist() == ["gave up", "gave up", "gave up", "", "clipped"]


def test_no_gradient_is_a_cause_of_attacks_that_follow_it(tiny):
    """Logits so large leave a cross entropy of exactly 0."""
    model, images, labels = tiny
    with torch.no_grad():
        model[1].weight.mul_(2000)
    result = Shift(lambda x: x).run(model, images, labels, classes=2)
    assert result.cause.tolist() == ["no gradient"] * 3 + [""]
    blind = Shift(lambda x: x)
    blind.access = "label"
    assert set(blind.run(model, images, labels, classes=2).cause) == {"gave up", ""}


def test_rejects_a_model_without_gradients_where_they_are_followed(tiny):
    model, images, labels = tiny
    blind = approximate(model, multiplier="exact_fp32", gradient="none")
    with pytest.raises(ConfigError, match="attack Shift follows gradients, but the model's logits"):
        Shift(lambda x: x).run(blind, images, labels, classes=2)


def test_rejects_images_of_which_none_is_right(tiny):
    model, images, labels = tiny
    with pytest.raises(DataError, match="classifies none of the 3 images correctly"):
        Shift(lambda x: x).run(model, images[:3], 1 - labels[:3], classes=2)


class Nearest(Shift):
    """One that looks for the smallest perturbation."""

    norm = "l2"
    aim = "minimum"
    default_epsilon = None


def test_an_attack_for_the_minimum_has_no_budget(tiny):
    model, images, labels = tiny
    result = Nearest(lambda x: 1 - x).run(model, images, labels, classes=2)
    assert np.isnan(result.epsilon)
    assert result.success.tolist() == [True, True, True, False]
    with pytest.raises(ConfigError, match=r"attack Nearest looks for the smallest .* got 0\.1"):
        Nearest(lambda x: x).run(model, images, labels, classes=2, epsilon=0.1)


def test_settings_are_replaced_by_name():
    pgd = ATTACKS["pgd"]
    assert pgd.settings == {"steps": 40, "relative_step": 2.5, "restarts": 1}
    assert pgd.replace(steps=10).steps == 10
    assert pgd.steps == 40
    with pytest.raises(ConfigError, match=r"attack Pgd has no setting 'step'; it has: .*'steps'"):
        pgd.replace(step=10)
    with pytest.raises(ConfigError, match="attack Fgsm has no setting 'steps'; it has: none"):
        ATTACKS["fgsm"].replace(steps=10)
    for bad in (0, -1, 2.5, True, "7"):
        with pytest.raises(ConfigError, match="steps must be an int >= 1, got"):
            pgd.replace(steps=bad)
