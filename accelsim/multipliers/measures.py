"""Error of a whole table of products: all operand pairs, in EvoApproxLib's conventions.

| measure | definition |
|---|---|
| EP% | share of all pairs whose product is wrong |
| MAE, MSE | mean of abs(error) and of error^2 over all pairs |
| WCE | greatest abs(error) |
| MAE%, WCE% | MAE and WCE over 2^(2 x bits), signed units too |
| MRE%, WCRE% | mean and greatest abs(error) / abs(exact), over pairs whose exact product is not 0 |

All of them are blind to which operand is which: a table and its transpose measure the same.

Sources
-------
Mrazek, Hrbacek, Vasicek, Sekanina, "EvoApprox8b: Library of Approximate Adders and Multipliers for
Circuit Design and Benchmarking of Approximation Methods", DATE 2017, and the headers of the
library's files, whose figures these definitions reproduce.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import IntegerFormat

__all__ = ["TableErrors", "measure_table"]

_CHUNK = 1 << 20
"""Pairs measured at a time: a table of 12-bit operands would need gigabytes of intermediates."""


@dataclass(frozen=True)
class TableErrors:
    """Exhaustive error measures of a table of products.

    Attributes
    ----------
    ep_percent, mae, mae_percent, wce, wce_percent, mre_percent, wcre_percent, mse : float
        As the module defines them.
    bias : float
        Mean error, product minus exact product.
    nonzero_for_zero : int
        Pairs with a zero operand whose product is not zero: for them, zero padding is not neutral.
    asymmetric : int
        Pairs whose product changes when the operands are swapped.
    """

    ep_percent: float
    mae: float
    mae_percent: float
    wce: float
    wce_percent: float
    mre_percent: float
    wcre_percent: float
    mse: float
    bias: float
    nonzero_for_zero: int
    asymmetric: int

    def by_name(self) -> dict[str, float]:
        """Return the measures that a published header may state, by their published names."""
        return {
            "EP%": self.ep_percent,
            "MAE": self.mae,
            "MAE%": self.mae_percent,
            "WCE": self.wce,
            "WCE%": self.wce_percent,
            "MRE%": self.mre_percent,
            "WCRE%": self.wcre_percent,
            "MSE": self.mse,
        }

    def as_dict(self) -> dict[str, float]:
        """Return all measures by attribute."""
        return asdict(self)


def measure_table(table: NDArray[np.int32], operands: IntegerFormat) -> TableErrors:
    """Return the errors of *table* over all pairs of *operands*.

    Parameters
    ----------
    table : ndarray of int32, (2^bits, 2^bits)
        Products by bit patterns, as `accelsim.multipliers.IntegerMultiplier.table`.
    operands : IntegerFormat

    Examples
    --------
    The table of 2-bit operands with 3 x 3 = 7 is wrong once in 16, by 2 of 9:

    >>> table = np.outer(range(4), range(4)).astype(np.int32)
    >>> table[3, 3] = 7
    >>> errors = measure_table(table, IntegerFormat(2, signed=False))
    >>> errors.ep_percent, errors.mae, errors.wce_percent, round(errors.wcre_percent, 2)
    (6.25, 0.125, 12.5, 22.22)
    """
    values = operands.values()
    pairs, span = table.size, 1 << (2 * operands.bits)
    rows = max(1, _CHUNK // len(values))
    wrong = absolute = signed = worst = 0
    squares = relative = worst_relative = 0.0
    for start in range(0, len(values), rows):
        exact = values[start : start + rows, None] * values
        error = table[start : start + rows].astype(np.int64) - exact
        size = np.abs(error)
        wrong += int(np.count_nonzero(error))
        absolute += int(size.sum())
        signed += int(error.sum())
        worst = max(worst, int(size.max()))
        squares += float(np.square(error.astype(np.float64)).sum())
        known = exact != 0
        ratio = size[known] / np.abs(exact[known])
        if ratio.size:
            relative += float(ratio.sum())
            worst_relative = max(worst_relative, float(ratio.max()))
    nonzero_pairs = (len(values) - 1) ** 2
    return TableErrors(
        ep_percent=100 * wrong / pairs,
        mae=absolute / pairs,
        mae_percent=100 * absolute / pairs / span,
        wce=float(worst),
        wce_percent=100 * worst / span,
        mre_percent=100 * relative / nonzero_pairs,
        wcre_percent=100 * worst_relative,
        mse=squares / pairs,
        bias=signed / pairs,
        nonzero_for_zero=int(np.count_nonzero(table[0]) + np.count_nonzero(table[1:, 0])),
        asymmetric=int(np.count_nonzero(table != table.T)),
    )
