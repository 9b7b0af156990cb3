"""Intervals: how sure a share of so many images, or a mean of so many numbers, is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Z95", "Estimate", "RunningMean", "RunningShare", "wilson"]

# The standard normal's 97.5 % quantile, for two-sided 95 % intervals.
Z95 = 1.959963984540054


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
