"""Matrix product over a unit that multiplies many pairs at once: one stream of pairs.

The products of a matrix product, with k outermost, are cut into batches of SIZE, whatever its
shape; they are added in the order of the stream, so that k ascends for every psum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.compilation import jit

__all__ = ["batch_kernel"]

SIZE = 4096
"""Pairs per call of the unit."""


def batch_kernel(batch: Callable[..., None], add: Callable[..., Any]) -> Callable[..., None]:
    """Return the kernel that lets ``batch(activations, weights, out)`` do SIZE pairs at a time."""

    @jit
    def add_all(products, psums, first):  # type: ignore[no-untyped-def]
        place = first
        for product in products:
            psums[place] = add(psums[place], product)
            place = place + 1 if place + 1 < psums.size else 0
        return place

    @jit
    def batches(activations, weights, psums):  # type: ignore[no-untyped-def]
        (k, m), n = activations.shape, weights.shape[0]
        a, w = np.empty(SIZE, np.float32), np.empty(SIZE, np.float32)
        out, sums = np.empty(SIZE, np.float32), psums.reshape(-1)
        count, place = 0, 0
        for kk in range(k):
            for j in range(n):
                for i in range(m):
                    a[count], w[count] = activations[kk, i], weights[j, kk]
                    count += 1
                    if count == SIZE:
                        batch(a, w, out)
                        place, count = add_all(out, sums, place), 0
        if count:
            batch(a[:count], w[:count], out[:count])
            add_all(out[:count], sums, place)

    return batches
