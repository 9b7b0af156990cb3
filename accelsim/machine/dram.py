"""DRAM: a word-addressed memory behind one channel, served in the order of requests."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import simpy

from accelsim.machine.block import Block
from accelsim.machine.dram_timing import dram_timing
from accelsim.machine.glb import Glb
from accelsim.machine.memory import Memory
from accelsim.machine.state import Process, State

__all__ = ["Dram"]


class Dram(Memory):
    """Memory and channel.

    Parameters
    ----------
    state : State
        Clock, books and configuration.
    glb : Glb
        Whose ports the other end of every transfer goes through.
    words : int
        Size of the memory.
    values : bool
        False: transfers take their time but carry no data.
    constants : iterable of (Block, float32 array)
        What lies there from the start and is never written, as of `Memory`.
    """

    def __init__(
        self,
        state: State,
        glb: Glb,
        words: int,
        *,
        values: bool,
        constants: Iterable[tuple[Block, np.ndarray]] = (),
    ) -> None:
        super().__init__("DRAM", words, values=values, constants=constants)
        self.state, self.glb = state, glb
        self.timing = dram_timing(state.accelerator)
        self.data_end = 0
        """Cycle at which the last transfer's data ended."""
        self.row_hits = self.row_misses = 0
        """Bursts so far that found their row open, and that did not."""
        self.last: simpy.Event | None = None
        """The process of the transfer that was requested last: the channel is free at its end."""

    def read(self, what: str, partition: str, source: Block, tile: int) -> Process:
        """Transfer *source* to the chip; return its words as an array of shape counts, or None."""
        yield from self._transfer("read", what, partition, source, tile)
        return self.peek(source)

    def write(
        self, what: str, partition: str, target: Block, data: np.ndarray | None, tile: int
    ) -> Process:
        """Transfer *data* (shape counts) from the chip to *target*."""
        yield from self._transfer("write", what, partition, target, tile)
        self.load(target, data)

    def _transfer(
        self, direction: str, what: str, partition: str, block: Block, tile: int
    ) -> Process:
        if block.words == 0:
            return
        issued, before = self.state.now, self.last
        self.last = self.state.env.active_process
        if before is not None and not before.triggered:
            yield before
        timing = self.timing.transfer(block, write=direction == "write")
        start = max(issued + timing.latency_cycles, self.data_end + timing.gap_cycles)
        cycles = start + timing.data_cycles - self.state.now
        name, words = f"{direction} {what}", {partition: block.words}
        yield from self.glb.busy("dram", name, cycles, tile, words, with_block=f"dma_{direction}")
        self.data_end = self.state.now
        self.row_hits += timing.row_hits
        self.row_misses += timing.row_misses
        counts = self.state.counts
        counts["dram", direction] += block.words
        if bursts := timing.row_hits + timing.row_misses:
            counts["dram", f"{direction}_burst"] += bursts
            counts["dram", "activate"] += timing.row_misses
