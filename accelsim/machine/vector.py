"""A layer of the vector unit on the machine: DMA in, vector unit, DMA out, tile by tile.

.. code-block:: none

    dma --(ifmap slots)--> vector_unit --(ofmap slots)--> dma

The DMA's program is that of `accelsim.machine.mac`: inputs of tile t, outputs of tile t - slots.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import simpy

from accelsim.kernels import relu, windowed
from accelsim.layer import VectorLayer
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import Glb
from accelsim.machine.program import VectorStep
from accelsim.machine.state import Handover, Process, State

__all__ = ["VectorRun"]


class _Tile(NamedTuple):
    number: int
    outer: tuple[int, ...]
    """Image, and place in the dimensions between images and channels."""
    channels: tuple[int, int]
    rows: tuple[int, int]
    """Rows of the ofmap."""
    ifmap_rows: tuple[int, int]


class VectorRun:
    """One layer of the vector unit in execution.

    Parameters
    ----------
    state : State
        Clock and books.
    glb : Glb
        The buffer between DMA and vector unit.
    dma : Dma
        What fetches operands and writes outputs back.
    step : VectorStep
        What to execute.
    """

    def __init__(self, state: State, glb: Glb, dma: Dma, step: VectorStep) -> None:
        self.state, self.glb, self.dma, self.step = state, glb, dma, step
        self.free_ifmap, self.free_ofmap = glb.free_slots("ifmap"), glb.free_slots("ofmap")
        self.fetched, self.finished = Handover(state, "operands"), Handover(state, "ofmaps")
        self.tiles = list(_tiles(step))
        self.compute_cycles = self.spilled_words = self.forwarded_words = 0

    def start(self) -> simpy.Event:
        """Start the two blocks; the event returned happens when both have finished."""
        env = self.state.env
        blocks = (self._dma(), self._vector_unit())
        return simpy.AllOf(env, [env.process(block) for block in blocks])

    def _dma(self) -> Process:
        writes = []
        for tile in self.tiles:
            source = _block(self.step.ifmap, tile, tile.ifmap_rows)
            if self.step.stays.ifmap:
                read = self.glb.found(source)
            else:
                yield from self.free_ifmap.take("dma")
                read = yield from self.dma.read("ifmap", "ifmap", source, tile.number)
            self.fetched.put((tile, source.words, read))
            if tile.number >= self.glb.slots:
                writes += yield from self._write_back()
        for _ in self.tiles[-self.glb.slots :]:
            writes += yield from self._write_back()
        yield simpy.AllOf(self.state.env, writes)

    def _write_back(self) -> Transfers:
        tile, target, result = yield from self.finished.take("dma")
        if self.step.stays.ofmap:
            self.glb.resident.load(target, result)
            self.forwarded_words += target.words
            self.free_ofmap.put()
            return []
        write = self.dma.write("ofmap", target, result, tile.number, self.free_ofmap)
        return [(yield from write)]

    def _vector_unit(self) -> Process:
        layer, counts = self.step.layer, self.state.counts
        lanes = self.state.accelerator.vector_unit.lanes
        for _ in self.tiles:
            tile, words, read = yield from self.fetched.take("vector_unit")
            data = yield read
            yield from self.free_ofmap.take("vector_unit")
            target = _block(self.step.ofmap, tile, tile.rows)
            operations = _operations(layer, tile, target.words)
            # Where nothing is computed the words pass the lanes like any others.
            cycles = -(-(sum(operations.values()) or target.words) // lanes)
            moved = {"ifmap": words, "ofmap": target.words}
            yield from self.glb.busy("vector_unit", layer.op, cycles, tile.number, moved)
            self.compute_cycles += cycles
            for action, count in operations.items():
                counts["vector_unit", action] += count
            counts["glb.ifmap", "read"] += words
            counts["glb.ofmap", "write"] += target.words
            result = None if data is None else _apply(layer, tile, data)
            if not self.step.stays.ifmap:
                self.free_ifmap.put()
            self.finished.put((tile, target, result))


def _tiles(step: VectorStep) -> Iterator[_Tile]:
    layer, index = step.layer, 0
    *outer, channels, _, _ = layer.input_shape
    out_rows = layer.output_shape[-2]
    for place in product(*map(range, outer)):
        for channel in range(0, channels, step.channels):
            for row in range(0, out_rows, step.rows):
                rows = (row, min(row + step.rows, out_rows))
                span = (channel, min(channel + step.channels, channels))
                yield _Tile(index, place, span, rows, layer.ifmap_rows(*rows))
                index += 1


def _block(whole: Block, tile: _Tile, rows: tuple[int, int]) -> Block:
    first = (*tile.outer, tile.channels[0], rows[0], 0)
    offset = sum(at * stride for at, stride in zip(first, whole.strides, strict=True))
    ones = (1,) * len(tile.outer)
    inner = (tile.channels[1] - tile.channels[0], rows[1] - rows[0], whole.counts[-1])
    counts = (*ones, *inner)
    return Block(whole.address + offset, counts, whole.strides)


def _operations(layer: VectorLayer, tile: _Tile, outputs: int) -> dict[str, int]:
    """Return the vector unit's elementary operations for the *outputs* of *tile*."""
    if layer.op == "copy":
        return {}
    if layer.window is None:
        return {"compare": outputs}
    of_channel = layer.window.operations(layer.op, *tile.rows, layer.output_shape[-1])
    channels = tile.channels[1] - tile.channels[0]
    return {action: channels * count for action, count in of_channel.items()}


def _apply(layer: VectorLayer, tile: _Tile, data: np.ndarray) -> np.ndarray:
    """Return the tile's results, (..., channels, rows, Q), from its ifmap rows."""
    if layer.op == "copy":
        return data
    if layer.window is None:
        return relu(data)
    return windowed(
        layer.op,
        data.reshape(data.shape[-3:]),
        layer.window,
        tile.rows,
        layer.output_shape[-1],
        slab_row=tile.ifmap_rows[0],
        height=layer.input_shape[-2],
    )
