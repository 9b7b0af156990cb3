"""The loop of `panels` whose psums stay in registers over the depth of a panel.

Four filters by LANES columns at a time, for units that `accelsim.lanes` can do: two parts of
float64 and one of float32. Their products cost more than the load and the store of a psum, and a
loop over columns would leave the processor waiting at both of its ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelsim.compilation import jit
from accelsim.lanes import LANES, load, load_word, spread, spread_word, store
from accelsim.multipliers.base import FastForm

__all__ = ["register_tile"]


def register_tile(fast: FastForm, add: Callable[..., Any], row: int) -> Callable[..., None]:
    """Return the loop over k, four filters, as `panels` has them.

    Parameters
    ----------
    row : int
        Elements from one part of a filter's weights to the next; constant, since four filters of
        three parts have more addresses than a processor has registers.
    """
    combine = fast.combine

    @jit
    def weight_of(weights, first, k):  # type: ignore[no-untyped-def]
        place = first + k
        # The third is a float32 in the place of a float64: counted in halves.
        third = spread_word(weights, 2 * first + 4 * row + k)
        return spread(weights, place), spread(weights, place + row), third

    @jit
    def tile(panel, weights, acc, filters, start, depth):  # type: ignore[no-untyped-def]
        width, stride = acc.shape[1], panel.shape[2]
        p0, p1 = filters[0] * width, filters[1] * width
        p2, p3 = filters[2] * width, filters[3] * width
        w0, w1 = filters[0] * 3 * row, filters[1] * 3 * row
        w2, w3 = filters[2] * 3 * row, filters[3] * 3 * row
        for i in range(0, width, LANES):
            s0, s1 = load(acc, p0 + i), load(acc, p1 + i)
            s2, s3 = load(acc, p2 + i), load(acc, p3 + i)
            x = i
            for k in range(start, start + depth):
                third = load_word(panel, 2 * x - i + 4 * stride)
                a = load(panel, x), load(panel, x + stride), third
                s0 = add(s0, combine(a, weight_of(weights, w0, k)))
                s1 = add(s1, combine(a, weight_of(weights, w1, k)))
                s2 = add(s2, combine(a, weight_of(weights, w2, k)))
                s3 = add(s3, combine(a, weight_of(weights, w3, k)))
                x += 3 * stride
            store(acc, p0 + i, s0)
            store(acc, p1 + i, s1)
            store(acc, p2 + i, s2)
            store(acc, p3 + i, s3)

    return tile
