"""The array with a stationary operand, a cycle at a time; see `accelsim.pe_level`.

Weight- and input-stationary are one array: rows are k, columns are outputs of the operand that
stays, the other streams. Only the unit has to be told which of them is the activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from accelsim.compilation import jit
from accelsim.pe_level.faults import FINE, Fault
from accelsim.pe_level.registers import (
    EMPTY,
    LATE,
    LEFT,
    LOADER,
    TOP,
    cells,
    due,
    feeders,
    keep,
    passed,
    pipelines,
    put,
    token,
)

__all__ = ["StationaryArray", "stationary_operand"]


class StationaryArray(NamedTuple):
    """All registers of the array, its feeders, and what the bottom edge stores next."""

    cells: NDArray[Any]
    """Operand register *streaming*; *loading*, which loading shifts (its index is the row that it
    is for); *working*: with a second register, the one that the multiplier reads; *psum*; the first
    cycles in which multiplier and adder take the next."""
    multipliers: NDArray[Any]
    adders: NDArray[Any]
    left: NDArray[Any]
    top: NDArray[Any]
    loader: NDArray[Any]
    bottom: NDArray[Any]
    """(cols): the pass and element that each column stores next."""
    stored_at: NDArray[np.int64]
    """(cols): the cycle in which each column stored last."""

    @classmethod
    def of(
        cls, rows: int, cols: int, multiply: int, add: int, kinds: tuple[DTypeLike, ...]
    ) -> StationaryArray:
        """Return an empty array; *kinds*: dtypes of operands, products and psums."""
        operand, product, psum = kinds
        return cls(
            cells(
                rows,
                cols,
                streaming=token(operand),
                loading=token(operand),
                working=token(operand),
                psum=token(psum),
                multiplier_free=np.int64,
                fed=np.int64,
                adder_free=np.int64,
            ),
            pipelines(rows, cols, multiply, product),
            pipelines(rows, cols, add - 1, psum),
            feeders(rows),
            feeders(cols),
            feeders(1),
            feeders(cols),
            np.full(cols, -1),
        )


@jit
def _feed_operands(array, operands, schedule, timing, t):  # type: ignore[no-untyped-def]
    """Drive left edge and loads in cycle *t*; return (fault, pass, i, j, pass that loads)."""
    streaming, stationary = operands
    for i in range(array.left.size):
        p, e = due(array.left[i], schedule, LEFT, i, i * timing.add, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, i, 0, EMPTY
        wire = array.cells[i + 1, 0].streaming
        wire.owner = p
        if p >= 0:
            put(wire, p, e, streaming[e, schedule[p].first_row + i])
    p, e = due(array.loader[0], schedule, LOADER, 0, 0, 1, t)
    if p == LATE:
        return Fault.loader, e, 0, 0, EMPTY
    if p >= 0:
        one = schedule[p]
        i = one.loads - 1 - e
        for j in range(one.cols):
            wire = array.cells[0, j + 1].loading
            put(wire, p, i, stationary[one.first_row + i, one.first_col + j])
    return FINE, 0, 0, 0, p


@jit
def _feed_psums(array, memory, summed, schedule, timing, zero, t):  # type: ignore[no-untyped-def]
    """Drive the psums of the first row in cycle *t*; return (fault, pass, 0, j)."""
    for j in range(array.top.size):
        p, e = due(array.top[j], schedule, TOP, j, timing.multiply + j, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, 0, j
        value = zero
        if p >= 0 and schedule[p].reads == 1:
            at = schedule[p].first_col + j
            if summed[e, at] != schedule[p].first_row:
                return Fault.read_early, p, 0, j
            value = memory[e, at]
        put(array.cells[0, j + 1].psum, p, e, value)
    return FINE, 0, 0, 0


@jit
def _stationary(own, second, p, e, i):  # type: ignore[no-untyped-def]
    """Return (whether it is there, the stationary operand for element *e* of pass *p*)."""
    working, loaded = own.working, own.loading
    if second and e > 0:
        return working.owner == p, working.value
    if second:
        put(working, p, i, loaded.value)
    return loaded.owner == p and loaded.index == i, loaded.value


@jit
def _store(array, memory, summed, stored, schedule, p, e, total, j, t):  # type: ignore[no-untyped-def]
    """Store what leaves column *j* at the end of cycle *t*; return a fault."""
    place = array.bottom[j]
    while place.owner < schedule.size and (
        schedule[place.owner].cols <= j or place.element == schedule[place.owner].count
    ):
        place.owner, place.element = place.owner + 1, 0
    if p != place.owner or e != place.element:
        return Fault.stored_out_of_order
    if array.stored_at[j] == t:
        return Fault.stored_twice
    array.stored_at[j] = t
    place.element += 1
    one = schedule[p]
    at = e, one.first_col + j
    memory[at], stored[at] = total, t
    summed[at] = one.first_row + one.rows
    return FINE


def stationary_operand(
    product: Callable[..., Any], add: Callable[..., Any], zeros: tuple[Any, Any]
) -> Callable[..., tuple[int, int, int, int, int]]:
    """Return the jitted model of the array of one unit.

    Parameters
    ----------
    product : jitted (activation, weight, table) -> product
    add : jitted (psum, product) -> psum
    zeros : (numpy scalar, numpy scalar)
        A product and a psum of 0.

    Returns
    -------
    jitted (array, (streaming (s, k), stationary (k, c)), (table, log), memory (s, c),
    stored (s, c), schedule, timing, (second register, stationary operand is the activation), limit)
    -> (fault, pass, i, j, cycle)
        Runs until all psums are stored, or up to cycle *limit*. Fills *memory* with the psums and
        *stored* with the cycle at whose end each is stored. *cycle* is the last one.
    """
    no_product, no_psum = zeros

    @jit
    def multiply(own, left, unit, schedule, interval, kind, i, j, t):  # type: ignore[no-untyped-def]
        """Hand the operand on; return (fault, its pass and element, product)."""
        second, stays = kind
        p, e, x = left.streaming.owner, left.streaming.index, left.streaming.value
        own.streaming.owner = EMPTY
        if p < 0:
            return FINE, p, e, no_product
        if j + 1 < schedule[p].cols:
            put(own.streaming, p, e, x)
        there, y = _stationary(own, second, p, e, i)
        if not there:
            return Fault.not_stationary, p, e, no_product
        if t < own.multiplier_free:
            return Fault.multiplier_busy, p, e, no_product
        own.multiplier_free = t + interval
        table, log = unit
        a, w = (y, x) if stays else (x, y)
        keep(log, own, i, j, a, w)
        return FINE, p, e, product(a, w, table)

    @jit
    def step(near, pipes, unit, schedule, timing, kind, loads, i, j, t):  # type: ignore[no-untyped-def]
        """Do PE (i, j) in cycle *t*; return (fault, what leaves its adder)."""
        own, left, above = near
        multipliers, adders = pipes
        total = no_psum
        fault, p, e, result = multiply(
            own, left, unit, schedule, timing.multiply_interval, kind, i, j, t
        )
        if fault != FINE:
            return fault, p, e, total
        if loads >= 0 and i < schedule[loads].rows and j < schedule[loads].cols:
            put(own.loading, above.loading.owner, above.loading.index, above.loading.value)
        p, e, result = passed(multipliers, i, j, timing.multiply, t, p, e, result)
        psum = above.psum
        if p != psum.owner or (p >= 0 and e != psum.index):
            return Fault.sum_apart, max(p, psum.owner), e, total
        if p >= 0:
            if t < own.adder_free:
                return Fault.adder_busy, p, e, total
            own.adder_free = t + timing.add_interval
            total = add(psum.value, result)
        p, e, total = passed(adders, i, j, timing.add - 1, t, p, e, total)
        return FINE, p, e, total

    @jit
    def run(  # type: ignore[no-untyped-def]
        array, operands, unit, memory, stored, schedule, timing, kind, limit
    ):
        rows, cols = array.left.size, array.top.size
        grid, pipes = array.cells, (array.multipliers, array.adders)
        summed = np.zeros(memory.shape, np.int64)
        left = 0
        for p in range(schedule.size):
            left += schedule[p].count * schedule[p].cols
        for t in range(limit):
            fault, p, i, j, loads = _feed_operands(array, operands, schedule, timing, t)
            if fault == FINE:
                fault, p, i, j = _feed_psums(array, memory, summed, schedule, timing, no_psum, t)
            if fault != FINE:
                return fault, p, i, j, t
            for i in range(rows - 1, -1, -1):
                for j in range(cols - 1, -1, -1):
                    own = grid[i + 1, j + 1]
                    near = own, grid[i + 1, j], grid[i, j + 1]
                    fault, p, e, total = step(
                        near, pipes, unit, schedule, timing, kind, loads, i, j, t
                    )
                    leaves = p >= 0 and i == schedule[p].rows - 1
                    if fault == FINE and leaves:
                        left -= 1
                        fault = _store(array, memory, summed, stored, schedule, p, e, total, j, t)
                    if fault != FINE:
                        return fault, p, i, j, t
                    put(own.psum, EMPTY if leaves else p, e, total)
            if left == 0:
                return FINE, 0, 0, 0, t
        return Fault.stuck, 0, 0, 0, limit

    return run
