"""A pass of the row-stationary dataflow: what it works on, its words, its cycles.

The loop nest and the formulas are in `accelsim.dataflows.row_stationary`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from accelsim.dataflows.base import PeBlock
from accelsim.dataflows.spatial import SpatialArray
from accelsim.dataflows.systolic import spans
from accelsim.dataflows.tiling import Span
from accelsim.layer import LayerShape

__all__ = ["RF_OPERANDS", "PassSizes", "RowPass"]

RF_OPERANDS = ("ifmap", "filter", "psum")
"""What a PE has an RF for."""

PassSizes = tuple[int, int, int, int, int]
"""Images, ofmap rows, ofmap columns, filters and channels of a pass: what it does in its array."""


@dataclass(frozen=True, slots=True)
class RowPass:
    """One filling of the RFs with weights, and all windows that they meet then."""

    index: int
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
    fetch_weights: bool
    """The weights in the RFs are not those of the pass before."""
    starts_psums: bool
    """Its channels are the first of its outputs."""
    ends_psums: bool
    """Its channels are the last: the psums are complete after this pass."""

    @property
    def sizes(self) -> PassSizes:
        """What tells the passes of a layer apart that do not do the same."""
        return (
            self.images.size,
            self.rows.size,
            self.columns.size,
            self.filters.size,
            self.channels.size,
        )

    def macs(self, shape: LayerShape) -> int:
        """Return the multiply-accumulates of the pass, those with padding zeros included."""
        return self.psums * self.channels.size * shape.r * shape.s

    @property
    def windows(self) -> int:
        """Ofmap columns of all its images: the windows of a PE."""
        return self.images.size * self.columns.size

    @property
    def psums(self) -> int:
        """Psums that the pass adds to."""
        return self.windows * self.rows.size * self.filters.size

    def ifmap_rows(self, shape: LayerShape) -> int:
        """Return the ifmap rows that its ofmap rows look at, padding included."""
        return (self.rows.size - 1) * shape.stride[0] + shape.r

    def ifmap_words(self, shape: LayerShape) -> int:
        """Return the ifmap words that go from the GLB to the PEs, padding included."""
        width = (self.columns.size - 1) * shape.stride[1] + shape.s
        return self.images.size * self.channels.size * self.ifmap_rows(shape) * width

    def ifmap_columns(self, shape: LayerShape) -> tuple[int, int]:
        """Return the ifmap columns [start, stop) that its ofmap columns look at."""
        first = self.columns.start * shape.stride[1] - shape.padding[1]
        last = (self.columns.stop - 1) * shape.stride[1] - shape.padding[1] + shape.s
        start = min(max(first, 0), shape.w)
        return start, max(min(last, shape.w), start)

    def fetched_words(self, shape: LayerShape) -> int:
        """Return the ifmap words that come from the DRAM: those that are not padding."""
        start, stop = shape.ifmap_rows(self.rows.start, self.rows.size)
        left, right = self.ifmap_columns(shape)
        return self.images.size * self.channels.size * max(0, stop - start) * (right - left)

    def read_words(self, shape: LayerShape) -> int:
        """Return the ifmap words that are read from the GLB: each that a window needs, once."""
        down = _needed(self.rows, shape.stride[0], shape.padding[0], shape.r, shape.h)
        across = _needed(self.columns, shape.stride[1], shape.padding[1], shape.s, shape.w)
        return self.images.size * self.channels.size * down * across

    def filter_words(self, shape: LayerShape) -> int:
        """Return the weights of the pass."""
        return self.filters.size * self.channels.size * shape.r * shape.s

    def column_cycles(self, shape: LayerShape, array: SpatialArray) -> int:
        """Return the cycles of a PE for one ofmap column."""
        products = self.pe_channels * shape.s * array.step_cycles(self.pe_filters)
        return products + self.pe_filters * array.psum_add_cycles

    def end_cycles(self, shape: LayerShape, array: SpatialArray) -> int:
        """Return the cycles in which the last sums are completed and move up their column."""
        hops = (shape.r * self.stacked_sets - 1) * array.hop_cycles
        return array.drain_cycles(self.pe_filters) + hops

    def cycles(self, shape: LayerShape, array: SpatialArray) -> int:
        """Return the cycles of the pass, were no word ever waited for."""
        return self.windows * self.column_cycles(shape, array) + self.end_cycles(shape, array)

    def active_pes(self, shape: LayerShape) -> int:
        """Return the PEs that have work."""
        parallel = -(-self.filters.size // self.pe_filters)
        return shape.r * self.rows.size * self.stacked_sets * parallel

    def pe_blocks(self, shape: LayerShape, array: SpatialArray) -> Iterator[PeBlock]:
        """Yield the PEs that have work, each once, and what they do.

        Which places of the array the sets take makes no difference to anything else: here they lie
        from left to right, then from top to bottom, those of a filter's pieces side by side.
        """
        pieces = -(-self.rows.size // array.cols)
        height, width = shape.r * self.stacked_sets, -(-self.rows.size // pieces)
        across, place = array.cols // width, 0
        for _, filters in spans(self.filters.size, self.pe_filters):
            for _, rows in spans(self.rows.size, width):
                down, right = divmod(place, across)
                top, left, place = down * height, right * width, place + 1
                for first, channels in spans(self.channels.size, self.pe_channels):
                    row = top + first // self.pe_channels * shape.r
                    macs = self.windows * filters * channels * shape.s
                    yield PeBlock(row, row + shape.r, left, left + rows, macs)

    def additions(self, shape: LayerShape) -> int:
        """Return the additions of its PEs: of every product, and of every PE's sum to a psum."""
        return self.macs(shape) + self.psums * shape.r * self.stacked_sets

    def rf_words(self, shape: LayerShape, psum_words: int) -> dict[tuple[str, str], int]:
        """Return (one of `RF_OPERANDS`, ``read`` or ``write``) -> words, psums of *psum_words*."""
        products, hops = self.macs(shape), self.psums * shape.r * self.stacked_sets
        arriving = self.noc_words(shape)
        return {
            ("ifmap", "read"): products,
            ("ifmap", "write"): arriving["ifmap"],
            ("filter", "read"): products,
            ("filter", "write"): arriving["filter"],
            ("psum", "read"): psum_words * (products + 2 * hops),
            ("psum", "write"): psum_words * (products + hops),
        }

    def noc_words(self, shape: LayerShape) -> dict[str, int]:
        """Return operand -> words that arrive: at each PE that gets one, and psums in the GLB.

        Psums pass from a PE to the one above and from the top PE to the GLB; those of a pass that
        goes on with stored psums come from there to the bottom PE as well.
        """
        # The first window of a row is new as a whole, of the others what the stride brings in.
        width = shape.s + (self.columns.size - 1) * min(shape.stride[1], shape.s)
        parallel = -(-self.filters.size // self.pe_filters)
        rows = self.images.size * self.channels.size * shape.r * self.rows.size * parallel
        stored = 0 if self.starts_psums else self.psums
        return {
            "ifmap": rows * width,
            "filter": self.filter_words(shape) * self.rows.size if self.fetch_weights else 0,
            "psum": self.psums * shape.r * self.stacked_sets + stored,
        }


@lru_cache(maxsize=4096)
def _needed(outputs: Span, stride: int, padding: int, kernel: int, extent: int) -> int:
    """Return how many places inside of the ifmap *outputs* look at along one dimension."""
    first = np.arange(outputs.start, outputs.stop) * stride - padding
    places = np.unique(first[:, None] + np.arange(kernel))
    return int(((places >= 0) & (places < extent)).sum())
