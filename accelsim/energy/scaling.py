"""From one node and voltage to another: the law of Stillmaker and Baas, and tables scaled by it.

The law gives the energy of a switching gate as a polynomial of the supply, one for each node:

.. code-block:: none

    E(node, V) = a V^2 + b V + c        factor = E(to) / E(from)

Between two nodes E is taken on a straight line of both logarithms, which is not in the paper: the
steps between planar and FinFET nodes are coarse there. The law is one of switching energy in logic.
It is stretched where a table uses it for leakage, wires or SRAM, and such rows say so. Nothing off
the chip follows it: rows of DRAMs are copied as they are.

Sources
-------
Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device performance from
180 nm to 7 nm", Integration 58, 2017; coefficients as coded in Accelergy's hwcomponents
(``scaling/techscaling.py`` @e67d7f1).
"""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

from accelsim.energy.actions import is_power
from accelsim.energy.rows import EnergyRow
from accelsim.energy.table import EnergyTable
from accelsim.errors import EnergyTableError

__all__ = ["energy_factor", "scale_row", "scale_table"]

COEFFICIENTS = Path(__file__).with_name("stillmaker_baas.csv")


def energy_factor(from_nm: float, from_v: float, to_nm: float, to_v: float) -> float:
    """Return what energy at one node and supply is multiplied with to be that at another.

    Raises
    ------
    EnergyTableError
        A node outside 7 to 130 nm, or a supply at which the law has energy fall with voltage.

    >>> round(energy_factor(45, 0.9, 7, 0.9), 4), round(energy_factor(65, 1.0, 45, 0.9), 3)
    (0.1024, 0.634)
    """
    return _energy(to_nm, to_v) / _energy(from_nm, from_v)


@cache
def _polynomials() -> dict[float, tuple[float, float, float]]:
    with COEFFICIENTS.open(newline="", encoding="utf-8") as stream:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(stream))[1:]]
    return {node: (a, b, c) for node, a, b, c in sorted(rows)}


def _energy(node_nm: float, voltage_v: float) -> float:
    known = list(_polynomials())
    if not known[0] <= node_nm <= known[-1]:
        raise EnergyTableError(
            f"the scaling law covers {known[0]:g} to {known[-1]:g} nm, got {node_nm:g} nm"
        )
    below = max(node for node in known if node <= node_nm)
    above = min(node for node in known if node >= node_nm)
    low, high = (_switching(node, voltage_v) for node in (below, above))
    if below == above:
        return low
    share = math.log(node_nm / below) / math.log(above / below)
    return low * (high / low) ** share


def _switching(node_nm: float, voltage_v: float) -> float:
    a, b, c = _polynomials()[node_nm]
    lowest = max(-b / (2 * a), 0)
    if not (math.isfinite(voltage_v) and voltage_v > lowest):
        raise EnergyTableError(
            f"the scaling law of {node_nm:g} nm holds above {lowest:.3g} V, where energy grows "
            f"with voltage, got {voltage_v:g} V"
        )
    return a * voltage_v**2 + b * voltage_v + c


def scale_row(row: EnergyRow, technology_nm: float, voltage_v: float) -> EnergyRow:
    """Return *row* at another node and supply, with the law's factor as one more term.

    A row of a DRAM, and one that is there already, is returned as it is. Published figures become
    derived ones, powers assumed ones: the law knows no leakage.
    """
    if row.technology_nm is None or row.voltage_v is None:
        return row
    if (row.technology_nm, row.voltage_v) == (technology_nm, voltage_v):
        return row
    term = f"{energy_factor(row.technology_nm, row.voltage_v, technology_nm, voltage_v):.4g}"
    why = (
        f"{term}: Stillmaker-Baas, {row.technology_nm:g} nm {row.voltage_v:g} V to "
        f"{technology_nm:g} nm {voltage_v:g} V"
    )
    confidence = "derived" if row.confidence == "published" else row.confidence
    if is_power(row.action):
        why += ", the law of switching energy taken for leakage (assumed)"
        confidence = "assumed"
    return replace(
        row,
        technology_nm=technology_nm,
        voltage_v=voltage_v,
        factor=f"{row.factor} x {term}" if row.factor else term,
        confidence=confidence,
        note=f"{row.note}; {why}" if row.note else why,
    )


def scale_table(
    table: EnergyTable, technology_nm: float, voltage_v: float
) -> tuple[EnergyRow, ...]:
    """Return the rows of *table* at another node and supply; `rows_to_csv` makes a file of them.

    Raises
    ------
    EnergyTableError
        The law does not cover one of the nodes or supplies.
    """
    return tuple(scale_row(row, technology_nm, voltage_v) for row in table.rows)
