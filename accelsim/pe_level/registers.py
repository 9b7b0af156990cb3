"""What both arrays are made of: cells of registers, pipelines, feeders.

An array of cells has a row above and a column left of those of the PEs: the wires that the edges
drive. The cell of PE (i, j) is [i + 1, j + 1]; it reads those above and to the left, and loads its
own. The PEs are stepped from the last to the first, so that a PE still reads what its neighbors had
at the start of the cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from accelsim.compilation import jit

__all__ = [
    "EMPTY", "LATE", "LEFT", "LOADER", "TOP", "Timing", "cells", "due", "feeders", "keep", "passed",
    "pipelines", "put", "schedule_of", "token",
]  # fmt: skip

EMPTY = -1
"""The pass that a token belongs to where the valid bit is off."""
LATE = -2
"""What a feeder returns that would have to drive two things at once."""
LEFT, TOP, LOADER = 0, 1, 2
"""Feeders: a row's at the left edge, a column's at the top edge, that of rows to load."""


class Timing(NamedTuple):
    """Cycles of a PE, and from one operand to the next of a row."""

    multiply: int
    add: int
    multiply_interval: int
    add_interval: int
    interval: int


_FEEDER = np.dtype([("owner", np.int64), ("element", np.int64)])
_PASS = np.dtype(
    [
        (name, np.int64)
        for name in (
            "start",  # cycle of the first operand
            "rows",  # used by the pass
            "cols",
            "first_row",  # first output (os) or k (ws, is) of the rows
            "first_col",  # first output of the columns
            "count",  # operands that stream through a row
            "reads",  # 1: the sums go on from stored psums
            "loads",  # rows of psums (os) or stationary operands (ws, is) that are shifted in
        )
    ]
)


def token(kind: DTypeLike, *more: str) -> np.dtype[Any]:
    """Return what a register of *kind* values holds: its pass, which element of that, the value.

    *more* are names of further integers.
    """
    integers = [(name, np.int64) for name in ("owner", "index", *more)]
    return np.dtype([*integers, ("value", kind)], align=True)


def cells(rows: int, cols: int, **fields: DTypeLike) -> NDArray[Any]:
    """Return the cells of an array, with empty registers where a field is a `token`."""
    made = np.zeros((rows + 1, cols + 1), np.dtype(list(fields.items()), align=True))
    for name in fields:
        if made[name].dtype.names is not None:
            made[name]["owner"] = EMPTY
    # Records have attributes without Numba, too.
    return made.view(np.recarray)


def pipelines(rows: int, cols: int, depth: int, kind: DTypeLike) -> NDArray[Any]:
    """Return the registers of a pipeline in every PE, *depth* each (but for 0: one, not used)."""
    stages = np.zeros((rows, cols, max(1, depth)), token(kind))
    stages["owner"] = EMPTY
    return stages.view(np.recarray)


def feeders(lanes: int) -> NDArray[Any]:
    """Return so many feeders before their first pass: each the pass and element that come next."""
    return np.zeros(lanes, _FEEDER).view(np.recarray)


def schedule_of(passes: Sequence[tuple[int, ...]]) -> NDArray[Any]:
    """Return the schedule, a pass a place, of tuples with the fields of a pass."""
    return np.array(list(passes), _PASS).view(np.recarray)


@jit
def put(place, owner, index, value):  # type: ignore[no-untyped-def]
    """Load a register."""
    place.owner, place.index, place.value = owner, index, value


@jit
def keep(log, own, i, j, a, w):  # type: ignore[no-untyped-def]
    """Enter what the multiplier of PE (i, j) takes into the log, where that has room."""
    if own.fed < log.shape[2]:
        log[i, j, own.fed, 0], log[i, j, own.fed, 1] = a, w
        own.fed += 1


@jit
def passed(stages, i, j, depth, t, owner, index, value):  # type: ignore[no-untyped-def]
    """Return what leaves the pipeline of PE (i, j) in cycle *t*, in which the rest enters it.

    The register that is read is the one that loads: what is in the others need not be copied.
    """
    if depth == 0:
        return owner, index, value
    place = stages[i, j, t % depth]
    out = place.owner, place.index, place.value
    put(place, owner, index, value)
    return out


@jit
def due(feeder, schedule, side, lane, offset, interval, t):  # type: ignore[no-untyped-def]
    """Return (pass, element) that *feeder* drives in cycle *t*; the pass is EMPTY for nothing.

    Element e of pass p is due at ``start + offset + e * interval`` if the pass uses the row or
    column *lane*. A feeder that missed one returns (LATE, pass): two were due at once, or an
    earlier one after a later.
    """
    p, e = feeder.owner, feeder.element
    while p < schedule.size:
        one = schedule[p]
        count = one.loads if side == LOADER else one.count
        used = one.rows if side == LEFT else one.cols if side == TOP else count
        if lane < used and e < count:
            at = one.start + offset + e * interval - (count if side == LOADER else 0)
            if at > t:
                return EMPTY, 0
            if at < t:
                return LATE, p
            feeder.owner, feeder.element = p, e + 1
            return p, e
        p, e = p + 1, 0
        feeder.owner, feeder.element = p, e
    return EMPTY, 0
