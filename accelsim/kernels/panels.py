"""Matrix product for many columns: panels of them, a vector of columns against scalar weights.

For a block of BLOCK filters, a chunk of k and a panel of columns, activations are split once for
all filters and weights once for all columns. `tile` then takes four filters at a time, and one or
two k, over contiguous psums: k stays ascending for every one of them. What the fast form cannot do
takes the scalar product, filter by filter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import MAGNITUDE_FIELD
from accelsim.kernels.parts import (
    AT,
    exponent_range_of,
    in_range_of,
    plain_kernel,
    rows_of,
    splitter,
)
from accelsim.kernels.tiles import register_tile
from accelsim.multipliers.base import FastForm

__all__ = ["panel_kernel"]

COLUMNS = 512
"""Columns of a panel: with DEPTH rows of three float64 parts 192 KiB, which an L2 holds. What a
loop costs before it starts counts for more than that an L1 would be nearer."""
DEPTH = 16
"""Rows of a panel; even, as two are taken at a time."""
TILED_COLUMNS, TILED_DEPTH = 136, 32
"""The same for `register_tile`, whose loop is over the depth."""
CHUNK = 256
"""k per splitting of the weights: bounds the memory of their parts."""
ROW = CHUNK + 8
"""Elements of a part of a filter's weights: not a power of two, so that an L1 holds all parts."""
BLOCK = 64
"""Filters that share a packed panel: bounds the memory of their psums."""


def _tile(fast: FastForm, add: Callable[..., Any]) -> Callable[..., None]:
    """Return the loop over k, four filters: an activation is loaded once for four."""
    combine, rows, at = fast.combine, rows_of(fast), AT[fast.parts]

    @jit
    def tile(panel, weights, acc, filters, start, depth):  # type: ignore[no-untyped-def]
        o0, o1, o2, o3 = acc[filters[0]], acc[filters[1]], acc[filters[2]], acc[filters[3]]
        w0, w1 = rows(weights, filters[0]), rows(weights, filters[1])
        w2, w3 = rows(weights, filters[2]), rows(weights, filters[3])
        for kk in range(depth):
            x, k0 = rows(panel, kk), start + kk
            x0, x1, x2, x3 = at(w0, k0), at(w1, k0), at(w2, k0), at(w3, k0)
            for i in range(o0.size):
                a = at(x, i)
                o0[i] = add(o0[i], combine(a, x0))
                o1[i] = add(o1[i], combine(a, x1))
                o2[i] = add(o2[i], combine(a, x2))
                o3[i] = add(o3[i], combine(a, x3))

    return tile


def _paired_tile(fast: FastForm, add: Callable[..., Any]) -> Callable[..., None]:
    """Return `_tile` over pairs of k: psums are loaded and stored once for two."""
    combine, rows, at = fast.combine, rows_of(fast), AT[fast.parts]

    @jit
    def tile(panel, weights, acc, filters, start, depth):  # type: ignore[no-untyped-def]
        o0, o1, o2, o3 = acc[filters[0]], acc[filters[1]], acc[filters[2]], acc[filters[3]]
        w0, w1 = rows(weights, filters[0]), rows(weights, filters[1])
        w2, w3 = rows(weights, filters[2]), rows(weights, filters[3])
        for kk in range(0, depth - 1, 2):
            x, y, k0, k1 = rows(panel, kk), rows(panel, kk + 1), start + kk, start + kk + 1
            x0, x1, x2, x3 = at(w0, k0), at(w1, k0), at(w2, k0), at(w3, k0)
            y0, y1, y2, y3 = at(w0, k1), at(w1, k1), at(w2, k1), at(w3, k1)
            for i in range(o0.size):
                a, b = at(x, i), at(y, i)
                o0[i] = add(add(o0[i], combine(a, x0)), combine(b, y0))
                o1[i] = add(add(o1[i], combine(a, x1)), combine(b, y1))
                o2[i] = add(add(o2[i], combine(a, x2)), combine(b, y2))
                o3[i] = add(add(o3[i], combine(a, x3)), combine(b, y3))

    return tile


def _line(fast: FastForm, add: Callable[..., Any]) -> Callable[..., None]:
    """Return the loop for one filter: what is left over by fours of filters and pairs of k."""
    combine, rows, at = fast.combine, rows_of(fast), AT[fast.parts]

    @jit
    def line(panel, weights, acc, j, start, first, depth):  # type: ignore[no-untyped-def]
        out, w_rows = acc[j], rows(weights, j)
        for kk in range(first, depth):
            x, w = rows(panel, kk), at(w_rows, start + kk)
            for i in range(out.size):
                out[i] = add(out[i], combine(at(x, i), w))

    return line


def _block(
    scalar: Callable[..., Any], fast: FastForm, add: Callable[..., Any], lanes: bool
) -> Callable[..., None]:
    """Return the kernel of one block of psums: some filters, a panel's columns, a chunk of k."""
    step = 2 if fast.parts == 1 else 1
    if lanes:
        tile = register_tile(fast, add, ROW)
    else:
        tile = _paired_tile(fast, add) if step == 2 else _tile(fast, add)
    most = TILED_DEPTH if lanes else DEPTH
    line, plain = _line(fast, add), plain_kernel(scalar, add)
    rows, split_row = rows_of(fast), splitter(fast, fast.split_activation)
    in_range, range_of = in_range_of(fast), exponent_range_of(fast)
    limited = fast.exponent_sums is not None

    @jit
    def block(activations, weights, first, span, parts, ranges, panel, acc):  # type: ignore[no-untyped-def]
        j, k0, c = first
        count, k, m = span
        least, greatest = MAGNITUDE_FIELD, 0
        for kk in range(k0, k0 + k):
            low, high = range_of(activations[kk, c : c + m])
            least, greatest = min(least, low), max(greatest, high)
        # Filters that the fast form can do are listed, so that others do not hold them up.
        filters, able = np.empty(count, np.int64), 0
        for f in range(count):
            if in_range(least, greatest, ranges[f, 0], ranges[f, 1]):
                filters[able] = f
                able += 1
            elif limited:
                operands = activations[k0 : k0 + k, c : c + m]
                plain(operands, weights[j + f : j + f + 1, k0 : k0 + k], acc[f : f + 1, :m])
        fours = able - able % 4
        for start in range(0, k if able else 0, most):
            depth = min(most, k - start)
            for kk in range(depth):
                split_row(activations[k0 + start + kk, c : c + m], rows(panel, kk))
            for g in range(0, fours, 4):
                tile(panel, parts, acc, filters[g : g + 4], start, depth)
            for g in range(able):
                done = depth - depth % step if g < fours else 0
                line(panel, parts, acc, filters[g], start, done, depth)

    return block


def panel_kernel(
    scalar: Callable[..., Any], fast: FastForm, add: Callable[..., Any], lanes: bool
) -> Callable[..., None]:
    """Return the kernel for many columns: walks over the blocks of some groups, within bounds.

    Takes activations (groups, k, m), weights (groups, n, k), psums (groups, n, m), the first and
    last group, and (first filter, last, first column, last). *lanes* says whether *add* and the
    fast form are both fit for `accelsim.lanes`.
    """
    block, rows, range_of = _block(scalar, fast, add, lanes), rows_of(fast), exponent_range_of(fast)
    most, depth = (TILED_COLUMNS, TILED_DEPTH) if lanes else (COLUMNS, DEPTH)
    split_row = splitter(fast, fast.split_weight)
    parts_of, dtype, neutral = fast.parts, np.dtype(fast.dtype).type, fast.neutral

    @jit
    def panels(activations, weights, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        k, n, m = activations.shape[1], j1 - j0, c1 - c0
        # Panels of equal width: 514 columns are two of 264, not one of 512 and one of 2.
        share = (m - 1) // ((m - 1) // most + 1) + 1
        width = (share + 7) // 8 * 8
        # Rows of an odd number of cache lines: a power of two apart they would share their places.
        panel = np.zeros((depth, parts_of, (width // 8 | 1) * 8 if lanes else width), dtype)
        acc = np.zeros((min(n, BLOCK), width), psums.dtype)
        parts = np.empty((min(n, BLOCK), parts_of, ROW if lanes else min(k, CHUNK)), dtype)
        ranges = np.empty((min(n, BLOCK), 2), np.int64)
        blocks = (n - 1) // BLOCK + 1
        for step in range(groups[0] * blocks, groups[1] * blocks):
            g, j = step // blocks, j0 + step % blocks * BLOCK
            operands, filters_of, sums_of = activations[g], weights[g], psums[g]
            filters = min(BLOCK, j1 - j)
            for k0 in range(0, k, CHUNK):
                k1 = min(k0 + CHUNK, k)
                for f in range(filters):
                    split_row(filters_of[j + f, k0:k1], rows(parts, f))
                    ranges[f, 0], ranges[f, 1] = range_of(filters_of[j + f, k0:k1])
                for c in range(c0, c1, width):
                    columns = min(width, c1 - c)
                    for f in range(filters):
                        for i in range(columns):
                            acc[f, i] = add(sums_of[j + f, c + i], neutral)
                    first, span = (j, k0, c), (filters, k1 - k0, columns)
                    block(operands, filters_of, first, span, parts, ranges, panel, acc)
                    for f in range(filters):
                        for i in range(columns):
                            sums_of[j + f, c + i] = acc[f, i]

    return panels
