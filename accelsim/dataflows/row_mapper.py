"""Choosing how a layer lies on a row-stationary array.

Ways to give channels and filters to PEs (q, p), to stack and to multiply sets (r, t) and to cut the
ofmap (e, f) and the batch (n) evenly are tried, each with the most filters in the GLB (m) that fit.
Of those that fit the one with the lowest estimated latency is taken. For each step over channels
that is: per pass the weights' way into the RFs, then the slowest of PEs, ifmap NoC and psum NoC; or
the link's cycles, if they are more, less what does not fit beside the step before, which comes on
top. Ties go to fewer words over the link, then fewer passes, then fewer PEs. Ways whose products or
words alone take longer than the best one so far are not tried with every cut. How long the layer
really takes, the machine finds.

`choose_row_tiling` takes q and r, on which the bits depend, as for one image and one group on the
whole GLB, so that an image has the same bits in every batch, and chooses the rest for the batch as
it is.

The chip's designers chose for energy by a framework of their own, so published mappings need not be
found again, and need not be as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from accelsim.dataflows.mapper import Objective, split_sizes
from accelsim.dataflows.row_pass import RowPass
from accelsim.dataflows.row_stationary import RowMapping, fits, misfit, row_passes
from accelsim.dataflows.spatial import SpatialArray
from accelsim.dataflows.tiling import NOTHING_STAYS, Stays
from accelsim.errors import MappingError
from accelsim.layer import LayerShape

__all__ = [
    "FREE_LINK",
    "Link",
    "RowTiling",
    "choose_mapping",
    "choose_row_tiling",
    "mapping_of_one",
]

LEAST = 1 - 1e-9
"""Of a sum that is rounded differently elsewhere."""
APART = 1.3
"""Least ratio of two sizes into which a range is cut, both of which are tried."""


@dataclass(frozen=True)
class Link:
    """What the mapper must know of the way to the DRAM."""

    words_per_cycle: float | None = None
    """None: words take no time."""
    latency_cycles: int = 0
    """Of each transfer."""

    def cycles(self, words: int, transfers: int) -> float:
        """Return the cycles that *words* take in so many transfers."""
        return transfers * self.latency_cycles + _time(words, self.words_per_cycle)


FREE_LINK = Link()


@dataclass(frozen=True)
class RowTiling:
    """The mapping that a layer got, and why."""

    shape: LayerShape
    mapping: RowMapping
    reason: str

    @property
    def why(self) -> str:
        """Text for result tables: the mapping."""
        return self.mapping.why

    def tiles(self) -> Iterator[RowPass]:
        """Yield the passes in execution order."""
        return row_passes(self.shape, self.mapping)


def choose_row_tiling(
    shape: LayerShape,
    array: SpatialArray,
    *,
    layer: str,
    whole: SpatialArray,
    link: Link = FREE_LINK,
    objective: Objective = "cycles",
    stays: Stays = NOTHING_STAYS,
) -> RowTiling:
    """Return the best mapping whose bits are those of a batch of one.

    Parameters
    ----------
    shape : LayerShape
    array : SpatialArray
        The array, with what is left of the GLB.
    layer : str
        Name for error messages.
    whole : SpatialArray
        The same array with all of its GLB; q and r are chosen on it.
    link : Link
        To the DRAM.
    objective : str
        ``cycles``: the lowest estimated latency; ``traffic``: the fewest words over the link.
    stays : Stays
        What does not go over the link.

    Raises
    ------
    MappingError
        Nothing fits; the message names *layer*, the limits and the way out.
    """
    one = mapping_of_one(shape, whole, layer=layer, link=link, objective=objective)
    sets = one.q, one.r
    best = _best(shape, array, link, objective, sets, stays)
    if best is None:
        raise _refusal(shape, array, sets, layer)
    goal = "fewest cycles" if objective == "cycles" else "least DRAM traffic"
    text = f"{best.words} words of operands, about {best.latency:.0f} cycles"
    return RowTiling(shape, best.mapping, f"{goal} of {best.tried} tried: {text}")


def mapping_of_one(
    shape: LayerShape,
    array: SpatialArray,
    *,
    layer: str,
    link: Link = FREE_LINK,
    objective: Objective = "cycles",
) -> RowMapping:
    """Return the best mapping for one image and one group, whose q and r all others have.

    Raises
    ------
    MappingError
        Nothing fits; the message names *layer*, the limits and the way out.
    """
    # Of a matmul the images are groups; groups are alike, and come one after the other.
    channels, filters = shape.c // shape.groups, shape.m // shape.groups
    one = replace(shape, n=1, m=filters, c=channels, groups=1)
    best = _best(one, array, link, objective)
    if best is None:
        raise _refusal(one, array, (1, 1), layer)
    return best.mapping


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
    link = Link(None if link_words_per_cycle is None else float(link_words_per_cycle))
    best = _best(shape, array, link, "cycles")
    if best is None:
        raise misfit(shape, _smallest(1, 1), array, layer=layer)
    return best.mapping


def _smallest(q: int, r: int) -> RowMapping:
    """Return the mapping that fits wherever one with q and r does."""
    return RowMapping(1, 1, 1, 1, 1, q, r, 1)


def _refusal(
    shape: LayerShape, array: SpatialArray, sets: tuple[int, int], layer: str
) -> MappingError:
    text = misfit(shape, _smallest(*sets), array, layer=layer)
    return MappingError(
        f"{text}. Enlarge array, spatial or glb, or set array.dataflow to os, ws or is"
    )


@dataclass(frozen=True)
class _Best:
    mapping: RowMapping
    latency: float
    words: int
    """Ifmaps and weights over the link."""
    tried: int = 1
    """Mappings that fit and were compared."""


@lru_cache(maxsize=1024)
def _best(
    shape: LayerShape,
    array: SpatialArray,
    link: Link,
    objective: Objective,
    sets: tuple[int, int] | None = None,
    stays: Stays = NOTHING_STAYS,
) -> _Best | None:
    """Return the best mapping that fits, of those with (q, r) as *sets* says; None if none does."""
    best: tuple[tuple[float, ...], _Best] | None = None
    tried, by_latency = 0, objective == "cycles"
    for way in _candidates(shape, array, sets):
        floor = _floor(shape, way, array, link, stays)[0 if by_latency else 1]
        if best is not None and floor * LEAST > best[0][0]:
            continue
        for mapping in _cut_maps(shape, way, array):
            latency, words, passes, pes = _score(shape, mapping, array, link, stays)
            first = (latency, words) if by_latency else (words, latency)
            score = (*first, passes, pes)
            tried += 1
            if best is None or score < best[0]:
                best = (score, _Best(mapping, latency, words))
    return None if best is None else replace(best[1], tried=tried)


def _candidates(
    shape: LayerShape, array: SpatialArray, sets: tuple[int, int] | None
) -> Iterator[RowMapping]:
    """Yield the ways to divide the PEs, with as little as can be in the GLB."""
    channels, filters = shape.c // shape.groups, shape.m // shape.groups
    for q, r in _ways(channels, shape, array) if sets is None else [sets]:
        most = min(array.psum_rf_words // array.psum_words, array.filter_rf_words // (q * shape.s))
        for p in _cuts(filters, most):
            for e in _cuts(shape.p, array.rows * array.cols):
                for t in _cuts(-(-filters // p), array.rows * array.cols // (shape.r * e * r)):
                    smallest = RowMapping(p * t, 1, e, 1, p, q, r, t)
                    if fits(shape, smallest, array):
                        yield smallest


def _ways(channels: int, shape: LayerShape, array: SpatialArray) -> Iterator[tuple[int, int]]:
    """Yield the ways (q, r) to give channels to PEs and sets."""
    for q in _cuts(channels, array.ifmap_rf_words // shape.s):
        for r in _cuts(-(-channels // q), array.rows // shape.r):
            yield q, r


def _cut_maps(shape: LayerShape, one: RowMapping, array: SpatialArray) -> Iterator[RowMapping]:
    """Yield *one* with images, columns and filters in the GLB as they fit."""
    parts = -(-(shape.m // shape.groups) // one.m)
    filters = one.m * (one.q * one.r * shape.r * shape.s + array.bias_words)
    rows = (one.e - 1) * shape.stride[0] + shape.r
    for n in _sizes(shape.n):
        found = 0
        for f in _sizes(shape.q):
            columns = (f - 1) * shape.stride[1] + shape.s
            room = array.psum_room(n * one.q * one.r * rows * columns, filters)
            most = min(parts, room // (n * one.m * one.e * f))
            if most >= 1:
                even = -(-parts // -(-parts // most))
                yield RowMapping(one.m * even, n, one.e, f, one.p, one.q, one.r, one.t)
                found += 1
            if found == 2:
                break


_sizes = lru_cache(maxsize=1024)(split_sizes)
"""The same, kept for all the ways that cut the same range."""


@lru_cache(maxsize=4096)
def _cuts(total: int, most: int) -> list[int]:
    """Return even cuts of *total* that are at most *most*, from the largest to 1.

    >>> _cuts(64, 24)
    [22, 16, 11, 8, 6, 4, 3, 2, 1]
    """
    kept: list[int] = []
    for size in _sizes(total):
        if size <= most and (not kept or size == 1 or size * APART <= kept[-1]):
            kept.append(size)
    return kept


def _score(
    shape: LayerShape, one: RowMapping, array: SpatialArray, link: Link, stays: Stays
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
        columns * (one.q * shape.s * array.step_cycles(one.p) + one.p * array.psum_add_cycles),
        _time(ifmap, array.ifmap_words_per_cycle),
        _time(psums * array.psum_words, array.psum_words_per_cycle),
    )
    hops = (shape.r * one.r - 1) * array.hop_cycles + array.drain_cycles(one.p)
    busy = parts * (_time(weights, array.filter_words_per_cycle) + flow + hops)
    twice = array.holds_the_next(ifmap, one.n * one.m * one.e * one.f * array.psum_words)
    brought, taken = ifmap * (not stays.ifmap), psums * (not stays.ofmap)
    beside, on_top = (brought, 0) if twice else (0, brought)
    fetches, writes = parts + int(beside > 0), parts * (not stays.ofmap)
    step = max(busy, link.cycles(parts * weights + beside, fetches))
    last = max(busy, link.cycles(parts * (weights + taken) + beside, fetches + writes))
    first = link.cycles(on_top, int(on_top > 0))
    latency = strips * tiles * (chunks * first + (chunks - 1) * step + last)
    words = strips * tiles * chunks * (brought + parts * weights)
    passes = strips * tiles * chunks * parts
    return latency, words, passes, shape.r * one.e * one.r * one.t


def _floor(
    shape: LayerShape, one: RowMapping, array: SpatialArray, link: Link, stays: Stays
) -> tuple[float, int]:
    """Return what (latency, words over the link) are not below for any cut of *one*."""
    channels = -(-(shape.c // shape.groups) // (one.q * one.r))
    parts = -(-(shape.m // shape.groups) // (one.p * one.t))
    strips, columns = shape.groups * -(-shape.p // one.e), shape.n * shape.q
    passes = strips * channels * parts
    column = max(
        one.q * shape.s * array.step_cycles(one.p) + one.p * array.psum_add_cycles,
        _time(one.p * one.t * one.e * array.psum_words, array.psum_words_per_cycle),
    )
    words = passes * one.p * one.t * one.q * one.r * shape.r * shape.s
    if not stays.ifmap:
        rows = (one.e - 1) * shape.stride[0] + shape.r
        new = min(shape.stride[1], shape.s)
        words += strips * channels * one.q * one.r * rows * columns * new
    return max(passes * columns * column, link.cycles(words, passes)), words


def _time(words: int, words_per_cycle: float | None) -> float:
    return 0 if words_per_cycle is None else words / words_per_cycle
