"""DRAM: a word-addressed memory behind one channel, served in the order of requests."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import simpy

from accelsim.layer import WORD_BYTES
from accelsim.machine.block import Block
from accelsim.machine.dram_timing import dram_timing
from accelsim.machine.glb import Glb
from accelsim.machine.memory import Memory
from accelsim.machine.state import Handover, Process, State, Work

__all__ = ["Dram"]


class _Request(NamedTuple):
    direction: str
    what: str
    partition: str
    block: Block
    tile: int
    data: np.ndarray | None
    slots: Handover | None
    """Has one free slot more at the end."""
    issued: int
    """Cycle of the request."""
    end: simpy.Event


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
        self.requests = Handover(state, "a request")
        state.env.process(self._channel())

    def read(self, what: str, partition: str, source: Block, tile: int) -> simpy.Event:
        """Request a transfer of *source* to the chip.

        The event returned is its end and brings the words as an array of shape counts, or None.
        """
        return self._request("read", what, partition, source, tile)

    def write(
        self,
        what: str,
        partition: str,
        target: Block,
        data: np.ndarray | None,
        tile: int,
        slots: Handover,
    ) -> simpy.Event:
        """Request a transfer of *data* (shape counts) from the chip to *target*; return its end.

        Then *slots* has one free slot more.
        """
        return self._request("write", what, partition, target, tile, data, slots)

    def history(self) -> Hashable:
        """Return what of the past the timing of the next transfers depends on, between layers.

        None where they depend on nothing, not even on where the words lie.
        """
        past = self.timing.history()
        return None if past is None else (past, self.state.now - self.data_end)

    def resume(self, history: Any) -> None:
        """Go on from a `history` as if its transfers had been made here, up to now."""
        if history is not None:
            past, since = history
            self.timing.resume(past)
            self.data_end = self.state.now - since

    def _request(
        self,
        direction: str,
        what: str,
        partition: str,
        block: Block,
        tile: int,
        data: np.ndarray | None = None,
        slots: Handover | None = None,
    ) -> simpy.Event:
        request = _Request(
            direction,
            what,
            partition,
            block,
            tile,
            data,
            slots,
            self.state.now,
            self.state.env.event(),
        )
        if block.words:
            self.requests.put(request)
        else:
            self._finish(request)
        return request.end

    def _channel(self) -> Process:
        """Serve one request after the other."""
        while True:
            request = yield from self.requests.take("dram")
            yield from self._transfer(request)
            self._finish(request)

    def _finish(self, request: _Request) -> None:
        """Move the words, and let who waits for them go on."""
        words = None
        if request.direction == "read":
            words = self.peek(request.block)
        else:
            self.load(request.block, request.data)
        if request.slots is not None:
            request.slots.put()
        request.end.succeed(words)

    def _transfer(self, request: _Request) -> Process:
        direction, block = request.direction, request.block
        timing = self.timing.transfer(block, write=direction == "write")
        start = max(request.issued + timing.latency_cycles, self.data_end + timing.gap_cycles)
        now = self.state.now
        name, words = f"{direction} {request.what}", {request.partition: block.words}
        cycles, with_block = start + timing.data_cycles - now, f"dma_{direction}"
        work = Work(block.words * WORD_BYTES, 0, now - request.issued, start - now)
        busy = self.glb.busy(
            "dram", name, cycles, request.tile, words, with_block=with_block, work=work
        )
        yield from busy
        self.data_end = self.state.now
        self.row_hits += timing.row_hits
        self.row_misses += timing.row_misses
        counts = self.state.counts
        counts["dram", direction] += block.words
        if bursts := timing.row_hits + timing.row_misses:
            counts["dram", f"{direction}_burst"] += bursts
            counts["dram", "activate"] += timing.row_misses
