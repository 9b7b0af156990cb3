"""Matrix product for few columns, as of a fully connected layer at batch 1: row by row.

Panels would be mostly empty, so the products of one column are vectorized along k instead; then
they are added in ascending k, for eight filters at once: one sum alone would wait for its own adder
at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.kernels.parts import AT, exponent_range_of, in_range_of, rows_of, splitter
from accelsim.multipliers.base import FastForm

Array = NDArray[Any]
Pair = tuple[int, int]
Four = tuple[int, int, int, int]

__all__ = ["FEW_COLUMNS", "row_kernel"]

FEW_COLUMNS = 12
"""Below this many columns `row_kernel` is the faster one."""
SPAN = 512
"""k per run of products: those of CHAINS filters stay in an L1."""
CHAINS = 8
"""Filters whose products are added at once."""


def _sum_chains(add: Callable[..., Any]) -> Callable[..., None]:
    """Return the loop that adds the columns of (CHAINS, span) products to as many psums."""

    @jit
    def sum_chains(products, span, sums):  # type: ignore[no-untyped-def]
        p0, p1, p2, p3 = products[0], products[1], products[2], products[3]
        p4, p5, p6, p7 = products[4], products[5], products[6], products[7]
        s0, s1, s2, s3 = sums[0], sums[1], sums[2], sums[3]
        s4, s5, s6, s7 = sums[4], sums[5], sums[6], sums[7]
        for i in range(span):
            s0, s1, s2, s3 = add(s0, p0[i]), add(s1, p1[i]), add(s2, p2[i]), add(s3, p3[i])
            s4, s5, s6, s7 = add(s4, p4[i]), add(s5, p5[i]), add(s6, p6[i]), add(s7, p7[i])
        sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
        sums[4], sums[5], sums[6], sums[7] = s4, s5, s6, s7

    return sum_chains


def _products(scalar: Callable[..., Any], fast: FastForm) -> Callable[..., None]:
    """Return the loop ``out[i] = product(values[i], weights[i])``, vectorized along k."""
    combine, split_weight, at = fast.combine, fast.split_weight, AT[fast.parts]
    in_range, range_of = in_range_of(fast), exponent_range_of(fast)
    limited = fast.exponent_sums is not None

    @jit
    def products(values, parts, ranges, weights, out):  # type: ignore[no-untyped-def]
        low, high = range_of(weights)
        if in_range(ranges[0], ranges[1], low, high):
            for i in range(weights.size):
                out[i] = combine(at(parts, i), split_weight(weights[i]))
        elif limited:
            for i in range(weights.size):
                out[i] = scalar(values[i], weights[i])

    return products


def row_kernel(
    scalar: Callable[..., Any], fast: FastForm, add: Callable[..., Any]
) -> Callable[..., None]:
    """Return the kernel for few columns: one column after the other, CHAINS filters at a time.

    Takes what that of `panels` takes, but of the weights only each row of k must be contiguous:
    a part of a large matrix is read where it lies.
    """
    products, sum_chains, range_of = (
        _products(scalar, fast),
        _sum_chains(add),
        exponent_range_of(fast),
    )
    rows, parts_of = rows_of(fast), fast.parts
    split_row = splitter(fast, fast.split_activation)
    dtype, neutral = np.dtype(fast.dtype).type, fast.neutral

    @jit
    def few(activations, weights, steps, psums, groups, bounds):  # type: ignore[no-untyped-def]
        j0, j1, c0, c1 = bounds
        k, m = activations.shape[1], c1 - c0
        spans = (k - 1) // SPAN + 1
        # One row per span, since a vector load wants an array that starts where the loop does.
        column = np.zeros((spans, SPAN), np.float32)
        split = np.empty((spans, parts_of, SPAN), dtype)
        ranges = np.empty((spans, 2), np.int64)
        buffer = np.zeros((CHAINS, SPAN), psums.dtype)
        sums = np.zeros(CHAINS, psums.dtype)
        for step in range(groups[0] * m, groups[1] * m):
            g, c = step // m, c0 + step % m
            for s in range(spans):
                values = column[s, : min(SPAN, k - s * SPAN)]
                for i in range(values.size):
                    values[i] = activations[g, s * SPAN + i, c]
                ranges[s, 0], ranges[s, 1] = range_of(values)
                split_row(values, rows(split, s))
            for j in range(j0, j1, CHAINS):
                filters = min(CHAINS, j1 - j)
                for f in range(filters):
                    sums[f] = add(psums[g, j + f, c], neutral)
                for s in range(spans):
                    stop = min((s + 1) * SPAN, k)
                    for f in range(filters):
                        row = g * steps[0] + (j + f) * steps[1]
                        w = weights[row + s * SPAN : row + stop]
                        products(column[s], rows(split, s), ranges[s], w, buffer[f])
                    sum_chains(buffer, stop - s * SPAN, sums)
                for f in range(filters):
                    psums[g, j + f, c] = sums[f]

    def few_of_rows(
        activations: Array, weights: Array, psums: Array, groups: Pair, bounds: Four
    ) -> None:
        few(activations, *_words_of(weights), psums, groups, bounds)

    return few_of_rows


def _words_of(weights: Array) -> tuple[Array, Pair]:
    """Return the words from the first to the last weight, and from a group or filter to the next.

    One layout for all, since Numba compiles again for every other.
    """
    size = weights.itemsize
    group, row, _ = weights.strides
    last = sum((n - 1) * step for n, step in zip(weights.shape, (group, row, size), strict=True))
    words = np.lib.stride_tricks.as_strided(weights, (last // size + 1,), (size,))
    return words, (group // size, row // size)
