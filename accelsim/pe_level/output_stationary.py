"""The output-stationary array, a cycle at a time; `accelsim.pe_level` says what it is made of."""

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

__all__ = ["OutputArray", "output_stationary"]

VACANT, LOADED, RUNNING, COMPLETE = 0, 1, 2, 3
"""State of a psum register. Its index is the row that a LOADED or COMPLETE psum belongs to, the
number of products in a RUNNING one."""


class OutputArray(NamedTuple):
    """All registers of the array, and its feeders."""

    cells: NDArray[Any]
    """Operand registers *activation* and *weight*; *psum* and *second*, each with a *state*; the
    first cycles in which multiplier and adder take the next."""
    multipliers: NDArray[Any]
    adders: NDArray[Any]
    left: NDArray[Any]
    top: NDArray[Any]
    loader: NDArray[Any]

    @classmethod
    def of(
        cls, rows: int, cols: int, multiply: int, add: int, kinds: tuple[DTypeLike, ...]
    ) -> OutputArray:
        """Return an empty array; *kinds*: dtypes of operands, products and psums."""
        operand, product, psum = kinds
        return cls(
            cells(
                rows,
                cols,
                activation=token(operand),
                weight=token(operand),
                psum=token(psum, "state"),
                second=token(psum, "state"),
                multiplier_free=np.int64,
                fed=np.int64,
                adder_free=np.int64,
            ),
            pipelines(rows, cols, multiply, product),
            pipelines(rows, cols, add - 1, psum),
            feeders(rows),
            feeders(cols),
            feeders(1),
        )


@jit
def _chain(cell, second):  # type: ignore[no-untyped-def]
    """Return the second register of a PE, or its psum register."""
    return cell.second if second else cell.psum


@jit
def _feed(array, operands, memory, schedule, interval, second, t):  # type: ignore[no-untyped-def]
    """Drive the edges in cycle *t*; return (fault, pass, i, j, pass that loads)."""
    activations, weights = operands
    for i in range(array.left.size):
        p, e = due(array.left[i], schedule, LEFT, i, i, interval, t)
        if p == LATE:
            return Fault.feeder, e, i, 0, EMPTY
        wire = array.cells[i + 1, 0].activation
        wire.owner = p
        if p >= 0:
            put(wire, p, e, activations[schedule[p].first_row + i, e])
    for j in range(array.top.size):
        p, e = due(array.top[j], schedule, TOP, j, j, interval, t)
        if p == LATE:
            return Fault.feeder, e, 0, j, EMPTY
        wire = array.cells[0, j + 1].weight
        wire.owner = p
        if p >= 0:
            put(wire, p, e, weights[e, schedule[p].first_col + j])
    p, e = due(array.loader[0], schedule, LOADER, 0, 0, 1, t)
    if p == LATE:
        return Fault.loader, e, 0, 0, EMPTY
    for j in range(schedule[p].cols if p >= 0 else 0):
        one = schedule[p]
        i = one.loads - 1 - e
        wire = _chain(array.cells[0, j + 1], second)
        put(wire, p, i, memory[one.first_row + i, one.first_col + j])
        wire.state = LOADED
    return FINE, 0, 0, 0, p


@jit
def _drains(array, one, p, second):  # type: ignore[no-untyped-def]
    """Return whether the psum of the last PE of pass *p* is in its register."""
    last = _chain(array.cells[one.rows, one.cols], second)
    return last.state == COMPLETE and last.owner == p


@jit
def _addend(own, one, second, zero, p, e, i):  # type: ignore[no-untyped-def]
    """Return (fault, psum that product *e* of pass *p* is added to in row *i*)."""
    if e > 0:
        place = own.psum
        if place.state != RUNNING or place.owner != p or place.index != e:
            return Fault.sum_pending, zero
        return FINE, place.value
    if one.reads == 0:
        return FINE, zero
    place = _chain(own, second)
    if place.state != LOADED or place.owner != p or place.index != i:
        return Fault.psum_missing, zero
    # Nothing but its sum may come where it was.
    place.state, place.index = VACANT if second else RUNNING, 0
    return FINE, place.value


@jit
def _shift(place, above):  # type: ignore[no-untyped-def]
    """Load a register with what the one above it holds."""
    place.state = above.state
    put(place, above.owner, above.index, above.value)


@jit
def _load(own, above, one, p, second, i, j):  # type: ignore[no-untyped-def]
    """Shift the psums that pass *p* goes on from into PE (i, j); return a fault."""
    if i >= one.rows or j >= one.cols:
        return FINE
    place = _chain(own, second)
    if place.state != VACANT and place.owner != p:
        return Fault.overwritten
    _shift(place, _chain(above, second))
    return FINE


@jit
def _drain(own, above, memory, stored, one, p, second, left, i, j, t):  # type: ignore[no-untyped-def]
    """Shift the psums of pass *p*, *left* rows of which are to leave, out of PE (i, j)."""
    if i >= one.rows or j >= one.cols:
        return FINE
    place = _chain(own, second)
    complete = place.state == COMPLETE and place.owner == p
    if i == one.rows - 1:
        if not complete or place.index != left - 1:
            return Fault.shifted_early
        memory[one.first_row + place.index, one.first_col + j] = place.value
        stored[one.first_row + place.index, one.first_col + j] = t
    elif not complete and place.state != VACANT:
        return Fault.shifted_early
    _shift(place, _chain(above, second))
    if i == 0:
        place.state = VACANT
    return FINE


@jit
def _store_sum(own, one, second, p, e, total, i):  # type: ignore[no-untyped-def]
    """Load the sum of *e* + 1 products into its register in row *i*; return a fault."""
    last = e + 1 == one.count
    place = _chain(own, second and last)
    if place.state != VACANT and not (place.state == RUNNING and place.owner == p):
        return Fault.overwritten
    if last:
        own.psum.state = VACANT
    place.state = COMPLETE if last else RUNNING
    put(place, p, i if last else e + 1, total)
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
    jitted (array, (activations (m, k), weights (k, n)), (table, log), memory (m, n),
    stored (m, n), schedule, timing, (second registers load, second registers drain), limit)
    -> (fault, pass, i, j, cycle)
        Runs until all psums are stored, or up to cycle *limit*. Fills *memory* with the psums and
        *stored* with the cycle at whose end each is stored. *cycle* is the last one.
    """
    no_product, no_psum = zeros

    @jit
    def multiply(own, left, above, unit, schedule, interval, i, j, t):  # type: ignore[no-untyped-def]
        """Hand operands on; return (fault, the pair's pass and element, product)."""
        a, w = left.activation, above.weight
        p, e = a.owner, a.index
        if p != w.owner or (p >= 0 and e != w.index):
            return Fault.operands_apart, max(p, w.owner), e, no_product
        own.activation.owner = own.weight.owner = EMPTY
        if p < 0:
            return FINE, p, e, no_product
        if j + 1 < schedule[p].cols:
            put(own.activation, p, e, a.value)
        if i + 1 < schedule[p].rows:
            put(own.weight, p, e, w.value)
        if t < own.multiplier_free:
            return Fault.multiplier_busy, p, e, no_product
        own.multiplier_free = t + interval
        table, log = unit
        keep(log, own, i, j, a.value, w.value)
        return FINE, p, e, product(a.value, w.value, table)

    @jit
    def step(near, pipes, unit, schedule, timing, second, i, j, t):  # type: ignore[no-untyped-def]
        """Do PE (i, j) in cycle *t*; return (fault, what leaves its adder)."""
        own, left, above = near
        multipliers, adders = pipes
        total = no_psum
        fault, p, e, result = multiply(
            own, left, above, unit, schedule, timing.multiply_interval, i, j, t
        )
        if fault != FINE:
            return fault, p, e, total
        p, e, result = passed(multipliers, i, j, timing.multiply, t, p, e, result)
        if p >= 0:
            if t < own.adder_free:
                return Fault.adder_busy, p, e, total
            own.adder_free = t + timing.add_interval
            fault, psum = _addend(own, schedule[p], second, no_psum, p, e, i)
            if fault != FINE:
                return fault, p, e, total
            total = add(psum, result)
        p, e, total = passed(adders, i, j, timing.add - 1, t, p, e, total)
        return FINE, p, e, total

    @jit
    def run(  # type: ignore[no-untyped-def]
        array, operands, unit, memory, stored, schedule, timing, second, limit
    ):
        rows, cols = array.left.size, array.top.size
        grid, pipes = array.cells, (array.multipliers, array.adders)
        loads_second, drains_second = second
        drained, left = 0, 0
        for t in range(limit):
            fault, p, i, j, loads = _feed(
                array, operands, memory, schedule, timing.interval, loads_second, t
            )
            if fault != FINE:
                return fault, p, i, j, t
            if left == 0 and _drains(array, schedule[drained], drained, drains_second):
                left = schedule[drained].rows
            if loads >= 0 and left > 0 and not loads_second:
                return Fault.loader, loads, 0, 0, t
            one = schedule[drained]
            for i in range(rows - 1, -1, -1):
                for j in range(cols - 1, -1, -1):
                    own, above = grid[i + 1, j + 1], grid[i, j + 1]
                    near = own, grid[i + 1, j], above
                    fault, p, e, total = step(
                        near, pipes, unit, schedule, timing, loads_second, i, j, t
                    )
                    if fault != FINE:
                        return fault, p, i, j, t
                    if loads >= 0:
                        fault = _load(own, above, schedule[loads], loads, loads_second, i, j)
                        if fault != FINE:
                            return fault, loads, i, j, t
                    if left > 0:
                        fault = _drain(
                            own, above, memory, stored, one, drained, drains_second, left, i, j, t
                        )
                        if fault != FINE:
                            return fault, drained, i, j, t
                    if p >= 0:
                        fault = _store_sum(own, schedule[p], drains_second, p, e, total, i)
                        if fault != FINE:
                            return fault, p, i, j, t
            if left > 0:
                left -= 1
                drained += left == 0
            if drained == schedule.size:
                return FINE, drained, 0, 0, t
        return Fault.stuck, drained, 0, 0, limit

    return run
