"""Tilings: a layer cut into tiles that fit the GLB, and the order in which they come.

.. code-block:: none

    for group:
        for filters, for images and rows:      # weights outer, or the other way round: ifmap outer
            for channels:                      # innermost, so psums stay in the GLB
                one tile: fetch what changed, run its passes

With psums spilled the channels are the middle loop: the operand of the outer loop is then fetched
once however its channels are split, and the psums go to DRAM and come back between channels.

A tile spans whole ofmap rows. Which tiling a layer gets, `accelsim.dataflows.mapper` chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from accelsim.dataflows.base import MatrixDataflow, Overlap, Pass, PeTiming
from accelsim.layer import WORD_BYTES, LayerShape

__all__ = [
    "NOTHING_STAYS",
    "ArrayModel",
    "Budget",
    "Span",
    "Stays",
    "Tile",
    "Tiling",
    "spans",
    "tile_gemm",
]


@dataclass(frozen=True)
class ArrayModel:
    """What the mapper must know of the array and its DRAM."""

    dataflow: MatrixDataflow
    rows: int
    cols: int
    timing: PeTiming
    dram_bytes_per_cycle: int
    dram_latency_cycles: int
    overlap: Overlap = "none"
    dram_row_words: int = 0
    """Words of a row of the DRAM; 0: it has none."""
    dram_row_cycles: int = 0
    """Cycles that it takes to open another one."""

    def dram_cycles(self, words: int, transfers: int) -> int:
        """Return the cycles that the DRAM channel is held for *words* in *transfers* transfers."""
        return transfers * self.dram_latency_cycles - (
            -words * WORD_BYTES // self.dram_bytes_per_cycle
        )

    def opening_cycles(self, runs: int, run_words: int, stride: int) -> int:
        """Return the cycles in which a transfer waits for rows of the DRAM to be opened.

        *runs* of *run_words* neighboring words lie *stride* words apart. A row is opened while the
        words of the one before are moved, as far as these take long enough.
        """
        if self.dram_row_words == 0 or run_words == 0:
            return 0
        opened = min(
            runs * -(-run_words // self.dram_row_words),
            -(-runs * stride // self.dram_row_words),
        )
        moving = min(runs * run_words // opened, self.dram_row_words) * WORD_BYTES
        return opened * max(0, self.dram_row_cycles - moving // self.dram_bytes_per_cycle)

    def compute_cycles(self, m: int, n: int, k: int, *, resume: bool) -> int:
        """Return the array's busy cycles for one tile's matrix product."""
        return self.dataflow.machine_cycles(
            m, n, k, self.rows, self.cols, self.timing, resume, self.overlap
        )

    def passes(self, m: int, n: int, k: int, *, resume: bool) -> Iterator[Pass]:
        """Yield the passes of one tile's matrix product."""
        return self.dataflow.passes(
            m,
            n,
            k,
            rows=self.rows,
            cols=self.cols,
            timing=self.timing,
            resume=resume,
            overlap=self.overlap,
        )


@dataclass(frozen=True)
class Budget:
    """Words (of 32 bits) that one tile may occupy in each partition: half of it, or all of it."""

    ifmap_words: int
    weight_words: int
    ofmap_words: int
    psum_words: int
    """32-bit words of one psum."""
    total_words: int | None = None
    """Words that the three may occupy together, where they share one memory."""


class Stays(NamedTuple):
    """What of a layer's tensors lies in the GLB as a whole and does not pass the DRAM."""

    ifmap: bool = False
    ofmap: bool = False


NOTHING_STAYS = Stays()


@dataclass(frozen=True)
class Span:
    """A half-open range of one dimension."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.stop - self.start


@dataclass(frozen=True)
class Tile:
    """One step of a layer: what is fetched, which outputs it adds to."""

    index: int
    group: int
    images: Span
    rows: Span
    """Rows of the ofmap."""
    filters: Span
    """Filters, counted within the group."""
    channels: Span
    """Channels, counted within the group."""
    fetch_ifmap: bool
    """False when the ifmap tile of the step before is used again."""
    fetch_weights: bool
    """False when the weight tile of the step before is used again."""
    starts_psums: bool
    """True on the first channels of its outputs."""
    ends_psums: bool
    """True on the last channels: the psums are complete after this tile."""

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """What names its outputs: group, first image, first row, first filter."""
        return self.group, self.images.start, self.rows.start, self.filters.start


@dataclass(frozen=True)
class Tiling:
    """Largest extent of a tile in each dimension, and which operand the outer loop holds."""

    shape: LayerShape
    images: int
    rows: int
    filters: int
    channels: int
    weights_outer: bool
    dram_words: int
    """Words read and written by the layer, biases aside."""
    spills: bool = False
    """True: channels are the middle loop, and unfinished psums wait in DRAM."""
    reason: str = ""
    """Why the mapper took it."""

    @property
    def why(self) -> str:
        """Text for result tables: the tile and the loop order."""
        order = "weights" if self.weights_outer else "ifmap"
        spills = ", psums spilled" if self.spills else ""
        return (
            f"n{self.images} p{self.rows} m{self.filters} c{self.channels}, {order} outer{spills}"
        )

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles in execution order."""
        shape, index, previous = self.shape, 0, None
        filters = list(spans(shape.m // shape.groups, self.filters))
        places = [
            (images, rows)
            for images in spans(shape.n, self.images)
            for rows in spans(shape.p, self.rows)
        ]
        channels = list(spans(shape.c // shape.groups, self.channels))
        for group in range(shape.groups):
            for filter_span, (image_span, row_span), channel_span in self._nest(
                filters, places, channels
            ):
                ifmap = (group, image_span, row_span, channel_span)
                weights = (group, filter_span, channel_span)
                yield Tile(
                    index,
                    group,
                    image_span,
                    row_span,
                    filter_span,
                    channel_span,
                    fetch_ifmap=previous is None or previous[0] != ifmap,
                    fetch_weights=previous is None or previous[1] != weights,
                    starts_psums=channel_span is channels[0],
                    ends_psums=channel_span is channels[-1],
                )
                index, previous = index + 1, (ifmap, weights)

    def _nest(
        self, filters: list[Span], places: list[tuple[Span, Span]], channels: list[Span]
    ) -> Iterator[tuple[Span, tuple[Span, Span], Span]]:
        """Yield (filters, place, channels) in the order of the loop nest."""
        if self.weights_outer and self.spills:
            return ((f, place, c) for f in filters for c in channels for place in places)
        if self.weights_outer:
            return ((f, place, c) for f in filters for place in places for c in channels)
        if self.spills:
            return ((f, place, c) for place in places for c in channels for f in filters)
        return ((f, place, c) for place in places for f in filters for c in channels)


def tile_gemm(shape: LayerShape, tile: Tile) -> tuple[int, int, int]:
    """Return (m, n, k) of one tile's matrix product."""
    pixels = tile.images.size * tile.rows.size * shape.q
    return pixels, tile.filters.size, tile.channels.size * shape.r * shape.s


def spans(total: int, size: int) -> Iterator[Span]:
    """Yield the ranges of *size*, the last one smaller, that *total* is cut into."""
    for start in range(0, total, size):
        yield Span(start, min(start + size, total))
