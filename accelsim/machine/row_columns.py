"""The inside of a row-stationary pass: columns on their way through NoCs and PEs.

Once the weights of a pass are in the RFs:

.. code-block:: none

    ifmap NoC --(a column ahead)--> PEs --(a column behind)--> psum NoC out
    psum NoC in --(a column ahead)--^

A column is what the PEs need for, or make of, one ofmap column: new ifmap words for each window
(all of it at the start of a row), stored psums where the sum goes on. Each NoC multicasts: a word
that several PEs need crosses it once. A NoC works on the next column while PEs work on this one,
and no further ahead.

What goes on here depends on the sizes of a pass alone, so that each kind of pass is simulated once
(`PassTimes`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from fractions import Fraction
from functools import lru_cache
from typing import Any

import simpy

from accelsim.dataflows.row_pass import PassSizes, RowPass
from accelsim.dataflows.spatial import SpatialArray
from accelsim.layer import LayerShape

__all__ = ["PassTimes", "columns", "transfer_cycles"]


class PassTimes:
    """Cycles of the passes of one layer, once their weights are in the RFs."""

    def __init__(self, shape: LayerShape, array: SpatialArray) -> None:
        self.shape, self.array = shape, array
        self.known: dict[tuple[PassSizes, bool], int] = {}

    def cycles(self, one: RowPass, *, reads_psums: bool) -> int:
        """Return the cycles of *one*, as long as all words that it needs are in the GLB."""
        kind = one.sizes, reads_psums
        if kind not in self.known:
            env = simpy.Environment()
            inside = columns(env, one, self.shape, self.array, reads_psums=reads_psums)
            env.run(until=env.process(inside))
            self.known[kind] = int(env.now)
        return self.known[kind]


@lru_cache(maxsize=4096)
def transfer_cycles(words: int, words_per_cycle: int | Fraction | None) -> int:
    """Return the whole cycles that *words* take; None: no time."""
    return 0 if words_per_cycle is None else int(-(-words // words_per_cycle))


def columns(
    env: simpy.Environment,
    one: RowPass,
    shape: LayerShape,
    array: SpatialArray,
    *,
    reads_psums: bool,
) -> Generator[simpy.Event, Any, None]:
    """Let NoC and PEs work on all columns of a pass whose weights are in the RFs."""
    count = one.windows
    rows = one.ifmap_rows(shape) * one.channels.size
    new = min(shape.stride[1], shape.s)
    ifmap = deque(
        transfer_cycles(
            rows * (new if column % one.columns.size else shape.s), array.ifmap_words_per_cycle
        )
        for column in range(count)
    )
    psums = transfer_cycles(
        one.filters.size * one.rows.size * array.psum_words, array.psum_words_per_cycle
    )
    work = one.column_cycles(shape, array)
    slots = [simpy.Container(env, capacity=1, init=1) for _ in range(3)]
    ready = [simpy.Store(env) for _ in range(3)]

    def bring(place: int, times: deque[int]) -> Generator[simpy.Event, Any, None]:
        for cycles in times:
            yield slots[place].get(1)
            yield env.timeout(cycles)
            yield ready[place].put(None)

    def compute() -> Generator[simpy.Event, Any, None]:
        for _ in range(count):
            for place in (0, 1):
                yield ready[place].get()
            for place in (0, 1):
                yield slots[place].put(1)
            yield env.timeout(work)
            yield slots[2].get(1)
            yield ready[2].put(None)

    def leave() -> Generator[simpy.Event, Any, None]:
        for _ in range(count):
            yield ready[2].get()
            yield env.timeout(psums)
            yield slots[2].put(1)

    entering = deque([psums if reads_psums else 0] * count)
    blocks = (bring(0, ifmap), bring(1, entering), compute(), leave())
    yield simpy.AllOf(env, [env.process(block) for block in blocks])
    yield env.timeout(one.end_cycles(shape, array))
