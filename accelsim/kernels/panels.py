"""Matrix product for many columns: panels of them, a vector of columns against scalar weights.

For a block of filters, a chunk of k and a panel of columns, activations are split once for all
filters and weights once for all columns. The products of four filters at a time are then added to
psums, in memory for one or two k after the other, or in registers for a panel's depth, see `tiles`:
k stays ascending for every psum. What the fast form cannot do takes the scalar product, filter by
filter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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
from accelsim.kernels.tiles import (
    record_size,
    register_tile,
    strip_splitter,
    weight_splitter,
)
from accelsim.lanes import LANES
from accelsim.multipliers.base import FastForm

__all__ = ["panel_kernel"]

COLUMNS, DEPTH, BLOCK = 512, 16, 64
"""Columns and rows of a panel and filters that share it, psums in memory: with three float64 parts
192 KiB, which an L2 holds beside the psums. What a loop costs before it starts counts for more than
that an L1 would be nearer. Rows are even, as two are taken at a time."""
TILED_COLUMNS, TILED_DEPTH, TILED_BLOCK = 136, 64, 128
"""The same for `register_tile`, whose loop is over the depth: a strip lies in an L1, and a panel of
170 KiB in an L2."""
CHUNK = 256
"""k per splitting of the weights: bounds the memory of their parts."""
ROW = CHUNK + 8
"""Elements of a part of a filter's weights: not a power of two, so that an L1 holds all parts."""


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


class _Loops(NamedTuple):
    """How the operands of a block lie, and the loops over them.

    Attributes
    ----------
    columns, depth, filters : int
        Columns and rows of a panel, and filters that share it, at most.
    split_row : jitted (values, panel, k, spare) -> None
        Splits the activations of one k.
    split_weights : jitted (values, parts, filter, spare) -> None
        Splits the weights of one filter. *spare* is an array of LANES float32.
    add_products : jitted (panel, parts, acc, filters, (first, depth), columns) -> None
        Adds the products of a panel's first *columns* and its rows, those of the weights from
        *first* on.
    panel_shape, parts_shape : jitted (width) -> shape of a panel; (filters, k) -> shape of parts
    """

    columns: int
    depth: int
    filters: int
    split_row: Callable[..., None]
    split_weights: Callable[..., None]
    add_products: Callable[..., None]
    panel_shape: Callable[..., Any]
    parts_shape: Callable[..., Any]


def _in_memory(fast: FastForm, add: Callable[..., Any]) -> _Loops:
    """Return the loops over columns, psums in memory: for units of few operations."""
    step = 2 if fast.parts == 1 else 1
    tile = _paired_tile(fast, add) if step == 2 else _tile(fast, add)
    line, rows, parts = _line(fast, add), rows_of(fast), fast.parts
    split_activations = splitter(fast, fast.split_activation)
    split_filter = splitter(fast, fast.split_weight)

    @jit
    def split_row(values, panel, k, spare):  # type: ignore[no-untyped-def]
        split_activations(values, rows(panel, k))

    @jit
    def split_weights(values, parts, f, spare):  # type: ignore[no-untyped-def]
        split_filter(values, rows(parts, f))

    @jit
    def add_products(panel, parts, acc, filters, span, columns):  # type: ignore[no-untyped-def]
        start, depth = span
        fours = filters.size - filters.size % 4
        for g in range(0, fours, 4):
            tile(panel, parts, acc, filters[g : g + 4], start, depth)
        for g in range(filters.size):
            done = depth - depth % step if g < fours else 0
            line(panel, parts, acc, filters[g], start, done, depth)

    @jit
    def panel_shape(width):  # type: ignore[no-untyped-def]
        return DEPTH, parts, width

    @jit
    def parts_shape(filters, k):  # type: ignore[no-untyped-def]
        return filters, parts, min(k, CHUNK)

    return _Loops(
        COLUMNS, DEPTH, BLOCK, split_row, split_weights, add_products, panel_shape, parts_shape
    )


def _in_registers(fast: FastForm, add: Callable[..., Any]) -> _Loops:
    """Return the loops of `tiles`: for units that `accelsim.lanes` can do."""
    tile, record, parts = register_tile(fast, add, ROW), record_size(fast), fast.parts

    @jit
    def add_products(panel, parts, acc, filters, span, columns):  # type: ignore[no-untyped-def]
        if filters.size % 4:
            # The last row of psums and of parts belongs to no filter.
            fours = np.full((filters.size + 3) // 4 * 4, len(parts) - 1, np.int64)
            # One by one: for a slice Numba compiles what its error message of shapes is made with.
            for f in range(filters.size):
                fours[f] = filters[f]
            tile(panel, parts, acc, fours, span, columns)
        else:
            tile(panel, parts, acc, filters, span, columns)

    @jit
    def panel_shape(width):  # type: ignore[no-untyped-def]
        return width // LANES, TILED_DEPTH, record

    @jit
    def parts_shape(filters, k):  # type: ignore[no-untyped-def]
        return filters, parts, ROW

    return _Loops(
        TILED_COLUMNS,
        TILED_DEPTH,
        TILED_BLOCK,
        strip_splitter(fast),
        weight_splitter(fast),
        add_products,
        panel_shape,
        parts_shape,
    )


def _block(
    scalar: Callable[..., Any], fast: FastForm, add: Callable[..., Any], loops: _Loops
) -> Callable[..., None]:
    """Return the kernel of one block of psums: some filters, a panel's columns, a chunk of k."""
    most, plain = loops.depth, plain_kernel(scalar, add)
    split_row, add_products = loops.split_row, loops.add_products
    in_range, range_of = in_range_of(fast), exponent_range_of(fast)
    limited = fast.exponent_sums is not None

    @jit
    def block(activations, weights, first, span, parts, ranges, panel, acc, spare):  # type: ignore[no-untyped-def]
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
        for start in range(0, k if able else 0, most):
            depth = min(most, k - start)
            for kk in range(depth):
                split_row(activations[k0 + start + kk, c : c + m], panel, kk, spare)
            add_products(panel, parts, acc, filters[:able], (start, depth), m)

    return block


def panel_kernel(
    scalar: Callable[..., Any], fast: FastForm, add: Callable[..., Any], lanes: bool
) -> Callable[..., None]:
    """Return the kernel for many columns: walks over the blocks of some groups, within bounds.

    Takes activations (groups, k, m), weights (groups, n, k), psums (groups, n, m), the first and
    last group, and (first filter, last, first column, last). *lanes* says whether *add* and the
    fast form are both fit for `accelsim.lanes`.
    """
    loops = (_in_registers if lanes else _in_memory)(fast, add)
    block, range_of = _block(scalar, fast, add, loops), exponent_range_of(fast)
    most, together, split_weights = loops.columns, loops.filters, loops.split_weights
    panel_shape, parts_shape = loops.panel_shape, loops.parts_shape
    dtype, neutral = np.dtype(fast.dtype).type, fast.neutral

    @jit
    def panels(activations, weights, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        k, n, m = activations.shape[1], j1 - j0, c1 - c0
        # Panels of equal width: 514 columns are two of 264, not one of 512 and one of 2.
        share = (m - 1) // ((m - 1) // most + 1) + 1
        width = (share + LANES - 1) // LANES * LANES
        panel, spare = np.zeros(panel_shape(width), dtype), np.zeros(LANES, np.float32)
        # One row more than filters: see `_in_registers`.
        most_filters = min(n, together)
        acc = np.zeros((most_filters + 1, width), psums.dtype)
        parts = np.zeros(parts_shape(most_filters + 1, k), dtype)
        ranges = np.empty((most_filters, 2), np.int64)
        blocks = (n - 1) // together + 1
        for step in range(groups[0] * blocks, groups[1] * blocks):
            g, j = step // blocks, j0 + step % blocks * together
            operands, filters_of, sums_of = activations[g], weights[g], psums[g]
            filters = min(together, j1 - j)
            for k0 in range(0, k, CHUNK):
                k1 = min(k0 + CHUNK, k)
                for f in range(filters):
                    split_weights(filters_of[j + f, k0:k1], parts, f, spare)
                    ranges[f, 0], ranges[f, 1] = range_of(filters_of[j + f, k0:k1])
                for c in range(c0, c1, width):
                    columns = min(width, c1 - c)
                    for f in range(filters):
                        for i in range(columns):
                            acc[f, i] = add(sums_of[j + f, c + i], neutral)
                    first, span = (j, k0, c), (filters, k1 - k0, columns)
                    block(operands, filters_of, first, span, parts, ranges, panel, acc, spare)
                    for f in range(filters):
                        for i in range(columns):
                            sums_of[j + f, c + i] = acc[f, i]

    return panels
