"""Loops that look products up: what the matrix product of an integer unit by table is made of.

All of them add products of operand patterns to int32 psums that wrap around or do not overflow, so
that the order of the additions is free. *table* has a row for each pattern of the operand
that stays (of a weight while activations stream past, or the other way around), the row a product
for each pattern of the operand that streams.
"""

from __future__ import annotations

import numpy as np

from accelsim.compilation import jit
from accelsim.kernels.vectors import LANES, add_rows, interleave

__all__ = ["by_dot", "by_lanes", "by_row", "transposed"]

SIDE = 32
"""Side of the squares that are transposed at once."""
NEAR = 256
"""Streaming rows of `by_dot` that stay in an L1 and its TLB while k goes on."""


@jit
def by_lanes(stream, stay, table, psums, stay_first, groups, bounds):  # type: ignore[no-untyped-def]
    """Add products, LANES staying operands at once, each pattern's LANES products in one vector.

    Rows of the table are first interleaved, ``pack[pattern, lane]``, at a price that many streaming
    operands pay back: then one load and one addition do for LANES products.

    Parameters
    ----------
    stream : patterns, (groups, k, s)
    stay : patterns, (groups, t, k)
    table : int32, (patterns, patterns)
        As many columns as a multiple of LANES.
    psums : int32, (groups, t, s) if *stay_first* else (groups, s, t)
    groups : (int, int)
        First and last.
    bounds : (int, int, int, int)
        First and last of both axes of a group's *psums*.
    """
    t0, t1, s0, s1 = bounds if stay_first else (bounds[2], bounds[3], bounds[0], bounds[1])
    k = stream.shape[1]
    pack0 = np.empty((table.shape[1], LANES), np.int32)
    pack1 = np.empty((table.shape[1], LANES), np.int32)
    sums = np.empty((s1 - s0, LANES), np.int32)
    blocks = (t1 - t0 - 1) // LANES + 1
    for step in range(groups[0] * blocks, groups[1] * blocks):
        g, t = step // blocks, t0 + step % blocks * LANES
        sums[:] = 0
        for kk in range(0, k, 2):
            _pack(table, stay[g], t, t1, kk, pack0)
            x = stream[g, kk, s0:s1]
            if kk + 1 < k:
                _pack(table, stay[g], t, t1, kk + 1, pack1)
                y = stream[g, kk + 1, s0:s1]
                for i in range(x.size):
                    add_rows(sums, i, pack0, x[i], pack1, y[i])
            else:
                pack1[0] = 0
                for i in range(x.size):
                    add_rows(sums, i, pack0, x[i], pack1, 0)
        for lane in range(min(LANES, t1 - t)):
            out = psums[g, t + lane] if stay_first else psums[g, :, t + lane]
            for i in range(s1 - s0):
                out[s0 + i] += sums[i, lane]


@jit
def _pack(table, stay, t, last, kk, pack):  # type: ignore[no-untyped-def]
    """Set ``pack[x, lane] = table[stay[t + lane, kk], x]``; the last row again beyond *last*."""
    end = last - 1
    rows = (
        table[stay[t, kk]],
        table[stay[min(t + 1, end), kk]],
        table[stay[min(t + 2, end), kk]],
        table[stay[min(t + 3, end), kk]],
        table[stay[min(t + 4, end), kk]],
        table[stay[min(t + 5, end), kk]],
        table[stay[min(t + 6, end), kk]],
        table[stay[min(t + 7, end), kk]],
    )
    for x in range(0, pack.shape[0], LANES):
        interleave(rows, x, pack)


@jit
def by_row(stream, stay, table, psums, groups, bounds):  # type: ignore[no-untyped-def]
    """Add products one by one, rows of four k at hand: for fewer operands than `by_lanes` wants.

    Takes what `by_lanes` takes, with *stay_first*.
    """
    t0, t1, s0, s1 = bounds
    k = stream.shape[1]
    for g in range(groups[0], groups[1]):
        for t in range(t0, t1):
            p, out = stay[g, t], psums[g, t, s0:s1]
            for kk in range(0, k - 3, 4):
                x, y = stream[g, kk, s0:s1], stream[g, kk + 1, s0:s1]
                z, v = stream[g, kk + 2, s0:s1], stream[g, kk + 3, s0:s1]
                a, b, c, d = table[p[kk]], table[p[kk + 1]], table[p[kk + 2]], table[p[kk + 3]]
                for i in range(out.size):
                    out[i] += a[x[i]] + b[y[i]] + c[z[i]] + d[v[i]]
            for kk in range(k - k % 4, k):
                x, a = stream[g, kk, s0:s1], table[p[kk]]
                for i in range(out.size):
                    out[i] += a[x[i]]


@jit
def by_dot(stream, stay, table, psums, groups, bounds):  # type: ignore[no-untyped-def]
    """Add products along k, rows of eight k at hand.

    For few staying operands, and streaming ones that lie along k as well: weights, at batch 1.
    *stream* is (groups, s, k), *stay* (groups, t, k), *psums* (groups, s, t).
    """
    s0, s1, t0, t1 = bounds
    k = stream.shape[2]
    for g in range(groups[0], groups[1]):
        for t in range(t0, t1):
            p = stay[g, t]
            for first in range(s0, s1, NEAR):
                last = min(first + NEAR, s1)
                for kk in range(0, k - 7, 8):
                    a0, a1, a2, a3 = (
                        table[p[kk]],
                        table[p[kk + 1]],
                        table[p[kk + 2]],
                        table[p[kk + 3]],
                    )
                    b0, b1 = table[p[kk + 4]], table[p[kk + 5]]
                    b2, b3 = table[p[kk + 6]], table[p[kk + 7]]
                    for s in range(first, last):
                        x = stream[g, s, kk : kk + 8]
                        low = a0[x[0]] + a1[x[1]] + a2[x[2]] + a3[x[3]]
                        high = b0[x[4]] + b1[x[5]] + b2[x[6]] + b3[x[7]]
                        psums[g, s, t] += low + high
                for kk in range(k - k % 8, k):
                    row = table[p[kk]]
                    for s in range(first, last):
                        psums[g, s, t] += row[stream[g, s, kk]]


@jit
def transposed(array):  # type: ignore[no-untyped-def]
    """Return the C-contiguous transpose of a 2-D array, by squares that stay in an L1."""
    rows, cols = array.shape
    out = np.empty((cols, rows), array.dtype)
    for r0 in range(0, rows, SIDE):
        for c0 in range(0, cols, SIDE):
            for r in range(r0, min(r0 + SIDE, rows)):
                row = array[r]
                for c in range(c0, min(c0 + SIDE, cols)):
                    out[c, r] = row[c]
    return out
