"""GLB: room for tiles, and the ports that array, DMA and vector unit contend for.

Each partition has ``banks * ports`` ports (the whole GLB has them when it is unified). A client
keeps one port busy for ``ceil(words / port width)`` cycles while it does its work, and its work
lasts until both are done: a pass until its operands are fed and its psums stored, a transfer until
its words are in the GLB. Who finds no free port waits, first come, first served.
"""

from __future__ import annotations

from collections.abc import Mapping

import simpy

from accelsim.machine.block import Block
from accelsim.machine.memory import Memory
from accelsim.machine.state import NOTHING, Handover, Process, State, Work

__all__ = ["PARTITIONS", "RIVALS", "UNIFIED_RIVALS", "Glb"]

PARTITIONS = ("ifmap", "weight", "ofmap")

RIVALS = 3
"""Accesses of a partition that can be under way at once: array, DMA, vector unit."""

UNIFIED_RIVALS = 6
"""The same of the whole GLB: the array's ifmap, weights and psums; DMA; vector unit's two."""


class Glb:
    """Ports and slots.

    Parameters
    ----------
    state : State
        Clock, books and configuration.
    words : int
        Addresses of ofmaps that stay for the next layer.
    values : bool
        False: they hold nothing.
    """

    def __init__(self, state: State, words: int, *, values: bool) -> None:
        config = state.accelerator.glb
        self.resident = Memory("GLB", words, values=values)
        self.state, self.port_words, self.slots = state, config.port_words, config.slots
        capacity = config.banks * config.ports
        names = ("glb",) if config.unified else PARTITIONS
        self.ports = {name: simpy.Resource(state.env, capacity=capacity) for name in names}
        self.unified = config.unified
        # With a port for each client nobody ever waits, and an access is an event of its own only
        # where it may have to.
        self.contended = capacity < (UNIFIED_RIVALS if config.unified else RIVALS)

    def free_slots(self, operand: str) -> Handover:
        """Return the free slots for one operand at a layer's start: all of them."""
        return Handover(self.state, f"a free {operand} slot of the GLB", [None] * self.slots)

    def found(self, source: Block) -> simpy.Event:
        """Return the event, in no time, of finding *source* among the words that stayed."""
        return self.state.env.timeout(0, self.resident.peek(source))

    def cycles(self, cycles: int, words: Mapping[str, int]) -> int:
        """Return what work of *cycles* takes with its *words* where nobody contends for ports."""
        return max(cycles, -(-max(words.values(), default=0) // self.port_words))

    def busy(
        self,
        block: str,
        what: str,
        cycles: int,
        tile: int,
        words: Mapping[str, int],
        *,
        with_block: str | None = None,
        work: Work = NOTHING,
    ) -> Process:
        """Let *block* work for *cycles* and until *words* (by partition) went through the ports."""
        if not self.contended:
            longest = self.cycles(cycles, words)
            return self.state.busy(block, what, longest, tile, with_block=with_block, work=work)
        env = self.state.env
        jobs = [
            env.process(self._access(partition, -(-count // self.port_words)))
            for partition, count in words.items()
            if count
        ]
        done = simpy.AllOf(env, [env.timeout(cycles), *jobs])
        return self.state.busy_until(block, what, done, tile, with_block=with_block, work=work)

    def _access(self, partition: str, cycles: int) -> Process:
        with self.ports["glb" if self.unified else partition].request() as grant:
            yield grant
            yield self.state.env.timeout(cycles)
