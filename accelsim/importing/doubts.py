"""Doubts about a table that nothing was stated of: products that are hardly a multiplier's.

Signedness, width and index order are declared, and a wrong one gives a table like any other. But
its products then have next to nothing to do with the exact ones, less than those of the roughest
units that anybody would build. Reading the same patterns in another way tells which declaration it
was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import IntegerFormat
from accelsim.multipliers.measures import TableErrors, measure_table

__all__ = ["correlation", "doubt"]

ABSURD_MRE_PERCENT = 100.0
"""More than that of a unit whose products are all 0."""
ABSURD_CORRELATION = 0.5
SMALL_MRE_PERCENT = 50.0
"""Of another reading that is worth telling."""


def doubt(
    table: NDArray[np.int32],
    operands: IntegerFormat,
    errors: TableErrors,
    index_order: str | None,
    *,
    has_index: bool,
) -> str:
    """Return why *table* is probably not what was declared, "" where nothing says so.

    Parameters
    ----------
    table : ndarray of int32, (2^bits, 2^bits)
        Products by bit patterns, read as declared.
    operands : IntegerFormat
        As declared.
    errors : TableErrors
        Of *table*.
    index_order : str or None
        As declared, of signed tables.
    has_index : bool
        Whether the source is a table, so that there is another index order.
    """
    alike = correlation(table, operands)
    if errors.mre_percent <= ABSURD_MRE_PERCENT and alike >= ABSURD_CORRELATION:
        return ""
    text = (
        f"these are hardly products (MRE {errors.mre_percent:.4g} %, correlation with the exact "
        f"ones {alike:.2f}): is signedness, width or index order other than declared?"
    )
    best, how = SMALL_MRE_PERCENT, ""
    for one, other, declaration in _readings(table, operands, index_order, has_index):
        found = measure_table(one, other).mre_percent
        if found < best and correlation(one, other) >= ABSURD_CORRELATION:
            best, how = found, declaration
    return f"{text} With {how} the MRE is {best:.4g} %" if how else text


def correlation(table: NDArray[np.int32], operands: IntegerFormat) -> float:
    """Return Pearson's coefficient of all products and the exact ones, 0 where all are the same.

    >>> table = np.outer(range(4), range(4)).astype(np.int32)
    >>> round(correlation(table + 7, IntegerFormat(2, signed=False)), 9)
    1.0
    """
    if table.min() == table.max():
        return 0.0
    values, mean = operands.values().astype(np.float64), float(table.mean())
    mixed = squares = 0.0
    for value, row in zip(values, table, strict=True):
        products = row - mean
        mixed += float(value * (products @ values))
        squares += float(products @ products)
    spread = float(values @ values) ** 2 - float(values.sum()) ** 4 / table.size
    return mixed / math.sqrt(squares * spread)


def _readings(
    table: NDArray[np.int32], operands: IntegerFormat, index_order: str | None, has_index: bool
) -> Iterator[tuple[NDArray[np.int32], IntegerFormat, str]]:
    """Yield the table as other declarations read it, with its operands and the declaration."""
    half, product_bits = 1 << (operands.bits - 1), 2 * operands.bits
    turned = np.roll(table, (half, half), (0, 1))
    by_index = turned if operands.signed and index_order == "ascending" else table
    mask, sign = (1 << product_bits) - 1, 1 << (product_bits - 1)
    unsigned, signed = (IntegerFormat(operands.bits, one) for one in (False, True))
    if operands.signed:
        yield (by_index & mask).astype(np.int32), unsigned, "unsigned operands (--unsigned)"
        if has_index:
            order = "pattern" if index_order == "ascending" else "ascending"
            yield turned, signed, f"index order {order} (--index {order})"
        return
    products = ((by_index & mask) ^ sign) - sign
    order = " and index order pattern (--signed --index pattern)" if has_index else " (--signed)"
    yield products.astype(np.int32), signed, f"signed operands{order}"
    if has_index:
        rolled = np.roll(products, (half, half), (0, 1)).astype(np.int32)
        order = "index order ascending (--signed --index ascending)"
        yield rolled, signed, f"signed operands and {order}"
