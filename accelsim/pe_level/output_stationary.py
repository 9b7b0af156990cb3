"""The output-stationary array, a cycle at a time; see `accelsim.pe_level` for what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import DTypeLike, NDArray

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

__all__ = ["OutputArray", "output_stationary"]

VACANT, LOADED, RUNNING, COMPLETE = 0, 1, 2, 3
"""State of a psum register. Its index is the row that a LOADED or COMPLETE psum belongs to, the
number of products in a RUNNING one."""


class OutputArray(NamedTuple):
    """All registers of the array, its feeders, and the psum memory."""

    activations: Tokens
    weights: Tokens
    multipliers: Tokens
    adders: Tokens
    psums: Tokens
    """(2 * (rows + 1), cols): the psum registers, then the second ones."""
    state: Integers
    """Of *psums*."""
    multiplier_free: Integers
    adder_free: Integers
    """(rows, cols): first cycle in which one takes the next."""
    left: Feeders
    top: Feeders
    loader: Feeders

    @classmethod
    def of(
        cls, rows: int, cols: int, multiply: int, add: int, kinds: tuple[DTypeLike, ...]
    ) -> OutputArray:
        """Return an empty array; *kinds*: dtypes of operands, products and psums."""
        operand, product, psum = kinds
        psums = Tokens.of((2 * (rows + 1), cols), psum)
        free = psums.index[:rows]
        return cls(
            Tokens.of((rows, cols + 1), operand),
            Tokens.of((rows + 1, cols), operand),
            pipe(multiply, rows, cols, product),
            pipe(add - 1, rows, cols, psum),
            psums,
            psums.index.copy(),
            free.copy(),
            free.copy(),
            Feeders.of(rows),
            Feeders.of(cols),
            Feeders.of(1),
        )


@jit
def _feed(array, operands, memory, schedule, timing, load_chain, t):  # type: ignore[no-untyped-def]
    """Drive the edges in cycle *t*; return (fault, pass, i, j, pass that loads a row)."""
    activations, weights = operands
    for i in range(array.left.passes.size):
        start = schedule.start + i
        p, e = due(array.left, i, start, schedule.count, schedule.rows, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, i, 0, EMPTY
        value = activations[schedule.first_row[p] + i, e] if p >= 0 else activations[0, 0]
        put(array.activations, i, 0, p, e, value)
    for j in range(array.top.passes.size):
        start = schedule.start + j
        p, e = due(array.top, j, start, schedule.count, schedule.cols, timing.interval, t)
        if p == LATE:
            return Fault.feeder, e, 0, j, EMPTY
        value = weights[e, schedule.first_col[p] + j] if p >= 0 else weights[0, 0]
        put(array.weights, 0, j, p, e, value)
    start = schedule.start - schedule.rows
    p, e = due(array.loader, 0, start, schedule.rows, schedule.reads, 1, t)
    if p == LATE:
        return Fault.loader, e, 0, 0, EMPTY
    array.state[load_chain] = VACANT
    for j in range(schedule.cols[p] if p >= 0 else 0):
        i = schedule.rows[p] - 1 - e
        value = memory[schedule.first_row[p] + i, schedule.first_col[p] + j]
        put(array.psums, load_chain, j, p, i, value)
        array.state[load_chain, j] = LOADED
    return FINE, 0, 0, 0, p


@jit
def _drains(array, schedule, drain_chain, p):  # type: ignore[no-untyped-def]
    """Return whether the psum of the last PE of pass *p* is in its register."""
    at, j = drain_chain + schedule.rows[p], schedule.cols[p] - 1
    return array.state[at, j] == COMPLETE and array.psums.passes[at, j] == p


@jit
def _shift(array, at, j):  # type: ignore[no-untyped-def]
    """Load the register of row *at* of a chain with what is above it."""
    p, e = array.psums.passes[at - 1, j], array.psums.index[at - 1, j]
    put(array.psums, at, j, p, e, array.psums.value[at - 1, j])
    array.state[at, j] = array.state[at - 1, j]


@jit
def _addend(array, schedule, load_chain, zero, p, e, i, j):  # type: ignore[no-untyped-def]
    """Return (fault, psum that product *e* of pass *p* is added to in PE (i, j))."""
    if e > 0:
        at = i + 1
        held = array.psums.passes[at, j] == p and array.psums.index[at, j] == e
        if not held or array.state[at, j] != RUNNING:
            return Fault.sum_pending, zero
        return FINE, array.psums.value[at, j]
    if schedule.reads[p] == 0:
        return FINE, zero
    at = load_chain + i + 1
    held = array.psums.passes[at, j] == p and array.psums.index[at, j] == i
    if not held or array.state[at, j] != LOADED:
        return Fault.psum_missing, zero
    # Nothing but its sum may come where it was.
    array.state[at, j] = RUNNING if load_chain == 0 else VACANT
    array.psums.index[at, j] = 0
    return FINE, array.psums.value[at, j]


@jit
def _store_sum(array, schedule, drain_chain, p, e, total, i, j):  # type: ignore[no-untyped-def]
    """Load the sum of *e* + 1 products into its register in PE (i, j); return a fault."""
    last = e + 1 == schedule.count[p]
    at = (drain_chain if last else 0) + i + 1
    running = array.state[at, j] == RUNNING and array.psums.passes[at, j] == p
    if array.state[at, j] != VACANT and not running:
        return Fault.overwritten
    if last:
        array.state[i + 1, j] = VACANT
    put(array.psums, at, j, p, i if last else e + 1, total)
    array.state[at, j] = COMPLETE if last else RUNNING
    return FINE


@jit
def _move(array, memory, stored, schedule, chains, shifts, i, j, t):  # type: ignore[no-untyped-def]
    """Load a row's psum, or drain one, in PE (i, j); return a fault.

    *shifts* is (pass that loads, pass that drains, rows of it that are still to leave).
    """
    load_chain, drain_chain = chains
    loads, drains, left = shifts
    if loads >= 0 and i < schedule.rows[loads] and j < schedule.cols[loads]:
        at = load_chain + i + 1
        if array.state[at, j] != VACANT and array.psums.passes[at, j] != loads:
            return Fault.overwritten
        _shift(array, at, j)
    if drains >= 0 and i < schedule.rows[drains] and j < schedule.cols[drains]:
        at = drain_chain + i + 1
        own = array.state[at, j] == COMPLETE and array.psums.passes[at, j] == drains
        last = i == schedule.rows[drains] - 1
        if not own and (last or array.state[at, j] != VACANT):
            return Fault.shifted_early
        if last:
            row = array.psums.index[at, j]
            if row != left - 1:
                return Fault.shifted_early
            out = schedule.first_row[drains] + row, schedule.first_col[drains] + j
            memory[out], stored[out] = array.psums.value[at, j], t
        _shift(array, at, j)
    return FINE


def output_stationary(
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
    jitted (array, (activations (m, k), weights (k, n)), table, memory (m, n), stored (m, n),
    schedule, timing, (load chain, drain chain), limit) -> (fault, pass, i, j, cycle)
        Runs until all psums are stored, or up to cycle *limit*. Fills *memory* with the psums and
        *stored* with the cycle at whose end each is stored. *cycle* is the last one.
    """
    no_product, no_psum = zeros

    @jit
    def step(array, table, schedule, timing, load_chain, i, j, t):  # type: ignore[no-untyped-def]
        """Do PE (i, j) in cycle *t*; return (fault, what leaves its adder)."""
        p, e = array.activations.passes[i, j], array.activations.index[i, j]
        other = array.weights.passes[i, j]
        if p != other or (p >= 0 and e != array.weights.index[i, j]):
            return Fault.operands_apart, max(p, other), e, no_psum
        result, total = no_product, no_psum
        a, w = array.activations.value[i, j], array.weights.value[i, j]
        put(array.activations, i, j + 1, p if j + 1 < schedule.cols[p] else EMPTY, e, a)
        put(array.weights, i + 1, j, p if i + 1 < schedule.rows[p] else EMPTY, e, w)
        if p >= 0:
            if t < array.multiplier_free[i, j]:
                return Fault.multiplier_busy, p, e, no_psum
            array.multiplier_free[i, j] = t + timing.multiply_interval
            result = product(a, w, table)
        p, e, result = passed(array.multipliers, i, j, t, p, e, result)
        if p >= 0:
            if t < array.adder_free[i, j]:
                return Fault.adder_busy, p, e, no_psum
            array.adder_free[i, j] = t + timing.add_interval
            fault, psum = _addend(array, schedule, load_chain, no_psum, p, e, i, j)
            if fault != FINE:
                return fault, p, e, no_psum
            total = add(psum, result)
        p, e, total = passed(array.adders, i, j, t, p, e, total)
        return FINE, p, e, total

    @jit
    def run(  # type: ignore[no-untyped-def]
        array, operands, table, memory, stored, schedule, timing, chains, limit
    ):
        rows, cols = array.multiplier_free.shape
        drained, left = 0, 0
        for t in range(limit):
            fault, p, i, j, loads = _feed(
                array, operands, memory, schedule, timing, chains[0], t
            )
            if fault != FINE:
                return fault, p, i, j, t
            if left == 0 and _drains(array, schedule, chains[1], drained):
                left = schedule.rows[drained]
            drains = drained if left > 0 else EMPTY
            if loads >= 0 and drains >= 0 and chains[0] == chains[1]:
                return Fault.loader, loads, 0, 0, t
            shifts = loads, drains, left
            for i in range(rows - 1, -1, -1):
                for j in range(cols - 1, -1, -1):
                    fault, p, e, total = step(array, table, schedule, timing, chains[0], i, j, t)
                    if fault != FINE:
                        return fault, p, i, j, t
                    fault = _move(array, memory, stored, schedule, chains, shifts, i, j, t)
                    if fault != FINE:
                        return fault, max(loads, drains), i, j, t
                    if p >= 0:
                        fault = _store_sum(array, schedule, chains[1], p, e, total, i, j)
                        if fault != FINE:
                            return fault, p, i, j, t
            if left > 0:
                left -= 1
                drained += left == 0
            if drained == schedule.start.size:
                return FINE, drained, 0, 0, t
        return Fault.stuck, drained, 0, 0, limit

    return run
