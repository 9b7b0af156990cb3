"""Where the words of a row-stationary pass lie in DRAM, and what its PEs make of them.

As `accelsim.machine.layout`, for passes that span some columns of ifmap and ofmap.
"""

from __future__ import annotations

import numpy as np

from accelsim.dataflows.row_pass import RowPass
from accelsim.kernels import im2col
from accelsim.layer import LayerShape
from accelsim.machine.block import Block
from accelsim.machine.layout import row_padding
from accelsim.machine.program import MacStep

__all__ = ["gather", "ifmap_block", "ofmap_block"]


def ifmap_block(step: MacStep, one: RowPass) -> Block:
    """Return the ifmap words of a pass: (images, channels, rows, columns)."""
    shape = step.layer.shape
    top, bottom = shape.ifmap_rows(one.rows.start, one.rows.size)
    left, right = one.ifmap_columns(shape)
    first = (one.images.start, one.channels.start, top, left)
    counts = (one.images.size, one.channels.size, max(bottom - top, 0), right - left)
    return step.walks.ifmap.block(step.ifmap, one.group, first, counts)


def ofmap_block(step: MacStep, one: RowPass) -> Block:
    """Return the ofmap words of a pass: (images, filters, rows, columns)."""
    first = (one.images.start, one.filters.start, one.rows.start, one.columns.start)
    counts = (one.images.size, one.filters.size, one.rows.size, one.columns.size)
    return step.walks.ofmap.block(step.ofmap, one.group, first, counts)


def gather(shape: LayerShape, one: RowPass, ifmap: np.ndarray, fill: float = 0) -> np.ndarray:
    """Return the activations of a pass, (k, pixels), from its ifmap words.

    Padding is made of *fill*.
    """
    padding = (*row_padding(shape, one), *_column_padding(shape, one))
    out_hw = (one.rows.size, one.columns.size)
    images = [
        im2col(slab, (shape.r, shape.s), shape.stride, padding, shape.dilation, out_hw, fill)
        for slab in ifmap
    ]
    return images[0] if len(images) == 1 else np.concatenate(images, axis=1)


def _column_padding(shape: LayerShape, one: RowPass) -> tuple[int, int]:
    """Return the columns of zeros to the left and right of the pass's ifmap words."""
    first = one.columns.start * shape.stride[1] - shape.padding[1]
    total = (one.columns.size - 1) * shape.stride[1] + shape.s
    start, stop = one.ifmap_columns(shape)
    left = min(max(-first, 0), total)
    return left, total - left - (stop - start)
