"""Evaluation: what a netlist's nets are, and how often they change, 64 operands a word.

Functional toggles compare the settled values of one operand pair and the next, as if gates had no
delay. Unit-delay toggles step from one settled state to the next with every gate a unit late, and
count all changes on the way, glitches too: words then hold 64 transitions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits.bitslices import (
    HA,
    LANES,
    WORDS,
    gate,
    inputs_of,
    load,
    ones,
    program_of,
    settle,
)
from accelsim.circuits.netlist import Netlist
from accelsim.compilation import jit
from accelsim.errors import CircuitError

__all__ = ["count_toggles", "evaluate", "transition_costs"]

Operands = Mapping[str, NDArray[np.int64]]


def evaluate(netlist: Netlist, operands: Operands) -> dict[str, NDArray[np.int64]]:
    """Return the patterns of all output ports.

    Parameters
    ----------
    netlist : Netlist
    operands : mapping of str to int64 array (n,)
        Input port -> patterns; bit b of a pattern is bit b of the port.

    Returns
    -------
    dict of str to int64 array (n,)
        Output port -> patterns. A port of 64 bits uses the sign bit as bit 63.

    Raises
    ------
    CircuitError
        An input port without operands or the other way round, operands of unequal lengths, or a
        port of more than 64 bits.
    """
    program = program_of(netlist)
    patterns, port_nets, port_of = inputs_of(netlist, operands)
    bits = [(net, k, b) for k, nets in enumerate(netlist.outputs.values())
            for b, net in enumerate(nets)]  # fmt: skip
    reads = np.array(bits, np.int64).reshape(-1, 3)
    out = np.zeros((len(netlist.outputs), patterns.shape[1]), np.int64)
    _evaluate(*program, patterns, port_nets, port_of, reads, out)
    return dict(zip(netlist.outputs, out, strict=True))


def count_toggles(
    netlist: Netlist, operands: Operands, glitches: bool = False
) -> NDArray[np.int64]:
    """Return how often each net changes over streams of operands.

    Parameters
    ----------
    netlist : Netlist
    operands : mapping of str to int64 array (n,) or (streams, n)
        As in `evaluate`; in a stream operand k + 1 follows operand k. There are n - 1 transitions
        in each, none from one stream to another.
    glitches : bool
        Count every change on the way with all gates one unit late, not only the settled values.

    Returns
    -------
    int64 array (netlist.net_count,)
        Changes of every net in all streams, input ports' nets among them.

    Raises
    ------
    CircuitError
        As in `evaluate`, and fewer than two operands in a stream.
    """
    streams, length = _streams(operands)
    program = program_of(netlist)
    counts = np.zeros(program.nets, np.int64)
    if glitches:
        before, after = (
            {name: rows[:, own].ravel() for name, rows in streams.items()}
            for own in (slice(None, -1), slice(1, None))
        )
        old, port_nets, port_of = inputs_of(netlist, before)
        new = inputs_of(netlist, after)[0]
        _glitches(_count)(*program, old, new, port_nets, port_of, counts, counts)
    else:
        flat = {name: rows.ravel() for name, rows in streams.items()}
        patterns, port_nets, port_of = inputs_of(netlist, flat)
        _count_functional(*program, patterns, length, port_nets, port_of, counts)
    return counts[: netlist.net_count]


def transition_costs(
    netlist: Netlist,
    before: Operands,
    after: Operands,
    costs: NDArray[np.float64],
    glitches: bool = False,
) -> NDArray[np.float64]:
    """Return what each of many transitions costs: the sum of the costs of its changes of nets.

    Parameters
    ----------
    netlist : Netlist
    before, after : mapping of str to int64 array (n,)
        As in `evaluate`; in transition k operand k of *after* follows operand k of *before*.
    costs : float64 array (netlist.net_count,)
        Of one change of each net.
    glitches : bool
        As in `count_toggles`.

    Returns
    -------
    float64 array (n,)

    Raises
    ------
    CircuitError
        As in `evaluate`, and operands before and after of unequal lengths.
    """
    program = program_of(netlist)
    old, port_nets, port_of = inputs_of(netlist, before)
    new = inputs_of(netlist, after)[0]
    if old.shape != new.shape:
        raise CircuitError(
            f"every transition has an operand before and one after, got {old.shape[1]} before and "
            f"{new.shape[1]} after"
        )
    own = np.append(costs, 0.0)  # the net nobody reads
    totals = np.zeros(old.shape[1])
    kernel = _glitches(_charge) if glitches else _charge_functional
    kernel(*program, old, new, port_nets, port_of, own, totals)
    return totals


def _streams(operands: Operands) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Return the operands as (streams, n), and n."""
    arrays = {name: np.asarray(array, np.int64) for name, array in operands.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or any(len(shape) not in (1, 2) for shape in shapes):
        raise CircuitError(
            f"operands must be (n,) or (streams, n) and of one shape, got shapes {sorted(shapes)}"
        )
    streams = {name: np.atleast_2d(array) for name, array in arrays.items()}
    length = shapes.pop()[-1]
    if length < 2:
        raise CircuitError(
            f"toggles are counted from one operand pair to the next: give at least 2, got {length}"
        )
    return streams, length


@jit
def _evaluate(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, patterns, port_nets, port_of, reads, out
):
    """Fill out int64 (ports, n); reads (bits, 3): net, port and bit."""
    values = np.zeros((nets, WORDS), np.int64)
    values[1] = -1
    count = patterns.shape[1]
    for start in range(0, count, LANES):
        load(patterns, start, port_nets, port_of, values)
        settle(opcodes, inputs, outputs, values)
        for i in range(reads.shape[0]):
            row, port, bit = values[reads[i, 0]], reads[i, 1], reads[i, 2]
            for lane in range(min(LANES, count - start)):
                out[port, start + lane] |= ((row[lane >> 6] >> (lane & 63)) & 1) << bit


@jit
def _count_functional(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, patterns, length, port_nets, port_of, counts
):
    """Add to counts (nets,) the changes between settled states, in streams of *length* operands."""
    values = np.zeros((nets, WORDS), np.int64)
    values[1] = -1
    before = np.zeros(nets, np.int64)  # the value at the operand before, in bit 0
    follows = np.zeros(WORDS, np.int64)  # operands that do not begin a stream
    for start in range(0, patterns.shape[1], LANES):
        load(patterns, start, port_nets, port_of, values)
        settle(opcodes, inputs, outputs, values)
        follows[:] = -1
        for lane in range(-start % length, LANES, length):
            follows[lane >> 6] &= ~(1 << (lane & 63))
        for net in range(2, nets):
            row, last, total = values[net], before[net], 0
            for k in range(WORDS):
                total += ones((row[k] ^ ((row[k] << 1) | last)) & follows[k])
                last = (row[k] >> 63) & 1
            counts[net] += total
            before[net] = last


@jit
def _charge_functional(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, before, after, port_nets, port_of, costs, totals
):
    """Set totals (n,) to the costs (nets,) of the changes between settled states."""
    old = np.zeros((nets, WORDS), np.int64)
    new = np.zeros((nets, WORDS), np.int64)
    old[1] = new[1] = -1
    real = np.zeros(WORDS, np.int64)
    for start in range(0, totals.size, LANES):
        _mark(real, totals.size - start)
        load(before, start, port_nets, port_of, old)
        settle(opcodes, inputs, outputs, old)
        load(after, start, port_nets, port_of, new)
        settle(opcodes, inputs, outputs, new)
        for net in range(2, nets):
            for k in range(WORDS):
                changed = (old[net, k] ^ new[net, k]) & real[k]
                _charge(changed, net, start + 64 * k, costs, totals)


@jit
def _mark(words, count):  # type: ignore[no-untyped-def]
    """Set the first *count* lanes of *words*; behind the last operand it is repeated."""
    for k in range(WORDS):
        left = min(max(count - 64 * k, 0), 64)
        words[k] = -1 if left == 64 else (1 << left) - 1


@jit
def _count(word, net, first, costs, counts):  # type: ignore[no-untyped-def]
    """Count the changes of *net* that are the ones in *word*."""
    counts[net] += ones(word)


@jit
def _charge(word, net, first, costs, totals):  # type: ignore[no-untyped-def]
    """Charge the changes of *net* to their transitions, which begin with *first*."""
    while word != 0:
        totals[first + ones((word & -word) - 1)] += costs[net]
        word &= word - 1


@functools.cache
def _glitches(tally: Callable[..., Any]) -> Callable[..., None]:
    """Return the jitted walk from settled states to the next, which calls *tally* for changes."""

    @jit
    def walk(  # type: ignore[no-untyped-def]
        opcodes, inputs, outputs, levels, nets, before, after, port_nets, port_of, costs, book
    ):
        """Tally all changes between settled states, every gate one unit late.

        Gates are visited against their order, so that each still reads what its drivers were a unit
        ago; at unit t only those of level t or more can change.
        """
        values = np.zeros((nets, WORDS), np.int64)
        old = np.zeros((nets, WORDS), np.int64)
        values[1] = -1
        scratch = np.zeros((2, WORDS), np.int64)
        real = np.zeros(WORDS, np.int64)
        gates = opcodes.size
        depth = levels[gates - 1] if gates else 0
        for start in range(0, before.shape[1], LANES):
            _mark(real, before.shape[1] - start)
            load(before, start, port_nets, port_of, values)
            settle(opcodes, inputs, outputs, values)
            # Word by word: for rows Numba compiles what its error message of shapes is made with.
            for i in range(port_nets.size):
                for k in range(WORDS):
                    old[port_nets[i], k] = values[port_nets[i], k]
            load(after, start, port_nets, port_of, values)
            for i in range(port_nets.size):
                net = port_nets[i]
                for k in range(WORDS):
                    changed = (old[net, k] ^ values[net, k]) & real[k]
                    tally(changed, net, start + 64 * k, costs, book)
            for unit in range(1, depth + 1):
                g = gates - 1
                while g >= 0 and levels[g] >= unit:
                    gate(
                        opcodes[g],
                        values[inputs[g, 0]],
                        values[inputs[g, 1]],
                        values[inputs[g, 2]],
                        values[inputs[g, 3]],
                        scratch[0],
                        scratch[1],
                    )
                    for pin in range(2 if opcodes[g] >= HA else 1):
                        net = outputs[g, pin]
                        for k in range(WORDS):
                            changed = (values[net, k] ^ scratch[pin, k]) & real[k]
                            values[net, k] = scratch[pin, k]
                            tally(changed, net, start + 64 * k, costs, book)
                    g -= 1

    return walk
