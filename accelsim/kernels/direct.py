"""Direct convolution for one channel a group, as depthwise layers have it: nothing is laid out.

A matrix product over im2col's columns is mostly im2col where every operand meets few weights. Here
the padded channel is split once for all taps, and each tap adds a row of products to a row of
outputs. With a stride of s along a row its pixels lie in s *phases*, every s-th pixel together, so
that a tap's operands always lie side by side::

    for c, n, f of c, r, s, p, q:                  # r, s ascending for every output
        psums[n, f, p, q] += unit(planes[c, phase(s), n, p * down + r * dilation, q + start(s)],
                                  weights[f, r, s])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.compilation import jit
from accelsim.kernels.columns import fill_columns
from accelsim.kernels.integers import has_table, tables_of
from accelsim.kernels.parts import AT, exponent_range_of, in_range_of, rows_of, splitter
from accelsim.multipliers.base import FastForm, FloatMultiplier, IntegerMultiplier, Multiplier
from accelsim.threads import run_parts, shares, worthwhile

__all__ = ["FEW_FILTERS", "convolve_directly", "has_direct_form"]

FEW_FILTERS = 4
"""Per channel; with 6 to 12 both ways take about as long, with 16 columns take half the time."""

GRAIN = 1 << 17
"""Products that are worth a thread."""

Geometry = tuple[int, int, int, int, int, int]
"""Stride down and right, dilation down and right, padding on top and on the left."""


def has_direct_form(unit: Multiplier) -> bool:
    """Return whether `convolve_directly` knows *unit*: a fast form, or a table of products."""
    if isinstance(unit, IntegerMultiplier):
        return has_table(unit)
    return isinstance(unit, FloatMultiplier) and unit.fast is not None


def convolve_directly(
    unit: Multiplier,
    adder: Accumulator,
    images: NDArray[Any],
    weights: NDArray[Any],
    geometry: Geometry,
    pad: Any,
    psums: NDArray[Any],
) -> None:
    """Fill *psums* with the sums of a convolution with one channel a group.

    Parameters
    ----------
    unit : Multiplier
        One that `has_direct_form`.
    images : ndarray of the unit's operands, (N, C, H, W)
    weights : ndarray of the unit's operands, (M, 1, R, S)
        C divides M.
    geometry : Geometry
    pad : number
        Bit pattern of the padding.
    psums : ndarray of the accumulator's dtype, (N, M, P, Q)
        C-contiguous.
    """
    down, right, dilation_down, dilation_right, top, left = geometry
    count, channels = images.shape[:2]
    rows, cols = weights.shape[2:]
    height = (psums.shape[2] - 1) * down + dilation_down * (rows - 1) + 1
    width = psums.shape[3] + dilation_right * (cols - 1) // right
    bits = images.view(f"u{images.itemsize}")
    planes = np.empty((channels, 1, right, count, height, width), bits.dtype)
    taps = rows, cols, down, right, dilation_down, dilation_right
    operands: tuple[NDArray[Any], ...]
    if isinstance(unit, IntegerMultiplier):
        mask = bits.dtype.type((1 << unit.operands.bits) - 1)
        patterns = weights.view(bits.dtype) & mask
        operands = planes, patterns, tables_of(unit).by_weight
        pad, bits, kernel = pad & mask, bits & mask, _by_table(adder)
    elif isinstance(unit, FloatMultiplier) and unit.fast is not None:
        operands = planes.view(images.dtype), weights
        kernel = _by_fast_form(unit.scalar, unit.fast, adder)
    else:
        raise TypeError(f"multiplier {unit.name!r} has neither a fast form nor a table")

    def part(first: int, last: int) -> None:
        fill_columns(bits, 1, right, top, left, 1, 1, pad, planes, first, last)
        kernel(*operands, taps, psums, first, last)

    pieces = shares(channels, worthwhile(psums.size * rows * cols, GRAIN))
    run_parts([functools.partial(part, *own) for own in pieces])


@functools.cache
def _by_table(adder: Accumulator) -> Callable[..., None]:
    """Return the loop for patterns, whose products are looked up and added one by one."""
    add = adder.add

    @jit
    def by_table(planes, weights, table, taps, psums, first, last):  # type: ignore[no-untyped-def]
        rows, cols, down, right, dilation_down, dilation_right = taps
        share = weights.shape[0] // planes.shape[0]
        psums[:, first * share : last * share] = 0
        for c in range(first, last):
            for n in range(planes.shape[3]):
                for f in range(c * share, (c + 1) * share):
                    for r in range(rows):
                        for s in range(cols):
                            row, offset = table[weights[f, 0, r, s]], s * dilation_right
                            plane, start = planes[c, 0, offset % right, n], offset // right
                            for p in range(psums.shape[2]):
                                out = psums[n, f, p]
                                x = plane[p * down + r * dilation_down, start:]
                                for i in range(out.size):
                                    out[i] = add(out[i], row[x[i]])

    return by_table


@jit
def _from_1(rows, start):  # type: ignore[no-untyped-def]
    return (rows[0][start:],)


@jit
def _from_2(rows, start):  # type: ignore[no-untyped-def]
    return rows[0][start:], rows[1][start:]


@jit
def _from_3(rows, start):  # type: ignore[no-untyped-def]
    return rows[0][start:], rows[1][start:], rows[2][start:]


_FROM: dict[int, Callable[..., Any]] = {1: _from_1, 2: _from_2, 3: _from_3}
"""By number of parts: ``(tuple of 1-D arrays, start) -> tuple of what follows start in each``."""


@functools.cache
def _by_fast_form(
    scalar: Callable[..., Any], fast: FastForm, adder: Accumulator
) -> Callable[..., None]:
    """Return the loop for a fast form; what that cannot do takes the scalar product."""
    add, combine, at, rows_from = adder.add, fast.combine, AT[fast.parts], _FROM[fast.parts]
    parts_at, split_row = rows_of(fast), splitter(fast, fast.split_activation)
    split_weight, in_range, range_of = fast.split_weight, in_range_of(fast), exponent_range_of(fast)
    parts_of, dtype, neutral = fast.parts, np.dtype(fast.dtype).type, fast.neutral

    # Functions of their own: inside the loops around them LLVM does not vectorize.
    @jit
    def add_row(x, w, out):  # type: ignore[no-untyped-def]
        for i in range(out.size):
            out[i] = add(out[i], combine(at(x, i), w))

    @jit
    def add_row_plainly(x, w, out):  # type: ignore[no-untyped-def]
        for i in range(out.size):
            out[i] = add(out[i], scalar(x[i], w))

    @jit
    def by_fast_form(planes, weights, taps, psums, first, last):  # type: ignore[no-untyped-def]
        rows, cols, down, right, dilation_down, dilation_right = taps
        share = weights.shape[0] // planes.shape[0]
        height, width = planes.shape[4:]
        split = np.empty((right * height, parts_of, width), dtype)
        start_with = add(psums.dtype.type(0), neutral)
        for c in range(first, last):
            for n in range(planes.shape[3]):
                least, greatest = 1 << 40, 0
                for phase in range(right):
                    for h in range(height):
                        values = planes[c, 0, phase, n, h]
                        low, high = range_of(values)
                        least, greatest = min(least, low), max(greatest, high)
                        split_row(values, parts_at(split, phase * height + h))
                for f in range(c * share, (c + 1) * share):
                    filter_, psum = weights[f, 0], psums[n, f]
                    psum[:] = start_with
                    low, high = range_of(filter_.reshape(-1))
                    able = in_range(least, greatest, low, high)
                    for r in range(rows):
                        for s in range(cols):
                            w, offset = filter_[r, s], s * dilation_right
                            phase, start = offset % right, offset // right
                            parts = split_weight(w)
                            for p in range(psum.shape[0]):
                                h = p * down + r * dilation_down
                                if able:
                                    x = rows_from(parts_at(split, phase * height + h), start)
                                    add_row(x, parts, psum[p])
                                else:
                                    values = planes[c, 0, phase, n, h, start:]
                                    add_row_plainly(values, w, psum[p])

    return by_fast_form
