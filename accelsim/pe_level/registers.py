"""What both arrays are made of: wires and registers with what is on them, pipelines, feeders.

Arrays of wires have a place more than there are PEs, along the way that they lead: PE (i, j) reads
[i, j] and loads its register at [i, j + 1], or [i + 1, j]; place 0 is driven by the edge. The PEs
are stepped from the last to the first, so that a PE still reads what its neighbors had at the start
of the cycle.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from accelsim.compilation import jit

__all__ = [
    "EMPTY", "LATE", "Feeders", "Schedule", "Timing", "Tokens", "due", "passed", "pipe", "put",
]  # fmt: skip

EMPTY = -1
"""The number of a pass where the valid bit is off."""
LATE = -2
"""What a feeder returns that would have to drive two things at once."""

Integers = NDArray[np.int64]


class Timing(NamedTuple):
    """Cycles of a PE, and from one operand to the next of a row."""

    multiply: int
    add: int
    multiply_interval: int
    add_interval: int
    interval: int


class Schedule(NamedTuple):
    """The passes in order, one a place; each array is int64 of as many places."""

    start: Integers
    """Cycle of the first operand."""
    rows: Integers
    cols: Integers
    """Used by the pass."""
    first_row: Integers
    """First output (os) or k (ws, is) of the rows."""
    first_col: Integers
    """First output of the columns."""
    count: Integers
    """Operands that stream through a row."""
    reads: Integers
    """1: the sums go on from stored psums."""


class Tokens(NamedTuple):
    """What registers hold: the pass (`EMPTY`: nothing), which element of it, its value."""

    passes: Integers
    index: Integers
    value: NDArray[Any]

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: DTypeLike) -> Tokens:
        """Return registers that hold nothing."""
        return cls(np.full(shape, EMPTY), np.zeros(shape, np.int64), np.zeros(shape, dtype))


class Feeders(NamedTuple):
    """Places at an edge, one a row or column: the pass and element that each drives next."""

    passes: Integers
    element: Integers

    @classmethod
    def of(cls, lanes: int) -> Feeders:
        """Return feeders before their first pass."""
        return cls(np.zeros(lanes, np.int64), np.zeros(lanes, np.int64))


def pipe(cycles: int, rows: int, cols: int, dtype: DTypeLike) -> Tokens:
    """Return the registers of a pipeline of *cycles* in every PE; 0: none."""
    return Tokens.of((rows, cols, cycles), dtype)


@jit
def put(tokens, i, j, p, e, value):  # type: ignore[no-untyped-def]
    """Load element *e* of pass *p* into the register at [i, j]."""
    tokens.passes[i, j], tokens.index[i, j], tokens.value[i, j] = p, e, value


@jit
def passed(stages, i, j, t, p, e, value):  # type: ignore[no-untyped-def]
    """Return what leaves the pipeline of PE (i, j) in cycle *t*, in which the rest enters it.

    The register that is read is the one that loads: what is in the others need not be copied.
    """
    depth = stages.passes.shape[2]
    if depth == 0:
        return p, e, value
    at = t % depth
    out = stages.passes[i, j, at], stages.index[i, j, at], stages.value[i, j, at]
    stages.passes[i, j, at], stages.index[i, j, at], stages.value[i, j, at] = p, e, value
    return out


@jit
def due(feeders, lane, start, count, used, interval, t):  # type: ignore[no-untyped-def]
    """Return (pass, element) that a feeder drives in cycle *t*; the pass is EMPTY for nothing.

    Element e of pass p is due at ``start[p] + e * interval``, if ``lane < used[p]``. A feeder that
    missed one returns (LATE, pass): two were due at once, or an earlier one after a later.
    """
    p, e = feeders.passes[lane], feeders.element[lane]
    while p < start.size and (used[p] <= lane or e == count[p]):
        p, e = p + 1, 0
    feeders.passes[lane], feeders.element[lane] = p, e
    if p == start.size or start[p] + e * interval > t:
        return EMPTY, 0
    if start[p] + e * interval < t:
        return LATE, p
    feeders.element[lane] = e + 1
    return p, e
