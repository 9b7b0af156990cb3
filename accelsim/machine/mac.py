"""A convolution, linear layer or matmul on the machine: DMA in, PE array, vector unit, DMA out.

Three blocks work on different tiles at the same time and hand them on:

.. code-block:: none

    dma --(ifmap, weight slots)--> array --(ofmap slots)--> vector_unit --> dma

Each operand has two slots in the GLB (one when it is not double-buffered). A block that finds no
free slot, or no full one, waits: that is all that stalls are. Blocks are created in the order
above, so of two that act in the same cycle the earlier one acts first.

The DMA's program, with s slots: the operands of tile t, then the outputs of tile t - s, as soon as
either can move. No descriptor waits for one behind it: the operands of tile t need the slots of
tile t - s, whose outputs need those of an earlier tile to have left.

Where psums are spilled every tile's psums leave the GLB and come back for the next channels. Their
slot is then taken in the DMA's program, behind the outputs of tile t - s, which free it.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import simpy

from accelsim.dataflows.base import PeBlock
from accelsim.dataflows.tiling import ArrayModel, Span, Tile, Tiling, tile_gemm
from accelsim.machine.array_run import ArrayRun, Operands, Outputs
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import Glb
from accelsim.machine.layout import (
    TapCounts,
    first_filter,
    gather,
    ifmap_block,
    ofmap_block,
    psum_block,
)
from accelsim.machine.program import MacStep
from accelsim.machine.psums import psums_to_words, words_to_psums
from accelsim.machine.state import Handover, Process, State, Work, moving

__all__ = ["MacRun"]

GATHERED_BYTES = 1 << 25
"""What a layer may keep of gathered activations."""


class _Work(NamedTuple):
    """What the array does for a tile."""

    passes: tuple[tuple[int, dict[str, int], Work], ...]
    """For each the cycles of array and feed, and the words through the GLB's ports."""
    pe_blocks: Counter[PeBlock]
    """What PEs do in a pass -> passes."""
    counts: Counter[tuple[str, str]]
    """(component, action) -> count."""
    compute_cycles: int
    cycles: int
    """Of all passes where nobody contends for the GLB's ports."""


class MacRun(ArrayRun):
    """One MAC layer in execution on a systolic array; parameters as of `ArrayRun`."""

    def __init__(self, state: State, glb: Glb, dma: Dma, step: MacStep, array: ArrayModel) -> None:
        if not isinstance(step.tiling, Tiling):
            raise TypeError(f"layer {step.name!r} has no tiling of a systolic array: {step.tiling}")
        self.tiles = list(step.tiling.tiles())
        super().__init__(state, glb, dma, step, sum(tile.ends_psums for tile in self.tiles))
        self.array = array
        self.leaving = Handover(state, "psums")
        self.unfinished: dict[tuple[int, int, int, int], Outputs] = {}
        """Outputs whose psums wait in DRAM."""
        # Tiles of other filters and channels do the same again.
        self._work_of = lru_cache(maxsize=64)(self._work)
        self.gathered: dict[tuple[int, Span, Span, Span], np.ndarray] = {}
        """Activations (k, pixels) of some ifmap tiles, which other filters want again."""
        self.gathered_bytes = 0

    def _dma(self) -> Process:
        operands, writes = Operands(), []
        slots = self.glb.slots
        for tile in self.tiles:
            operands = yield from self._fetch(tile, ifmap_block(self.step, tile), operands)
            if self.step.spilled is None:
                self.fetched.put(operands)
            if tile.index >= slots:
                writes += yield from self._write_back(self.tiles[tile.index - slots])
            if self.step.spilled is not None:
                yield from self._fetch_psums(self.step.spilled, tile, operands)
                self.fetched.put(operands)
        for tile in self.tiles[-slots:]:
            writes += yield from self._write_back(tile)
        yield simpy.AllOf(self.state.env, writes)

    def _fetch_psums(self, spilled: Block, tile: Tile, operands: Operands) -> Process:
        """Take the slot of the tile's psums and have those of the channels before come back."""
        yield from self.free["ofmap"].take("dma")
        if not tile.starts_psums:
            source = psum_block(spilled, self.step, tile)
            operands.psums = yield from self.dma.read("psum", "ofmap", source, tile.index)

    def _write_back(self, tile: Tile) -> Transfers:
        """Issue the transfer of what *tile* has for DRAM: its outputs, psums, or nothing yet."""
        if tile.ends_psums:
            return (yield from self._write_outputs())
        if self.step.spilled is None:
            return []
        outputs = yield from self.leaving.take("dma")
        target = psum_block(self.step.spilled, self.step, tile)
        data = None
        if outputs.sums is not None:
            data = psums_to_words(outputs.sums.psums, target)
            outputs.sums.psums.fill(0)
        self.spilled_words += target.words
        write = self.dma.write("psum", target, data, tile.index, self.free["ofmap"])
        return [(yield from write)]

    def _array(self) -> Process:
        outputs = self._started(self.tiles[0])
        for tile, following in zip(self.tiles, [*self.tiles[1:], None], strict=True):
            operands = yield from self.fetched.take("array")
            yield from operands.arrive()
            if tile.starts_psums:
                if self.step.spilled is None:
                    yield from self.free["ofmap"].take("array")
                outputs = self._started(tile)
            elif self.step.spilled is not None:
                outputs = self._resumed(tile, operands)
            yield from self._passes(tile)
            if self.values:
                self._sum(tile, operands, outputs)
            if not self.step.stays.ifmap and (following is None or following.fetch_ifmap):
                self.free["ifmap"].put()
            if following is None or following.fetch_weights:
                self.free["weight"].put()
            if tile.ends_psums:
                outputs.bias = None if operands.bias is None else operands.bias.value
                self.summed.put(outputs)
            elif self.step.spilled is not None:
                self.unfinished[tile.outputs] = outputs
                self.leaving.put(outputs)

    def _started(self, tile: Tile) -> Outputs:
        return Outputs(tile.index, ofmap_block(self.step, tile))

    def _resumed(self, tile: Tile, operands: Operands) -> Outputs:
        """Return the tile's outputs with the psums that came back from DRAM."""
        outputs = self.unfinished.pop(tile.outputs)
        words = None if operands.psums is None else operands.psums.value
        if outputs.sums is not None and words is not None:
            outputs.sums.psums = words_to_psums(words, outputs.sums.psums.dtype)
        return outputs

    def _passes(self, tile: Tile) -> Process:
        """Run the tile's passes; each lasts until array, feed and GLB ports have finished it."""
        work = self._work_of(
            tile.rows, tile.images.size, tile_gemm(self.step.layer.shape, tile), tile.starts_psums
        )
        if self.glb.contended or self.state.keeps_timeline:
            for cycles, words, done in work.passes:
                yield from self.glb.busy("array", "pass", cycles, tile.index, words, work=done)
        else:
            # Nobody else acts on the array between two passes: they end when the last one does.
            yield from self.state.busy("array", "passes", work.cycles, tile.index)
        for block, passes in work.pe_blocks.items():
            self.pe_blocks[block] += passes
        self.compute_cycles += work.compute_cycles
        for action, count in work.counts.items():
            self.state.counts[action] += count

    def _work(self, rows: Span, images: int, bounds: tuple[int, int, int], starts: bool) -> _Work:
        """Return what the array does for a tile of these ofmap rows and (m, n, k)."""
        config, (m, n, k) = self.state.accelerator, bounds
        taps = TapCounts(self.step.layer.shape, rows, images)
        counts: Counter[tuple[str, str]] = Counter()
        adder = f"accumulator.{self.accumulator.name}"
        if self.work.sums_activations:
            counts[adder, "add"] += m * k
        pe_blocks: Counter[PeBlock] = Counter()
        passes, compute_cycles = [], 0
        for one in self.array.passes(m, n, k, resume=not starts):
            ifmap_words, weight_words = taps.words(one), one.filters * one.k
            psum_words = one.pixels * one.filters * self.psum_words
            products = one.pixels * one.filters * one.k
            words = {
                "ifmap": ifmap_words,
                "weight": weight_words,
                "ofmap": psum_words * (1 + int(one.reads_psums)),
            }
            # The array is the only client of the feed bus: waiting for both is waiting for the
            # later of the two.
            feed = -(-(ifmap_words + weight_words) // config.glb.read_words_per_cycle)
            passes.append((max(one.cycles, feed), words, moving(words, products)))
            pe_blocks[self.array.dataflow.pe_block(one)] += 1
            compute_cycles += one.cycles
            reads, writes = self.array.dataflow.rf_accesses(one, self.psum_words)
            counts[f"multiplier.{self.multiplier.name}", "compute"] += products
            counts[adder, "add"] += products
            counts["rf", "read"] += reads
            counts["rf", "write"] += writes
            counts["glb.ifmap", "read"] += ifmap_words
            if self.work.quantizes:
                second = weight_words if self.quantizes_weights else 0
                counts["vector_unit", "quantize"] += ifmap_words + second
            counts["glb.weight", "read"] += weight_words
            counts["glb.ofmap", "read"] += psum_words * int(one.reads_psums)
            counts["glb.ofmap", "write"] += psum_words
        total = sum(self.glb.cycles(cycles, words) for cycles, words, _ in passes)
        return _Work(tuple(passes), pe_blocks, counts, compute_cycles, total)

    def _sum(self, tile: Tile, operands: Operands, outputs: Outputs) -> None:
        """Add the tile's products to its psums: all its passes at once, each sum in k order."""
        shape = self.step.layer.shape
        ifmap, weights = operands.values(f"layer {self.step.name!r}: tile {tile.index}")
        self._sums(outputs, first_filter(shape, tile)).add(
            ifmap,
            weights.reshape(outputs.filters, -1),
            lambda ifmap, fill: self._gather(tile, ifmap, fill),
        )

    def _gather(self, tile: Tile, ifmap: np.ndarray, fill: float) -> np.ndarray:
        """Return the tile's activations, (k, pixels), from its ifmap words or their codes."""
        place = (tile.group, tile.images, tile.rows, tile.channels)
        if place not in self.gathered:
            columns = gather(self.step.layer.shape, tile, ifmap, fill)
            self.gathered_bytes += columns.nbytes
            if self.gathered_bytes > GATHERED_BYTES:
                self.gathered.clear()
                self.gathered_bytes = columns.nbytes
            self.gathered[place] = columns
        return self.gathered[place]
