"""Stratified samples: totals over a population that is cut into strata of known sizes.

.. code-block:: none

    total    = sum over strata h of N_h mean_h
    variance = sum over strata h of N_h^2 s_h^2 / n_h

Members are drawn with replacement. Half of them go to the strata in proportion to their sizes, half
after Neyman, in proportion to ``N_h s_h``, with the s_h of a pilot of a few members a stratum; none
gets fewer than a least number. (After Neyman alone a large stratum of few large members, of which
the pilot saw none, would hardly be sampled.) The pilot itself is in no mean, so that how many
members a stratum gets does not depend on what its mean is made of: the totals are unbiased.

Sources
-------
Cochran, "Sampling Techniques", 3rd ed., Wiley 1977, chapter 5 (estimators, optimum allocation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST", "StratifiedSample", "stratified"]

LEAST = 8
"""Members of a stratum in the pilot, and the fewest in the sample."""

Measure = Callable[[NDArray[np.int64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class StratifiedSample:
    """What a sample says of each stratum.

    Attributes
    ----------
    means, variances : float64 arrays (strata, quantities)
        Means of the members, and the variances of these means.
    counts : int64 array (strata,)
        Members in the sample.
    measured : int
        Members that were measured, those of the pilot among them.
    """

    means: NDArray[np.float64]
    variances: NDArray[np.float64]
    counts: NDArray[np.int64]
    measured: int


def stratified(sizes: NDArray[np.int64], measure: Measure, members: int) -> StratifiedSample:
    """Return a sample of about *members* members.

    Parameters
    ----------
    sizes : int64 array (strata,)
        Members of the population in each stratum, at least 1.
    measure : callable
        Takes the stratum of each member, int64 (n,) ascending, draws that member at random and
        returns its quantities, (n, quantities). What is drawn must be independent.
    members : int
        How many to measure, the pilot among them. More are measured where the strata are so many
        that they would have fewer than `LEAST` each.
    """
    strata = np.arange(sizes.size)
    pilot = np.full(sizes.size, LEAST)
    spreads = np.sqrt(_moments(measure(np.repeat(strata, pilot)), pilot)[1])
    counts = _allocated(sizes, spreads, members - int(pilot.sum()))
    means, variances = _moments(measure(np.repeat(strata, counts)), counts)
    measured = int(pilot.sum() + counts.sum())
    return StratifiedSample(means, variances / counts[:, None], counts, measured)


def _moments(
    values: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and variances, (strata, quantities), of values that lie stratum by stratum."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(values, starts, axis=0) / counts[:, None]
    distances = (values - np.repeat(means, counts, axis=0)) ** 2
    return means, np.add.reduceat(distances, starts, axis=0) / (counts[:, None] - 1)


def _allocated(
    sizes: NDArray[np.int64], spreads: NDArray[np.float64], members: int
) -> NDArray[np.int64]:
    """Return the members of each stratum; Neyman's shares are the means over the quantities."""
    weights = sizes[:, None] * spreads
    # A quantity that the pilot saw no spread of: in proportion to the sizes.
    weights = np.where(weights.sum(axis=0) > 0, weights, sizes[:, None])
    neyman = (weights / weights.sum(axis=0)).mean(axis=1)
    shares = (neyman + sizes / sizes.sum()) / 2
    free = max(members - LEAST * sizes.size, 0)
    return LEAST + np.floor(free * shares).astype(np.int64)
