"""Intervals and tests: how sure a share, a mean or a ratio is, and whether two shares differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Z95",
    "Estimate",
    "RunningMean",
    "RunningShare",
    "bootstrap_ratio",
    "holm",
    "mcnemar",
    "share_deviation",
    "wilson",
]

# The standard normal's 97.5 % quantile, for two-sided 95 % intervals.
Z95 = 1.959963984540054

RESAMPLES = 9999
"""Resamples of a bootstrap: a 95 % bound then varies by about 1 % of the interval's width."""

AVERAGES: dict[str, Callable[..., Any]] = {"median": np.median, "geometric mean": np.mean}
"""How ratios are averaged -> what averages their logarithms."""


class Estimate(NamedTuple):
    """A share or mean and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, trials: int) -> Estimate:
    """Return hits / trials with its Wilson 95 % score interval.

    ``center = (p + z^2/2n) / (1 + z^2/n)``,
    ``half = z * sqrt(p (1-p) / n + z^2/4n^2) / (1 + z^2/n)``. It stays in [0, 1] and is not empty
    where every trial hits or none does. Without trials nothing is known: (NaN, 0, 1).

    Parameters
    ----------
    hits, trials : int
        0 <= hits <= trials.

    Raises
    ------
    ValueError
        If they are not.

    Sources
    -------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of
    the American Statistical Association 22 (158), 1927.

    >>> value, low, high = wilson(13, 100)
    >>> round(low, 4), round(high, 4)
    (0.0776, 0.2098)
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"hits must lie in 0..trials, got {hits} of {trials}")
    if trials == 0:
        return Estimate(math.nan, 0.0, 1.0)
    share = hits / trials
    scale = 1 + Z95**2 / trials
    center = (share + Z95**2 / (2 * trials)) / scale
    half = Z95 * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2)) / scale
    # Rounding must not push a bound past the share itself at 0 and at 1.
    low = 0.0 if hits == 0 else center - half
    high = 1.0 if hits == trials else center + half
    return Estimate(share, low, high)


def share_deviation(trials: ArrayLike, share: ArrayLike) -> NDArray[np.float64]:
    """Return how far from *share* hits / trials is by chance in the mean, ``E|K / n - p|``.

    With K binomial, ``2 v (1 - p) P(K = v) / n`` where ``v = floor(n p) + 1``.

    Parameters
    ----------
    trials : array_like of int >= 1
    share : array_like of float in [0, 1]
        Probability of a hit.

    Sources
    -------
    P. Diaconis and S. Zabell, "Closed Form Summation for Classical Distributions: Variations on a
    Theme of De Moivre", Statistical Science 6 (3), 1991.

    >>> share_deviation([1, 100, 100], [0.5, 0.5, 1]).round(3).tolist()
    [0.5, 0.04, 0.0]
    """
    from scipy.stats import binom

    n, p = np.asarray(trials, np.float64), np.asarray(share, np.float64)
    least = np.floor(n * p) + 1
    return np.asarray(2 * least * (1 - p) * binom.pmf(least, n, p) / n)


def mcnemar(only_first: int, only_second: int, *, alternative: str = "two-sided") -> float:
    """Return McNemar's exact p: could chance alone split the cases on which two methods differ so?

    Where both are as good, each such case is a fair coin: ``only_first`` of
    ``only_first + only_second`` is binomial with 1/2. Without any, p is 1.

    Parameters
    ----------
    only_first, only_second : int
        Cases (images) that are hits of the first method alone, and of the second alone.
    alternative : str
        ``"two-sided"``: they differ; ``"greater"``: the first hits more.

    Raises
    ------
    ValueError
        If a count is negative, or *alternative* neither of the two.

    Sources
    -------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (2), 1947; the exact form is the sign test.

    >>> mcnemar(1, 9)
    0.021484375
    >>> mcnemar(5, 0, alternative="greater")
    0.03125
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"counts must be >= 0, got {only_first} and {only_second}")
    if alternative not in ("two-sided", "greater"):
        raise ValueError(f"alternative must be 'two-sided' or 'greater', got {alternative!r}")
    from scipy.stats import binomtest

    if only_first + only_second == 0:
        return 1.0
    test = binomtest(only_first, only_first + only_second, alternative=alternative)
    return float(test.pvalue)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return *p_values* adjusted for their number, in their order: (m,) float64 in [0, 1].

    The k-th smallest of m becomes ``max over j <= k of (m - j + 1) p_j``, at most 1. Whoever
    rejects what stays below 5 % errs in any of the m with a probability of at most 5 %, however
    they depend on each other.

    Raises
    ------
    ValueError
        If *p_values* is not one row of numbers in [0, 1].

    Sources
    -------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (2), 1979.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"p_values must be one row of numbers in 0..1, got {p_values!r}")
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


def bootstrap_ratio(
    numerators: Sequence[float] | NDArray[np.float64],
    denominators: Sequence[float] | NDArray[np.float64],
    *,
    average: str = "geometric mean",
    seed: int = 0,
) -> Estimate:
    """Return the average of paired ratios with its bootstrap percentile 95 % interval.

    Pairs are drawn anew with replacement `RESAMPLES` times, and their log ratios averaged; so the
    interval of second / first is the reciprocal of that of first / second. Percentiles, since the
    corrections of BCa come from a jackknife, which the median defeats. Of fewer than some 20 pairs
    the interval is too narrow; of one pair nothing is known but the ratio: (ratio, 0, inf); of
    none: (NaN, 0, inf).

    Parameters
    ----------
    numerators, denominators : (N,) numbers > 0
        Paired: those of one place belong to one case.
    average : str
        One of `AVERAGES`.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        If the two are not paired or not positive and finite, or *average* is unknown.

    Sources
    -------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    >>> round(bootstrap_ratio([2.0, 8.0, 4.0], [1.0, 1.0, 1.0]).value, 6)
    4.0
    """
    first, second = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"ratios are of paired rows, got shapes {first.shape}, {second.shape}")
    both = np.concatenate([first, second])
    if not (np.isfinite(both) & (both > 0)).all():
        raise ValueError("ratios are of positive finite numbers")
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {', '.join(AVERAGES)}, got {average!r}")
    logs = np.log(first) - np.log(second)
    if len(logs) < 2:
        return Estimate(float(np.exp(logs[0])) if len(logs) else math.nan, 0.0, math.inf)
    middle = AVERAGES[average]
    if (logs == logs[0]).all():
        return Estimate(*[float(np.exp(logs[0]))] * 3)
    from scipy.stats import bootstrap

    found = bootstrap(
        (logs,),
        middle,
        n_resamples=RESAMPLES,
        batch=1000,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(*(float(np.exp(one)) for one in (middle(logs), found.low, found.high)))


@dataclass
class RunningShare:
    """How many of the cases that come in chunks are hits."""

    hits: int = 0
    trials: int = 0

    def add(self, hits: NDArray[np.bool_]) -> None:
        """Count one chunk of any shape."""
        self.hits += int(np.count_nonzero(hits))
        self.trials += hits.size

    def estimate(self) -> Estimate:
        """Return the share with its interval, see `wilson`."""
        return wilson(self.hits, self.trials)


@dataclass
class RunningMean:
    """Mean and variance of numbers that come in chunks.

    Chunks are merged by ``S = S1 + S2 + (m2 - m1)^2 n1 n2 / (n1 + n2)`` for the sums S of squared
    distances from their means m, which loses no digits where the mean is large.

    Sources
    -------
    Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance", The American Statistician
    37 (3), 1983.

    >>> mean = RunningMean()
    >>> mean.add(np.array([1.0, 2.0]))
    >>> mean.add(np.array([6.0]))
    >>> mean.value, round(mean.variance, 4)
    (3.0, 4.6667)
    """

    count: int = 0
    total: float = 0.0
    spread: float = 0.0
    """Sum of squared distances from the mean."""

    def add(self, values: NDArray[np.float64]) -> None:
        """Count one chunk of any shape; it may be empty."""
        if values.size == 0:
            return
        mean = float(values.mean())
        shift = mean - self.total / self.count if self.count else 0.0
        self.spread += float(((values - mean) ** 2).sum())
        self.spread += shift**2 * self.count * values.size / (self.count + values.size)
        self.count += values.size
        self.total += float(values.sum())

    @property
    def value(self) -> float:
        """The mean; NaN without numbers."""
        return self.total / self.count if self.count else math.nan

    @property
    def variance(self) -> float:
        """The mean squared distance from the mean; NaN without numbers."""
        return self.spread / self.count if self.count else math.nan

    def estimate(self) -> Estimate:
        """Return the mean with its normal 95 % interval, ``value +- z * sqrt(variance / count)``.

        Right for many independent numbers; where all are equal it has no width.
        """
        half = Z95 * math.sqrt(self.variance / self.count) if self.count else math.nan
        return Estimate(self.value, self.value - half, self.value + half)
