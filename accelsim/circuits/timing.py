"""Timing, area, leakage and switching energy of a netlist, from the figures of its cells.

Delays are the cells' nominal ones at a load of four inverters, the same for every input and output
pin, whatever a gate really drives; wires cost nothing. The longest sum over any path is the delay:
a static bound that no operand need reach.

The energy of a toggle of a gate's output is the cell's internal energy, and ``C V^2 / 2`` of the
input pins that the net drives; nets of input ports cost only the latter. Wires and the loads of
output ports are not counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits.cells import CELLS, SUPPLY_V
from accelsim.circuits.netlist import Netlist

__all__ = ["area_um2", "arrivals_ps", "delay_ps", "leakage_uw", "toggle_energies_fj"]


def arrivals_ps(netlist: Netlist) -> NDArray[np.float64]:
    """Return when each net has settled at the latest, ps after the inputs, (net_count,)."""
    arrivals = np.zeros(netlist.net_count)
    for i in netlist.order:
        gate = netlist.gates[i]
        latest = max(arrivals[net] for net in gate.inputs)
        arrivals[list(gate.outputs)] = latest + CELLS[gate.cell].delay_ps
    return arrivals


def delay_ps(netlist: Netlist) -> float:
    """Return the delay of the longest path to an output port, ps."""
    arrivals = arrivals_ps(netlist)
    return float(max(arrivals[net] for nets in netlist.outputs.values() for net in nets))


def area_um2(netlist: Netlist) -> float:
    """Return the sum of the cells' areas, um2."""
    return sum(CELLS[name].area_um2 * count for name, count in netlist.cell_counts().items())


def leakage_uw(netlist: Netlist) -> float:
    """Return the sum of the cells' mean leakage powers, uW."""
    counts = netlist.cell_counts()
    return sum(CELLS[name].leakage_nw * count for name, count in counts.items()) / 1000


def toggle_energies_fj(netlist: Netlist) -> NDArray[np.float64]:
    """Return the energy of one toggle of each net at `SUPPLY_V`, fJ, (net_count,)."""
    load_ff = np.zeros(netlist.net_count)
    internal_fj = np.zeros(netlist.net_count)
    for gate in netlist.gates:
        cell = CELLS[gate.cell]
        np.add.at(load_ff, list(gate.inputs), cell.input_cap_ff)
        internal_fj[list(gate.outputs)] = cell.internal_energy_fj
    # fF x V^2 is fJ.
    return internal_fj + load_ff * SUPPLY_V**2 / 2
