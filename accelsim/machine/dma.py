"""DMA: one engine that works off descriptors in the order of the program.

The engine issues a descriptor as soon as its tile may move (a slot is free, an ofmap is finished)
and its queue has a place; up to ``dma.queue_depth`` are under way. The channel serves them in the
order of issue. That order is the program's and never depends on how long anything takes: which
rows of the DRAM are open when, is the same at any bandwidth, and a faster part cannot make the
whole slower, as it can where requests are served as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any

import numpy as np
import simpy

from accelsim.machine.block import Block
from accelsim.machine.dram import Dram
from accelsim.machine.state import Handover, Process, State

__all__ = ["Dma", "Issue", "Transfers"]

Issue = Generator[simpy.Event, Any, simpy.Process]
"""What issues a transfer and returns its process."""

Transfers = Generator[simpy.Event, Any, list[simpy.Process]]
"""What issues some transfers."""


class Dma:
    """Issues transfers between DRAM and GLB.

    Parameters
    ----------
    state : State
        Clock, books and configuration.
    dram : Dram
        Where transfers go.
    """

    def __init__(self, state: State, dram: Dram) -> None:
        self.state, self.dram = state, dram
        self.under_way: deque[simpy.Process] = deque(maxlen=state.accelerator.dma.queue_depth)
        """The last transfers issued, which end in this order."""

    def read(self, what: str, partition: str, source: Block, tile: int) -> Issue:
        """Issue a transfer of *source* into a GLB *partition*; its process returns the words."""
        self.state.counts[f"glb.{partition}", "write"] += source.words
        return (yield from self._issue(self.dram.read(what, partition, source, tile)))

    def write(
        self,
        what: str,
        target: Block,
        data: np.ndarray | None,
        tile: int,
        slots: Handover,
    ) -> Issue:
        """Issue a transfer of *data* (shape counts) from the ofmap partition to *target*.

        When the words have left, *slots* has one free slot more.
        """
        self.state.counts["glb.ofmap", "read"] += target.words
        return (yield from self._issue(self.dram.write(what, "ofmap", target, data, tile), slots))

    def _issue(self, transfer: Process, slots: Handover | None = None) -> Issue:
        full = len(self.under_way) == self.under_way.maxlen
        if full and self.under_way[0].is_alive:
            yield from self.state.wait("dma", "a place in its queue", self.under_way[0])
        issued = self.state.env.process(self._run(transfer, slots))
        self.under_way.append(issued)
        return issued

    def _run(self, transfer: Process, slots: Handover | None) -> Process:
        data = yield from transfer
        if slots is not None:
            slots.put()
        return data
