"""The mapper: which of the tilings that fit the GLB a layer gets.

The objective ``cycles`` takes the tiling with the lowest estimated latency: the compute cycles plus
what they cannot hide (the first fetch and the last write-back), or the DRAM's cycles plus what
those cannot hide (one tile's passes), whichever is larger. To the DRAM's cycles belong those in
which it opens rows for tiles whose words lie apart. Ties go to less traffic, then fewer
compute cycles, then fewer tiles. The objective ``traffic`` asks for the fewest words between DRAM
and GLB first. The choice is deterministic, and `Tiling.why` and `Tiling.reason` say what it was;
how long the layer takes, the machine finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from math import prod
from typing import Literal

from accelsim.dataflows.tiling import NOTHING_STAYS, ArrayModel, Budget, Stays, Tiling, spans
from accelsim.errors import MappingError
from accelsim.layer import LayerShape

__all__ = ["Objective", "choose_tiling", "forget", "split_sizes"]

Objective = Literal["cycles", "traffic"]


def choose_tiling(
    shape: LayerShape,
    budget: Budget,
    array: ArrayModel,
    *,
    layer: str,
    objective: Objective = "cycles",
    spills: bool = False,
    stays: Stays = NOTHING_STAYS,
) -> Tiling:
    """Return the best tiling that fits *budget*.

    Parameters
    ----------
    shape : LayerShape
    budget : Budget
        What a tile may occupy.
    array : ArrayModel
        For estimates of compute and DRAM cycles.
    layer : str
        Name for error messages.
    objective : str
        ``cycles`` or ``traffic``: what is best.
    spills : bool
        Whether tilings that spill psums are considered.
    stays : Stays
        What costs no DRAM traffic.

    Raises
    ------
    MappingError
        Not even one ofmap row of one filter and one channel fits; the message names *layer*, the
        partition and the words needed.
    """
    best = _best(shape, budget, array, objective, spills, stays)
    if best is None:
        raise MappingError(_why_nothing_fits(shape, budget, layer))
    return best


@lru_cache(maxsize=1024)  # networks repeat layers, and sweeps networks
def _best(
    shape: LayerShape,
    budget: Budget,
    array: ArrayModel,
    objective: Objective,
    spills: bool,
    stays: Stays,
) -> Tiling | None:
    """Return the best tiling, None if none fits."""
    best: tuple[tuple[int, ...], Tiling, str] | None = None
    fitting = 0
    for images, ofmap_rows in _places(shape):
        for filters in _filter_sizes(shape.m // shape.groups, array.cols):
            channels = _largest_channels(shape, budget, images, ofmap_rows, filters)
            if channels is None:
                continue
            extents = (images, ofmap_rows, filters, channels)
            compute, tiles = _cost(shape, extents, array)
            ends = array.dram_cycles(_first_and_last_words(shape, *extents, stays), 3)
            openings = _opening_cycles(shape, *extents, array)
            for weights_outer, spilled in _orders(shape, extents, spills=spills):
                psum_words = budget.psum_words if spilled else 0
                words, transfers = _traffic(shape, *extents, weights_outer, psum_words, stays)
                dram = array.dram_cycles(words, transfers)
                if any(openings):
                    loads = _loads(shape, *extents, weights_outer, stays, spilled=spilled)
                    dram += sum(n * cycles for n, cycles in zip(loads, openings, strict=True))
                latency = max(compute + ends, dram + compute // tiles)
                score = (latency, words, compute, tiles)
                if objective == "traffic":
                    score = (words, latency, compute, tiles)
                fitting += 1
                if best is None or score < best[0]:
                    bound = "the array" if compute + ends >= dram + compute // tiles else "DRAM"
                    text = f"{words} words, about {latency} cycles, bound by {bound}"
                    best = (score, Tiling(shape, *extents, weights_outer, words, spilled), text)
    if best is None:
        return None
    goal = "fewest cycles" if objective == "cycles" else "least DRAM traffic"
    return replace(best[1], reason=f"{goal} of {fitting} that fit: {best[2]}")


def forget() -> None:
    """Forget the tilings that were chosen before: what is measured then includes the choosing."""
    _best.cache_clear()


def _orders(
    shape: LayerShape, extents: tuple[int, int, int, int], *, spills: bool
) -> Iterator[tuple[bool, bool]]:
    """Yield the loop orders (weights outer, psums spilled) that differ for tiles of *extents*."""
    images, rows, filters, channels = extents
    yield True, False
    yield False, False
    if spills and channels < shape.c // shape.groups:
        if images < shape.n or rows < shape.p:
            yield True, True
        if filters < shape.m // shape.groups:
            yield False, True


def split_sizes(total: int) -> list[int]:
    """Return the distinct sizes ceil(total / i), descending: ways to cut a range evenly.

    >>> split_sizes(10)
    [10, 5, 4, 3, 2, 1]
    """
    return sorted({-(-total // parts) for parts in range(1, total + 1)}, reverse=True)


def _sizes(total: int, size: int) -> dict[int, int]:
    """Return how many spans of each size there are."""
    whole, rest = divmod(total, size)
    return ({size: whole} if whole else {}) | ({rest: 1} if rest else {})


def _places(shape: LayerShape) -> Iterator[tuple[int, int]]:
    """Yield (images, ofmap rows): several whole images, or some rows of one."""
    for images in split_sizes(shape.n):
        yield images, shape.p
    for rows in split_sizes(shape.p)[1:]:
        yield 1, rows


def _filter_sizes(filters: int, cols: int) -> list[int]:
    """Return filter counts that fill the array's columns, then those below one fold."""
    folds = [min(size * cols, filters) for size in split_sizes(-(-filters // cols))]
    return folds + [size for size in split_sizes(min(cols, filters)) if size < folds[-1]]


def _largest_channels(
    shape: LayerShape, budget: Budget, images: int, rows: int, filters: int
) -> int | None:
    """Return the most channels that fit beside the other extents, cut evenly; None if none do."""
    psum_words = images * filters * rows * shape.q * budget.psum_words
    if psum_words > budget.ofmap_words:
        return None
    channels = shape.c // shape.groups
    ifmap_words = images * _most_ifmap_rows(shape, rows) * shape.w
    by_ifmap = budget.ifmap_words // ifmap_words if ifmap_words else channels
    weight_words = filters * shape.r * shape.s
    by_weight = (budget.weight_words - filters) // weight_words
    most = min(channels, by_ifmap, by_weight)
    if budget.total_words is not None:
        left = budget.total_words - psum_words - filters
        most = min(most, left // (ifmap_words + weight_words))
    if most < 1:
        return None
    return -(-channels // -(-channels // most))


def _most_ifmap_rows(shape: LayerShape, rows: int) -> int:
    """Return the most ifmap rows that a tile of *rows* ofmap rows needs."""
    return max(_ifmap_rows(shape, rows))


@lru_cache(maxsize=4096)
def _ifmap_rows(shape: LayerShape, rows: int) -> tuple[int, ...]:
    """Return the ifmap rows of each span of *rows* ofmap rows."""
    places = (shape.ifmap_rows(span.start, span.size) for span in spans(shape.p, rows))
    return tuple(stop - start for start, stop in places)


def _traffic(
    shape: LayerShape,
    images: int,
    rows: int,
    filters: int,
    channels: int,
    weights_outer: bool,
    spilled_words: int = 0,
    stays: Stays = NOTHING_STAYS,
) -> tuple[int, int]:
    """Return the (words, transfers) that `Tiling.tiles` fetches and writes, in closed form.

    *spilled_words* are those of one psum where psums are spilled, else 0.
    """
    channels_of_group = shape.c // shape.groups
    ifmap = shape.n * channels_of_group * sum(_ifmap_rows(shape, rows)) * shape.w
    weights = shape.m // shape.groups * channels_of_group * shape.r * shape.s
    filter_tiles, places, channel_tiles = _tile_counts(shape, images, rows, filters, channels)
    spilled = bool(spilled_words)
    ifmap_fetches, weight_fetches, writes = _loads(
        shape, images, rows, filters, channels, weights_outer, stays, spilled=spilled
    )
    # Out and in again between channels.
    spills = 2 * (channel_tiles - 1) if spilled else 0
    written = int(not stays.ofmap)
    ofmap = shape.n * shape.m * shape.p * shape.q * (written + spills * spilled_words)
    words = ifmap * ifmap_fetches // (places * channel_tiles)
    words += weights * weight_fetches // (filter_tiles * channel_tiles) + ofmap
    spill_transfers = shape.groups * places * filter_tiles * spills
    return words, ifmap_fetches + weight_fetches + writes + spill_transfers


def _tile_counts(
    shape: LayerShape, images: int, rows: int, filters: int, channels: int
) -> tuple[int, int, int]:
    """Return into how many parts filters, places and channels of a group are cut."""
    return (
        -(-(shape.m // shape.groups) // filters),
        -(-shape.n // images) * -(-shape.p // rows),
        -(-(shape.c // shape.groups) // channels),
    )


def _loads(
    shape: LayerShape,
    images: int,
    rows: int,
    filters: int,
    channels: int,
    weights_outer: bool,
    stays: Stays,
    *,
    spilled: bool,
) -> tuple[int, int, int]:
    """Return the transfers of ifmap tiles, weight tiles and finished ofmap tiles."""
    filter_tiles, places, channel_tiles = _tile_counts(shape, images, rows, filters, channels)
    # With one channel tile the operand of the outer loop stays until its loop moves on; so does
    # the inner one when its loop has a single step. With several, every step changes both.
    ifmap_loads, weight_loads = filter_tiles, places
    if channel_tiles == 1 and (weights_outer or places == 1):
        weight_loads = 1
    if channel_tiles == 1 and (not weights_outer or filter_tiles == 1):
        ifmap_loads = 1
    if channel_tiles == places == 1:
        ifmap_loads = 1
    if channel_tiles == filter_tiles == 1:
        weight_loads = 1
    if spilled:
        ifmap_loads = filter_tiles if weights_outer else 1
        weight_loads = 1 if weights_outer else places
    if stays.ifmap:
        ifmap_loads = 0
    return (
        shape.groups * places * ifmap_loads * channel_tiles,
        shape.groups * filter_tiles * weight_loads * channel_tiles,
        shape.groups * places * filter_tiles * int(not stays.ofmap),
    )


def _opening_cycles(
    shape: LayerShape, images: int, rows: int, filters: int, channels: int, array: ArrayModel
) -> tuple[int, int, int]:
    """Return the cycles in which a tile of ifmap, weights and ofmap waits for rows of the DRAM.

    As if tensors were dense, (N, C, H, W); spilled psums are taken to wait for none.
    """
    plane, out_plane, taps = shape.h * shape.w, shape.p * shape.q, shape.r * shape.s
    filter_words = shape.c // shape.groups * taps
    return (
        array.opening_cycles(images * channels, _most_ifmap_rows(shape, rows) * shape.w, plane),
        array.opening_cycles(filters, channels * taps, filter_words),
        array.opening_cycles(images * filters, rows * shape.q, out_plane),
    )


def _first_and_last_words(
    shape: LayerShape, images: int, rows: int, filters: int, channels: int, stays: Stays
) -> int:
    """Return the words of one tile's operands and outputs: what no overlap can hide."""
    ifmap = images * channels * _most_ifmap_rows(shape, rows) * shape.w
    weights = filters * channels * shape.r * shape.s
    ofmap = images * filters * rows * shape.q
    return ifmap * (not stays.ifmap) + weights + ofmap * (not stays.ofmap)


def _cost(
    shape: LayerShape, extents: tuple[int, int, int, int], array: ArrayModel
) -> tuple[int, int]:
    """Return (compute cycles, tiles) of the tiling with these extents."""
    totals = (shape.n, shape.p, shape.m // shape.groups, shape.c // shape.groups)
    sizes = [_sizes(total, size) for total, size in zip(totals, extents, strict=True)]
    first_channels = min(extents[3], totals[3])
    cycles = 0
    for combination in product(*(count.items() for count in sizes)):
        (images, rows, filters, channels), times = zip(*combination, strict=True)
        m, k = images * rows * shape.q, channels * shape.r * shape.s
        tiles = prod(times)
        # The first channel tile of its outputs starts psums, the others go on from stored ones.
        starting = prod(times[:3]) if channels == first_channels else 0
        if starting:
            cycles += starting * array.compute_cycles(m, filters, k, resume=False)
        if tiles > starting:
            cycles += (tiles - starting) * array.compute_cycles(m, filters, k, resume=True)
    return shape.groups * cycles, shape.groups * prod(sum(count.values()) for count in sizes)


def _why_nothing_fits(shape: LayerShape, budget: Budget, layer: str) -> str:
    ifmap, weight = _most_ifmap_rows(shape, 1) * shape.w, shape.r * shape.s + 1
    ofmap = shape.q * budget.psum_words
    if budget.total_words is None:
        needs = {
            "glb.ifmap_kib": (ifmap, budget.ifmap_words),
            "glb.weight_kib": (weight, budget.weight_words),
            "glb.ofmap_kib": (ofmap, budget.ofmap_words),
        }
    else:
        needs = {"the unified GLB": (ifmap + weight + ofmap, budget.total_words)}
    faults = [
        f"{name} holds tiles of {limit} words, its smallest tile needs {words}"
        for name, (words, limit) in needs.items()
        if words > limit
    ]
    return (
        f"layer {layer!r} fits no tiling, not even one ofmap row of one filter and one channel: "
        f"{'; '.join(faults)} (with double buffering a tile may use half of the capacity). "
        "Enlarge glb, or set glb.double_buffered to false."
    )
