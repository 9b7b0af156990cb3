"""What all runs of MAC layers share: blocks and slots, and the way of outputs behind the array.

.. code-block:: none

    dma --(ifmap, weight slots)--> array --(ofmap slots)--> vector_unit --> dma

Blocks are created in this order, so of two that act in the same cycle the earlier one acts first.
What DMA and array do, tile by tile or pass by pass, is the run's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass

import numpy as np
import simpy

from accelsim.accumulators import accumulator_of
from accelsim.dataflows.base import PeBlock
from accelsim.dataflows.row_pass import RowPass
from accelsim.dataflows.tiling import Tile
from accelsim.kernels import relu
from accelsim.layer import WORD_BYTES, Operand
from accelsim.machine.block import Block
from accelsim.machine.dma import Dma, Transfers
from accelsim.machine.glb import PARTITIONS, Glb
from accelsim.machine.layout import bias_block, weight_block
from accelsim.machine.program import MacStep, unit_work
from accelsim.machine.state import Handover, Process, State, moving
from accelsim.machine.sums import Sums, sums_of
from accelsim.multipliers import MULTIPLIERS
from accelsim.quantization import layer_quantization, scheme_of

__all__ = ["ArrayRun", "Operands", "Outputs"]


@dataclass
class Operands:
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

    def values(self, owner: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the words of ifmap and weights; *owner* is for the message where there are none.

        Raises
        ------
        ValueError
            One has not been fetched, or carries no data.
        """
        ifmap, weights = (None if one is None else one.value for one in (self.ifmap, self.weights))
        if ifmap is None or weights is None:
            raise ValueError(f"{owner} has no operands")
        return ifmap, weights


@dataclass
class Outputs:
    """Psums of some outputs, from their first channels to their write-back."""

    index: int
    """Of the tile that started them."""
    target: Block
    """Where they go: (images, filters, rows, columns)."""
    bias: np.ndarray | None = None
    sums: Sums | None = None
    ofmap: np.ndarray | None = None
    """float32, (filters, pixels), when the vector unit has made it."""

    @property
    def filters(self) -> int:
        """Filters that they are outputs of."""
        return self.target.counts[1]

    @property
    def pixels(self) -> int:
        """Outputs of a filter."""
        return self.target.words // self.filters

    @property
    def data(self) -> np.ndarray | None:
        """The finished words as they lie in the target; None without values."""
        if self.ofmap is None:
            return None
        images, filters, rows, columns = self.target.counts
        return self.ofmap.reshape(filters, images, rows, columns).swapaxes(0, 1)


class ArrayRun(ABC):
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
    drains : int
        How often the array hands outputs to the vector unit.
    """

    def __init__(self, state: State, glb: Glb, dma: Dma, step: MacStep, drains: int) -> None:
        self.state, self.glb, self.dma, self.step, self.drains = state, glb, dma, step, drains
        self.values = dma.dram.values
        machine = state.machine_of(step.name)
        self.multiplier = MULTIPLIERS[machine.multiplier]
        self.accumulator = accumulator_of(self.multiplier, machine.accumulator)
        self.psum_words = self.accumulator.bytes // WORD_BYTES
        self.work = unit_work(machine)
        # Constants are integers beforehand; a matmul's second operand is none.
        self.quantizes_weights = self.work.quantizes and isinstance(step.layer.weight, Operand)
        self.quantization = None
        if self.values:
            scheme = scheme_of(machine)
            self.quantization = layer_quantization(step.layer, self.multiplier, scheme)
        self.free = {name: glb.free_slots(name) for name in PARTITIONS}
        self.fetched, self.summed, self.finished = (
            Handover(state, what) for what in ("operands", "psums", "ofmaps")
        )
        self.spilled_words = self.forwarded_words = 0
        self.compute_cycles = 0
        self.pe_blocks: Counter[PeBlock] = Counter()
        """What PEs do in a pass -> passes so far in which they do."""

    def start(self) -> simpy.Event:
        """Start the three blocks; the event returned happens when all have finished."""
        env = self.state.env
        blocks = (self._dma(), self._array(), self._vector_unit())
        return simpy.AllOf(env, [env.process(block) for block in blocks])

    @abstractmethod
    def _dma(self) -> Process:
        """Fetch operands into ``fetched``, write what is in ``finished`` back."""

    @abstractmethod
    def _array(self) -> Process:
        """Take operands out of ``fetched``, put outputs into ``summed``."""

    def _fetch(self, tile: Tile | RowPass, ifmap: Block, before: Operands) -> Process:
        """Issue the transfers of what *tile* needs and the tile before has not brought.

        *ifmap*: its ifmap words; *before*: the operands of the tile before.
        """
        operands = Operands(before.ifmap, before.weights, before.bias)
        if tile.fetch_weights:
            yield from self.free["weight"].take("dma")
            weights = weight_block(self.step, tile)
            operands.weights = yield from self.dma.read("weight", "weight", weights, tile.index)
            if self.step.bias is not None and tile.ends_psums:
                bias = bias_block(self.step.bias, self.step, tile)
                operands.bias = yield from self.dma.read("bias", "weight", bias, tile.index)
        if self.step.stays.ifmap:
            operands.ifmap = self.glb.found(ifmap)
        elif tile.fetch_ifmap:
            yield from self.free["ifmap"].take("dma")
            operands.ifmap = yield from self.dma.read("ifmap", "ifmap", ifmap, tile.index)
        return operands

    def _vector_unit(self) -> Process:
        lanes, counts = self.state.accelerator.vector_unit.lanes, self.state.counts
        for _ in range(self.drains):
            outputs = yield from self.summed.take("vector_unit")
            m, n = outputs.pixels, outputs.filters
            biases = n if self.step.bias is not None else 0
            operations = {
                "add": m * biases + m * n * self.work.additions,
                "compare": m * n if self.step.relu else 0,
                "multiply": m * n * self.work.multiplies,
            }
            cycles = -(-sum(operations.values()) // lanes)
            words = {"ofmap": m * n * (self.psum_words + 1), "weight": biases} if cycles else {}
            yield from self.glb.busy(
                "vector_unit", "drain", cycles, outputs.index, words, work=moving(words)
            )
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

    def _write_outputs(self) -> Transfers:
        """Issue the transfer of the next finished outputs to where they go."""
        slots = self.free["ofmap"]
        outputs = yield from self.finished.take("dma")
        if self.step.stays.ofmap:
            self.glb.resident.load(outputs.target, outputs.data)
            self.forwarded_words += outputs.target.words
            slots.put()
            return []
        write = self.dma.write("ofmap", outputs.target, outputs.data, outputs.index, slots)
        return [(yield from write)]

    def _sums(self, outputs: Outputs, first_filter: int) -> Sums:
        """Return the psums of *outputs*, zeros at first; its filters start with *first_filter*."""
        if outputs.sums is None:
            own = None
            if self.quantization is not None:
                own = self.quantization.filters(slice(first_filter, first_filter + outputs.filters))
            shape = outputs.filters, outputs.pixels
            outputs.sums = sums_of(self.multiplier, self.accumulator, shape, own)
        return outputs.sums
