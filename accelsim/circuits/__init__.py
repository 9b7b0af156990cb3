"""Circuits: gates, netlists built from them, and what they cost.

`integer_circuit` and `float_circuit` build multipliers, with every structural choice a parameter:
baseline, buffers and glitches move the ratios of the units by an order of magnitude.
"""

from __future__ import annotations

from accelsim.circuits.cells import CELLS, Cell
from accelsim.circuits.circuit import Circuit, FloatPorts, IntegerPorts
from accelsim.circuits.evaluate import count_toggles, evaluate, transition_costs
from accelsim.circuits.floats import FloatForm, float_circuit
from accelsim.circuits.full_adders import FULL_ADDERS, FullAdder
from accelsim.circuits.integers import integer_circuit
from accelsim.circuits.netlist import Builder, Gate, LoopError, Netlist

__all__ = [
    "CELLS",
    "FULL_ADDERS",
    "Builder",
    "Cell",
    "Circuit",
    "FloatForm",
    "FloatPorts",
    "FullAdder",
    "Gate",
    "IntegerPorts",
    "LoopError",
    "Netlist",
    "count_toggles",
    "evaluate",
    "float_circuit",
    "integer_circuit",
    "transition_costs",
]
