"""What the fast kernels of `panels` and `few` share: parts, exponents, the plain loop.

A `FastForm` splits an operand into a tuple of numbers, so an array of operands becomes a tuple of
1-D arrays. The kernels handle such tuples by functions for one length each: Numba and LLVM take
them apart without a trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import FRACTION_BITS, MAGNITUDE_FIELD
from accelsim.lanes import bits_of
from accelsim.multipliers.base import FastForm

__all__ = [
    "AT",
    "exponent_range_of",
    "in_range_of",
    "plain_kernel",
    "rows_of",
    "splitter",
    "within_bounds",
]

NO_EXPONENT = 1 << 16
"""Outside of all ranges of exponents, and so are its sums with one."""


@jit
def _rows_1(block, index):  # type: ignore[no-untyped-def]
    return (block[index, 0],)


@jit
def _rows_2(block, index):  # type: ignore[no-untyped-def]
    return block[index, 0], block[index, 1]


@jit
def _rows_3(block, index):  # type: ignore[no-untyped-def]
    return block[index, 0], block[index, 1], block[index, 2]


@jit
def _rows_mixed(block, index):  # type: ignore[no-untyped-def]
    return block[index, 0], block[index, 1], block[index, 2].view(np.float32)


@jit
def _at_1(rows, i):  # type: ignore[no-untyped-def]
    return (rows[0][i],)


@jit
def _at_2(rows, i):  # type: ignore[no-untyped-def]
    return rows[0][i], rows[1][i]


@jit
def _at_3(rows, i):  # type: ignore[no-untyped-def]
    return rows[0][i], rows[1][i], rows[2][i]


@jit
def _put_1(rows, i, parts):  # type: ignore[no-untyped-def]
    rows[0][i] = parts[0]


@jit
def _put_2(rows, i, parts):  # type: ignore[no-untyped-def]
    rows[0][i], rows[1][i] = parts


@jit
def _put_3(rows, i, parts):  # type: ignore[no-untyped-def]
    rows[0][i], rows[1][i], rows[2][i] = parts


_ROWS: dict[int, Callable[..., Any]] = {1: _rows_1, 2: _rows_2, 3: _rows_3}
AT: dict[int, Callable[..., Any]] = {1: _at_1, 2: _at_2, 3: _at_3}
"""By number of parts: ``(tuple of 1-D arrays, i) -> their i-th``."""
_PUT: dict[int, Callable[..., Any]] = {1: _put_1, 2: _put_2, 3: _put_3}


def rows_of(fast: FastForm) -> Callable[..., Any]:
    """Return the jitted ``(block (n, parts, m), index) -> tuple of 1-D arrays``, one a part."""
    return _rows_mixed if fast.lanes and fast.parts == 3 else _ROWS[fast.parts]


def splitter(fast: FastForm, split: Callable[..., Any]) -> Callable[..., None]:
    """Return the loop that splits 1-D values into the rows of their parts."""
    put = _PUT[fast.parts]

    # A function of its own for one row: inside a loop over rows LLVM does not vectorize it.
    @jit
    def split_row(values, rows):  # type: ignore[no-untyped-def]
        for i in range(values.size):
            put(rows, i, split(values[i]))

    return split_row


def exponent_range_of(fast: FastForm) -> Callable[..., Any]:
    """Return the jitted ``(values) -> (least, greatest)`` exponent field of the 1-D *values*.

    Operands below ``fast.zero_below`` do not count (none left: least is above greatest, both
    harmless). A value that is not finite, or above ``fast.greatest_exponent``, puts the greatest
    outside of all ranges. Nothing is looked at where the fast form can do all operands.
    """
    if fast.exponent_sums is None:

        @jit
        def any_exponent(values):  # type: ignore[no-untyped-def]
            return 0, 0

        return any_exponent
    zero_below = np.float32(fast.zero_below).view(np.int32)
    most = fast.greatest_exponent

    @jit
    def exponent_range(values):  # type: ignore[no-untyped-def]
        # In 32 bits throughout: as many fit into a vector as there are values.
        low, high = np.int32(MAGNITUDE_FIELD), np.int32(0)
        for i in range(values.size):
            size = np.int32(bits_of(values[i]) & MAGNITUDE_FIELD)
            live = size if size >= zero_below else np.int32(MAGNITUDE_FIELD)
            high = size if size > high else high
            low = live if live < low else low
        least, greatest = np.int64(low) >> FRACTION_BITS, np.int64(high) >> FRACTION_BITS
        return least, (greatest if greatest <= most else NO_EXPONENT)

    return exponent_range


def in_range_of(fast: FastForm) -> Callable[..., bool]:
    """Return the jitted ``(least_a, greatest_a, least_w, greatest_w) -> bool``: fast is exact."""
    if fast.exponent_sums is None:

        @jit
        def always(least_a, greatest_a, least_w, greatest_w):  # type: ignore[no-untyped-def]
            return True

        return always
    least_sum, greatest_sum = fast.exponent_sums

    @jit
    def in_range(least_a, greatest_a, least_w, greatest_w):  # type: ignore[no-untyped-def]
        return least_a + least_w >= least_sum and greatest_a + greatest_w <= greatest_sum

    return in_range


def plain_kernel(scalar: Callable[..., Any], add: Callable[..., Any]) -> Callable[..., None]:
    """Return the kernel that calls the scalar product and nothing else."""

    @jit
    def plain(activations, weights, psums):  # type: ignore[no-untyped-def]
        for j in range(psums.shape[0]):
            out = psums[j]
            for kk in range(activations.shape[0]):
                row, w = activations[kk], weights[j, kk]
                for i in range(out.size):
                    out[i] = add(out[i], scalar(row[i], w))

    return plain


def within_bounds(kernel: Callable[..., None]) -> Callable[..., None]:
    """Return *kernel*, of three whole arrays, as one that takes what that of `panels` does."""

    @jit
    def within(activations, weights, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        for g in range(groups[0], groups[1]):
            # Copies, one layout for all: what is slow enough for this kernel does not feel them.
            sums = psums[g, j0:j1, c0:c1].copy()
            kernel(activations[g, :, c0:c1].copy(), weights[g, j0:j1].copy(), sums)
            # One by one: for a slice Numba compiles what its error message of shapes is made with.
            for j in range(j1 - j0):
                for i in range(c1 - c0):
                    psums[g, j0 + j, c0 + i] = sums[j, i]

    return within
