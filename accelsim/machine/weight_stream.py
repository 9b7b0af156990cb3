"""A weight-stationary array that waits for its weights: DRAM, FIFO of tiles, array.

.. code-block:: none

    dram --(FIFO of weight tiles)--> array

Activations are on the chip. A pass starts when the pass before has left room for it and its tile
of weights is in the FIFO; the place in the FIFO is free again when the pass has taken its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import simpy

from accelsim.dataflows import Pass
from accelsim.machine.state import Clock, Process

__all__ = ["run_weight_stream"]


def run_weight_stream(passes: Sequence[Pass], *, fetch_cycles: int, fifo_tiles: int) -> int:
    """Return the cycles of *passes*, each of whose weights take *fetch_cycles* to come.

    Parameters
    ----------
    passes : sequence of Pass
        Of a dataflow whose weights stay.
    fetch_cycles : int
        From one tile of weights to the next.
    fifo_tiles : int
        Tiles that are on the chip before their pass.
    """
    clock = Clock()
    clock.layer = "weights"
    free = simpy.Container(clock.env, capacity=fifo_tiles, init=fifo_tiles)
    tiles = simpy.Store(clock.env)

    def fetch() -> Process:
        for number, _ in enumerate(passes):
            yield from clock.wait("dram", "room in the FIFO", free.get(1))
            yield from clock.busy("dram", "fetch weights", fetch_cycles, number)
            yield tiles.put(number)

    def compute() -> Process:
        for number, one in enumerate(passes):
            yield from clock.wait("array", "weights", tiles.get())
            yield free.put(1)
            yield from clock.busy("array", "pass", one.cycles, number)

    clock.run(simpy.AllOf(clock.env, [clock.env.process(fetch()), clock.env.process(compute())]))
    return clock.now
