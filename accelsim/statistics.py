"""Intervals for rates: how sure a share of so many images is."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Z95", "Rate", "wilson"]

# The standard normal's 97.5 % quantile, for two-sided 95 % intervals.
Z95 = 1.959963984540054


class Rate(NamedTuple):
    """A share and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, trials: int) -> Rate:
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
        return Rate(math.nan, 0.0, 1.0)
    share = hits / trials
    scale = 1 + Z95**2 / trials
    center = (share + Z95**2 / (2 * trials)) / scale
    half = Z95 * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2)) / scale
    # Rounding must not push a bound past the share itself at 0 and at 1.
    low = 0.0 if hits == 0 else center - half
    high = 1.0 if hits == trials else center + half
    return Rate(share, low, high)
