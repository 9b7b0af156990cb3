"""Products that a unit makes larger than they are, against what is multiplied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.metrics import exact_product
from accelsim.multipliers import IntegerMultiplier, Multiplier
from accelsim.operands import OperandPairs
from accelsim.statistics import RunningMean, RunningShare

__all__ = ["product_inflation"]

BINS = 16
FEWEST = 100
"""Pairs below which a bin is left out."""


def product_inflation(unit: Multiplier, pairs: OperandPairs) -> pd.DataFrame:
    """Return the share of products larger in magnitude than exact ones, over operands.

    Parameters
    ----------
    unit : Multiplier
    pairs : OperandPairs
        From `accelsim.operands`: random ones, all, or those that meet in a layer.

    Returns
    -------
    DataFrame
        A row for all pairs and one for each bin: ``multiplier``; ``over``, what is binned: ``all``,
        ``activation`` and ``weight`` (16 bins of the significand, in [1, 2); of integers of the
        magnitude), ``product`` (binades of the exact product's magnitude; *low* and *high* are
        powers of two); ``low``, ``high``, the bin; ``largest``, the largest magnitude of the
        unit's integers, NaN for floats; ``pairs``; ``inflated`` with its Wilson 95 % interval
        ``inflated_low``, ``inflated_high``, both *inflated* where all pairs are there, as in
        `accelsim.metrics`; ``error``, the mean of (M' - M) / M. Pairs with an exact product of 0
        or a product that is not finite are left out, and so are bins with fewer than 100 pairs.

    Raises
    ------
    DataError
        The operands are not of the unit's format, or no pair is left.
    """
    tallies: dict[tuple[str, float, float], tuple[RunningShare, RunningMean]] = {}
    for a, w in pairs.chunks():
        exact, product = exact_product(a, w), unit.product(a, w).astype(np.float64)
        kept = (exact != 0) & np.isfinite(product)
        a, w, exact, product = a[kept], w[kept], exact[kept], product[kept]
        inflated, error = np.abs(product) > np.abs(exact), (product - exact) / exact
        for over, places, edges in _binned(unit, a, w, exact):
            for place in np.unique(places):
                key = (over, *edges(place))
                share, mean = tallies.setdefault(key, (RunningShare(), RunningMean()))
                share.add(inflated[places == place])
                mean.add(error[places == place])
    if not tallies:
        raise DataError(
            f"{unit.name}: no pair of {pairs.text} has an exact product other than 0 and a finite "
            "product, so there is none to be inflated"
        )
    rows = []
    for (over, low, high), (share, mean) in tallies.items():
        if share.trials < FEWEST and over != "all":
            continue
        value, least, most = share.estimate()
        if pairs.exhaustive:
            least = most = value
        rows.append(
            {
                "multiplier": unit.name,
                "over": over,
                "low": low,
                "high": high,
                "largest": _largest(unit),
                "pairs": share.trials,
                "inflated": value,
                "inflated_low": least,
                "inflated_high": most,
                "error": mean.value,
            }
        )
    return pd.DataFrame(rows).sort_values(["over", "low"], ignore_index=True)


def _largest(unit: Multiplier) -> float:
    """Return the largest magnitude of an operand of a unit of integers, NaN of any other."""
    if not isinstance(unit, IntegerMultiplier):
        return np.nan
    return max(-unit.operands.low, unit.operands.high)


def _binned(
    unit: Multiplier, a: NDArray[Any], w: NDArray[Any], exact: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.int64], Any]]:
    """Yield what is binned, each pair's bin, and a function from a bin to its bounds."""
    yield "all", np.zeros(len(exact), np.int64), lambda place: (np.nan, np.nan)
    for over, values in (("activation", a), ("weight", w)):
        size = np.abs(values.astype(np.float64))
        if isinstance(unit, IntegerMultiplier):
            start, width = 0.0, (_largest(unit) + 1) / BINS
        else:
            start, width = 1.0, 1 / BINS
            size = 2 * np.frexp(size)[0]
        places = np.floor((size - start) / width).astype(np.int64)
        yield over, places, lambda k, s=start, d=width: (s + d * k, s + d * (k + 1))
    yield (
        "product",
        np.frexp(np.abs(exact))[1].astype(np.int64) - 1,
        lambda k: (2.0**k, 2.0 ** (k + 1)),
    )
