"""Tests of accelsim.statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.statistics import Z95, RunningMean, RunningShare, wilson


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
