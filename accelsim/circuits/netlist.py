"""Netlists: gates and the nets between them, checked when made.

A net is an int: 0 and 1 are the constants, the others are driven by one input port bit or by one
gate output. A `Netlist` is combinational: nets without a driver, with several, and loops are
errors. `Builder` makes one gate by gate.

>>> builder = Builder()
>>> a, b = builder.input("a", 2)
>>> builder.output("p", builder.gate("HA", a, b))
>>> netlist = builder.finish()
>>> netlist.gates, netlist.depth
((Gate(cell='HA', inputs=(2, 3), outputs=(4, 5)),), 1)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from accelsim.circuits.cells import CELLS
from accelsim.errors import CircuitError, nearest

__all__ = ["Builder", "Gate", "LoopError", "Netlist"]

FIRST_NET = 2
"""The least net that is not a constant."""


class Gate(NamedTuple):
    """An instance of the cell named *cell*; nets in the order of the cell's pins."""

    cell: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class LoopError(CircuitError):
    """Gates that form a loop.

    Parameters
    ----------
    steps : sequence of str
        What drives what, once around, for the message.
    loop : dict of int to int
        Number of each gate of the loop -> the net that it drives and the next one reads.
    """

    def __init__(self, steps: Sequence[str], loop: Mapping[int, int]) -> None:
        super().__init__(steps, loop)
        self.loop = loop

    def __str__(self) -> str:
        steps = self.args[0]
        more = f" and {len(steps) - LOOP_STEPS} more" if len(steps) > LOOP_STEPS else ""
        return (
            f"a combinational loop: {', '.join(steps[:LOOP_STEPS])}{more}; a circuit must be free "
            "of loops"
        )


LOOP_STEPS = 8
"""Steps of a loop that a message describes."""


@dataclass(frozen=True, eq=False)
class Netlist:
    """A combinational circuit.

    Attributes
    ----------
    inputs, outputs : mapping of str to tuple of int
        Port name -> nets, least significant bit first. An output may be a constant, an input's net
        or read twice.
    gates : tuple of Gate
        In any order; `order` and `levels` sort them.

    Raises
    ------
    CircuitError
        An unknown cell, a wrong number of pins, a port name that is no identifier or used twice, a
        net without driver or with several, or (`LoopError`) a combinational loop.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        _check_ports(self)
        for number, gate in enumerate(self.gates):
            _check_gate(number, gate)
        drivers = _drivers(self)
        for reader, net in _reads(self):
            if net not in drivers:
                raise CircuitError(f"net {net}, read by {reader}, has no driver")
        _ = self.levels

    @functools.cached_property
    def net_count(self) -> int:
        """One more than the greatest net."""
        return 1 + max((*_drivers(self), FIRST_NET - 1))

    @functools.cached_property
    def levels(self) -> tuple[int, ...]:
        """Level of each gate: 1 + the greatest level among its inputs; ports and constants are 0.

        Raises
        ------
        LoopError
            Gates form a loop.
        """
        driver = {net: i for i, gate in enumerate(self.gates) for net in gate.outputs}
        readers: list[list[int]] = [[] for _ in self.gates]
        waiting = [0] * len(self.gates)
        for i, gate in enumerate(self.gates):
            for net in gate.inputs:
                if net in driver:
                    readers[driver[net]].append(i)
                    waiting[i] += 1
        levels = [1] * len(self.gates)
        ready = [i for i, count in enumerate(waiting) if count == 0]
        done = 0
        while ready:
            i = ready.pop()
            done += 1
            for reader in readers[i]:
                levels[reader] = max(levels[reader], levels[i] + 1)
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
        if done < len(self.gates):
            loop = _loop(self.gates, driver, waiting)
            steps = [f"gate {i} ({self.gates[i].cell}) drives net {n}" for i, n in loop.items()]
            raise LoopError(steps, loop)
        return tuple(levels)

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """Numbers of the gates, every one behind those that drive it, by level."""
        levels = self.levels
        return tuple(sorted(range(len(self.gates)), key=levels.__getitem__))

    @property
    def depth(self) -> int:
        """Greatest level: gates on the longest path."""
        return max(self.levels, default=0)

    def cell_counts(self) -> dict[str, int]:
        """Return cell name -> number of gates, in the order of `CELLS`."""
        names = [gate.cell for gate in self.gates]
        return {name: names.count(name) for name in CELLS if name in names}

    def without_unread(self) -> Netlist:
        """Return the netlist without the gates that no output port depends on."""
        driver = {net: i for i, gate in enumerate(self.gates) for net in gate.outputs}
        reached: set[int] = set()
        nets = [net for port in self.outputs.values() for net in port]
        while nets:
            i = driver.get(nets.pop())
            if i is not None and i not in reached:
                reached.add(i)
                nets += self.gates[i].inputs
        return Netlist(self.inputs, self.outputs, tuple(self.gates[i] for i in sorted(reached)))


class Builder:
    """Makes a `Netlist`: asks for nets, hands them out, never drives one twice."""

    def __init__(self) -> None:
        self._inputs: dict[str, tuple[int, ...]] = {}
        self._outputs: dict[str, tuple[int, ...]] = {}
        self._gates: list[Gate] = []
        self._next = FIRST_NET

    def input(self, name: str, width: int) -> tuple[int, ...]:
        """Add an input port and return its *width* nets, least significant bit first."""
        if name in self._inputs:
            raise CircuitError(f"input port {name!r} is added twice")
        self._inputs[name] = self._new_nets(width)
        return self._inputs[name]

    def output(self, name: str, nets: Iterable[int]) -> None:
        """Add an output port that reads *nets*, least significant bit first."""
        if name in self._outputs:
            raise CircuitError(f"output port {name!r} is added twice")
        self._outputs[name] = tuple(nets)

    def gate(self, cell: str, *inputs: int) -> tuple[int, ...]:
        """Add a gate and return its output nets, in the order of the cell's pins."""
        if cell not in CELLS:
            raise CircuitError(f"no cell named {cell!r}; known: {', '.join(CELLS)}")
        outputs = self._new_nets(len(CELLS[cell].outputs))
        self._gates.append(Gate(cell, inputs, outputs))
        return outputs

    def finish(self) -> Netlist:
        """Return the netlist of all that was added."""
        return Netlist(dict(self._inputs), dict(self._outputs), tuple(self._gates))

    def _new_nets(self, count: int) -> tuple[int, ...]:
        self._next += count
        return tuple(range(self._next - count, self._next))


def _check_ports(netlist: Netlist) -> None:
    names = [*netlist.inputs, *netlist.outputs]
    for name in names:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise CircuitError(f"port name {name!r} must be an identifier of letters, digits and _")
        if names.count(name) > 1:
            raise CircuitError(f"port {name!r} is both an input and an output; rename one")
    for name, nets in [*netlist.inputs.items(), *netlist.outputs.items()]:
        if not nets:
            raise CircuitError(f"port {name!r} has no nets; leave it out")


def _check_gate(number: int, gate: Gate) -> None:
    if gate.cell not in CELLS:
        known = ", ".join(CELLS)
        raise CircuitError(
            f"gate {number}: no cell named {gate.cell!r}; known: {known}."
            f"{nearest(gate.cell, CELLS)}"
        )
    cell = CELLS[gate.cell]
    for what, nets, pins in (
        ("input", gate.inputs, cell.inputs),
        ("output", gate.outputs, cell.outputs),
    ):
        if len(nets) != len(pins):
            raise CircuitError(
                f"gate {number} ({gate.cell}) must have {len(pins)} {what} nets "
                f"({', '.join(pins)}), got {len(nets)}"
            )


def _drivers(netlist: Netlist) -> dict[int, str]:
    """Return net -> who drives it; raise where two do."""
    drivers = {0: "the constant 0", 1: "the constant 1"}
    for net, driver in _driven(netlist):
        if net < 0:
            raise CircuitError(f"net {net}, driven by {driver}, must be an int >= {FIRST_NET}")
        if net in drivers:
            raise CircuitError(f"net {net} has two drivers: {drivers[net]} and {driver}")
        drivers[net] = driver
    return drivers


def _driven(netlist: Netlist) -> Iterator[tuple[int, str]]:
    for name, nets in netlist.inputs.items():
        for bit, net in enumerate(nets):
            yield net, f"input {name}[{bit}]"
    for number, gate in enumerate(netlist.gates):
        for net, pin in zip(gate.outputs, CELLS[gate.cell].outputs, strict=True):
            yield net, f"pin {pin} of gate {number} ({gate.cell})"


def _reads(netlist: Netlist) -> Iterator[tuple[str, int]]:
    for number, gate in enumerate(netlist.gates):
        for net, pin in zip(gate.inputs, CELLS[gate.cell].inputs, strict=True):
            yield f"pin {pin} of gate {number} ({gate.cell})", net
    for name, nets in netlist.outputs.items():
        for bit, net in enumerate(nets):
            yield f"output {name}[{bit}]", net


def _loop(
    gates: Sequence[Gate], driver: Mapping[int, int], waiting: Sequence[int]
) -> dict[int, int]:
    """Return the gates of one loop -> the net each drives there, in the order of the signal.

    Gates with *waiting* inputs are in a loop or behind one.
    """
    path: dict[int, int] = {}
    i = next(i for i, count in enumerate(waiting) if count)
    while i not in path:
        # Against the signal: from a gate to one that it waits for.
        net = next(n for n in gates[i].inputs if n in driver and waiting[driver[n]])
        path[i] = net
        i = driver[net]
    reads = list(path.items())[list(path).index(i) :]
    return {driver[net]: net for _, net in reversed(reads)}
