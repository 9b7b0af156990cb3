"""Choosing how a layer lies on a row-stationary array.

Ways to give channels and filters to PEs (q, p), to stack and to multiply sets (r, t) and to cut the
ofmap (e, f) and the batch (n) evenly are tried, each with the most filters in the GLB (m) that fit.
Of those that fit the one with the lowest estimated latency is taken. For each step over channels
that is: per pass the weights' way into the RFs, then the slowest of PEs, ifmap NoC and psum NoC; or
the link's cycles, if they are more, less what does not fit beside the step before, which comes on
top. Ties go to fewer words over the link, then fewer passes, then fewer PEs. How long the layer
really takes, the machine finds.

The chip's designers chose for energy by a framework of their own, so published mappings need not be
found again, and need not be as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from accelsim.dataflows.mapper import split_sizes
from accelsim.dataflows.row_stationary import RowMapping, SpatialArray, check_mapping, fits
from accelsim.layer import LayerShape

__all__ = ["choose_mapping"]

APART = 1.3
"""Least ratio of two sizes into which a range is cut, both of which are tried."""


def choose_mapping(
    shape: LayerShape,
    array: SpatialArray,
    *,
    layer: str = "layer",
    link_words_per_cycle: Fraction | None = None,
) -> RowMapping:
    """Return the mapping with the lowest estimated latency that fits.

    Raises
    ------
    MappingError
        Not even one filter, channel, image, row and column at a time fits; the message names
        *layer* and the limits.
    """
    smallest = RowMapping(1, 1, 1, 1, 1, 1, 1, 1)
    best: tuple[tuple[float, ...], RowMapping] | None = None
    link = None if link_words_per_cycle is None else float(link_words_per_cycle)
    for mapping in _candidates(shape, array):
        score = _score(shape, mapping, array, link)
        if best is None or score < best[0]:
            best = (score, mapping)
    if best is None:
        # None fits, so neither does the smallest: this raises.
        check_mapping(shape, smallest, array, layer=layer)
        return smallest
    return best[1]


def _candidates(shape: LayerShape, array: SpatialArray) -> Iterator[RowMapping]:
    channels, filters = shape.c // shape.groups, shape.m // shape.groups
    for q in _cuts(channels, array.ifmap_rf_words // shape.s):
        for r in _cuts(-(-channels // q), array.rows // shape.r):
            most = min(array.psum_rf_words, array.filter_rf_words // (q * shape.s))
            for p in _cuts(filters, most):
                for e in _cuts(shape.p, array.rows * array.cols):
                    for t in _cuts(-(-filters // p), array.rows * array.cols // (shape.r * e * r)):
                        smallest = RowMapping(p * t, 1, e, 1, p, q, r, t)
                        if fits(shape, smallest, array):
                            yield from _cut_maps(shape, smallest, array)


def _cut_maps(shape: LayerShape, one: RowMapping, array: SpatialArray) -> Iterator[RowMapping]:
    """Yield *one* with images, columns and filters in the GLB as they fit."""
    parts = -(-(shape.m // shape.groups) // one.m)
    rows = (one.e - 1) * shape.stride[0] + shape.r
    for n in split_sizes(shape.n):
        found = 0
        for f in split_sizes(shape.q):
            columns = (f - 1) * shape.stride[1] + shape.s
            room = array.glb_words - n * one.q * one.r * rows * columns
            most = min(parts, room // (n * one.m * one.e * f))
            if most >= 1:
                even = -(-parts // -(-parts // most))
                yield replace(one, n=n, f=f, m=one.m * even)
                found += 1
            if found == 2:
                break


def _cuts(total: int, most: int) -> list[int]:
    """Return even cuts of *total* that are at most *most*, from the largest to 1.

    >>> _cuts(64, 24)
    [22, 16, 11, 8, 6, 4, 3, 2, 1]
    """
    kept: list[int] = []
    for size in split_sizes(total):
        if size <= most and (not kept or size == 1 or size * APART <= kept[-1]):
            kept.append(size)
    return kept


def _score(
    shape: LayerShape, one: RowMapping, array: SpatialArray, link: float | None
) -> tuple[float, int, int, int]:
    """Return (latency, words over the link, passes, PEs) as if all passes were of full size."""
    filters, channels = shape.m // shape.groups, shape.c // shape.groups
    strips = shape.groups * -(-shape.n // one.n) * -(-shape.p // one.e) * -(-shape.q // one.f)
    chunks, tiles = -(-channels // (one.q * one.r)), -(-filters // one.m)
    parts = -(-min(one.m, filters) // (one.p * one.t))
    columns, rows = one.n * one.f, (one.e - 1) * shape.stride[0] + shape.r
    ifmap = one.n * one.q * one.r * rows * ((one.f - 1) * shape.stride[1] + shape.s)
    weights = one.p * one.t * one.q * one.r * shape.r * shape.s
    psums = one.p * one.t * one.e * columns
    flow = max(
        columns * one.p * (one.q * shape.s + array.psum_add_cycles),
        _time(ifmap, array.ifmap_words_per_cycle),
        _time(psums, array.psum_words_per_cycle),
    )
    hops = (shape.r * one.r - 1) * array.hop_cycles
    busy = parts * (_time(weights, array.filter_words_per_cycle) + flow + hops)
    twice = 2 * ifmap + one.n * one.m * one.e * one.f <= array.glb_words
    beside, on_top = (ifmap, 0) if twice else (0, ifmap)
    step = max(busy, _time(parts * weights + beside, link))
    last = max(busy, _time(parts * (weights + psums) + beside, link))
    latency = strips * tiles * (chunks * _time(on_top, link) + (chunks - 1) * step + last)
    words = strips * tiles * chunks * (ifmap + parts * weights)
    passes = strips * tiles * chunks * parts
    return latency, words, passes, shape.r * one.e * one.r * one.t


def _time(words: int, words_per_cycle: float | None) -> float:
    return 0 if words_per_cycle is None else words / words_per_cycle
