"""Sources in the styles of published libraries, generated from circuits of our own.

The unit is ``(a & ~3) (w & ~1)``: the exact array with three operand bits tied to 0. It does not
commute, and its table is known without the circuit.
"""

import re
import shutil

import numpy as np
import pytest

from accelsim.circuits import CELLS, Gate, Netlist, integer_circuit
from accelsim.formats import IntegerFormat

A, W = (0, 1), (0,)
"""Bits of activation and weight that are tied to 0."""


@pytest.fixture
def cc():
    """Skips where nothing can be compiled."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler on PATH")


@pytest.fixture
def table():
    """(bits, signed) -> the unit's products, by patterns."""

    def products(bits, signed):
        values = IntegerFormat(bits, signed).values()
        return (values[:, None] & ~3) * (values & ~1)

    return products


@pytest.fixture
def netlist():
    """(bits, signed) -> the unit as gates."""

    def gates(bits, signed):
        exact = integer_circuit(bits, signed).netlist
        tied = {exact.inputs["a"][i] for i in A} | {exact.inputs["w"][i] for i in W}
        return Netlist(
            exact.inputs,
            exact.outputs,
            tuple(
                Gate(
                    gate.cell, tuple(0 if net in tied else net for net in gate.inputs), gate.outputs
                )
                for gate in exact.gates
            ),
        )

    return gates


@pytest.fixture
def c_text():
    """(netlist, name, style, header) -> C as EvoApproxLib writes it, gate by gate."""
    styles = {
        "uint64": "uint64_t {0}(const uint64_t B,const uint64_t A)",
        "int8": "int16_t {0}(int8_t A, int8_t B)",
        "uint8": "uint16_t {0}(uint8_t A, uint8_t B)",
    }

    def text(netlist, name, style, header=""):
        names = {0: "0", 1: "1"}
        for port, letter in (("a", "A"), ("w", "B")):
            for i, net in enumerate(netlist.inputs[port]):
                names[net] = f"(({letter} >> {i})&1)"
        lines = []
        for number in netlist.order:
            gate = netlist.gates[number]
            for net in gate.outputs:
                names[net] = f"n{net}"
            for net, expression in zip(gate.outputs, CELLS[gate.cell].verilog, strict=True):
                lines.append(f"  uint64_t n{net} = ({_filled(gate, expression, names)})&1;")
        for i, net in enumerate(netlist.outputs["p"]):
            lines.append(f"  O |= (uint64_t)({names[net]}&1) << {i};")
        return (
            f"/***\n* a test circuit\n***/\n{header}#include <stdint.h>\n#include <stdlib.h>\n\n"
            f"{styles[style].format(name)}\n{{\n  uint64_t O = 0;\n" + "\n".join(lines)
            + "\n  return O;\n}\n"
        )  # fmt: skip

    return text


@pytest.fixture
def verilog_text():
    """(netlist, name, style, header) -> Verilog: assignments ("plain") or gscl45nm cells."""
    mapped = {
        "INV": ("INVX1", "A", "Y"), "BUF": ("BUFX2", "A", "Y"),
        "NAND2": ("NAND2X1", "A B", "Y"), "NOR2": ("NOR2X1", "A B", "Y"),
        "AND2": ("AND2X1", "A B", "Y"), "OR2": ("OR2X1", "A B", "Y"),
        "XOR2": ("XOR2X1", "A B", "Y"), "XNOR2": ("XNOR2X1", "A B", "Y"),
        "HA": ("HAX1", "A B", "YS YC"), "FA": ("FAX1", "A B C", "YS YC"),
    }  # fmt: skip

    def text(netlist, name, style, header=""):
        bits = len(netlist.inputs["a"])
        names = {0: "1'b0", 1: "1'b1"}
        for port, letter in (("a", "A"), ("w", "B")):
            for i, net in enumerate(netlist.inputs[port]):
                names[net] = f"{letter}[{i}]"
        for gate in netlist.gates:
            names.update({net: f"n{net}" for net in gate.outputs})
        wires = ",".join(names[net] for gate in netlist.gates for net in gate.outputs)
        lines = [f"  wire {wires};"]
        for number, gate in enumerate(netlist.gates):
            if style == "plain":
                for net, expression in zip(gate.outputs, CELLS[gate.cell].verilog, strict=True):
                    lines.append(f"  assign n{net} = {_filled(gate, expression, names)};")
                continue
            cell, inputs, outputs = mapped[gate.cell]
            pins = zip(
                [*inputs.split(), *outputs.split()], [*gate.inputs, *gate.outputs], strict=True
            )
            connected = ", ".join(f".{pin}({names[net]})" for pin, net in pins)
            lines.append(f"  {cell} U{number} ({connected});")
        product = ",".join(names[net] for net in reversed(netlist.outputs["p"]))
        return (
            f"/***\n* a test circuit\n***/\n{header}\nmodule {name} ( A, B, O );\n"
            f"  input [{bits - 1}:0] A;\n  input [{bits - 1}:0] B;\n"
            f"  output [{2 * bits - 1}:0] O;\n"
            + "\n".join(lines) + f"\n  assign O = {{{product}}};\nendmodule\n"
        )  # fmt: skip

    return text


@pytest.fixture
def header():
    """(table, bits, signed) -> comments as EvoApproxLib heads its files with, by plain NumPy."""

    def text(products, bits, signed):
        values = IntegerFormat(bits, signed).values()
        exact = values[:, None] * values
        error = np.abs(products - exact)
        ratio = error[exact != 0] / np.abs(exact[exact != 0])
        span = 4.0**bits
        return (
            f"// MAE% = {100 * error.mean() / span:.2f} %\n// MAE = {error.mean():.1f} \n"
            f"// WCE% = {100 * error.max() / span:.2f} %\n// WCE = {error.max()} \n"
            f"// WCRE% = {100 * ratio.max():.2f} %\n// EP% = {100 * (error > 0).mean():.2f} %\n"
            f"// MRE% = {100 * ratio.mean():.2f} %\n// MSE = {(error**2).mean() / 100:.3f}e2 \n"
            "// PDK45_PWR = 0.123 mW\n// PDK45_AREA = 456.7 um2\n// PDK45_DELAY = 1.25 ns\n"
        )

    return text


def _filled(gate, expression, names):
    """The cell's expression with nets for pins."""
    nets = dict(zip(CELLS[gate.cell].inputs, gate.inputs, strict=True))
    return re.sub(r"[A-Z]\w*", lambda pin: names[nets[pin[0]]], expression)
