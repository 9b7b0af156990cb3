"""A layer of the vector unit on the machine: DMA in, vector unit, DMA out, tile by tile.

.. code-block:: none

    dma --(weight, ifmap slots)--> vector_unit --(ofmap slots)--> dma

The DMA's program is that of `accelsim.machine.mac`: inputs of tile t, outputs of tile t - slots.
Operands besides the ifmap take the weights' place: all of a tile's lie in one slot, and stay there
for tiles that read the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
import simpy

from accelsim.kernels import windowed
from accelsim.layer import VectorLayer
from accelsim.machine.block import Block, fetched
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import Glb
from accelsim.machine.program import VectorPart, VectorStep
from accelsim.machine.state import Handover, Process, State, moving
from accelsim.vector_functions import VECTOR_FUNCTIONS

__all__ = ["VectorRun"]


class _Tile(NamedTuple):
    number: int
    part: VectorPart
    outer: tuple[int, ...]
    """Image, and place in the dimensions between images and channels."""
    channels: tuple[int, int]
    rows: tuple[int, int]
    """Rows of the ofmap."""
    ifmap_rows: tuple[int, int]
    others: tuple[Block, ...]
    """What of the other operands is read, each word once."""
    fetches: bool
    """False when those of the tile before are used again."""


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
        self.free = {name: glb.free_slots(name) for name in ("ifmap", "weight", "ofmap")}
        self.fetched, self.finished = Handover(state, "operands"), Handover(state, "ofmaps")
        self.tiles = list(_tiles(step))
        self.compute_cycles = self.spilled_words = self.forwarded_words = 0

    def start(self) -> simpy.Event:
        """Start the two blocks; the event returned happens when both have finished."""
        env = self.state.env
        blocks = (self._dma(), self._vector_unit())
        return simpy.AllOf(env, [env.process(block) for block in blocks])

    def _dma(self) -> Process:
        others: list[simpy.Event] = []
        writes = []
        for tile in self.tiles:
            if tile.fetches:
                yield from self.free["weight"].take("dma")
                others = []
                for block in tile.others:
                    read = self.dma.read("operand", "weight", block, tile.number)
                    others.append((yield from read))
            source = _block(tile.part.ifmap, tile, tile.ifmap_rows)
            if self.step.stays.ifmap:
                ifmap = self.glb.found(source)
            else:
                yield from self.free["ifmap"].take("dma")
                ifmap = yield from self.dma.read("ifmap", "ifmap", source, tile.number)
            self.fetched.put((tile, source.words, ifmap, others))
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
            self.free["ofmap"].put()
            return []
        write = self.dma.write("ofmap", target, result, tile.number, self.free["ofmap"])
        return [(yield from write)]

    def _vector_unit(self) -> Process:
        layer, counts = self.step.layer, self.state.counts
        lanes = self.state.accelerator.vector_unit.lanes
        for following in [*self.tiles[1:], None]:
            tile, words, ifmap, others = yield from self.fetched.take("vector_unit")
            operands = []
            for event in (*others, ifmap):
                operands.append((yield event))
            yield from self.free["ofmap"].take("vector_unit")
            target = _block(tile.part.ofmap, tile, tile.rows)
            operations = _operations(layer, tile, target)
            # Where nothing is computed the words pass the lanes like any others.
            cycles = -(-(sum(operations.values()) or target.words) // lanes)
            more = sum(block.words for block in tile.others)
            moved = {"ifmap": words, "weight": more, "ofmap": target.words}
            work = moving(moved)
            yield from self.glb.busy("vector_unit", layer.op, cycles, tile.number, moved, work=work)
            self.compute_cycles += cycles
            for action, count in operations.items():
                counts["vector_unit", action] += count
            counts["glb.ifmap", "read"] += words
            counts["glb.weight", "read"] += more
            counts["glb.ofmap", "write"] += target.words
            *more_data, data = operands
            result = None if data is None else _apply(layer, tile, data, more_data)
            if not self.step.stays.ifmap:
                self.free["ifmap"].put()
            if self.step.beside and (following is None or following.fetches):
                self.free["weight"].put()
            self.finished.put((tile, target, result))


def _tiles(step: VectorStep) -> Iterator[_Tile]:
    before: tuple[Block, ...] = ()
    number = 0
    for part in step.parts:
        *outer, channels, _, _ = part.ifmap.counts
        ofmap_rows = part.ofmap.counts[-2]
        for place in product(*map(range, outer)):
            for channel in range(0, channels, part.channels):
                span = (channel, min(channel + part.channels, channels))
                for row in range(0, ofmap_rows, part.rows):
                    rows = (row, min(row + part.rows, ofmap_rows))
                    ifmap_rows = step.layer.ifmap_rows(*rows)
                    tile = _Tile(number, part, place, span, rows, ifmap_rows, (), fetches=False)
                    others = tuple(_once(_block(one, tile, rows)) for one in step.beside)
                    yield tile._replace(others=others, fetches=others != before)
                    number, before = number + 1, others


def _block(whole: Block, tile: _Tile, rows: tuple[int, int]) -> Block:
    first = (*tile.outer, tile.channels[0], rows[0], 0)
    offset = sum(at * stride for at, stride in zip(first, whole.strides, strict=True))
    ones = (1,) * len(tile.outer)
    inner = (tile.channels[1] - tile.channels[0], rows[1] - rows[0], whole.counts[-1])
    counts = (*ones, *inner)
    return Block(whole.address + offset, counts, whole.strides)


def _once(block: Block) -> Block:
    """Return *block* with each word that it reads again fetched once."""
    return Block(block.address, fetched(block.counts, block.strides), block.strides)


def _operations(layer: VectorLayer, tile: _Tile, target: Block) -> dict[str, int]:
    """Return the vector unit's elementary operations for the results of *tile*."""
    if layer.window is None:
        function = VECTOR_FUNCTIONS[layer.op]
        reduced = target.counts[len(target.counts) - function.reduces :]
        return function.count(target.words, target.words // prod(reduced))
    of_channel = layer.window.operations(layer.op, *tile.rows, target.counts[-1])
    channels = tile.channels[1] - tile.channels[0]
    return {action: channels * count for action, count in of_channel.items()}


def _apply(
    layer: VectorLayer, tile: _Tile, data: np.ndarray, others: list[np.ndarray]
) -> np.ndarray:
    """Return the tile's results, (..., channels, rows, Q), from its operands."""
    if layer.window is None:
        return VECTOR_FUNCTIONS[layer.op](data, *others, *layer.settings)
    return windowed(
        layer.op,
        data.reshape(data.shape[-3:]),
        layer.window,
        tile.rows,
        layer.output_shape[-1],
        slab_row=tile.ifmap_rows[0],
        height=layer.input_shape[-2],
    )
