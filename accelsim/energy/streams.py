"""Streams: the operand pairs that reach each multiplier of the array, in the schedule's order.

.. code-block:: none

    for layer in program:
        for tile in layer's tiling:
            for one in dataflow's passes over the tile's matrix product:
                for i in rows, j in cols of the pass, in parallel:
                    for s in what streams: a pair reaches the multiplier of PE (i, j)

Which pair that is, `SystolicDataflow.axes` says. A multiplier keeps its last pair while it has none
to multiply: in fill, drain and load, in passes and layers that do not use its PE. Before the first
pair of a run it holds patterns of zeros, as after a reset. So every product is one transition of
one multiplier, and their number is that of the MACs.

The operands are those at the unit's ports: of a unit of integers the integers, padding among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits.circuit import Ports
from accelsim.dataflows.row_mapper import RowTiling
from accelsim.dataflows.systolic import SystolicDataflow
from accelsim.dataflows.tiling import ArrayModel, Tiling, tile_gemm
from accelsim.errors import MappingError
from accelsim.kernels.network import read
from accelsim.layer import MacLayer, Operand
from accelsim.quantization import LayerQuantization

__all__ = ["LayerOperands", "Streams"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerOperands:
    """A layer as it is mapped, with its operands at the unit's ports.

    Attributes
    ----------
    layer : MacLayer
    tiling : Tiling or RowTiling
    activations : ndarray, (N, C, H + padding, W + padding)
        float32, or of the format's dtype, with the padding around them.
    weights : ndarray, (M, C / groups * R * S)
        As activations.
    """

    layer: MacLayer
    tiling: Tiling | RowTiling
    activations: NDArray[np.generic]
    weights: NDArray[np.generic]

    @classmethod
    def of(
        cls,
        layer: MacLayer,
        tiling: Tiling | RowTiling,
        tensors: Mapping[str, NDArray[np.float32]],
        quantization: LayerQuantization | None,
    ) -> LayerOperands:
        """Return the operands of *layer*, quantized where the unit takes integers.

        Parameters
        ----------
        tensors : mapping
            What the layer reads, by the name of the layer that made it.
        """
        shape, fill = layer.shape, 0
        first = read(tensors[layer.source], layer.ifmap)
        if isinstance(layer.weight, Operand):
            second = read(tensors[layer.weight.source], layer.weight.view)
            # Matrices of the batch are groups: (k, m) and (n, k).
            first, weights = (
                one.reshape(-1, *one.shape[-2:]).swapaxes(1, 2) for one in (first, second)
            )
        else:
            weights = layer.weight
            if layer.channels_last:
                first = np.moveaxis(first, -1, 1)
        activations = first.reshape(shape.n, shape.c, shape.h, shape.w)
        weights = weights.reshape(shape.m, -1)
        if quantization is not None:
            activations = quantization.quantize_activations(activations)
            weights, fill = quantization.quantize_weights(weights), quantization.fill
        around = ((0, 0), (0, 0), *((size, size) for size in shape.padding))
        return cls(layer, tiling, np.pad(activations, around, constant_values=fill), weights)

    def nonzero_products(self) -> int:
        """Return how many of the layer's products have no operand that is zero."""
        shape = self.layer.shape
        groups, rows, cols = shape.groups, shape.p, shape.q
        total = 0
        weights = (self.weights != 0).reshape(groups, -1, shape.c // groups, shape.r * shape.s)
        by_tap = weights.sum(axis=1)  # (groups, channels of a group, taps)
        nonzero = self.activations != 0
        for tap in range(shape.r * shape.s):
            y, x = tap // shape.s * shape.dilation[0], tap % shape.s * shape.dilation[1]
            down = slice(y, y + (rows - 1) * shape.stride[0] + 1, shape.stride[0])
            across = slice(x, x + (cols - 1) * shape.stride[1] + 1, shape.stride[1])
            pixels = nonzero[:, :, down, across].sum(axis=(0, 2, 3)).reshape(groups, -1)
            total += int((pixels * by_tap[:, :, tap]).sum())
        return total


class Streams:
    """The pairs of all multipliers over the layers of a program.

    Transitions are named by the pair that they lead to: pass number, row i and column j of the PE,
    and number s of the pair among those of this PE in the pass.

    Parameters
    ----------
    layers : sequence of LayerOperands
        In the order in which they run.
    array : ArrayModel
        Its dataflow must be a systolic one.
    ports : Ports
        How operands become the patterns at a unit's ports.

    Raises
    ------
    MappingError
        For another dataflow.
    """

    def __init__(self, layers: Sequence[LayerOperands], array: ArrayModel, ports: Ports) -> None:
        if not isinstance(array.dataflow, SystolicDataflow):
            raise MappingError(
                f"which operands reach a PE when is known for the dataflows os, ws and is, got "
                f"{array.dataflow.name!r}; choose one of them, or multiplier_energy.mode=fixed"
            )
        self.layers, self.array, self.ports = tuple(layers), array, ports
        self.axes = array.dataflow.axes
        self._tiles, passes = self._schedule()
        self.first: Ints = passes[:, 1:4]
        """(passes, 3): first of rows, columns and pairs of a pass, along `axes`, in its tile."""
        self.sizes: Ints = passes[:, 4:]
        """(passes, 3): rows, columns and pairs of a PE of a pass."""
        self._tile_of: Ints = passes[:, 0]
        self.layer_of: Ints = self._tiles[self._tile_of, 0]
        """(passes,): number of the layer."""

    def _schedule(self) -> tuple[Ints, Ints]:
        """Return tiles (layer, group, image, row, rows, filter, channel) and passes.

        A pass is its tile, then first and size along each of the axes.
        """

        @lru_cache
        def spans(m: int, n: int, k: int) -> Ints:
            found = [
                [one.span(axis) for axis in self.axes]
                for one in self.array.passes(m, n, k, resume=False)
            ]
            return np.array(found, np.int64).swapaxes(1, 2).reshape(-1, 6)

        tiles, passes = [], []
        for number, one in enumerate(self.layers):
            shape = one.layer.shape
            if not isinstance(one.tiling, Tiling):
                raise MappingError(f"layer {one.layer.name!r} has no tiling of a systolic array")
            for tile in one.tiling.tiles():
                filters = tile.group * (shape.m // shape.groups) + tile.filters.start
                place = tile.images.start, tile.rows.start, tile.rows.size
                tiles.append((number, tile.group, *place, filters, tile.channels.start))
                own = spans(*tile_gemm(shape, tile))
                passes.append(np.insert(own, 0, len(tiles) - 1, axis=1))
        if not tiles:
            return np.empty((0, 7), np.int64), np.empty((0, 7), np.int64)
        return np.array(tiles, np.int64), np.concatenate(passes)

    @property
    def transitions(self) -> int:
        """Transitions of all multipliers, as many as MACs."""
        return int(self.sizes.prod(axis=1).sum())

    def pairs(self, number: int, p: Ints | int, i: Ints, j: Ints, s: Ints) -> tuple[Ints, Ints]:
        """Return the patterns of pairs of layer *number*: activations and weights.

        Parameters
        ----------
        number : int
        p : int or int64 array (n,)
            Passes of this layer.
        i, j, s : int64 arrays
            Row and column of the PE, and which pair; they broadcast against *p* and each other.

        Returns
        -------
        int64 arrays
            Of shapes that broadcast to that of the parameters.
        """
        shape, one = self.layers[number].layer.shape, self.layers[number]
        _, group, image, row, rows, first_filter, first_channel = self._tiles[self._tile_of[p]].T
        down, across, stream = self.first[p].T
        at = dict(zip(self.axes, (down + i, across + j, stream + s), strict=True))
        images, pixel = np.divmod(at["pixels"], rows * shape.q)
        row_of, col = np.divmod(pixel, shape.q)
        channel, tap = np.divmod(at["k"], shape.r * shape.s)
        channel = channel + first_channel
        tap_row, tap_col = np.divmod(tap, shape.s)
        share = shape.c // shape.groups
        y = (row + row_of) * shape.stride[0] + tap_row * shape.dilation[0]
        x = col * shape.stride[1] + tap_col * shape.dilation[1]
        activations = one.activations[image + images, group * share + channel, y, x]
        weights = one.weights[first_filter + at["filters"], channel * (shape.r * shape.s) + tap]
        owner = f"layer {one.layer.name!r}"
        return self.ports.encode(activations, owner), self.ports.encode(weights, owner)

    def transition(self, p: Ints, i: Ints, j: Ints, s: Ints) -> tuple[Ints, Ints]:
        """Return the patterns before and after of transitions, each (2, n): activations, weights.

        Parameters
        ----------
        p, i, j, s : int64 arrays (n,)
            Pairs that the transitions lead to, in any order.
        """
        before, pair, first = p.copy(), s - 1, s == 0
        before[first] = self._previous(p[first], i[first], j[first])
        pair[first] = self.sizes[before[first], 2] - 1
        return self._gathered(before, i, j, pair), self._gathered(p, i, j, s)

    def _gathered(self, p: Ints, i: Ints, j: Ints, s: Ints) -> Ints:
        """Return the patterns (2, n) of pairs of any layers; zeros where *p* is -1."""
        found = np.zeros((2, p.size), np.int64)
        layers = np.where(p < 0, -1, self.layer_of[p])
        for number in np.flatnonzero(np.bincount(layers + 1)[1:]).tolist():
            own = np.flatnonzero(layers == number)
            found[:, own] = self.pairs(number, p[own], i[own], j[own], s[own])
        return found

    def _previous(self, p: Ints, i: Ints, j: Ints) -> Ints:
        """Return the last pass before *p* that used PE (i, j), -1 where there is none."""
        found = np.full(p.shape, -1, np.int64)
        for (rows, cols), passes in self._passes_by_size.items():
            at = np.searchsorted(passes, p) - 1
            last = np.where((at >= 0) & (i < rows) & (j < cols), passes[at], -1)
            found = np.maximum(found, last)
        return found

    @cached_property
    def _passes_by_size(self) -> dict[tuple[int, int], Ints]:
        """Rows and columns -> the passes that use so many."""
        kinds, own = np.unique(self.sizes[:, :2], axis=0, return_inverse=True)
        return {
            (int(rows), int(cols)): np.flatnonzero(own == kind)
            for kind, (rows, cols) in enumerate(kinds)
        }

    def blocks(self) -> Iterator[tuple[int, Ints]]:
        """Yield (layer, patterns) of one pass after another.

        The patterns are int64 (2, PEs, 1 + pairs): activations and weights of the PEs that the pass
        uses, row by row; the first is what the multiplier held before.
        """
        held = np.zeros((2, self.array.rows, self.array.cols), np.int64)
        for p, (rows, cols, count) in enumerate(self.sizes.tolist()):
            block = np.empty((2, rows, cols, 1 + count), np.int64)
            block[..., 0] = held[:, :rows, :cols]
            number = int(self.layer_of[p])
            block[0, ..., 1:], block[1, ..., 1:] = self.pairs(
                number, p, *np.ogrid[:rows, :cols, :count]
            )
            held[:, :rows, :cols] = block[..., -1]
            yield number, block.reshape(2, rows * cols, 1 + count)
