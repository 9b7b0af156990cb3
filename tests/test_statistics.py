"""Tests of accelsim.statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.statistics import (
    Z95,
    RunningMean,
    RunningShare,
    bootstrap_ratio,
    holm,
    mcnemar,
    share_deviation,
    wilson,
)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(hits, trials, low, high):
    rate = wilson(hits, trials)
    assert rate.low == pytest.approx(low, abs=5e-5)
    assert rate.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 10_000), st.data())
def test_bounds_are_the_roots_of_the_score_test(trials, data):
    """At each bound b the share is z standard errors of b away: the definition, not the formula."""
    hits = data.draw(st.integers(0, trials))
    share, low, high = wilson(hits, trials)
    assert 0 <= low <= share <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            error = math.sqrt(bound * (1 - bound) / trials)
            assert abs(share - bound) == pytest.approx(Z95 * error, rel=1e-6)


def test_without_trials_nothing_is_known():
    rate = wilson(0, 0)
    assert math.isnan(rate.value)
    assert (rate.low, rate.high) == (0, 1)


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3), (0, -1)])
def test_rejects_impossible_counts(hits, trials):
    with pytest.raises(ValueError, match=rf"hits must lie in 0\.\.trials, got {hits} of {trials}"):
        wilson(hits, trials)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=5), max_size=5))
def test_chunks_are_one_sample(chunks):
    running = RunningMean()
    for chunk in chunks:
        running.add(np.array(chunk))
    numbers = np.concatenate([np.zeros(0), *map(np.array, chunks)])
    if numbers.size == 0:
        assert math.isnan(running.value)
        assert math.isnan(running.estimate().low)
        return
    assert running.value == pytest.approx(numbers.mean(), abs=1e-9)
    assert running.variance == pytest.approx(numbers.var(), abs=1e-6)
    mean, low, high = running.estimate()
    half = 1.959964 * numbers.std() / math.sqrt(numbers.size)
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=1e-6, abs=1e-5)


def test_no_digits_are_lost_where_the_mean_is_large():
    running = RunningMean()
    for shift in (0.0, 1.0, 2.0):
        running.add(1e9 + shift + np.array([0.0, 1.0]))
    assert running.variance == pytest.approx(np.var([0, 1, 1, 2, 2, 3]))


def test_shares_add_up():
    running = RunningShare()
    running.add(np.array([True, False]))
    running.add(np.array([[False], [False]]))
    assert running.estimate() == wilson(1, 4)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_tail_of_a_fair_coin(first, second):
    total = first + second
    ways = [math.comb(total, hits) / 2**total for hits in range(total + 1)]
    assert mcnemar(first, second, alternative="greater") == pytest.approx(sum(ways[first:]))
    assert mcnemar(first, second) == pytest.approx(min(1, 2 * sum(ways[: min(first, second) + 1])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only_first": -1, "only_second": 2}, "counts must be >= 0, got -1 and 2"),
        ({"only_first": 1, "only_second": 2, "alternative": "less"}, "'greater', got 'less'"),
    ],
)
def test_rejects_what_mcnemar_cannot_test(arguments, message):
    with pytest.raises(ValueError, match=message):
        mcnemar(**arguments)


@given(st.integers(1, 60), st.just(0.0) | st.floats(1e-9, 1))
def test_a_share_deviates_as_the_sum_over_all_counts_says(trials, share):
    chances = [
        math.comb(trials, hits) * share**hits * (1 - share) ** (trials - hits)
        for hits in range(trials + 1)
    ]
    mean = sum(chance * abs(hits / trials - share) for hits, chance in enumerate(chances))
    assert share_deviation(trials, share) == pytest.approx(mean, abs=1e-12)


def test_holm_by_hand():
    """Of 4: 0.005 x 4, then 0.01 x 3, 0.03 x 2 = 0.06, and 0.04 x 1 raised to 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("bad", [[0.5, 1.1], [-0.1], [math.nan], [[0.1]]])
def test_rejects_what_is_no_p(bad):
    with pytest.raises(ValueError, match=r"one row of numbers in 0\.\.1"):
        holm(bad)


def test_bootstrap_interval_of_many_pairs_is_that_of_theory():
    """The mean log ratio of n normals has the interval +- 1.96 s / sqrt(n)."""
    rng = np.random.default_rng(1)
    logs = rng.normal(0.5, 0.8, 2000)
    scale = rng.uniform(1, 9, 2000)
    value, low, high = bootstrap_ratio(scale * np.exp(logs), scale)
    half = Z95 * logs.std() / math.sqrt(2000)
    assert math.log(value) == pytest.approx(logs.mean())
    assert math.log(high) - math.log(low) == pytest.approx(2 * half, rel=0.05)
    assert bootstrap_ratio(scale * np.exp(logs), scale) == (value, low, high)


def test_bootstrap_of_the_median_is_not_moved_by_an_outlier():
    ones = np.ones(31)
    ratios = np.r_[np.linspace(1.9, 2.1, 30), 1e6]
    value, low, high = bootstrap_ratio(ratios, ones, average="median")
    assert 1.9 < low <= value <= high < 2.2
    assert bootstrap_ratio(ratios, ones).value > 2.9


def test_the_interval_of_the_reciprocal_is_the_reciprocal():
    first, second = np.array([1.0, 2, 5, 3]), np.array([2.0, 1, 1, 7])
    value, low, high = bootstrap_ratio(first, second)
    turned = bootstrap_ratio(second, first)
    assert turned.value == pytest.approx(1 / value)
    assert (turned.low, turned.high) == pytest.approx((1 / high, 1 / low), rel=0.02)


def test_few_pairs_say_little():
    assert bootstrap_ratio([3.0], [2.0]) == pytest.approx((1.5, 0, math.inf))
    none = bootstrap_ratio([], [])
    assert math.isnan(none.value)
    assert (none.low, none.high) == (0, math.inf)


@pytest.mark.parametrize(
    ("first", "second", "average", "message"),
    [
        ([1.0], [1.0, 2.0], "median", "paired rows"),
        ([0.0], [1.0], "median", "positive finite"),
        ([1.0], [math.inf], "median", "positive finite"),
        ([1.0], [1.0], "mean", "median, geometric mean, got 'mean'"),
    ],
)
def test_rejects_what_has_no_ratio(first, second, average, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_ratio(first, second, average=average)
