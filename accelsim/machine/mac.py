"""A convolution or linear layer on the machine: DMA in, PE array, vector unit, DMA out.

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

import simpy

from accelsim.dataflows.tiling import ArrayModel, Tile, Tiling, tile_gemm
from accelsim.machine.array_run import ArrayRun, Operands, Outputs
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import Glb
from accelsim.machine.layout import (
    first_filter,
    gather,
    ifmap_block,
    ofmap_block,
    psum_block,
    tap_counts,
)
from accelsim.machine.program import MacStep
from accelsim.machine.psums import psums_to_words, words_to_psums
from accelsim.machine.state import Process, State

__all__ = ["MacRun"]


class MacRun(ArrayRun):
    """One MAC layer in execution on a systolic array; parameters as of `ArrayRun`."""

    def __init__(self, state: State, glb: Glb, dma: Dma, step: MacStep, array: ArrayModel) -> None:
        if not isinstance(step.tiling, Tiling):
            raise TypeError(f"layer {step.name!r} has no tiling of a systolic array: {step.tiling}")
        self.tiles = list(step.tiling.tiles())
        super().__init__(state, glb, dma, step, sum(tile.ends_psums for tile in self.tiles))
        self.array = array
        self.leaving = simpy.Store(state.env)
        self.unfinished: dict[tuple[int, int, int, int], Outputs] = {}
        """Outputs whose psums wait in DRAM."""

    def _dma(self) -> Process:
        operands, writes = Operands(), []
        slots = self.glb.slots
        for tile in self.tiles:
            operands = yield from self._fetch(tile, ifmap_block(self.step, tile), operands)
            if self.step.spilled is None:
                yield self.fetched.put(operands)
            if tile.index >= slots:
                writes += yield from self._write_back(self.tiles[tile.index - slots])
            if self.step.spilled is not None:
                yield from self._fetch_psums(self.step.spilled, tile, operands)
                yield self.fetched.put(operands)
        for tile in self.tiles[-slots:]:
            writes += yield from self._write_back(tile)
        yield simpy.AllOf(self.state.env, writes)

    def _fetch_psums(self, spilled: Block, tile: Tile, operands: Operands) -> Process:
        """Take the slot of the tile's psums and have those of the channels before come back."""
        yield from self._take("dma", "ofmap")
        if not tile.starts_psums:
            source = psum_block(spilled, self.step, tile)
            operands.psums = yield from self.dma.read("psum", "ofmap", source, tile.index)

    def _write_back(self, tile: Tile) -> Transfers:
        """Issue the transfer of what *tile* has for DRAM: its outputs, psums, or nothing yet."""
        if tile.ends_psums:
            return (yield from self._write_outputs())
        if self.step.spilled is None:
            return []
        outputs = yield from self.state.wait("dma", "psums", self.leaving.get())
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
            operands = yield from self.state.wait("array", "operands", self.fetched.get())
            yield operands.arrived(self.state.env)
            if tile.starts_psums:
                if self.step.spilled is None:
                    yield from self._take("array", "ofmap")
                outputs = self._started(tile)
            elif self.step.spilled is not None:
                outputs = self._resumed(tile, operands)
            yield from self._passes(tile)
            if self.values:
                self._sum(tile, operands, outputs)
            if not self.step.stays.ifmap and (following is None or following.fetch_ifmap):
                yield self.free["ifmap"].put(1)
            if following is None or following.fetch_weights:
                yield self.free["weight"].put(1)
            if tile.ends_psums:
                outputs.bias = None if operands.bias is None else operands.bias.value
                yield self.summed.put(outputs)
            elif self.step.spilled is not None:
                self.unfinished[tile.outputs] = outputs
                yield self.leaving.put(outputs)

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
        shape, counts = self.step.layer.shape, self.state.counts
        config = self.state.accelerator
        m, n, k = tile_gemm(shape, tile)
        taps = tap_counts(shape, tile.rows, tile.images.size)
        if self.work.sums_activations:
            counts[f"accumulator.{self.accumulator.name}", "add"] += m * k
        resume = not tile.starts_psums
        for one in self.array.passes(m, n, k, resume=resume):
            ifmap_words, weight_words = taps.words(one), one.filters * one.k
            outputs = one.pixels * one.filters
            products = outputs * one.k
            # The array is the only client of the feed bus: waiting for both is waiting for the
            # later of the two.
            feed = -(-(ifmap_words + weight_words) // config.glb.read_words_per_cycle)
            words = {
                "ifmap": ifmap_words,
                "weight": weight_words,
                "ofmap": outputs * self.psum_words * (1 + int(one.reads_psums)),
            }
            yield from self.glb.busy("array", "pass", max(one.cycles, feed), tile.index, words)
            self.compute_cycles += one.cycles
            reads, writes = self.array.dataflow.rf_accesses(one, self.psum_words)
            counts[f"multiplier.{self.multiplier.name}", "compute"] += products
            counts[f"accumulator.{self.accumulator.name}", "add"] += products
            counts["rf", "read"] += reads
            counts["rf", "write"] += writes
            counts["glb.ifmap", "read"] += ifmap_words
            if self.work.quantizes:
                counts["vector_unit", "quantize"] += ifmap_words
            counts["glb.weight", "read"] += weight_words
            counts["glb.ofmap", "read"] += outputs * self.psum_words * int(one.reads_psums)
            counts["glb.ofmap", "write"] += outputs * self.psum_words

    def _sum(self, tile: Tile, operands: Operands, outputs: Outputs) -> None:
        """Add the tile's products to its psums: all its passes at once, each sum in k order."""
        shape = self.step.layer.shape
        ifmap, weights = operands.values(f"layer {self.step.name!r}: tile {tile.index}")
        self._sums(outputs, first_filter(shape, tile)).add(
            ifmap,
            weights.reshape(outputs.filters, -1),
            lambda ifmap, fill: gather(shape, tile, ifmap, fill),
        )
