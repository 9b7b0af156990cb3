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

    n * f * p * (q * S + psum_add_cycles) + (R * r - 1) * hop_cycles

q * S products are accumulated one a cycle for each psum, which then takes in the sum of the PE
below; where that holds the adder up, psum_add_cycles says so. The last sums hop up R * r PEs.
`compute_cycles` is that, summed over passes in closed form. With psum_add_cycles = hop_cycles = 0
it is the JSSC paper's own count, F * S * p * q * n a pass. How long the words take to come and go
is the machine's (`accelsim.machine.row_stationary`).

The order in which products are added is part of the bits; see `accumulation_order`. It depends on q
and r, so a kernel that is to give the bits of this dataflow needs it as an operand: that, and tiles
of f columns, is what the machine of the other dataflows would need to run this one with values,
since its interface is a matrix product (m, n, k). Therefore it is not among `DATAFLOWS`.

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

import numpy as np

from accelsim.dataflows.tiling import Span
from accelsim.errors import ConfigError, MappingError
from accelsim.layer import LayerShape

__all__ = [
    "AccumulationOrder",
    "RowMapping",
    "RowPass",
    "SpatialArray",
    "accumulation_order",
    "check_mapping",
    "compute_cycles",
    "fits",
    "row_passes",
]


@dataclass(frozen=True)
class SpatialArray:
    """A PE array with RFs, its NoC and its GLB; words are operands, whatever their bits.

    A NoC width of None is an ideal one, whose words take no time.
    """

    rows: int
    cols: int
    ifmap_rf_words: int
    filter_rf_words: int
    psum_rf_words: int
    glb_words: int
    """Of ifmaps and psums together, divided between them layer by layer."""
    filter_buffer_words: int
    """Of filters on their way to the RFs."""
    ifmap_words_per_cycle: int | None
    filter_words_per_cycle: int | None
    psum_words_per_cycle: int | None
    """In each direction: GLB to PEs, and PEs to GLB."""
    hop_cycles: int
    """From the psum of a PE to that of the PE above it."""
    psum_add_cycles: int
    """In which a PE adds the psum from below instead of a product; 0: beside products."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, ideal = getattr(self, field.name), field.name.endswith("_per_cycle")
            least = 0 if field.name in ("hop_cycles", "psum_add_cycles") else 1
            if value is None and ideal:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"SpatialArray.{field.name} must be an int >= {least}"
                    f"{' or None' if ideal else ''}, got {value!r}"
                )


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


@dataclass(frozen=True, slots=True)
class RowPass:
    """One filling of the RFs with weights, and all windows that they meet then."""

    group: int
    images: Span
    rows: Span
    """Of the ofmap."""
    columns: Span
    """Of the ofmap."""
    filters: Span
    """Counted within the group."""
    channels: Span
    """Counted within the group."""
    pe_filters: int
    """Most filters of one PE."""
    pe_channels: int
    """Most channels of one PE."""
    stacked_sets: int
    """Sets that add to one another."""
    fetch_ifmap: bool
    """The ifmap words in the GLB are not those of the pass before."""
    fetch_filters: bool
    """The weights in the RFs are not those of the pass before."""

    def macs(self, shape: LayerShape) -> int:
        """Return the multiply-accumulates of the pass, those with padding zeros included."""
        return self.psum_words * self.channels.size * shape.r * shape.s

    @property
    def psum_words(self) -> int:
        """Psums that the pass adds to."""
        return self.images.size * self.rows.size * self.columns.size * self.filters.size

    def ifmap_rows(self, shape: LayerShape) -> int:
        """Return the ifmap rows that its ofmap rows look at, padding included."""
        return (self.rows.size - 1) * shape.stride[0] + shape.r

    def ifmap_words(self, shape: LayerShape) -> int:
        """Return the ifmap words that go from the GLB to the PEs, padding included."""
        width = (self.columns.size - 1) * shape.stride[1] + shape.s
        return self.images.size * self.channels.size * self.ifmap_rows(shape) * width

    def fetched_words(self, shape: LayerShape) -> int:
        """Return the ifmap words that come from the DRAM: those that are not padding."""
        start, stop = shape.ifmap_rows(self.rows.start, self.rows.size)
        first = self.columns.start * shape.stride[1] - shape.padding[1]
        last = (self.columns.stop - 1) * shape.stride[1] - shape.padding[1] + shape.s
        width = max(0, min(last, shape.w) - max(first, 0))
        return self.images.size * self.channels.size * max(0, stop - start) * width

    def filter_words(self, shape: LayerShape) -> int:
        """Return the weights of the pass."""
        return self.filters.size * self.channels.size * shape.r * shape.s

    def column_cycles(self, shape: LayerShape, array: SpatialArray) -> int:
        """Return the cycles of a PE for one ofmap column."""
        return self.pe_filters * (self.pe_channels * shape.s + array.psum_add_cycles)

    def hop_cycles(self, shape: LayerShape, array: SpatialArray) -> int:
        """Return the cycles in which the last sums move up their column of PEs."""
        return (shape.r * self.stacked_sets - 1) * array.hop_cycles

    def active_pes(self, shape: LayerShape) -> int:
        """Return the PEs that have work."""
        parallel = -(-self.filters.size // self.pe_filters)
        return shape.r * self.rows.size * self.stacked_sets * parallel


@dataclass(frozen=True, eq=False)
class AccumulationOrder:
    """In which order an output's k products are added."""

    permutation: np.ndarray
    """int64, (k,): indices of products, (channel, kernel row, kernel column) flattened."""
    sizes: np.ndarray
    """int64: so many products, one segment after the other, a PE sums up from zero."""

    def total(self, products: np.ndarray) -> np.ndarray:
        """Return the sums over the first axis of *products*, (k, ...), in their dtype and order."""
        psum = np.zeros(products.shape[1:], products.dtype)
        start = 0
        for size in self.sizes:
            own = np.zeros_like(psum)
            for index in self.permutation[start : start + size]:
                own = own + products[index]
            psum = psum + own
            start += size
        return psum


def check_mapping(
    shape: LayerShape, mapping: RowMapping, array: SpatialArray, *, layer: str
) -> None:
    """Raise MappingError, naming *layer* and every limit broken, unless the mapping fits."""
    faults = _faults(shape, mapping, array)
    if faults:
        raise MappingError(
            f"layer {layer!r} does not fit the row-stationary array as {mapping.why}: "
            f"{'; '.join(faults)}"
        )


def fits(shape: LayerShape, mapping: RowMapping, array: SpatialArray) -> bool:
    """Return whether the mapping fits the array and its memories."""
    return not _faults(shape, mapping, array)


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
    # A set wider than the array is cut into pieces, stacked like other sets.
    pieces = -(-mapping.e // array.cols)
    height, width = shape.r * mapping.r, -(-mapping.e // pieces)
    places = (array.rows // height) * (array.cols // width)
    rows = (mapping.e - 1) * shape.stride[0] + shape.r
    columns = (mapping.f - 1) * shape.stride[1] + shape.s
    glb = mapping.n * mapping.m * mapping.e * mapping.f
    glb += mapping.n * mapping.q * mapping.r * rows * columns
    needs = {
        f"places for {height} x {width} PEs": (pieces * mapping.t, places),
        "ifmap RF words (q * S)": (mapping.q * shape.s, array.ifmap_rf_words),
        "filter RF words (p * q * S)": (
            mapping.p * mapping.q * shape.s,
            array.filter_rf_words,
        ),
        "psum RF words (p)": (mapping.p, array.psum_rf_words),
        "GLB words (psums and ifmaps)": (glb, array.glb_words),
        "filter buffer words": (
            mapping.p * mapping.t * mapping.q * mapping.r * shape.r * shape.s,
            array.filter_buffer_words,
        ),
    }
    return [
        f"it needs {need} {what}, there are {has}" for what, (need, has) in needs.items()
        if need > has
    ]  # fmt: skip


def row_passes(shape: LayerShape, mapping: RowMapping) -> Iterator[RowPass]:
    """Yield the passes in order."""
    before: tuple[object, object] = (None, None)
    for group in range(shape.groups):
        for images, rows, columns, tile in _psum_tiles(shape, mapping):
            for channels in _spans(0, shape.c // shape.groups, mapping.q * mapping.r):
                for filters in _spans(tile.start, tile.stop, mapping.p * mapping.t):
                    ifmap = (group, images, rows, columns, channels)
                    weights = (group, filters, channels)
                    yield RowPass(
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
                        fetch_filters=before[1] != weights,
                    )
                    before = (ifmap, weights)


def _psum_tiles(shape: LayerShape, mapping: RowMapping) -> Iterator[tuple[Span, Span, Span, Span]]:
    """Yield (images, ofmap rows, ofmap columns, filters) whose psums are in the GLB together."""
    for images in _spans(0, shape.n, mapping.n):
        for rows in _spans(0, shape.p, mapping.e):
            for columns in _spans(0, shape.q, mapping.f):
                for filters in _spans(0, shape.m // shape.groups, mapping.m):
                    yield images, rows, columns, filters


def _spans(first: int, stop: int, size: int) -> list[Span]:
    return [Span(start, min(start + size, stop)) for start in range(first, stop, size)]


def compute_cycles(shape: LayerShape, mapping: RowMapping, array: SpatialArray) -> int:
    """Return the cycles of all passes, in closed form, were no word ever waited for.

    Passes differ in the filters of their fullest PE and in their channels alone, so that the sum
    over passes is a product of sums.
    """
    filters = [
        min(mapping.p, part.size)
        for tile in _spans(0, shape.m // shape.groups, mapping.m)
        for part in _spans(tile.start, tile.stop, mapping.p * mapping.t)
    ]
    channels = [part.size for part in _spans(0, shape.c // shape.groups, mapping.q * mapping.r)]
    windows = sum(min(mapping.q, size) * shape.s + array.psum_add_cycles for size in channels)
    hops = sum((shape.r * -(-size // mapping.q) - 1) * array.hop_cycles for size in channels)
    strips = -(-shape.p // mapping.e)
    tiles = -(-shape.n // mapping.n) * -(-shape.q // mapping.f)
    cycles = shape.n * shape.q * sum(filters) * windows + tiles * len(filters) * hops
    return shape.groups * strips * cycles


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
    index = np.arange(shape.gemm.k).reshape(shape.c // shape.groups, shape.r, shape.s)
    segments = []
    for part in _spans(0, len(index), mapping.q * mapping.r):
        for channels in reversed(_spans(part.start, part.stop, mapping.q)):
            for row in reversed(range(shape.r)):
                segments.append(index[channels.start : channels.stop, row].T.ravel())
    return AccumulationOrder(
        np.concatenate(segments), np.array([segment.size for segment in segments])
    )
