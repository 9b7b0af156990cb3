"""Cells that imported netlists may hold, each in terms of accelsim's own.

``$_..._`` are Yosys' gates, the others those of gscl45nm, the standard cells of FreePDK45 that
EvoApproxLib's ``_pdk45.v`` files are mapped to. A recipe is a list of steps ``outputs = cell
inputs`` with the cells of `accelsim.circuits.CELLS`; names that are no pin are wires inside it.

Sources
-------
Function of the gscl45nm cells: the Verilog models and Liberty functions of the OSU FreePDK45
standard cell library (MUX2X1 inverts). Yosys manual, "Cell library, gates".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GATE_CELLS", "GateCell", "library_verilog"]


@dataclass(frozen=True)
class Step:
    """One cell of a recipe: wires by name."""

    cell: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class GateCell:
    """A foreign cell.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of str
        Pins.
    steps : tuple of Step
        What it is made of, in order.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]


_RECIPES = """
$_BUF_      A        Y = BUF A
$_NOT_      A        Y = INV A
$_AND_      A B      Y = AND2 A B
$_NAND_     A B      Y = NAND2 A B
$_OR_       A B      Y = OR2 A B
$_NOR_      A B      Y = NOR2 A B
$_XOR_      A B      Y = XOR2 A B
$_XNOR_     A B      Y = XNOR2 A B
$_ANDNOT_   A B      n = INV B; Y = AND2 A n
$_ORNOT_    A B      n = INV B; Y = OR2 A n
$_MUX_      A B S    Y = MUX2 A B S
$_NMUX_     A B S    n = MUX2 A B S; Y = INV n
$_AOI3_     A B C    Y = AOI21 C A B
$_OAI3_     A B C    Y = OAI21 C A B
$_AOI4_     A B C D  Y = AOI22 A B C D
$_OAI4_     A B C D  m = OR2 A B; n = OR2 C D; Y = NAND2 m n
AND2X1      A B      Y = AND2 A B
AND2X2      A B      Y = AND2 A B
AOI21X1     A B C    Y = AOI21 C A B
AOI22X1     A B C D  Y = AOI22 A B C D
BUFX2       A        Y = BUF A
BUFX4       A        Y = BUF A
CLKBUF1     A        Y = BUF A
CLKBUF2     A        Y = BUF A
CLKBUF3     A        Y = BUF A
FAX1        A B C    YS YC = FA A B C
HAX1        A B      YS YC = HA A B
INVX1       A        Y = INV A
INVX2       A        Y = INV A
INVX4       A        Y = INV A
INVX8       A        Y = INV A
MUX2X1      A B S    n = MUX2 B A S; Y = INV n
NAND2X1     A B      Y = NAND2 A B
NAND3X1     A B C    n = AND2 A B; Y = NAND2 n C
NOR2X1      A B      Y = NOR2 A B
NOR3X1      A B C    n = OR2 A B; Y = NOR2 n C
OAI21X1     A B C    Y = OAI21 C A B
OAI22X1     A B C D  m = OR2 A B; n = OR2 C D; Y = NAND2 m n
OR2X1       A B      Y = OR2 A B
OR2X2       A B      Y = OR2 A B
XNOR2X1     A B      Y = XNOR2 A B
XOR2X1      A B      Y = XOR2 A B
"""


def _parse(line: str) -> GateCell:
    name, _, rest = line.partition(" ")
    left, _, _ = rest.partition("=")
    words = left.split()
    # Pins are capital letters; the first step's outputs follow them without a mark of their own.
    inputs = tuple(word for word in words if word in ("A", "B", "C", "D", "S"))
    recipe = rest.split(maxsplit=len(inputs))[-1]
    steps = []
    for step in recipe.split(";"):
        outputs, _, call = step.partition("=")
        cell, *wires = call.split()
        steps.append(Step(cell, tuple(wires), tuple(outputs.split())))
    pins = tuple(wire for step in steps for wire in step.outputs if wire.startswith("Y"))
    return GateCell(name, inputs, pins, tuple(steps))


GATE_CELLS: dict[str, GateCell] = {
    cell.name: cell for cell in map(_parse, _RECIPES.strip().splitlines())
}
"""Name -> cell."""


def library_verilog() -> str:
    """Return empty Verilog modules of the gscl45nm cells, for their names and pins."""
    modules = []
    for cell in GATE_CELLS.values():
        if not cell.name.startswith("$"):
            pins = [f"input {pin}" for pin in cell.inputs] + [f"output {p}" for p in cell.outputs]
            modules.append(f"module {cell.name}({', '.join(pins)}); endmodule")
    return "\n".join(modules) + "\n"
