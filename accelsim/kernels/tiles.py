"""The blocks of `panels` with psums in registers, for units that `accelsim.lanes` can do.

Operands split into two parts of float64, and maybe one of float32. Activations lie in strips of
LANES columns, ``[strip, k, part]``, weights in rows, ``[filter, part, k]``. A strip stays in an L1
while all filters pass by, four at a time, and psums stay in registers over the depth of a panel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelsim.compilation import jit
from accelsim.lanes import (
    LANES,
    load,
    load_words,
    spread,
    spread_word,
    store,
    store_words,
)
from accelsim.multipliers.base import FastForm

__all__ = ["record_size", "register_tile", "strip_splitter", "weight_splitter"]


def record_size(fast: FastForm) -> int:
    """Return the float64 that the parts of LANES activations take: words take half of one."""
    return 2 * LANES + (LANES // 2 if fast.parts == 3 else 0)


def strip_splitter(fast: FastForm) -> Callable[..., None]:
    """Return the loop that splits a row of activations, for one k, into the strips of a panel.

    ``(values (m,), panel (strips, depth, record), k, spare (LANES,))``; columns that are missing in
    the last strip are zeros.
    """
    split, words = fast.split_activation, fast.parts == 3

    @jit
    def put(panel, at, parts):  # type: ignore[no-untyped-def]
        store(panel, at, parts[0])
        store(panel, at + LANES, parts[1])
        if words:
            store_words(panel, 2 * (at + 2 * LANES), parts[-1])

    @jit
    def split_row(values, panel, k, spare):  # type: ignore[no-untyped-def]
        whole, stride = values.size // LANES, panel.shape[1] * panel.shape[2]
        at = k * panel.shape[2]
        for strip in range(whole):
            put(panel, at, split(load(values, strip * LANES)))
            at += stride
        if whole * LANES < values.size:
            spare[:] = 0
            for i in range(whole * LANES, values.size):
                spare[i - whole * LANES] = values[i]
            put(panel, at, split(load(spare, 0)))

    return split_row


def weight_splitter(fast: FastForm) -> Callable[..., None]:
    """Return the loop that splits a filter's weights into the rows of their parts.

    ``(values (k,), parts (filters, rows, row), filter, spare (LANES,))``; what follows the last
    weight in its LANES are zeros.
    """
    split, words = fast.split_weight, fast.parts == 3

    @jit
    def split_row(values, parts, f, spare):  # type: ignore[no-untyped-def]
        row = parts.shape[2]
        first = f * parts.shape[1] * row
        for k in range(0, values.size, LANES):
            if k + LANES <= values.size:
                lanes = split(load(values, k))
            else:
                spare[:] = 0
                for i in range(k, values.size):
                    spare[i - k] = values[i]
                lanes = split(load(spare, 0))
            store(parts, first + k, lanes[0])
            store(parts, first + row + k, lanes[1])
            if words:
                # A float32 in the place of a float64: counted in halves.
                store(parts, 2 * (first + 2 * row) + k, lanes[-1])

    return split_row


def register_tile(fast: FastForm, add: Callable[..., Any], row: int) -> Callable[..., None]:
    """Return the loop over strips, filters by fours, and k, as `panels` has them.

    Parameters
    ----------
    row : int
        Elements from one part of a filter's weights to the next; constant, since four filters of
        three parts have more addresses than a processor has registers.
    """
    combine, words, record = fast.combine, fast.parts == 3, record_size(fast)
    rows = fast.parts

    if words:

        @jit
        def activations_at(panel, at):  # type: ignore[no-untyped-def]
            third = load_words(panel, 2 * (at + 2 * LANES))
            return load(panel, at), load(panel, at + LANES), third

        @jit
        def weight_at(weights, first, k):  # type: ignore[no-untyped-def]
            place = first + k
            third = spread_word(weights, 2 * (first + 2 * row) + k)
            return spread(weights, place), spread(weights, place + row), third

    else:

        @jit
        def activations_at(panel, at):  # type: ignore[no-untyped-def]
            return load(panel, at), load(panel, at + LANES)

        @jit
        def weight_at(weights, first, k):  # type: ignore[no-untyped-def]
            place = first + k
            return spread(weights, place), spread(weights, place + row)

    @jit
    def four(panel, at, weights, acc, column, filters, span):  # type: ignore[no-untyped-def]
        start, depth = span
        width = acc.shape[1]
        p0, p1 = filters[0] * width + column, filters[1] * width + column
        p2, p3 = filters[2] * width + column, filters[3] * width + column
        w0, w1 = filters[0] * rows * row, filters[1] * rows * row
        w2, w3 = filters[2] * rows * row, filters[3] * rows * row
        s0, s1, s2, s3 = load(acc, p0), load(acc, p1), load(acc, p2), load(acc, p3)
        for k in range(start, start + depth):
            a = activations_at(panel, at)
            s0 = add(s0, combine(a, weight_at(weights, w0, k)))
            s1 = add(s1, combine(a, weight_at(weights, w1, k)))
            s2 = add(s2, combine(a, weight_at(weights, w2, k)))
            s3 = add(s3, combine(a, weight_at(weights, w3, k)))
            at += record
        store(acc, p0, s0)
        store(acc, p1, s1)
        store(acc, p2, s2)
        store(acc, p3, s3)

    @jit
    def tile(panel, weights, acc, filters, span, columns):  # type: ignore[no-untyped-def]
        strip = panel.shape[1] * record
        for s in range((columns + LANES - 1) // LANES):
            for g in range(0, filters.size, 4):
                four(panel, s * strip, weights, acc, s * LANES, filters[g : g + 4], span)

    return tile
