"""A layer on a row-stationary array of the machine: DMA in, RFs and PEs, vector unit, DMA out.

.. code-block:: none

    dma --(ifmap, weight slots)--> array --(room for psums)--> vector_unit --> dma

What comes and goes one by one are the passes of `accelsim.dataflows.row_stationary`. The array
loads the weights of a pass into its RFs, which frees their slot in the GLB, and then works on its
columns, as long as NoCs, PEs and the GLB's ports take together (`accelsim.machine.row_columns`).
Ifmaps keep their slot while passes use them. Psums of as many tiles as the GLB has slots lie in it;
their room is taken and left part by part, the filters of a pass at a time, so that the first
outputs of a tile leave while its last are made.

The DMA's program, with s slots: the operands of pass t, then the outputs of pass t - s if it
completes any. No descriptor waits for one behind it, see `accelsim.machine.mac`.
"""

from __future__ import annotations

import simpy

from accelsim.dataflows.row_mapper import RowTiling
from accelsim.dataflows.row_pass import PassSizes, RowPass
from accelsim.dataflows.row_stationary import pass_order
from accelsim.dataflows.spatial import SpatialArray
from accelsim.machine.array_run import ArrayRun, Operands, Outputs
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import Glb
from accelsim.machine.layout import first_filter
from accelsim.machine.program import MacStep
from accelsim.machine.row_columns import PassTimes, transfer_cycles
from accelsim.machine.row_layout import gather, ifmap_block, ofmap_block
from accelsim.machine.state import Handover, Process, State, moving

__all__ = ["RowRun"]


class RowRun(ArrayRun):
    """One MAC layer in execution on a row-stationary array; parameters as of `ArrayRun`."""

    def __init__(
        self, state: State, glb: Glb, dma: Dma, step: MacStep, array: SpatialArray
    ) -> None:
        if not isinstance(step.tiling, RowTiling):
            raise TypeError(f"layer {step.name!r} has no row-stationary mapping: {step.tiling}")
        self.passes = list(step.tiling.tiles())
        super().__init__(state, glb, dma, step, sum(one.ends_psums for one in self.passes))
        mapping = step.tiling.mapping
        self.array, self.mapping = array, mapping
        self.inside = PassTimes(step.layer.shape, array)
        room = glb.slots * -(-mapping.m // (mapping.p * mapping.t))
        self.free["ofmap"] = Handover(state, "room for psums in the GLB", [None] * room)
        self.unfinished: dict[int, Outputs] = {}
        """First filter of a part -> its outputs, of the tile that is being made."""

    def _dma(self) -> Process:
        operands, writes, slots = Operands(), [], self.glb.slots
        for one in self.passes:
            operands = yield from self._fetch(one, ifmap_block(self.step, one), operands)
            self.fetched.put(operands)
            if one.index >= slots:
                writes += yield from self._write_back(self.passes[one.index - slots])
        for one in self.passes[-slots:]:
            writes += yield from self._write_back(one)
        yield simpy.AllOf(self.state.env, writes)

    def _write_back(self, one: RowPass) -> Transfers:
        """Issue the transfer of the outputs that a pass completes, if any."""
        if not one.ends_psums:
            return []
        return (yield from self._write_outputs())

    def _array(self) -> Process:
        for one, following in zip(self.passes, [*self.passes[1:], None], strict=True):
            operands = yield from self.fetched.take("array")
            yield from operands.arrive()
            if one.starts_psums:
                yield from self.free["ofmap"].take("array")
                target = ofmap_block(self.step, one)
                self.unfinished[one.filters.start] = Outputs(one.index, target)
            if one.fetch_weights:
                yield from self._load_weights(one)
            yield from self._work(one)
            if self.values:
                self._sum(one, operands)
            if not self.step.stays.ifmap and (following is None or following.fetch_ifmap):
                self.free["ifmap"].put()
            if one.ends_psums:
                outputs = self.unfinished.pop(one.filters.start)
                outputs.bias = None if operands.bias is None else operands.bias.value
                self.summed.put(outputs)
        self._enter_pe_blocks()

    def _load_weights(self, one: RowPass) -> Process:
        """Bring the weights of a pass into the RFs; their slot in the GLB is free then."""
        words = one.filter_words(self.step.layer.shape)
        cycles = transfer_cycles(words, self.array.filter_words_per_cycle)
        moved = {"weight": words}
        yield from self.glb.busy(
            "array", "load weights", cycles, one.index, moved, work=moving(moved)
        )
        self.state.counts["glb.weight", "read"] += words
        if self.quantizes_weights:
            self.state.counts["vector_unit", "quantize"] += words
        self.free["weight"].put()

    def _work(self, one: RowPass) -> Process:
        """Run a pass whose weights are in the RFs, until NoCs, PEs and GLB ports are through."""
        shape, counts, resumes = self.step.layer.shape, self.state.counts, not one.starts_psums
        ifmap_words, psum_words = one.read_words(shape), one.psums * self.psum_words
        cycles = self.inside.cycles(one, reads_psums=resumes)
        words = {"ifmap": ifmap_words, "ofmap": psum_words * (1 + int(resumes))}
        work = moving(words, one.macs(shape))
        yield from self.glb.busy("array", "pass", cycles, one.index, words, work=work)
        self.compute_cycles += one.cycles(shape, self.array)
        adder = f"accumulator.{self.accumulator.name}"
        counts[f"multiplier.{self.multiplier.name}", "compute"] += work.macs
        counts[adder, "add"] += one.additions(shape)
        if self.work.sums_activations:
            counts[adder, "add"] += work.macs // one.filters.size
        for (operand, action), words_of_rf in one.rf_words(shape, self.psum_words).items():
            counts[f"rf.{operand}", action] += words_of_rf
        counts["glb.ifmap", "read"] += ifmap_words
        if self.work.quantizes:
            counts["vector_unit", "quantize"] += ifmap_words
        counts["glb.ofmap", "read"] += psum_words * int(resumes)
        counts["glb.ofmap", "write"] += psum_words

    def _enter_pe_blocks(self) -> None:
        """Enter what the PEs did in all passes into the books, each kind of pass at once."""
        alike: dict[PassSizes, list[RowPass]] = {}
        for one in self.passes:
            alike.setdefault(one.sizes, []).append(one)
        for passes in alike.values():
            for block in passes[0].pe_blocks(self.step.layer.shape, self.array):
                self.pe_blocks[block] += len(passes)

    def _sum(self, one: RowPass, operands: Operands) -> None:
        """Add the products of a pass to its psums, in the order of the PEs."""
        shape, outputs = self.step.layer.shape, self.unfinished[one.filters.start]
        ifmap, weights = operands.values(f"layer {self.step.name!r}: pass {one.index}")
        self._sums(outputs, first_filter(shape, one)).add(
            ifmap,
            weights.reshape(outputs.filters, -1),
            lambda ifmap, fill: gather(shape, one, ifmap, fill),
            pass_order(shape.r, shape.s, one.channels.size, self.mapping.q),
        )
