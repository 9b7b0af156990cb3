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

Issue = Generator[simpy.Event, Any, simpy.Event]
"""What issues a transfer and returns the event of its end."""

Transfers = Generator[simpy.Event, Any, list[simpy.Event]]
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
        self.under_way: deque[simpy.Event] = deque(maxlen=state.accelerator.dma.queue_depth)
        """Ends of the last transfers issued, which come in this order."""

    def read(self, what: str, partition: str, source: Block, tile: int) -> Issue:
        """Issue a transfer of *source* into a GLB *partition*; its end brings the words."""
        self.state.counts[f"glb.{partition}", "write"] += source.words
        yield from self._place()
        return self._issued(self.dram.read(what, partition, source, tile))

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
        yield from self._place()
        return self._issued(self.dram.write(what, "ofmap", target, data, tile, slots))

    def _place(self) -> Process:
        """Wait for a place in the queue."""
        if len(self.under_way) == self.under_way.maxlen and not self.under_way[0].triggered:
            yield from self.state.wait("dma", "a place in its queue", self.under_way[0])

    def _issued(self, end: simpy.Event) -> simpy.Event:
        self.under_way.append(end)
        return end
