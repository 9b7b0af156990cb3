"""Where a tile's words lie in DRAM, and what the feed makes of them on the way to the array."""

from __future__ import annotations

import numpy as np

from accelsim.dataflows import Pass
from accelsim.dataflows.row_pass import RowPass
from accelsim.dataflows.tiling import Span, Tile
from accelsim.kernels import im2col
from accelsim.layer import LayerShape
from accelsim.machine.block import Block
from accelsim.machine.program import MacStep

__all__ = [
    "TapCounts",
    "bias_block",
    "first_filter",
    "gather",
    "ifmap_block",
    "ofmap_block",
    "psum_block",
    "row_padding",
    "weight_block",
]


def ifmap_block(step: MacStep, tile: Tile) -> Block:
    """Return the ifmap words of *tile*: (images, channels, rows, W)."""
    shape = step.layer.shape
    start, stop = shape.ifmap_rows(tile.rows.start, tile.rows.size)
    first = (tile.images.start, tile.channels.start, start, 0)
    counts = (tile.images.size, tile.channels.size, max(stop - start, 0), shape.w)
    return step.walks.ifmap.block(step.ifmap, tile.group, first, counts)


def weight_block(step: MacStep, tile: Tile | RowPass) -> Block:
    """Return the weights of *tile*: (filters, channels, R, S)."""
    shape, first = step.layer.shape, (tile.filters.start, tile.channels.start, 0, 0)
    counts = (tile.filters.size, tile.channels.size, shape.r, shape.s)
    return step.walks.weights.block(step.weights, tile.group, first, counts)


def bias_block(whole: Block, step: MacStep, tile: Tile | RowPass) -> Block:
    """Return the biases of *tile*'s filters."""
    first = first_filter(step.layer.shape, tile)
    return Block(whole.address + first, (tile.filters.size,), (1,))


def first_filter(shape: LayerShape, tile: Tile | RowPass) -> int:
    """Return the number of the tile's first filter in the layer."""
    return tile.group * (shape.m // shape.groups) + tile.filters.start


def ofmap_block(step: MacStep, tile: Tile) -> Block:
    """Return the ofmap words of *tile*: (images, filters, rows, Q)."""
    first = (tile.images.start, tile.filters.start, tile.rows.start, 0)
    counts = (tile.images.size, tile.filters.size, tile.rows.size, step.layer.shape.q)
    return step.walks.ofmap.block(step.ofmap, tile.group, first, counts)


def psum_block(whole: Block, step: MacStep, tile: Tile) -> Block:
    """Return the words of the tile's psums in *whole*, where they wait: (N, M, P, words of Q)."""
    first = first_filter(step.layer.shape, tile)
    start = (tile.images.start, first, tile.rows.start, 0)
    offset = sum(at * stride for at, stride in zip(start, whole.strides, strict=True))
    counts = (tile.images.size, tile.filters.size, tile.rows.size, whole.counts[3])
    return Block(whole.address + offset, counts, whole.strides)


def row_padding(shape: LayerShape, tile: Tile | RowPass) -> tuple[int, int]:
    """Return the rows of zeros that the feed puts above and below the tile's ifmap."""
    first = tile.rows.start * shape.stride[0] - shape.padding[0]
    total = (tile.rows.size - 1) * shape.stride[0] + shape.dilation[0] * (shape.r - 1) + 1
    start, stop = shape.ifmap_rows(tile.rows.start, tile.rows.size)
    top = min(max(-first, 0), total)
    return top, total - top - max(stop - start, 0)


def gather(shape: LayerShape, tile: Tile, ifmap: np.ndarray, fill: float = 0) -> np.ndarray:
    """Return the tile's activations, (k, pixels), from its ifmap (images, channels, rows, W).

    Padding is made of *fill*.
    """
    if (shape.r, shape.s, shape.stride, shape.padding) == (1, 1, (1, 1), (0, 0)):
        return np.ascontiguousarray(ifmap.swapaxes(0, 1).reshape(tile.channels.size, -1))
    top, bottom = row_padding(shape, tile)
    padding = (top, bottom, shape.padding[1], shape.padding[1])
    out_hw = (tile.rows.size, shape.q)
    columns = [
        im2col(slab, (shape.r, shape.s), shape.stride, padding, shape.dilation, out_hw, fill)
        for slab in ifmap
    ]
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


class TapCounts:
    """How many of a tile's activations lie inside the ifmap.

    Padding zeros are made by the feed and not read from the GLB.

    Parameters
    ----------
    shape : LayerShape
    ofmap_rows : Span
    images : int
        Of the tile.
    """

    def __init__(self, shape: LayerShape, ofmap_rows: Span, images: int) -> None:
        rows = np.arange(ofmap_rows.start, ofmap_rows.stop) * shape.stride[0] - shape.padding[0]
        columns = np.arange(shape.q) * shape.stride[1] - shape.padding[1]
        down = _taps_inside(rows, shape.r, shape.dilation[0], shape.h)
        across = _taps_inside(columns, shape.s, shape.dilation[1], shape.w)
        # (R * S, pixels of an image), then the running sum over the pixels of all images.
        inside = (down.T[:, None, :, None] & across.T[None, :, None, :]).reshape(
            shape.r * shape.s, -1
        )
        inside = np.tile(inside, images)
        self.prefix = np.zeros((len(inside), inside.shape[1] + 1), np.int64)
        np.cumsum(inside, axis=1, out=self.prefix[:, 1:])

    def words(self, one: Pass) -> int:
        """Return the ifmap words that a pass reads."""
        stop = one.first_pixel + one.pixels
        by_tap = self.prefix[:, stop] - self.prefix[:, one.first_pixel]
        # k runs over (channel, kernel row, kernel column): whole channels, and parts of two.
        return _ramp(by_tap, one.first_k + one.k) - _ramp(by_tap, one.first_k)


def _ramp(by_tap: np.ndarray, k: int) -> int:
    """Return the words of the first *k* rows of activations."""
    channels, taps = divmod(k, by_tap.size)
    return channels * int(by_tap.sum()) + int(by_tap[:taps].sum())


def _taps_inside(first: np.ndarray, kernel: int, dilation: int, extent: int) -> np.ndarray:
    positions = first[:, None] + dilation * np.arange(kernel)
    return (positions >= 0) & (positions < extent)
