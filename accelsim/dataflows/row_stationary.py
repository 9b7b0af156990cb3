"""Row-stationary: a PE convolves rows; filter rows, ifmap rows and psums each take their own way.

A PE keeps one row of some filters and slides it over one row of an ifmap: a 1-D convolution.
R x e PEs form a set that makes e rows of an ofmap: filter rows are the same along the set's rows,
ifmap rows along its diagonals, and psums are added up its columns. r sets, stacked, add the sums of
their channels to one another; t sets beside them work on other filters.

.. code-block:: none

    for group, for n images, for e ofmap rows, for f ofmap columns, for m filters:   # psums in GLB
        for q * r channels:                          # their ifmap rows go into the GLB
            for p * t filters:                       # their weights go into the RFs: one pass
                for image in n:
                    for column in f:                 # one window per PE
                        for i in R * r, j in e, l in t, in parallel:      # PE (i, j) of sets l
                            for s in S, for channel in q, for filter in p:
                                sum[filter] += ifmap row[s, channel] * filter row[s, channel]
                        psum[p * t filters, e rows] += sums of the R * r PEs of each column

The letters are those of the JSSC paper's Table III, but for f: there, f is the whole width F of the
ofmap. Layers whose groups are several run group by group, so a depthwise layer uses R x e PEs only
(as on the chip, which is what Eyeriss v2 was built to mend); a linear layer is a 1 x 1 kernel over
a 1 x 1 ifmap: e = f = 1, and q, r, p and t take channels and filters. Dilated kernels, and kernels
of more rows than the array or more columns than the ifmap RF holds, are not mapped.

Cycles of a pass whose operands are in the PEs when they are needed, p filters and q channels being
the most that one PE has::

    column   q * S * step + p * psum_add_cycles        step = max(p * interval, add)
    pass     n * f * column + drain + (R * r - 1) * hop_cycles

A step adds a product to each of the PE's p sums, one every ``interval = max(multiply_interval,
add_interval)`` cycles: successive additions belong to different sums, so a slow adder is waited for
only where p is small. A psum then takes in the sum of the PE below; where that holds the adder up,
psum_add_cycles says so. ``drain = (p - 1) * interval + multiply + add - step`` is the rest of the
last product's way into its sum (0 for a PE of one cycle); the last sums then hop up R * r PEs.
`compute_cycles` is that, summed over passes in closed form. With one cycle for a
multiply-accumulate and psum_add_cycles = hop_cycles = 0 it is the JSSC paper's own count,
F * S * p * q * n a pass. How long the words take to come and go is the machine's
(`accelsim.machine.row_run`; `accelsim.machine.row_stationary` is the chip as it was measured).

The order in which products are added is part of the bits: a PE's own sum from zero, then psum plus
own sum, PE by PE; see `accumulation_order`. It depends on q and r, which are therefore chosen as
for a batch of one: the bits of an image do not depend on the others of its batch.

RF accesses of a pass, in 32-bit words, psums of w words::

    per product                          reads 2 + w    (ifmap, filter, psum)    writes w
    per psum and PE of its column        reads 2 * w    (own sum, the one below) writes w
    per weight and ofmap row of the set                                          writes 1
    per ifmap word and PE that gets it                                           writes 1

Sources
-------
Chen, Emer, Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for Convolutional
Neural Networks", ISCA 2016. Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable
Accelerator for Deep Convolutional Neural Networks", JSSC 52(1), 2017 (sizes, Table III). The order
of words within a window and the direction of the psums are this project's reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.base import Dataflow, PeTiming
from accelsim.dataflows.order import AccumulationOrder
from accelsim.dataflows.row_pass import RowPass
from accelsim.dataflows.spatial import SpatialArray
from accelsim.dataflows.tiling import Span, spans
from accelsim.errors import MappingError
from accelsim.layer import LayerShape

__all__ = [
    "RowMapping",
    "RowStationary",
    "accumulation_order",
    "check_mapping",
    "compute_cycles",
    "fits",
    "misfit",
    "pass_order",
    "row_passes",
]


class RowStationary(Dataflow):
    """Rows of PEs are kernel rows and sets of channels, columns are ofmap rows and filters."""

    name = "rs"
    title = "row-stationary array with register files, as Eyeriss"

    def interval(self, timing: PeTiming) -> int:
        return timing.free_interval

    def compute_cycles(self, *_product: object, **_how: object) -> int:
        """Raise MappingError: the cycles of a matrix product are those of `MatrixDataflow` only."""
        raise MappingError(
            "dataflow 'rs' maps convolutions, no matrix products: its cycles depend on kernel, "
            "stride and mapping; use accelsim.dataflows.row_stationary.compute_cycles(shape, "
            "mapping, array)"
        )


DATAFLOWS.register("rs", RowStationary())


@dataclass(frozen=True)
class RowMapping:
    """How a layer lies on the array; each number is the most, the last of a loop may be less."""

    m: int
    """Filters whose psums are in the GLB."""
    n: int
    """Images of a pass."""
    e: int
    """Ofmap rows of a pass: PEs along a set."""
    f: int
    """Ofmap columns of a pass."""
    p: int
    """Filters of a PE."""
    q: int
    """Channels of a PE."""
    r: int
    """Sets that add their channels to one another."""
    t: int
    """Sets of different filters."""

    @property
    def why(self) -> str:
        """Text for result tables."""
        return " ".join(f"{field.name}{getattr(self, field.name)}" for field in fields(self))


def check_mapping(
    shape: LayerShape, mapping: RowMapping, array: SpatialArray, *, layer: str
) -> None:
    """Raise MappingError, naming *layer* and every limit broken, unless the mapping fits."""
    if not fits(shape, mapping, array):
        raise misfit(shape, mapping, array, layer=layer)


def misfit(
    shape: LayerShape, mapping: RowMapping, array: SpatialArray, *, layer: str
) -> MappingError:
    """Return the error that names *layer* and every limit that a mapping breaks."""
    return MappingError(
        f"layer {layer!r} does not fit the row-stationary array as {mapping.why}: "
        f"{'; '.join(_faults(shape, mapping, array))}"
    )


def fits(shape: LayerShape, mapping: RowMapping, array: SpatialArray) -> bool:
    """Return whether the mapping fits the array and its memories."""
    sizes = (mapping.m, mapping.n, mapping.e, mapping.f, mapping.p, mapping.q, mapping.r, mapping.t)
    return (
        shape.dilation == (1, 1)
        and min(sizes) >= 1
        and all(need <= has for need, has in _needs(shape, mapping, array).values())
    )


def _faults(shape: LayerShape, mapping: RowMapping, array: SpatialArray) -> list[str]:
    """Return the limits that are broken, in words."""
    if shape.dilation != (1, 1):
        return [f"a kernel with dilation {shape.dilation} is not mapped; use os, ws or is"]
    wrong = [
        f"{field.name} must be an int >= 1, got {getattr(mapping, field.name)!r}"
        for field in fields(mapping)
        if getattr(mapping, field.name) < 1
    ]
    if wrong:
        return wrong
    return [
        f"it needs {need} {what}, there are {has}"
        for what, (need, has) in _needs(shape, mapping, array).items()
        if need > has
    ]


def _needs(
    shape: LayerShape, mapping: RowMapping, array: SpatialArray
) -> dict[str, tuple[int, int]]:
    """Return what the mapping takes of the array and its memories: what -> (needed, there)."""
    # A set wider than the array is cut into pieces, stacked like other sets.
    pieces = -(-mapping.e // array.cols)
    height, width = shape.r * mapping.r, -(-mapping.e // pieces)
    places = (array.rows // height) * (array.cols // width)
    rows = (mapping.e - 1) * shape.stride[0] + shape.r
    columns = (mapping.f - 1) * shape.stride[1] + shape.s
    filters = mapping.p * mapping.t * (mapping.q * mapping.r * shape.r * shape.s + array.bias_words)
    psums = mapping.n * mapping.m * mapping.e * mapping.f * array.psum_words
    ifmap = mapping.n * mapping.q * mapping.r * rows * columns
    return {
        f"places for {height} x {width} PEs": (pieces * mapping.t, places),
        "ifmap RF words (q * S)": (mapping.q * shape.s, array.ifmap_rf_words),
        "filter RF words (p * q * S)": (mapping.p * mapping.q * shape.s, array.filter_rf_words),
        "psum RF words (p)": (mapping.p * array.psum_words, array.psum_rf_words),
        **array.glb_needs(ifmap, filters, psums),
    }


def row_passes(shape: LayerShape, mapping: RowMapping) -> Iterator[RowPass]:
    """Yield the passes in order."""
    index = 0
    before: tuple[object, object] = (None, None)
    all_channels = list(spans(shape.c // shape.groups, mapping.q * mapping.r))
    for group in range(shape.groups):
        for images, rows, columns, tile in _psum_tiles(shape, mapping):
            for channels in all_channels:
                for filters in _within(tile, mapping.p * mapping.t):
                    ifmap = (group, images, rows, columns, channels)
                    weights = (group, filters, channels)
                    yield RowPass(
                        index,
                        group,
                        images,
                        rows,
                        columns,
                        filters,
                        channels,
                        pe_filters=min(mapping.p, filters.size),
                        pe_channels=min(mapping.q, channels.size),
                        stacked_sets=-(-channels.size // mapping.q),
                        fetch_ifmap=before[0] != ifmap,
                        fetch_weights=before[1] != weights,
                        starts_psums=channels is all_channels[0],
                        ends_psums=channels is all_channels[-1],
                    )
                    index, before = index + 1, (ifmap, weights)


def _psum_tiles(shape: LayerShape, mapping: RowMapping) -> Iterator[tuple[Span, Span, Span, Span]]:
    """Yield (images, ofmap rows, ofmap columns, filters) whose psums are in the GLB together."""
    for images in spans(shape.n, mapping.n):
        for rows in spans(shape.p, mapping.e):
            for columns in spans(shape.q, mapping.f):
                for filters in spans(shape.m // shape.groups, mapping.m):
                    yield images, rows, columns, filters


def _within(whole: Span, size: int) -> list[Span]:
    """Return the parts of *size*, the last one smaller, that *whole* is cut into."""
    return [
        Span(whole.start + part.start, whole.start + part.stop) for part in spans(whole.size, size)
    ]


def compute_cycles(shape: LayerShape, mapping: RowMapping, array: SpatialArray) -> int:
    """Return the cycles of all passes, in closed form, were no word ever waited for.

    Passes differ in the filters of their fullest PE and in their channels alone, so that the sum
    over passes is made of products of sums.
    """
    filters = [
        min(mapping.p, part.size)
        for tile in spans(shape.m // shape.groups, mapping.m)
        for part in spans(tile.size, mapping.p * mapping.t)
    ]
    channels = [part.size for part in spans(shape.c // shape.groups, mapping.q * mapping.r)]
    steps = shape.s * sum(min(mapping.q, size) for size in channels)
    columns = steps * sum(array.step_cycles(size) for size in filters)
    columns += len(channels) * array.psum_add_cycles * sum(filters)
    hops = sum((shape.r * -(-size // mapping.q) - 1) * array.hop_cycles for size in channels)
    ends = len(filters) * hops + len(channels) * sum(array.drain_cycles(size) for size in filters)
    strips = shape.groups * -(-shape.p // mapping.e)
    tiles = -(-shape.n // mapping.n) * -(-shape.q // mapping.f)
    return strips * (shape.n * shape.q * columns + tiles * ends)


def accumulation_order(shape: LayerShape, mapping: RowMapping) -> AccumulationOrder:
    """Return the order in which the products of any output are added.

    Channels go pass by pass, q * r of them. Within a pass a PE sums up the products of its kernel
    row from zero: kernel columns ascending, and for each its channels ascending. A psum enters at
    the bottom of the last of the r stacked sets, takes the PE's sum in at each hop, and leaves at
    the top of the first: sets descending, kernel rows descending.

    >>> shape = LayerShape(n=1, m=1, c=2, h=2, w=2, r=2, s=2)
    >>> order = accumulation_order(shape, RowMapping(1, 1, 1, 1, p=1, q=2, r=1, t=1))
    >>> order.permutation, order.sizes
    (array([2, 6, 3, 7, 0, 4, 1, 5]), array([4, 4]))
    """
    parts = [
        (part.start * shape.r * shape.s, pass_order(shape.r, shape.s, part.size, mapping.q))
        for part in spans(shape.c // shape.groups, mapping.q * mapping.r)
    ]
    return AccumulationOrder(
        np.concatenate([first + order.permutation for first, order in parts]),
        np.concatenate([order.sizes for _, order in parts]),
    )


@lru_cache(maxsize=1024)
def pass_order(r: int, s: int, channels: int, q: int) -> AccumulationOrder:
    """Return the order of one pass: kernels of r x s on *channels* channels, q of them a PE."""
    index = np.arange(channels * r * s).reshape(channels, r, s)
    segments = [
        index[part.start : part.stop, row].T.ravel()
        for part in reversed(list(spans(channels, q)))
        for row in reversed(range(r))
    ]
    return AccumulationOrder(
        np.concatenate(segments), np.array([segment.size for segment in segments])
    )
