"""The array with a stationary operand, a cycle at a time; see `accelsim.pe_level`.

Weight- and input-stationary are one array: rows are k, columns are outputs of the operand that
stays, the other streams. Only the unit has to be told which of them is the activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from accelsim.compilation import jit
from accelsim.pe_level.faults import FINE, Fault
from accelsim.pe_level.registers import (
    EMPTY,
    LATE,
    Feeders,
    Integers,
    Tokens,
    due,
    passed,
    pipe,
    put,
)

__all__ = ["StationaryArray", "stationary_operand"]


class StationaryArray(NamedTuple):
    """All registers of the array, its feeders, and what the edges know of the psum memory."""

    streaming: Tokens
    loading: Tokens
    """(rows + 1, cols): the registers that loading shifts; the index is the row they are for."""
    working: Tokens
    """(rows, cols): with a second register, the one that the multiplier reads."""
    psums: Tokens
    multipliers: Tokens
    adders: Tokens
    multiplier_free: Integers
    adder_free: Integers
    """(rows, cols): first cycle in which one takes the next."""
    left: Feeders
    top: Feeders
    loader: Feeders
    bottom: Feeders
    """The pass and element that each column stores next."""
    stored_at: Integers
    """(cols): cycle in which each column stored last."""

    @classmethod
    def of(
        cls, rows: int, cols: int, multiply: int, add: int, kinds: tuple[DTypeLike, ...]
    ) -> StationaryArray:
        """Return an empty array; *kinds*: dtypes of operands, products and psums."""
        operand, product, psum = kinds
        working = Tokens.of((rows, cols), operand)
        return cls(
            Tokens.of((rows, cols + 1), operand),
            Tokens.of((rows + 1, cols), operand),
            working,
            Tokens.of((rows + 1, cols), psum),
            pipe(multiply, rows, cols, product),
            pipe(add - 1, rows, cols, psum),
            working.index.copy(),
            working.index.copy(),
            Feeders.of(rows),
            Feeders.of(cols),
            Feeders.of(1),
            Feeders.of(cols),
            np.full(cols, -1),
        )


@jit
def _feed_operands(array, operands, schedule, timing, t):  # type: ignore[no-untyped-def]
    """Drive left edge and loads in cycle *t*; return (fault, pass, i, j, pass that loads)."""
    streaming, stationary = operands
    for i in range(array.left.passes.size):
        start = schedule.start + i * timing.add
        p, e = due(array.left, i, start, schedule.count, schedule.rows, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, i, 0, EMPTY
        value = streaming[e, schedule.first_row[p] + i] if p >= 0 else streaming[0, 0]
        put(array.streaming, i, 0, p, e, value)
    start = schedule.start - schedule.rows
    p, e = due(array.loader, 0, start, schedule.rows, schedule.rows, 1, t)
    if p == LATE:
        return Fault.loader, e, 0, 0, EMPTY
    for j in range(schedule.cols[p] if p >= 0 else 0):
        i = schedule.rows[p] - 1 - e
        value = stationary[schedule.first_row[p] + i, schedule.first_col[p] + j]
        put(array.loading, 0, j, p, i, value)
    return FINE, 0, 0, 0, p


@jit
def _feed_psums(array, memory, summed, schedule, timing, zero, t):  # type: ignore[no-untyped-def]
    """Drive the psums of the first row in cycle *t*; return (fault, pass, 0, j)."""
    for j in range(array.top.passes.size):
        start = schedule.start + timing.multiply + j
        p, e = due(array.top, j, start, schedule.count, schedule.cols, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, 0, j
        value = zero
        if p >= 0 and schedule.reads[p] == 1:
            at = e, schedule.first_col[p] + j
            if summed[at] != schedule.first_row[p]:
                return Fault.read_early, p, 0, j
            value = memory[at]
        put(array.psums, 0, j, p, e, value)
    return FINE, 0, 0, 0


@jit
def _stationary(array, second, p, e, i, j):  # type: ignore[no-untyped-def]
    """Return (whether it is there, the stationary operand for element *e* of pass *p*)."""
    if second and e > 0:
        return array.working.passes[i, j] == p, array.working.value[i, j]
    at = i + 1
    there = array.loading.passes[at, j] == p and array.loading.index[at, j] == i
    value = array.loading.value[at, j]
    if second:
        put(array.working, i, j, p, i, value)
    return there, value


@jit
def _store(array, memory, summed, stored, schedule, p, e, total, j, t):  # type: ignore[no-untyped-def]
    """Store what leaves column *j* at the end of cycle *t*; return a fault."""
    q, f = array.bottom.passes[j], array.bottom.element[j]
    while q < schedule.start.size and (schedule.cols[q] <= j or f == schedule.count[q]):
        q, f = q + 1, 0
    at = e, schedule.first_col[p] + j
    if p != q or e != f or array.stored_at[j] == t:
        return Fault.stored_twice
    array.bottom.passes[j], array.bottom.element[j] = q, f + 1
    array.stored_at[j] = t
    memory[at], stored[at] = total, t
    summed[at] = schedule.first_row[p] + schedule.rows[p]
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
    jitted (array, (streaming (s, k), stationary (k, c)), table, memory (s, c), stored (s, c),
    schedule, timing, (second register, stationary operand is the activation), limit)
    -> (fault, pass, i, j, cycle)
        Runs until all psums are stored, or up to cycle *limit*. Fills *memory* with the psums and
        *stored* with the cycle at whose end each is stored. *cycle* is the last one.
    """
    no_product, no_psum = zeros

    @jit
    def step(array, table, schedule, timing, kind, loads, i, j, t):  # type: ignore[no-untyped-def]
        """Do PE (i, j) in cycle *t*; return (fault, what leaves its adder)."""
        second, stays = kind
        result, total = no_product, no_psum
        p, e = array.streaming.passes[i, j], array.streaming.index[i, j]
        x = array.streaming.value[i, j]
        put(array.streaming, i, j + 1, p if j + 1 < schedule.cols[p] else EMPTY, e, x)
        if p >= 0:
            there, y = _stationary(array, second, p, e, i, j)
            if not there:
                return Fault.not_stationary, p, e, no_psum
            if t < array.multiplier_free[i, j]:
                return Fault.multiplier_busy, p, e, no_psum
            array.multiplier_free[i, j] = t + timing.multiply_interval
            result = product(y if stays else x, x if stays else y, table)
        if loads >= 0 and i < schedule.rows[loads] and j < schedule.cols[loads]:
            above = array.loading.passes[i, j], array.loading.index[i, j]
            put(array.loading, i + 1, j, above[0], above[1], array.loading.value[i, j])
        p, e, result = passed(array.multipliers, i, j, t, p, e, result)
        q = array.psums.passes[i, j]
        if p != q or (p >= 0 and e != array.psums.index[i, j]):
            return Fault.sum_apart, max(p, q), e, no_psum
        if p >= 0:
            if t < array.adder_free[i, j]:
                return Fault.adder_busy, p, e, no_psum
            array.adder_free[i, j] = t + timing.add_interval
            total = add(array.psums.value[i, j], result)
        p, e, total = passed(array.adders, i, j, t, p, e, total)
        return FINE, p, e, total

    @jit
    def run(  # type: ignore[no-untyped-def]
        array, operands, table, memory, stored, schedule, timing, kind, limit
    ):
        rows, cols = array.multiplier_free.shape
        summed = np.zeros(memory.shape, np.int64)
        left = (schedule.count * schedule.cols).sum()
        for t in range(limit):
            fault, p, i, j, loads = _feed_operands(array, operands, schedule, timing, t)
            if fault == FINE:
                fault, p, i, j = _feed_psums(array, memory, summed, schedule, timing, no_psum, t)
            if fault != FINE:
                return fault, p, i, j, t
            for i in range(rows - 1, -1, -1):
                for j in range(cols - 1, -1, -1):
                    fault, p, e, total = step(
                        array, table, schedule, timing, kind, loads, i, j, t
                    )
                    leaves = p >= 0 and i == schedule.rows[p] - 1
                    if fault == FINE and leaves:
                        left -= 1
                        fault = _store(
                            array, memory, summed, stored, schedule, p, e, total, j, t
                        )
                    if fault != FINE:
                        return fault, p, i, j, t
                    put(array.psums, i + 1, j, EMPTY if leaves else p, e, total)
            if left == 0:
                return FINE, 0, 0, 0, t
        return Fault.stuck, 0, 0, 0, limit

    return run
