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
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import simpy

from accelsim.accumulators import accumulator_of
from accelsim.dataflows.tiling import ArrayModel, Span, Tile, tile_gemm
from accelsim.kernels import relu
from accelsim.layer import WORD_BYTES, Operand
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import PARTITIONS, Glb
from accelsim.machine.layout import (
    TapCounts,
    bias_block,
    first_filter,
    gather,
    ifmap_block,
    ofmap_block,
    psum_block,
    weight_block,
)
from accelsim.machine.program import MacStep, unit_work
from accelsim.machine.psums import psums_to_words, words_to_psums
from accelsim.machine.state import Handover, Process, State
from accelsim.machine.sums import Sums, sums_of
from accelsim.multipliers import MULTIPLIERS
from accelsim.quantization import layer_quantization, scheme_of

__all__ = ["MacRun"]


@dataclass
class _Operands:
    """Transfers of a tile's operands; one that was not fetched anew is the one before."""

    ifmap: simpy.Event | None = None
    weights: simpy.Event | None = None
    bias: simpy.Event | None = None
    psums: simpy.Event | None = None
    """Those that were spilled and come back."""

    def arrive(self) -> Process:
        """Wait until all of them are in the GLB."""
        for transfer in (self.ifmap, self.weights, self.bias, self.psums):
            if transfer is not None and not transfer.processed:
                yield transfer


@dataclass
class _Outputs:
    """Psums of one ofmap tile, from its first channels to its write-back."""

    tile: Tile
    bias: np.ndarray | None = None
    sums: Sums | None = None
    ofmap: np.ndarray | None = None
    """float32, (filters, pixels), when the vector unit has made it."""


class _Work(NamedTuple):
    """What the array does for a tile."""

    passes: tuple[tuple[int, dict[str, int]], ...]
    """For each the cycles of array and feed, and the words through the GLB's ports."""
    counts: Counter[tuple[str, str]]
    """(component, action) -> count."""
    compute_cycles: int


class MacRun:
    """One MAC layer in execution.

    Parameters
    ----------
    state : State
        Clock and books.
    glb : Glb
        The buffer between DMA, array and vector unit.
    dma : Dma
        What fetches operands and writes outputs back.
    step : MacStep
        What to execute.
    array : ArrayModel
        The PE array.
    """

    def __init__(self, state: State, glb: Glb, dma: Dma, step: MacStep, array: ArrayModel) -> None:
        self.state, self.glb, self.dma, self.step, self.array = state, glb, dma, step, array
        self.values = dma.dram.values
        self.multiplier = MULTIPLIERS[state.accelerator.multiplier]
        self.accumulator = accumulator_of(self.multiplier, state.accelerator.accumulator)
        self.psum_words = self.accumulator.bytes // WORD_BYTES
        self.work = unit_work(state.accelerator)
        self.quantization = None
        if self.values:
            scheme = scheme_of(state.accelerator)
            self.quantization = layer_quantization(step.layer, self.multiplier, scheme)
        self.free = {name: glb.free_slots(name) for name in PARTITIONS}
        self.fetched, self.summed, self.finished, self.leaving = (
            Handover(state, what) for what in ("operands", "psums", "ofmaps", "psums")
        )
        self.unfinished: dict[tuple[int, int, int, int], _Outputs] = {}
        """Outputs whose psums wait in DRAM."""
        self.spilled_words = self.forwarded_words = 0
        self.tiles = list(step.tiling.tiles())
        self.compute_cycles = 0
        # Tiles of other filters and channels do the same again.
        self._work_of = lru_cache(maxsize=64)(self._work)

    def start(self) -> simpy.Event:
        """Start the three blocks; the event returned happens when all have finished."""
        env = self.state.env
        blocks = (self._dma(), self._array(), self._vector_unit())
        return simpy.AllOf(env, [env.process(block) for block in blocks])

    def _dma(self) -> Process:
        operands, writes = _Operands(), []
        slots = self.glb.slots
        for tile in self.tiles:
            operands = yield from self._fetch_operands(tile, operands)
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

    def _fetch_operands(self, tile: Tile, before: _Operands) -> Process:
        operands = _Operands(before.ifmap, before.weights, before.bias)
        if tile.fetch_weights:
            yield from self.free["weight"].take("dma")
            weights = weight_block(self.step, tile)
            operands.weights = yield from self.dma.read("weight", "weight", weights, tile.index)
            if self.step.bias is not None and tile.ends_psums:
                bias = bias_block(self.step.bias, self.step, tile)
                operands.bias = yield from self.dma.read("bias", "weight", bias, tile.index)
        ifmap = ifmap_block(self.step, tile)
        if self.step.stays.ifmap:
            operands.ifmap = self.glb.found(ifmap)
        elif tile.fetch_ifmap:
            yield from self.free["ifmap"].take("dma")
            operands.ifmap = yield from self.dma.read("ifmap", "ifmap", ifmap, tile.index)
        return operands

    def _fetch_psums(self, spilled: Block, tile: Tile, operands: _Operands) -> Process:
        """Take the slot of the tile's psums and have those of the channels before come back."""
        yield from self.free["ofmap"].take("dma")
        if not tile.starts_psums:
            source = psum_block(spilled, self.step, tile)
            operands.psums = yield from self.dma.read("psum", "ofmap", source, tile.index)

    def _write_back(self, tile: Tile) -> Transfers:
        """Issue the transfer of what *tile* has for DRAM: its outputs, psums, or nothing yet."""
        slots = self.free["ofmap"]
        if tile.ends_psums:
            outputs = yield from self.finished.take("dma")
            target = ofmap_block(self.step, outputs.tile)
            data = None
            if outputs.ofmap is not None:
                images, filters, rows, columns = target.counts
                data = outputs.ofmap.reshape(filters, images, rows, columns).swapaxes(0, 1)
            if self.step.stays.ofmap:
                self.glb.resident.load(target, data)
                self.forwarded_words += target.words
                slots.put()
                return []
            write = self.dma.write("ofmap", target, data, outputs.tile.index, slots)
        elif self.step.spilled is not None:
            outputs = yield from self.leaving.take("dma")
            target = psum_block(self.step.spilled, self.step, tile)
            data = None
            if outputs.sums is not None:
                data = psums_to_words(outputs.sums.psums, target)
                outputs.sums.psums.fill(0)
            self.spilled_words += target.words
            write = self.dma.write("psum", target, data, tile.index, slots)
        else:
            return []
        return [(yield from write)]

    def _array(self) -> Process:
        outputs = _Outputs(self.tiles[0])
        for tile, following in zip(self.tiles, [*self.tiles[1:], None], strict=True):
            operands = yield from self.fetched.take("array")
            yield from operands.arrive()
            if tile.starts_psums:
                if self.step.spilled is None:
                    yield from self.free["ofmap"].take("array")
                outputs = _Outputs(tile)
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

    def _resumed(self, tile: Tile, operands: _Operands) -> _Outputs:
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
        for cycles, words in work.passes:
            yield from self.glb.busy("array", "pass", cycles, tile.index, words)
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
            passes.append((max(one.cycles, feed), words))
            compute_cycles += one.cycles
            reads, writes = self.array.dataflow.rf_accesses(one, self.psum_words)
            counts[f"multiplier.{self.multiplier.name}", "compute"] += products
            counts[adder, "add"] += products
            counts["rf", "read"] += reads
            counts["rf", "write"] += writes
            counts["glb.ifmap", "read"] += ifmap_words
            if self.work.quantizes:
                # Constants are integers beforehand; a matmul's second operand is none.
                second = weight_words if isinstance(self.step.layer.weight, Operand) else 0
                counts["vector_unit", "quantize"] += ifmap_words + second
            counts["glb.weight", "read"] += weight_words
            counts["glb.ofmap", "read"] += psum_words * int(one.reads_psums)
            counts["glb.ofmap", "write"] += psum_words
        return _Work(tuple(passes), counts, compute_cycles)

    def _sum(self, tile: Tile, operands: _Operands, outputs: _Outputs) -> None:
        """Add the tile's products to its psums: all its passes at once, each sum in k order."""
        shape = self.step.layer.shape
        m, n, _ = tile_gemm(shape, tile)
        if outputs.sums is None:
            own = None
            if self.quantization is not None:
                first = first_filter(shape, tile)
                own = self.quantization.filters(slice(first, first + n))
            outputs.sums = sums_of(self.multiplier, self.accumulator, (n, m), own)
        ifmap, weights = (
            None if one is None else one.value for one in (operands.ifmap, operands.weights)
        )
        if ifmap is None or weights is None:
            raise ValueError(f"layer {self.step.name!r}: tile {tile.index} has no operands")
        outputs.sums.add(
            ifmap,
            weights.reshape(n, -1),
            lambda ifmap, fill: gather(shape, tile, ifmap, fill),
        )

    def _vector_unit(self) -> Process:
        lanes, counts = self.state.accelerator.vector_unit.lanes, self.state.counts
        for _ in range(sum(tile.ends_psums for tile in self.tiles)):
            outputs = yield from self.summed.take("vector_unit")
            m, n, _ = tile_gemm(self.step.layer.shape, outputs.tile)
            biases = n if self.step.bias is not None else 0
            operations = {
                "add": m * biases + m * n * self.work.additions,
                "compare": m * n if self.step.relu else 0,
                "multiply": m * n * self.work.multiplies,
            }
            cycles = -(-sum(operations.values()) // lanes)
            words = {"ofmap": m * n * (self.psum_words + 1), "weight": biases} if cycles else {}
            yield from self.glb.busy("vector_unit", "drain", cycles, outputs.tile.index, words)
            for action, count in operations.items():
                if count:
                    counts["vector_unit", action] += count
            counts["glb.weight", "read"] += biases
            if cycles:
                counts["glb.ofmap", "read"] += m * n * self.psum_words
                counts["glb.ofmap", "write"] += m * n
            if outputs.sums is not None:
                ofmap = outputs.sums.finish(outputs.bias)
                outputs.ofmap = relu(ofmap) if self.step.relu else ofmap
            self.finished.put(outputs)
