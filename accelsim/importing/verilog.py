"""Reader of gate-level Verilog: Yosys parses it, and its gates become a `Netlist`.

The module has two inputs of *bits* bits and one output of twice as many. Assignments, operators,
instances of modules in the same file and the combinational cells of `gate_cells` may be in it.
Operators become Yosys' own adders and gates; constants are folded and gates that nothing reads are
left out; the standard cells stay as they are.

Yosys is the program on PATH, or else the Python package ``pyosys`` (``pip install accelsim[rtl]``).
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits import Gate, LoopError, Netlist, evaluate
from accelsim.errors import CircuitError, DataError, nearest
from accelsim.formats import IntegerFormat
from accelsim.importing.children import Ended, Limits, run_limited
from accelsim.importing.gate_cells import GATE_CELLS, library_verilog
from accelsim.importing.reading import Reading, as_signed, edge_of

__all__ = ["GateModule", "read_gates", "read_verilog"]

LIMITS = Limits(time_s=120, memory_mib=4096)

_STEPS = (
    "read_verilog source.v",
    "read_verilog -lib -nooverwrite cells.v",
    "hierarchy -check -top {top}",
    "proc",
    "flatten",
    # Before anything is simplified: two drivers of one net would silently become one net.
    "tee -q -o check.txt check",
    "techmap",
    "simplemap",
    "opt_expr",
    "opt_clean",
    "write_json netlist.json",
)
_PYOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for step in sys.argv[1].split("; "):
    libyosys.run_pass(step, design)
"""
_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\(\*.*?\*\)', re.DOTALL)
_CONSTANTS = {"0": 0, "1": 1}
_PAIRS = 1 << 20
"""Pairs evaluated at a time."""


@dataclass(frozen=True, eq=False)
class GateModule:
    """A module, read.

    Attributes
    ----------
    name, program : str
        Of the module, and of what parsed it.
    operands : (str, str)
        Names of its input ports, in its own order.
    netlist : accelsim.circuits.Netlist
        Ports ``first``, ``second`` and ``product``.
    """

    name: str
    program: str
    operands: tuple[str, str]
    netlist: Netlist


def read_gates(
    text: str, operands: IntegerFormat, owner: str, module: str | None = None
) -> GateModule:
    """Return the gates of the multiplier in *text*, of operands of any width.

    Raises
    ------
    DataError
        No Yosys; text that it cannot read; no or several modules to choose from; ports of other
        widths; cells that are unknown or hold state; a net with no driver or with several; a loop.
    """
    top = _top(text, module, owner)
    with tempfile.TemporaryDirectory(prefix="accelsim-import-") as name:
        folder = Path(name)
        (folder / "source.v").write_text(text, encoding="utf-8")
        (folder / "cells.v").write_text(library_verilog(), encoding="utf-8")
        program, ended = _run_yosys(folder, "; ".join(_STEPS).format(top=top), owner)
        found = folder / "netlist.json"
        if ended.code or not found.is_file():
            raise DataError(f"{owner}: {_failure(ended)}")
        problem = _problem((folder / "check.txt").read_text(encoding="utf-8"))
        if problem:
            raise DataError(f"{owner}: module {top}: {problem}")
        described = json.loads(found.read_text(encoding="utf-8"))["modules"][top]
    ports = _ports(described, operands, owner, top)
    try:
        netlist = _netlist(described, ports)
    except CircuitError as error:
        raise DataError(f"{owner}: module {top}: {error}") from None
    return GateModule(top, program, ports[:2], netlist)


def read_verilog(text: str, operands: IntegerFormat, owner: str, module: str | None) -> Reading:
    """Return the products of the module in *text*, and its netlist; raise as `read_gates` does."""
    read = read_gates(text, operands, owner, module)
    products = _products(read.netlist, edge_of(operands))
    if operands.signed:
        products = as_signed(products, 2 * operands.bits, owner)
    detail = f"Verilog module {read.name}, {len(read.netlist.gates)} gates, read by {read.program}"
    return Reading("verilog", products, read.operands, detail, text, read.netlist)


def _products(netlist: Netlist, edge: int) -> NDArray[np.int64]:
    """Return the patterns of all products, [first, second], some rows at a time."""
    patterns = np.arange(edge, dtype=np.int64)
    rows = max(1, _PAIRS // edge)
    products = np.empty((edge, edge), np.int64)
    for start in range(0, edge, rows):
        some = patterns[start : start + rows]
        operands = {"first": np.repeat(some, edge), "second": np.tile(patterns, len(some))}
        products[start : start + rows] = evaluate(netlist, operands)["product"].reshape(-1, edge)
    return products


def _top(text: str, module: str | None, owner: str) -> str:
    """Return the module to import: the one asked for, or the one that no other instantiates."""
    code = _NOISE.sub(" ", text)
    bodies = dict(re.findall(r"\bmodule\s+([A-Za-z_]\w*)(.*?)\bendmodule\b", code, re.DOTALL))
    if module is not None:
        if module not in bodies:
            raise DataError(
                f"{owner}: no module {module!r}; the file has {', '.join(bodies) or 'none'}."
                f"{nearest(module, bodies)}"
            )
        return module
    used = {
        word for name, body in bodies.items() for word in re.findall(r"\w+", body) if word != name
    }
    tops = [name for name in bodies if name not in used]
    if not bodies:
        raise DataError(f"{owner}: no Verilog module in it")
    if len(tops) != 1:
        raise DataError(
            f"{owner}: {', '.join(tops or bodies)} could each be the multiplier; choose one with "
            "module='...' (--module)"
        )
    return tops[0]


def _run_yosys(folder: Path, script: str, owner: str) -> tuple[str, Ended]:
    """Run *script* with whichever Yosys there is; return its name and how it ended."""
    program = shutil.which("yosys")
    if program is not None:
        return "yosys", run_limited([program, "-q", "-p", script], folder, LIMITS)
    if importlib.util.find_spec("pyosys") is not None:
        command = [sys.executable, "-c", _PYOSYS, script]
        return "pyosys", run_limited(command, folder, LIMITS)
    raise DataError(
        f"{owner}: reading Verilog needs Yosys: install the program (apt-get install yosys) or the "
        "Python package (pip install 'accelsim[rtl]')"
    )


def _failure(ended: Ended) -> str:
    if ended.late or ended.code < 0:
        return (
            f"Yosys was stopped ({ended.reason}) at its limits of {LIMITS.time_s} s and "
            f"{LIMITS.memory_mib} MiB"
        )
    errors = [line for line in ended.stderr.splitlines() if "ERROR" in line]
    text = errors[0].strip() if errors else ended.reason
    unknown = re.search(r"Module `\\?(\S+)' referenced in .* is not part of the design", text)
    if unknown:
        name = unknown[1]
        return (
            f"unknown cell {name}; known are the combinational cells of gscl45nm, and modules in "
            f"the same file.{nearest(name, GATE_CELLS)}"
        )
    return f"Yosys cannot read it: {text[:300]}"


def _problem(check: str) -> str:
    """Return the first finding of Yosys' check, on one line, or "".

    Loops are left to `Netlist`: Yosys names them by names of its own, and sees none through cells.
    """
    lines = check.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("Warning: ") and "found logic loop" not in line:
            more = []
            for detail in lines[number + 1 :]:
                if not detail.startswith("    "):
                    break
                more.append(detail.strip())
            return " ".join([line.removeprefix("Warning: ").rstrip("."), *more]).replace("\\", "")
    return ""


def _ports(
    described: Mapping[str, Any], operands: IntegerFormat, owner: str, top: str
) -> tuple[str, str, str]:
    """Return the names of both inputs, in the module's order, and of the output."""
    sizes = {
        direction: {
            name: len(port["bits"])
            for name, port in described["ports"].items()
            if port["direction"] == direction
        }
        for direction in ("input", "output", "inout")
    }
    widths = [list(sizes[direction].values()) for direction in ("input", "output", "inout")]
    bits = operands.bits
    if widths != [[bits, bits], [2 * bits], []]:
        got = ", ".join(
            f"{direction} {name}[{size}]"
            for direction, ports in sizes.items()
            for name, size in ports.items()
        )
        raise DataError(
            f"{owner}: module {top} must have two inputs of {bits} bits and one output of "
            f"{2 * bits}, got {got}"
        )
    first, second = sizes["input"]
    return first, second, next(iter(sizes["output"]))


def _netlist(described: Mapping[str, Any], ports: tuple[str, str, str]) -> Netlist:
    """Return Yosys' description as a netlist of accelsim's cells.

    Raises
    ------
    CircuitError
        A cell that is not known, or what `Netlist` refuses.
    """
    nets = _Nets(described)
    gates: list[Gate] = []
    owners: list[str] = []
    for instance, found in described["cells"].items():
        kind = found["type"]
        if kind == "$scopeinfo":  # a remark of newer versions: which module was flattened here
            continue
        if kind not in GATE_CELLS:
            raise CircuitError(_refusal(instance, kind))
        cell, pins = GATE_CELLS[kind], found["connections"]
        owners += [kind if instance.startswith("$") else f"{instance} ({kind})"] * len(cell.steps)
        wires: dict[str, int] = {}
        for pin in cell.inputs:
            if len(pins.get(pin, ())) != 1:
                raise CircuitError(f"input {pin} of cell {instance} ({kind}) has no driver")
            wires[pin] = nets.number(pins[pin][0], f"input {pin} of cell {instance} ({kind})")
        for pin in cell.outputs:
            connected = pins.get(pin, ())
            wires[pin] = (
                nets.number(connected[0], f"output {pin} of cell {instance}")
                if connected
                else nets.new()
            )
        for step in cell.steps:
            for wire in step.outputs:
                wires.setdefault(wire, nets.new())
            inputs = tuple(wires[wire] for wire in step.inputs)
            gates.append(Gate(step.cell, inputs, tuple(wires[wire] for wire in step.outputs)))
    first, second, product = (
        tuple(nets.number(bit, f"port {name}[{i}]") for i, bit in enumerate(bits))
        for name, bits in ((name, described["ports"][name]["bits"]) for name in ports)
    )
    nets.check_drivers(gates, (*first, *second), product)
    try:
        return Netlist({"first": first, "second": second}, {"product": product}, tuple(gates))
    except LoopError as error:
        # Nets inside of a cell have no name, and say no more than its own.
        steps = [(owners[gate], nets.name(net)) for gate, net in error.loop.items()]
        named = [f"{owner} drives {net}" for owner, net in steps if net]
        raise LoopError(named, error.loop) from None


def _refusal(instance: str, kind: str) -> str:
    if re.match(r"\$_(S?DFF|A?DFF|DLATCH|SR|FF|ALDFF)", kind):
        return f"cell {instance} ({kind}) holds state; an imported circuit must be combinational"
    known = ", ".join(name for name in GATE_CELLS if not name.startswith("$"))
    return f"cell {instance} is a {kind}; known cells: {known}"


class _Nets:
    """Yosys' nets as numbers from 2 up, with their names for messages."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._numbers: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._next = 2
        for name, net in described["netnames"].items():
            for i, bit in enumerate(net["bits"]):
                if isinstance(bit, int) and (not net["hide_name"] or bit not in self._numbers):
                    text = name if len(net["bits"]) == 1 else f"{name}[{i}]"
                    self._names[self._of(bit)] = text

    def number(self, bit: int | str, reader: str) -> int:
        """Return the net of a bit in Yosys' JSON: a number, or a constant digit."""
        if isinstance(bit, int):
            return self._of(bit)
        if bit not in _CONSTANTS:
            raise CircuitError(f"{reader} is undefined ({bit}): it has no driver")
        return _CONSTANTS[bit]

    def new(self) -> int:
        """Return a net of its own."""
        self._next += 1
        return self._next - 1

    def name(self, net: int) -> str:
        """Return the Verilog name of a net, or ""."""
        return self._names.get(net, "")

    def check_drivers(
        self, gates: list[Gate], inputs: tuple[int, ...], outputs: tuple[int, ...]
    ) -> None:
        """Raise CircuitError, by name, for a net that is read but not driven."""
        driven = {0, 1, *inputs, *(net for gate in gates for net in gate.outputs)}
        for net in (*(net for gate in gates for net in gate.inputs), *outputs):
            if net not in driven:
                raise CircuitError(f"net {self.name(net) or net} is read but has no driver")

    def _of(self, bit: int) -> int:
        if bit not in self._numbers:
            self._numbers[bit] = self.new()
        return self._numbers[bit]
