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
    due,
    feeders,
    passed,
    put,
    tokens,
)

__all__ = ["OutputArray", "output_stationary"]

VACANT, LOADED, RUNNING, COMPLETE = 0, 1, 2, 3
"""State of a psum register. Its index is the row that a LOADED or COMPLETE psum belongs to, the
number of products in a RUNNING one."""


class OutputArray(NamedTuple):
    """All registers of the array, and its feeders."""

    activations: NDArray[Any]
    weights: NDArray[Any]
    multipliers: NDArray[Any]
    adders: NDArray[Any]
    psums: NDArray[Any]
    """(2, rows + 1, cols): the psum registers and the second ones."""
    state: NDArray[np.int64]
    """Of *psums*."""
    free: NDArray[np.int64]
    """(2, rows, cols): first cycle in which a multiplier, an adder takes the next."""
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
            tokens((rows, cols + 1), operand),
            tokens((rows + 1, cols), operand),
            tokens((rows, cols, multiply), product),
            tokens((rows, cols, add - 1), psum),
            tokens((2, rows + 1, cols), psum),
            np.zeros((2, rows + 1, cols), np.int64),
            np.zeros((2, rows, cols), np.int64),
            feeders(rows),
            feeders(cols),
            feeders(1),
        )


@jit
def _feed(array, operands, memory, schedule, interval, chain, t):  # type: ignore[no-untyped-def]
    """Drive the edges in cycle *t*; return (fault, pass, i, j, pass that loads into *chain*)."""
    activations, weights = operands
    for i in range(array.left.size):
        p, e = due(array.left[i], schedule, LEFT, i, i, interval, t)
        if p == LATE:
            return Fault.feeder, e, i, 0, EMPTY
        array.activations[i, 0].owner = p
        if p >= 0:
            put(array.activations[i, 0], p, e, activations[schedule[p].first_row + i, e])
    for j in range(array.top.size):
        p, e = due(array.top[j], schedule, TOP, j, j, interval, t)
        if p == LATE:
            return Fault.feeder, e, 0, j, EMPTY
        array.weights[0, j].owner = p
        if p >= 0:
            put(array.weights[0, j], p, e, weights[e, schedule[p].first_col + j])
    p, e = due(array.loader[0], schedule, LOADER, 0, 0, 1, t)
    if p == LATE:
        return Fault.loader, e, 0, 0, EMPTY
    array.state[chain, 0] = VACANT
    if p >= 0:
        one = schedule[p]
        i = one.loads - 1 - e
        for j in range(one.cols):
            value = memory[one.first_row + i, one.first_col + j]
            put(array.psums[chain, 0, j], p, i, value)
            array.state[chain, 0, j] = LOADED
    return FINE, 0, 0, 0, p


@jit
def _drains(array, one, p, chain):  # type: ignore[no-untyped-def]
    """Return whether the psum of the last PE of pass *p* is in its register."""
    i, j = one.rows, one.cols - 1
    return array.state[chain, i, j] == COMPLETE and array.psums[chain, i, j].owner == p


@jit
def _addend(array, one, chain, zero, p, e, i, j):  # type: ignore[no-untyped-def]
    """Return (fault, psum that product *e* of pass *p* is added to in PE (i, j))."""
    if e > 0:
        place = array.psums[0, i + 1, j]
        running = array.state[0, i + 1, j] == RUNNING
        if not running or place.owner != p or place.index != e:
            return Fault.sum_pending, zero
        return FINE, place.value
    if one.reads == 0:
        return FINE, zero
    place = array.psums[chain, i + 1, j]
    loaded = array.state[chain, i + 1, j] == LOADED
    if not loaded or place.owner != p or place.index != i:
        return Fault.psum_missing, zero
    # Nothing but its sum may come where it was.
    array.state[chain, i + 1, j] = RUNNING if chain == 0 else VACANT
    place.index = 0
    return FINE, place.value


@jit
def _load(array, one, p, chain, i, j):  # type: ignore[no-untyped-def]
    """Shift the psums that pass *p* goes on from into PE (i, j); return a fault."""
    if i >= one.rows or j >= one.cols:
        return FINE
    if array.state[chain, i + 1, j] != VACANT and array.psums[chain, i + 1, j].owner != p:
        return Fault.overwritten
    array.state[chain, i + 1, j] = array.state[chain, i, j]
    above = array.psums[chain, i, j]
    put(array.psums[chain, i + 1, j], above.owner, above.index, above.value)
    return FINE


@jit
def _drain(array, memory, stored, one, p, chain, left, i, j, t):  # type: ignore[no-untyped-def]
    """Shift the psums of pass *p*, *left* rows of which are to leave, out of PE (i, j)."""
    if i >= one.rows or j >= one.cols:
        return FINE
    place = array.psums[chain, i + 1, j]
    state = array.state[chain, i + 1, j]
    own = state == COMPLETE and place.owner == p
    if i == one.rows - 1:
        if not own or place.index != left - 1:
            return Fault.shifted_early
        memory[one.first_row + place.index, one.first_col + j] = place.value
        stored[one.first_row + place.index, one.first_col + j] = t
    elif not own and state != VACANT:
        return Fault.shifted_early
    array.state[chain, i + 1, j] = array.state[chain, i, j] if i > 0 else VACANT
    above = array.psums[chain, i, j]
    put(place, above.owner, above.index, above.value)
    return FINE


@jit
def _store_sum(array, one, chain, p, e, total, i, j):  # type: ignore[no-untyped-def]
    """Load the sum of *e* + 1 products into its register in PE (i, j); return a fault."""
    last = e + 1 == one.count
    into = chain if last else 0
    place, state = array.psums[into, i + 1, j], array.state[into, i + 1, j]
    if state != VACANT and not (state == RUNNING and place.owner == p):
        return Fault.overwritten
    if last:
        array.state[0, i + 1, j] = VACANT
    put(place, p, i if last else e + 1, total)
    array.state[into, i + 1, j] = COMPLETE if last else RUNNING
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
        Runs until all psums are stored, or up to cycle *limit*. A chain is 0, the psum registers,
        or 1, the second ones. Fills *memory* with the psums and *stored* with the cycle at whose
        end each is stored. *cycle* is the last one.
    """
    no_product, no_psum = zeros

    @jit
    def multiply(array, table, schedule, interval, i, j, t):  # type: ignore[no-untyped-def]
        """Hand operands on; return (fault, the pair's pass and element, product)."""
        a, w = array.activations[i, j], array.weights[i, j]
        p, e = a.owner, a.index
        if p != w.owner or (p >= 0 and e != w.index):
            return Fault.operands_apart, max(p, w.owner), e, no_product
        right, below = array.activations[i, j + 1], array.weights[i + 1, j]
        right.owner = below.owner = EMPTY
        if p < 0:
            return FINE, p, e, no_product
        if j + 1 < schedule[p].cols:
            put(right, p, e, a.value)
        if i + 1 < schedule[p].rows:
            put(below, p, e, w.value)
        if t < array.free[0, i, j]:
            return Fault.multiplier_busy, p, e, no_product
        array.free[0, i, j] = t + interval
        return FINE, p, e, product(a.value, w.value, table)

    @jit
    def step(array, table, schedule, timing, chain, i, j, t):  # type: ignore[no-untyped-def]
        """Do PE (i, j) in cycle *t*; return (fault, what leaves its adder)."""
        total = no_psum
        fault, p, e, result = multiply(array, table, schedule, timing.multiply_interval, i, j, t)
        if fault != FINE:
            return fault, p, e, total
        p, e, result = passed(array.multipliers[i, j], t, p, e, result)
        if p >= 0:
            if t < array.free[1, i, j]:
                return Fault.adder_busy, p, e, total
            array.free[1, i, j] = t + timing.add_interval
            fault, psum = _addend(array, schedule[p], chain, no_psum, p, e, i, j)
            if fault != FINE:
                return fault, p, e, total
            total = add(psum, result)
        p, e, total = passed(array.adders[i, j], t, p, e, total)
        return FINE, p, e, total

    @jit
    def run(  # type: ignore[no-untyped-def]
        array, operands, table, memory, stored, schedule, timing, chains, limit
    ):
        _, rows, cols = array.free.shape
        load_chain, drain_chain = chains
        drained, left = 0, 0
        for t in range(limit):
            fault, p, i, j, loads = _feed(
                array, operands, memory, schedule, timing.interval, load_chain, t
            )
            if fault != FINE:
                return fault, p, i, j, t
            if left == 0 and _drains(array, schedule[drained], drained, drain_chain):
                left = schedule[drained].rows
            if loads >= 0 and left > 0 and load_chain == drain_chain:
                return Fault.loader, loads, 0, 0, t
            for i in range(rows - 1, -1, -1):
                for j in range(cols - 1, -1, -1):
                    fault, p, e, total = step(array, table, schedule, timing, load_chain, i, j, t)
                    if fault != FINE:
                        return fault, p, i, j, t
                    if loads >= 0:
                        fault = _load(array, schedule[loads], loads, load_chain, i, j)
                        if fault != FINE:
                            return fault, loads, i, j, t
                    if left > 0:
                        one = schedule[drained]
                        fault = _drain(
                            array, memory, stored, one, drained, drain_chain, left, i, j, t
                        )
                        if fault != FINE:
                            return fault, drained, i, j, t
                    if p >= 0:
                        fault = _store_sum(array, schedule[p], drain_chain, p, e, total, i, j)
                        if fault != FINE:
                            return fault, p, i, j, t
            if left > 0:
                left -= 1
                drained += left == 0
            if drained == schedule.size:
                return FINE, drained, 0, 0, t
        return Fault.stuck, drained, 0, 0, limit

    return run
