"""The matrix product of an integer unit: by table up to 8 bits, by its scalar product above.

Which loop of `tables` is fastest depends on the shape; what each costs is known to a few tenths.
All of them keep partial sums in int32 and add in an order of their own, which changes nothing where
psums wrap around, or where no sum can reach the ends of an int32. Elsewhere products are added one
by one.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.compilation import jit
from accelsim.kernels.division import GroupKernel, run_divided
from accelsim.kernels.tables import by_dot, by_lanes, by_row, transposed
from accelsim.kernels.vectors import LANES
from accelsim.multipliers.base import IntegerMultiplier

__all__ = ["accumulate_by_table", "has_table", "scalar_kernel", "tables_of"]

FEW_COLUMNS = 4
"""Below this many columns products are made along k."""

GREATEST = (1 << 31) - 1
"""Of the int32 partial sums."""
PACK_STEPS = 310 / 256
"""Price of interleaving LANES rows, per pattern, in steps: one streaming operand of `by_lanes`."""
ROW_STEPS = (1.1, 4.0)
"""Price of `by_row`, in steps: of a product, and of a row."""
DOT_STEPS = 1.8
"""Price of `by_dot`, in steps per product."""


_LOOPS: dict[str, tuple[Callable[..., None], tuple[bool, ...]]] = {
    "row": (by_row, ()),
    "lanes": (by_lanes, (True,)),
    "other lanes": (by_lanes, (False,)),
    "dot": (by_dot, ()),
}
"""Way -> loop, and what it takes besides operands."""


class _Tables(NamedTuple):
    """Products of a unit, with one pattern or the other first; rows of whole vectors."""

    by_activation: NDArray[np.int32]
    by_weight: NDArray[np.int32]


# Not on the unit, which may have been read from a file and does not know of kernels; gone with it.
_tables: weakref.WeakKeyDictionary[IntegerMultiplier, _Tables] = weakref.WeakKeyDictionary()


def has_table(unit: IntegerMultiplier) -> bool:
    """Return whether the kernels look products of *unit* up."""
    return unit.scalar is None or unit.operands.bits <= 8


def scalar_kernel(scalar: Callable[..., Any], add: Callable[..., Any]) -> Callable[..., None]:
    """Return the kernel that calls the scalar product of integers; it takes what `panels`' does."""

    @jit
    def by_scalar(activations, weights, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        k = activations.shape[1]
        for g in range(groups[0], groups[1]):
            for j in range(j0, j1):
                out, w = psums[g, j, c0:c1], weights[g, j]
                if out.size >= FEW_COLUMNS:
                    for kk in range(k):
                        x, y = activations[g, kk, c0:c1], np.int64(w[kk])
                        for i in range(out.size):
                            out[i] = add(out[i], scalar(np.int64(x[i]), y))
                else:
                    for i in range(out.size):
                        total = out[i]
                        for kk in range(k):
                            product = scalar(np.int64(activations[g, kk, c0 + i]), np.int64(w[kk]))
                            total = add(total, product)
                        out[i] = total

    return by_scalar


def accumulate_by_table(
    unit: IntegerMultiplier,
    adder: Accumulator,
    activations: NDArray[Any],
    weights: NDArray[Any],
    psums: NDArray[Any],
) -> None:
    """Add the products of some groups to *psums*, in place, looking them up.

    Parameters
    ----------
    activations, weights : ndarray of the unit's operands, (groups, k, m) and (groups, n, k)
    psums : ndarray of the accumulator's dtype, (groups, n, m)
        All C-contiguous.
    """
    tables = tables_of(unit)
    activations, weights = _patterns(unit, activations), _patterns(unit, weights)
    groups, n, m = psums.shape
    shape = n, activations.shape[1], m
    if not _order_is_free(adder, psums, shape[1] * unit.greatest_product):
        ordered = functools.partial(_ordered(adder), activations, weights, tables.by_weight, psums)
        run_divided(ordered, groups, shape, m > n)
        return
    sums = psums if psums.dtype == np.int32 else np.zeros(psums.shape, np.int32)
    way = _way(len(tables.by_weight), n, m)
    if way in ("dot", "other lanes"):
        activations, table = _transposed(activations), tables.by_activation
        weights = weights if way == "dot" else _transposed(weights)
        operands = weights, activations, table, sums
    else:
        operands = activations, weights, tables.by_weight, sums
    loop, more = _LOOPS[way]
    kernel: GroupKernel = functools.partial(loop, *operands, *more)
    # Parts along what stays: each lays the table's rows out for its own operands only.
    run_divided(kernel, groups, shape, way == "other lanes" or (way == "row" and m > n))
    if sums is not psums:
        psums += sums


def _way(patterns: int, n: int, m: int) -> str:
    """Return the cheapest way for *n* filters and *m* columns."""
    pack = PACK_STEPS * patterns
    steps = {
        "row": n * (ROW_STEPS[0] * m + ROW_STEPS[1]),
        "lanes": -(-n // LANES) * (pack + m),
        # What stays are the activations of LANES columns; both operands are transposed before.
        "other lanes": -(-m // LANES) * (pack + n) + 2 * (n + m),
        "dot": DOT_STEPS * n * m,
    }
    return min(steps, key=lambda name: steps[name])


def _order_is_free(adder: Accumulator, psums: NDArray[Any], most: int) -> bool:
    """Return whether sums of up to *most* may be made in any order, and in int32."""
    if adder.overflow == "wraps":
        return psums.itemsize == 4 or most <= GREATEST
    if adder.overflow == "saturates":
        return max(int(psums.max()), -int(psums.min())) + most <= GREATEST
    return False


def _patterns(unit: IntegerMultiplier, operands: NDArray[Any]) -> NDArray[Any]:
    bits = unit.operands.bits
    patterns = operands.view(f"u{operands.itemsize}")
    if bits == 8 * operands.itemsize:
        return patterns
    return patterns & patterns.dtype.type((1 << bits) - 1)


def tables_of(unit: IntegerMultiplier) -> _Tables:
    """Return the unit's products as the loops want them; packed once per unit."""
    tables = _tables.get(unit)
    if tables is None:
        table = unit.table
        tables = _Tables(_whole_vectors(table), _whole_vectors(table.T))
        _tables[unit] = tables
    return tables


def _whole_vectors(table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return *table* C-contiguous, with as many columns as a multiple of LANES."""
    missing = -table.shape[1] % LANES
    return np.ascontiguousarray(np.pad(table, ((0, 0), (0, missing))))


def _transposed(operands: NDArray[Any]) -> NDArray[Any]:
    """Return (groups, b, a) of (groups, a, b)."""
    if 1 in operands.shape[1:]:
        # A copy here too, since Numba would compile again for a read-only view.
        return operands.reshape(len(operands), operands.shape[2], operands.shape[1]).copy()
    return np.stack([transposed(group) for group in operands])


@functools.cache
def _ordered(adder: Accumulator) -> Callable[..., None]:
    """Return the loop that adds one product after the other, as the accumulator does."""
    add = adder.add

    @jit
    def ordered(activations, weights, table, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        for g in range(groups[0], groups[1]):
            for j in range(j0, j1):
                out = psums[g, j, c0:c1]
                for kk in range(activations.shape[1]):
                    row, x = table[weights[g, j, kk]], activations[g, kk, c0:c1]
                    for i in range(out.size):
                        out[i] = add(out[i], row[x[i]])

    return ordered
