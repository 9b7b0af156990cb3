"""Bit slices: 64 operands a word, one of every net, and the gates between them.

Bit k of a word is operand number k of 64; a gate is one or a few logic operations on words. A
netlist is data to one compiled interpreter, so a new one costs no compilation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits.cells import CELLS
from accelsim.circuits.netlist import Netlist
from accelsim.compilation import jit
from accelsim.errors import CircuitError

__all__ = [
    "HA", "LANES", "WORDS", "Program", "gate", "inputs_of", "load", "ones", "program_of", "settle",
]  # fmt: skip

WORDS = 8
"""Words of every net that are evaluated at a time: nets of a large array still fit the L2 cache."""

LANES = 64 * WORDS

_OPCODES = {name: code for code, name in enumerate(CELLS)}
INV, BUF, NAND2, NOR2 = (_OPCODES[name] for name in ("INV", "BUF", "NAND2", "NOR2"))
AND2, OR2, XOR2, XNOR2 = (_OPCODES[name] for name in ("AND2", "OR2", "XOR2", "XNOR2"))
AOI21, OAI21, AOI22, MUX2 = (_OPCODES[name] for name in ("AOI21", "OAI21", "AOI22", "MUX2"))
HA, FA = _OPCODES["HA"], _OPCODES["FA"]


class Program(NamedTuple):
    """A netlist as arrays, gates sorted by level.

    opcodes int64 (gates,), inputs int64 (gates, 4) and outputs int64 (gates, 2) with unused pins at
    net 0, except that unused outputs go to a net nobody reads; levels int64 (gates,).
    """

    opcodes: NDArray[np.int64]
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    levels: NDArray[np.int64]
    nets: int


@functools.lru_cache(maxsize=16)
def program_of(netlist: Netlist) -> Program:
    """Return *netlist* as data for the interpreter."""
    gates = [netlist.gates[i] for i in netlist.order]
    spare = netlist.net_count
    inputs = [(*gate.inputs, 0, 0, 0)[:4] for gate in gates]
    outputs = [(*gate.outputs, spare)[:2] for gate in gates]
    return Program(
        np.array([_OPCODES[gate.cell] for gate in gates], np.int64),
        np.array(inputs, np.int64).reshape(-1, 4),
        np.array(outputs, np.int64).reshape(-1, 2),
        np.array([netlist.levels[i] for i in netlist.order], np.int64),
        netlist.net_count + 1,
    )


def inputs_of(
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
def gate(code, x, y, z, u, out, other):  # type: ignore[no-untyped-def]
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
def settle(opcodes, inputs, outputs, values):  # type: ignore[no-untyped-def]
    """Evaluate all gates in order; values int64 (nets, words)."""
    for g in range(opcodes.size):
        gate(
            opcodes[g],
            values[inputs[g, 0]],
            values[inputs[g, 1]],
            values[inputs[g, 2]],
            values[inputs[g, 3]],
            values[outputs[g, 0]],
            values[outputs[g, 1]],
        )


@jit
def load(patterns, start, port_nets, port_of, values):  # type: ignore[no-untyped-def]
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
def ones(word):  # type: ignore[no-untyped-def]
    """Return the number of bits set in an int64."""
    word -= (word >> 1) & 0x5555555555555555
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (word * 0x0101010101010101) >> 56
