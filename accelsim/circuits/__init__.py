"""Circuits: gates, netlists built from them, and what they cost."""

from __future__ import annotations

from accelsim.circuits.cells import CELLS, Cell
from accelsim.circuits.full_adders import FULL_ADDERS, FullAdder
from accelsim.circuits.netlist import Builder, Gate, Netlist

__all__ = ["CELLS", "FULL_ADDERS", "Builder", "Cell", "FullAdder", "Gate", "Netlist"]
