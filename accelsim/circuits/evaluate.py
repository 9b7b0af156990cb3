"""Evaluation: what a netlist's nets are, and how often they change, 64 operands a word.

The netlist is data to one compiled interpreter, so a new one costs no compilation. Bit k of a word
is operand number k of 64; a gate is one or a few logic operations on words.

Functional toggles compare the settled values of one operand pair and the next, as if gates had no
delay. Unit-delay toggles step from one settled state to the next with every gate a unit late, and
count all changes on the way, glitches too: words then hold 64 transitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits.cells import CELLS
from accelsim.circuits.netlist import Netlist
from accelsim.compilation import jit
from accelsim.errors import CircuitError

__all__ = ["count_toggles", "evaluate"]

WORDS = 8
"""Words of every net that are evaluated at a time: nets of a large array still fit the L2 cache."""

LANES = 64 * WORDS

_OPCODES = {name: code for code, name in enumerate(CELLS)}
INV, BUF, NAND2, NOR2 = (_OPCODES[name] for name in ("INV", "BUF", "NAND2", "NOR2"))
AND2, OR2, XOR2, XNOR2 = (_OPCODES[name] for name in ("AND2", "OR2", "XOR2", "XNOR2"))
AOI21, OAI21, AOI22, MUX2 = (_OPCODES[name] for name in ("AOI21", "OAI21", "AOI22", "MUX2"))
HA, FA = _OPCODES["HA"], _OPCODES["FA"]


class _Program(NamedTuple):
    """A netlist as arrays, gates sorted by level.

    opcodes int64 (gates,), inputs int64 (gates, 4) and outputs int64 (gates, 2) with unused pins at
    net 0, except that unused outputs go to a net nobody reads; levels int64 (gates,).
    """

    opcodes: NDArray[np.int64]
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    levels: NDArray[np.int64]
    nets: int


def evaluate(
    netlist: Netlist, operands: Mapping[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.int64]]:
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
    program = _program(netlist)
    patterns, port_nets, port_of = _inputs(netlist, operands)
    bits = [(net, k, b) for k, nets in enumerate(netlist.outputs.values())
            for b, net in enumerate(nets)]  # fmt: skip
    reads = np.array(bits, np.int64).reshape(-1, 3)
    out = np.zeros((len(netlist.outputs), patterns.shape[1]), np.int64)
    _evaluate(*program, patterns, port_nets, port_of, reads, out)
    return dict(zip(netlist.outputs, out, strict=True))


def count_toggles(
    netlist: Netlist, operands: Mapping[str, NDArray[np.int64]], glitches: bool = False
) -> NDArray[np.int64]:
    """Return how often each net changes over a stream of operands.

    Parameters
    ----------
    netlist : Netlist
    operands : mapping of str to int64 array (n,)
        As in `evaluate`; operand k + 1 follows operand k. There are n - 1 transitions.
    glitches : bool
        Count every change on the way with all gates one unit late, not only the settled values.

    Returns
    -------
    int64 array (netlist.net_count,)
        Changes of every net, input ports' nets among them.

    Raises
    ------
    CircuitError
        As in `evaluate`, and fewer than two operands.
    """
    program = _program(netlist)
    patterns, port_nets, port_of = _inputs(netlist, operands)
    if patterns.shape[1] < 2:
        raise CircuitError(
            f"toggles are counted from one operand pair to the next: give at least 2, got "
            f"{patterns.shape[1]}"
        )
    counts = np.zeros(program.nets, np.int64)
    kernel = _count_glitches if glitches else _count_functional
    kernel(*program, patterns, port_nets, port_of, counts)
    return counts[: netlist.net_count]


def _program(netlist: Netlist) -> _Program:
    gates = [netlist.gates[i] for i in netlist.order]
    spare = netlist.net_count
    inputs = [(*gate.inputs, 0, 0, 0)[:4] for gate in gates]
    outputs = [(*gate.outputs, spare)[:2] for gate in gates]
    return _Program(
        np.array([_OPCODES[gate.cell] for gate in gates], np.int64),
        np.array(inputs, np.int64).reshape(-1, 4),
        np.array(outputs, np.int64).reshape(-1, 2),
        np.array([netlist.levels[i] for i in netlist.order], np.int64),
        netlist.net_count + 1,
    )


def _inputs(
    netlist: Netlist, operands: Mapping[str, NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return patterns (ports, n), and of every input bit its net and (port, bit)."""
    if set(operands) != set(netlist.inputs):
        raise CircuitError(
            f"operands must be given for the input ports {', '.join(netlist.inputs)}, got "
            f"{', '.join(operands) or 'none'}"
        )
    for name, nets in [*netlist.inputs.items(), *netlist.outputs.items()]:
        if len(nets) > 64:
            raise CircuitError(f"port {name!r} has {len(nets)} bits; at most 64 can be evaluated")
    arrays = [np.asarray(operands[name], np.int64) for name in netlist.inputs]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or any(array.ndim != 1 for array in arrays):
        raise CircuitError(f"operands must be 1-D and of one length, got shapes {sorted(shapes)}")
    port_nets = [net for nets in netlist.inputs.values() for net in nets]
    places = [(k, b) for k, nets in enumerate(netlist.inputs.values()) for b in range(len(nets))]
    return (
        np.stack(arrays),
        np.array(port_nets, np.int64),
        np.array(places, np.int64).reshape(-1, 2),
    )


@jit
def _gate(code, x, y, z, u, out, other):  # type: ignore[no-untyped-def]
    """Write the outputs of one gate for rows of words; pins x, y, z, u as `CELLS` orders them."""
    if code == FA:
        for k in range(out.size):
            either = x[k] ^ y[k]
            out[k], other[k] = either ^ z[k], (x[k] & y[k]) | (z[k] & either)
    elif code == AND2:
        for k in range(out.size):
            out[k] = x[k] & y[k]
    elif code == HA:
        for k in range(out.size):
            out[k], other[k] = x[k] ^ y[k], x[k] & y[k]
    elif code == BUF:
        for k in range(out.size):
            out[k] = x[k]
    elif code == INV:
        for k in range(out.size):
            out[k] = ~x[k]
    elif code == OR2:
        for k in range(out.size):
            out[k] = x[k] | y[k]
    elif code == XOR2:
        for k in range(out.size):
            out[k] = x[k] ^ y[k]
    elif code == XNOR2:
        for k in range(out.size):
            out[k] = ~(x[k] ^ y[k])
    elif code == NAND2:
        for k in range(out.size):
            out[k] = ~(x[k] & y[k])
    elif code == NOR2:
        for k in range(out.size):
            out[k] = ~(x[k] | y[k])
    elif code == MUX2:
        for k in range(out.size):
            out[k] = (z[k] & y[k]) | (~z[k] & x[k])
    elif code == AOI21:
        for k in range(out.size):
            out[k] = ~(x[k] | (y[k] & z[k]))
    elif code == OAI21:
        for k in range(out.size):
            out[k] = ~(x[k] & (y[k] | z[k]))
    elif code == AOI22:
        for k in range(out.size):
            out[k] = ~((x[k] & y[k]) | (z[k] & u[k]))


@jit
def _settle(opcodes, inputs, outputs, values):  # type: ignore[no-untyped-def]
    """Evaluate all gates in order; values int64 (nets, words)."""
    for g in range(opcodes.size):
        _gate(
            opcodes[g],
            values[inputs[g, 0]],
            values[inputs[g, 1]],
            values[inputs[g, 2]],
            values[inputs[g, 3]],
            values[outputs[g, 0]],
            values[outputs[g, 1]],
        )


@jit
def _load(patterns, start, port_nets, port_of, values):  # type: ignore[no-untyped-def]
    """Set the input nets to the operands from *start*; behind the last it is repeated."""
    last = patterns.shape[1] - 1
    for i in range(port_nets.size):
        row, port, bit = values[port_nets[i]], port_of[i, 0], port_of[i, 1]
        for k in range(row.size):
            word = 0
            first = start + 64 * k
            if first + 63 <= last:
                for lane in range(64):
                    word |= ((patterns[port, first + lane] >> bit) & 1) << lane
            else:
                for lane in range(64):
                    word |= ((patterns[port, min(first + lane, last)] >> bit) & 1) << lane
            row[k] = word


@jit
def _evaluate(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, patterns, port_nets, port_of, reads, out
):
    """Fill out int64 (ports, n); reads (bits, 3): net, port and bit."""
    values = np.zeros((nets, WORDS), np.int64)
    values[1] = -1
    count = patterns.shape[1]
    for start in range(0, count, LANES):
        _load(patterns, start, port_nets, port_of, values)
        _settle(opcodes, inputs, outputs, values)
        for i in range(reads.shape[0]):
            row, port, bit = values[reads[i, 0]], reads[i, 1], reads[i, 2]
            for lane in range(min(LANES, count - start)):
                out[port, start + lane] |= ((row[lane >> 6] >> (lane & 63)) & 1) << bit


@jit
def _ones(word):  # type: ignore[no-untyped-def]
    """Return the number of bits set in an int64."""
    word -= (word >> 1) & 0x5555555555555555
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (word * 0x0101010101010101) >> 56


@jit
def _count_functional(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, patterns, port_nets, port_of, counts
):
    """Add to counts (nets,) the changes between settled states."""
    values = np.zeros((nets, WORDS), np.int64)
    values[1] = -1
    before = np.zeros(nets, np.int64)  # the value at the operand before, in bit 0
    for start in range(0, patterns.shape[1], LANES):
        _load(patterns, start, port_nets, port_of, values)
        _settle(opcodes, inputs, outputs, values)
        for net in range(2, nets):
            row = values[net]
            last = row[0] & 1 if start == 0 else before[net]
            total = 0
            for k in range(WORDS):
                total += _ones(row[k] ^ ((row[k] << 1) | last))
                last = (row[k] >> 63) & 1
            counts[net] += total
            before[net] = last


@jit
def _count_glitches(  # type: ignore[no-untyped-def]
    opcodes, inputs, outputs, levels, nets, patterns, port_nets, port_of, counts
):
    """Add to counts (nets,) all changes between settled states, every gate one unit late.

    Gates are visited against their order, so that each still reads what its drivers were a unit
    ago; at unit t only those of level t or more can change.
    """
    values = np.zeros((nets, WORDS), np.int64)
    old = np.zeros((nets, WORDS), np.int64)
    values[1] = -1
    scratch = np.zeros((2, WORDS), np.int64)
    gates = opcodes.size
    depth = levels[gates - 1] if gates else 0
    for start in range(0, patterns.shape[1] - 1, LANES):
        _load(patterns, start, port_nets, port_of, values)
        _settle(opcodes, inputs, outputs, values)
        for i in range(port_nets.size):
            old[port_nets[i]] = values[port_nets[i]]
        _load(patterns, start + 1, port_nets, port_of, values)
        for i in range(port_nets.size):
            net = port_nets[i]
            for k in range(WORDS):
                counts[net] += _ones(old[net, k] ^ values[net, k])
        for unit in range(1, depth + 1):
            g = gates - 1
            while g >= 0 and levels[g] >= unit:
                _gate(
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
                    total = 0
                    for k in range(WORDS):
                        total += _ones(values[net, k] ^ scratch[pin, k])
                        values[net, k] = scratch[pin, k]
                    counts[net] += total
                g -= 1
