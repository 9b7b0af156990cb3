"""Cells: the logic gates that netlists are made of, with what each costs.

A cell's function is its truth table, written as in `full_adders`: one digit per combination of its
inputs, the first input the most significant, from all zeros to all ones. What it costs comes from
``nangate45.csv`` beside this file, where every row names its source.

>>> NAND2 = CELLS["NAND2"]
>>> NAND2.inputs, NAND2.tables, NAND2.area_um2
(('A', 'B'), ('1110',), 0.798)
>>> CELLS["FA"].values(1, 1, 0)  # S, CO
(0, 1)
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CELLS", "SUPPLY_V", "TECHNOLOGY_NM", "Cell"]

SUPPLY_V = 1.1
"""Supply voltage of the library corner, V."""

TECHNOLOGY_NM = 45
"""Node of the library."""

LIBRARY = Path(__file__).with_name("nangate45.csv")


@dataclass(frozen=True)
class Cell:
    """One gate.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of str
        Pins, in the order that netlists list their nets.
    tables : tuple of str
        Truth table of each output.
    verilog : tuple of str
        The same as Verilog expressions of the input pins.
    area_um2, leakage_nw : float
        Cell area, um2, and mean leakage power, nW.
    input_cap_ff : float
        Capacitance of an input pin, mean of the cell's pins, fF.
    internal_energy_fj : float
        Energy inside the cell per toggle of one output, fJ.
    delay_ps : float
        From any input to any output, at a load of four inverters, ps.
    source : str
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tables: tuple[str, ...]
    verilog: tuple[str, ...]
    area_um2: float
    leakage_nw: float
    input_cap_ff: float
    internal_energy_fj: float
    delay_ps: float
    source: str

    def values(self, *bits: int) -> tuple[int, ...]:
        """Return the outputs for the input *bits*."""
        row = int("".join(map(str, bits)), 2)
        return tuple(int(table[row]) for table in self.tables)


_FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (input pins, (output pin, truth table, expression) ...)
    "INV": ("A", ("ZN 10 ~A",)),
    "BUF": ("A", ("Z 01 A",)),
    "NAND2": ("A B", ("ZN 1110 ~(A & B)",)),
    "NOR2": ("A B", ("ZN 1000 ~(A | B)",)),
    "AND2": ("A B", ("Z 0001 A & B",)),
    "OR2": ("A B", ("Z 0111 A | B",)),
    "XOR2": ("A B", ("Z 0110 A ^ B",)),
    "XNOR2": ("A B", ("ZN 1001 ~(A ^ B)",)),
    "AOI21": ("A B1 B2", ("ZN 11100000 ~(A | (B1 & B2))",)),
    "OAI21": ("A B1 B2", ("ZN 11111000 ~(A & (B1 | B2))",)),
    "AOI22": ("A1 A2 B1 B2", ("ZN 1110111011100000 ~((A1 & A2) | (B1 & B2))",)),
    "MUX2": ("A B S", ("Z 00011011 (S & B) | (~S & A)",)),
    "HA": ("A B", ("S 0110 A ^ B", "CO 0001 A & B")),
    "FA": ("A B CI", ("S 01101001 A ^ B ^ CI", "CO 00010111 (A & B) | (CI & (A | B))")),
}


def _load() -> dict[str, Cell]:
    with LIBRARY.open(newline="", encoding="utf-8") as stream:
        costs = {row.pop("cell"): row for row in csv.DictReader(stream)}
    cells = {}
    for name, (inputs, functions) in _FUNCTIONS.items():
        row = costs[name]
        source = row.pop("source")
        outputs, tables, expressions = zip(*(f.split(" ", 2) for f in functions), strict=True)
        figures = {quantity: float(value) for quantity, value in row.items()}
        cells[name] = Cell(
            name, tuple(inputs.split()), outputs, tables, expressions, **figures, source=source
        )
    return cells


CELLS: dict[str, Cell] = _load()
"""Name -> cell."""
