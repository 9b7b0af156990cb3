"""Tests of accelsim.robustness.measures: numbers of tables made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from accelsim.robustness.measures import FEWEST, MEASURES
from accelsim.statistics import wilson

TRANSFER = {"scenario": "transfer", "source": "torch"}
PROXY = {"scenario": "black_box", "source": "proxy of ax_fpm"}
MINIMUM = {"norm": "l2", "aim": "minimum", "epsilon": math.nan}
ATTACKS = ["pgd", "cw"]


@pytest.fixture
def measure(runs):
    """A measure of ax_fpm over the runs given."""
    return lambda name, *parts: MEASURES[name](runs(*parts), "ax_fpm", ATTACKS)


def fooled(hits, of=100):
    """All *of* images fool the source, the first *hits* the target too."""
    return [(1, hit) for hit in [1] * hits + [0] * (of - hits)]


def test_transfer_is_of_each_run_on_the_exact_network(measure, run):
    """Not of another attack, source or target, nor of examples further than the attack made."""
    found = measure(
        "transfer",
        run(fooled(30), **TRANSFER),
        run(fooled(60), epsilon=0.2, settings='{"steps": 9}', **TRANSFER),
        run(fooled(1), attack="noise", seed=1, **TRANSFER),
        run(fooled(2), scale=2.0, **TRANSFER),
        run(fooled(3), target="exact_fp32", **TRANSFER),
        run(fooled(4), **TRANSFER | {"source": "ax_fpm"}),
    )
    assert found == [
        ("pgd 0.1 steps=40", wilson(30, 100), 100),
        ("pgd 0.2 steps=9", wilson(60, 100), 100),
    ]


def test_what_the_unit_gets_wrong_by_itself_is_not_transferred(measure, run):
    """Of 100 images it has 70 right, and of these nothing fools it."""
    right = [True] * 70 + [False] * 30
    part = run([(1, 0)] * 70 + [(1, 1)] * 30, target_right=right, **TRANSFER)
    assert measure("transfer", part) == [("pgd 0.1", wilson(0, 70), 70)]


def test_the_averages_take_one_run_of_each_attack(measure, run):
    """(10 + 50) / 2 and (30 + 50) / 2 %; a run of too few examples does not count."""
    few = [(1, 0)] * (FEWEST - 1) + [(0, 0)] * 81
    parts = [
        run(fooled(10), **TRANSFER),
        run(fooled(30), epsilon=0.2, **TRANSFER),
        run(few, epsilon=0.3, **TRANSFER),
        run(fooled(50), attack="cw", **TRANSFER, **MINIMUM),
    ]
    for name, value in (("kindest_average", 0.3), ("harshest_average", 0.4)):
        ((over, estimate, images),) = measure(name, *parts)
        assert (over, images) == ("mean of 2", 100)
        assert estimate.value == pytest.approx(value)
        assert estimate.low < value < estimate.high
    assert measure("kindest_average", parts[2]) == []
    ((over, estimate, images),) = measure("kindest_average", *parts[:3])
    assert (over, images) == ("1 of 2 attacks", 0)
    assert math.isnan(estimate.value)


def test_the_interval_of_an_average_draws_images(measure, run):
    """Two runs whose images agree are as sure as one, two that are opposite surer."""
    one = run(fooled(50), **TRANSFER)
    widths = []
    for pairs in (fooled(50), fooled(50)[::-1]):
        other = run(pairs, attack="cw", **TRANSFER, **MINIMUM)
        ((_, estimate, _),) = measure("kindest_average", one, other)
        widths.append(estimate.high - estimate.low)
    assert widths[0] == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    assert widths[1] < 0.01


def test_what_a_proxy_makes_is_counted_where_it_fools_the_exact_unit(measure, run):
    """Of 100 images the unit gets 10 wrong anyway. 60 of 90 fool the exact one, 15 of them both,
    and 30 the unit alone: 15 of 60; 45 of the 75 that fool one alone, the exact one."""
    right = [True] * 90 + [False] * 10
    exact = run([1] * 60 + [0] * 40, target="exact_fp32", **PROXY)
    own = run([1] * 15 + [0] * 45 + [1] * 40, target_right=right, **PROXY)
    assert measure("from_proxy", exact, own) == [("pgd 0.1", wilson(15, 60), 60)]
    assert measure("only_exact", exact, own) == [("pgd 0.1", wilson(45, 75), 75)]
    other = {"scenario": "black_box", "source": "proxy of exact_fp32"}
    assert measure("from_proxy", run([1], **other), run([1], **other, target="exact_fp32")) == []


def test_noise_is_that_of_the_smallest_perturbation(measure, run):
    """The exact layers' gradient finds 10 times the squared error on the unit: 10 dB; another
    gradient and a second attack find twice: 3 dB."""

    def white(mse, **settings):
        length = {"l2": math.sqrt(mse), "mse": mse}
        return run([1] * 30, **{"attack": "cw", **MINIMUM, **length, **settings})

    parts = [
        white(0.01, target="exact_fp32"),
        white(0.1),
        white(0.05, gradient="effective"),
        white(0.02, gradient="none", attack="pgd"),
        white(0.01, gradient="none", attack="pgd", target="exact_fp32"),
    ]
    ((name, estimate, images),) = measure("noise_db", *parts)
    assert (name, images) == ("best of all, l2", 30)
    assert tuple(estimate) == pytest.approx([10 * math.log10(2)] * 3)
    ((_, estimate, _),) = measure("noise_mse", *parts)
    assert estimate.value == pytest.approx(2)
    ((name, estimate, _),) = measure("noise_db_exact_gradient", *parts)
    assert (name, estimate.value) == ("cw", pytest.approx(10))


def test_noise_is_compared_under_the_attacks_that_both_met(measure, run):
    """Both take 2 under cw; that one of them met a stronger attack, too, says nothing of it."""

    def white(length, **settings):
        return run(
            [1] * 30, **{"attack": "cw", **MINIMUM, "mse": length**2, "l2": length} | settings
        )

    both = [white(2.0), white(2.0, target="exact_fp32")]
    for target in ("exact_fp32", "ax_fpm"):
        ((_, estimate, _),) = measure("noise_db", *both, white(1.0, attack="pgd", target=target))
        assert tuple(estimate) == (0.0, 0.0, 0.0)
    assert measure("noise_db", both[0], white(1.0, attack="pgd", target="exact_fp32")) == []


def test_few_pairs_are_no_measure_of_noise(measure, run):
    white = {"attack": "cw", **MINIMUM, "l2": 0.1, "mse": 0.01}
    hits = [1] * (FEWEST - 1)
    ((_, estimate, images),) = measure(
        "noise_db", run(hits, **white), run(hits, target="exact_fp32", **white)
    )
    assert images == FEWEST - 1
    assert math.isnan(estimate.value)


def test_images_that_resist_are_not_left_out_of_the_noise(measure, run):
    """Equal distances on the half that is fooled say nothing of the half that is not."""
    white = {"attack": "cw", **MINIMUM, "l2": 0.1, "mse": 0.01}
    parts = [run([1] * 100, target="exact_fp32", **white), run([1] * 50 + [0] * 50, **white)]
    ((_, estimate, images),) = measure("noise_db", *parts)
    assert images == 50
    assert all(math.isnan(one) for one in estimate)


def test_confidence_is_compared_image_by_image(measure, run):
    """0.1 more on every second image: 0.05 on average."""
    ((_, estimate, images),) = measure(
        "confidence_gain",
        run([0] * 100, target="exact_fp32", **TRANSFER),
        run([0] * 100, confidence_clean=[0.9, 1.0] * 50, **TRANSFER),
        run([1] * 100, confidence_clean=[0.9, 1.0] * 50),
    )
    assert images == 100
    assert estimate.value == pytest.approx(0.05)
    assert estimate.high - 0.05 == pytest.approx(1.96 * 0.05 / np.sqrt(100), rel=1e-3)


@pytest.mark.parametrize("name", list(MEASURES))
def test_nothing_is_measured_where_there_is_nothing(measure, run, name):
    assert measure(name, run([1], scenario="other", source="other")) == []
