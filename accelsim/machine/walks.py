"""How the tiles of a MAC layer go through the words of its operands and of its output.

A tile knows a group, and ranges of images, channels or filters, and rows. Of a convolution or a
linear layer the group says which channels and filters. Of a matmul it says which matrix: groups
count images, and within an image the other dimensions of the batch.
"""

from __future__ import annotations

from typing import NamedTuple

from accelsim.layer import MacLayer, Operand, View
from accelsim.machine.block import Block

__all__ = ["Walk", "Walks", "walks_of"]

Four = tuple[int, int, int, int]


class Walk(NamedTuple):
    """How the tiles of a layer go through the words of one of its operands."""

    offset: int
    """Word of the first element."""
    groups: tuple[tuple[int, int], ...]
    """(count, words from one to the next), outermost first, of what a group's number counts."""
    strides: Four
    """Words from one to the next of what the operand's blocks count."""

    def block(self, whole: Block, group: int, start: Four, counts: Four) -> Block:
        """Return the block of *counts* elements from *start* on in a group's part of *whole*."""
        address = whole.address + self.offset
        if group:
            for count, stride in reversed(self.groups):
                group, index = divmod(group, count)
                address += index * stride
        a, b, c, d = self.strides
        address += start[0] * a + start[1] * b + start[2] * c + start[3] * d
        return Block(address, counts, self.strides)


def _ifmap_walk(layer: MacLayer) -> Walk:
    """Return the walk through the ifmap, by (images, channels, rows, columns)."""
    shape, (_, (image, *inner), offset) = layer.shape, layer.ifmap
    if isinstance(layer.weight, Operand):
        return _matrix_walk(layer.ifmap, (0, inner[-1], inner[-2], 0))
    if layer.channels_last:
        row, column, channel = inner
    else:
        channel, row, column = inner
    groups = ((shape.groups, shape.c // shape.groups * channel),)
    return Walk(offset, groups, (image, channel, row, column))


def _weight_walk(layer: MacLayer) -> Walk:
    """Return the walk through the weights, by (filters, channels, kernel rows, columns)."""
    shape = layer.shape
    if isinstance(layer.weight, Operand):
        *_, channel, filter_ = layer.weight.view.strides
        return _matrix_walk(layer.weight.view, (filter_, channel, 0, 0))
    filter_, channel, row, column = View.dense(layer.weight.shape).strides
    groups = ((shape.groups, shape.m // shape.groups * filter_),)
    return Walk(0, groups, (filter_, channel, row, column))


def _ofmap_walk(layer: MacLayer) -> Walk:
    """Return the walk through the ofmap, by (images, filters, rows, columns)."""
    shape, view = layer.shape, View.dense(layer.output_shape)
    if isinstance(layer.weight, Operand):
        return _matrix_walk(view, (0, 1, view.strides[-2], 0))
    image, *inner = view.strides
    if layer.channels_last:
        row, column, filter_ = inner
    else:
        filter_, row, column = inner
    groups = ((shape.groups, shape.m // shape.groups * filter_),)
    return Walk(0, groups, (image, filter_, row, column))


def _matrix_walk(view: View, strides: Four) -> Walk:
    """Return the walk through matrices (N, ..., rows, columns), each of which is a group."""
    groups = tuple(zip(view.shape[:-2], view.strides[:-2], strict=True))
    return Walk(view.offset, groups, strides)


class Walks(NamedTuple):
    """Those of a layer's operands and of its output."""

    ifmap: Walk
    weights: Walk
    ofmap: Walk


def walks_of(layer: MacLayer) -> Walks:
    """Return the walks through *layer*'s operands and output."""
    return Walks(_ifmap_walk(layer), _weight_walk(layer), _ofmap_walk(layer))
