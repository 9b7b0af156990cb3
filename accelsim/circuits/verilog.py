"""Verilog: a netlist as structural Verilog-2001, one module per cell, one wire per net.

No net is a bit of a vector that other bits of the same vector depend on: simulators that sort by
vectors would see a loop there, and Verilator 5.006 then returns wrong products with no more than a
warning (UNOPTFLAT).

Sources
-------
IEEE 1364-2001.
"""

from __future__ import annotations

import re

from accelsim.circuits.cells import CELLS, Cell
from accelsim.circuits.netlist import Netlist
from accelsim.errors import CircuitError

__all__ = ["structural_verilog"]

_KEYWORDS = {"and", "assign", "begin", "buf", "case", "else", "end", "endmodule", "if", "initial",
             "inout", "input", "module", "nand", "nor", "not", "or", "output", "reg", "wire",
             "xnor", "xor"}  # fmt: skip


def structural_verilog(netlist: Netlist, module_name: str) -> str:
    """Return the text of a module *module_name* with the netlist's ports, and of its cells.

    Cell modules are called *module_name* ``_`` cell, so that several files fit into one project.

    Raises
    ------
    CircuitError
        *module_name* is no Verilog identifier.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", module_name, re.ASCII) or module_name in _KEYWORDS:
        raise CircuitError(
            f"module_name must be a Verilog identifier (letters, digits and _), got {module_name!r}"
        )
    cells = "\n".join(_cell_module(CELLS[name], module_name) for name in netlist.cell_counts())
    return f"{cells}\n{_top_module(netlist, module_name)}"


def _cell_module(cell: Cell, prefix: str) -> str:
    assigns = "".join(
        f"  assign {pin} = {expression};\n"
        for pin, expression in zip(cell.outputs, cell.verilog, strict=True)
    )
    ports = [f"input {pin}" for pin in cell.inputs] + [f"output {pin}" for pin in cell.outputs]
    return f"module {prefix}_{cell.name} ({', '.join(ports)});\n{assigns}endmodule\n"


def _top_module(netlist: Netlist, name: str) -> str:
    names = {0: "1'b0", 1: "1'b1"}
    ports = []
    for direction, group in (("input", netlist.inputs), ("output", netlist.outputs)):
        for port, nets in group.items():
            ports.append(f"  {direction} [{len(nets) - 1}:0] {port}")
    for port, nets in netlist.inputs.items():
        names.update({net: f"{port}[{bit}]" for bit, net in enumerate(nets)})
    # Longer than any port name that looks like it.
    prefix = "n"
    while any(re.fullmatch(rf"{prefix}\d+", port) for port in (*netlist.inputs, *netlist.outputs)):
        prefix += "_"
    wires = [net for gate in netlist.gates for net in gate.outputs]
    names.update({net: f"{prefix}{net}" for net in wires})
    lines = [f"  wire {names[net]};" for net in wires]
    for number, gate in enumerate(netlist.gates):
        cell = CELLS[gate.cell]
        pins = zip((*cell.inputs, *cell.outputs), (*gate.inputs, *gate.outputs), strict=True)
        connections = ", ".join(f".{pin}({names[net]})" for pin, net in pins)
        lines.append(f"  {name}_{gate.cell} g{number} ({connections});")
    for port, nets in netlist.outputs.items():
        lines += [f"  assign {port}[{bit}] = {names[net]};" for bit, net in enumerate(nets)]
    header = ",\n".join(ports)
    body = "\n".join(lines)
    return f"module {name} (\n{header}\n);\n{body}\nendmodule\n"
