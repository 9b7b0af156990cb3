"""What one product costs: delay, area and energy of a unit beside those of another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from accelsim.circuits.cells import SUPPLY_V, TECHNOLOGY_NM
from accelsim.circuits.comparison import Cost, unit_cost
from accelsim.energy import EnergyTable
from accelsim.errors import EnergyTableError
from accelsim.multipliers import Multiplier
from accelsim.operands import random_pairs

__all__ = ["CIRCUIT_CELLS", "CIRCUIT_PAIRS", "circuit_cost", "cost_rows"]

CIRCUIT_PAIRS = 1000
"""Random pairs whose toggles a circuit's energy is the mean of."""

CIRCUIT_CELLS = f"NanGate {TECHNOLOGY_NM} nm cells at {SUPPLY_V} V"
"""What a circuit's delay, area and energy are made of, in words."""

Found = tuple[float, str]
"""A value, NaN when there is none, and then why."""


def circuit_cost(unit: Multiplier, seed: int = 0) -> Cost | None:
    """Return what the gate netlist of *unit* costs, or None where there is no netlist.

    Area is the sum of the cells' areas, delay that of the longest path; energies are those of the
    toggles over `CIRCUIT_PAIRS` random uniform pairs, at the cells' own voltage.
    """
    if unit.circuit is None:
        return None
    (a, w), *_ = random_pairs(unit, CIRCUIT_PAIRS, seed).chunks()
    return unit_cost(unit.circuit, a, w)


def cost_rows(
    unit: Multiplier, against: Multiplier, table: EnergyTable, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the costs of *unit* beside those of *against*.

    ``delay_ps`` is what the units state, ``energy_pj`` what the table says per product;
    ``circuit_delay_ps``, ``circuit_area_um2`` and ``circuit_energy_pj`` come from the gate
    netlists: nominal delay, cells' area, and energy of their toggles over random uniform pairs,
    glitches not counted, or all counted (``glitch_energy_pj``).

    Returns
    -------
    list of dict
        cost, value, against, ratio, note: NaN where a number is not known, and then why in note.
    """
    netlists = {one: circuit_cost(one, seed) for one in (unit, against)}
    netlist = f"gate netlists, {CIRCUIT_CELLS}"

    def read(figure: str) -> Callable[[Multiplier], Found]:
        return lambda one: _circuit(netlists[one], figure)

    sources: dict[str, tuple[str, Callable[[Multiplier], Found]]] = {
        "delay_ps": ("stated by the units", _stated_delay),
        "energy_pj": (f"energy table {table.name}", lambda one: _table_energy(one, table)),
        "circuit_delay_ps": (netlist, read("delay_ps")),
        "circuit_area_um2": (netlist, read("area_um2")),
        "circuit_energy_pj": (
            f"{netlist}: {CIRCUIT_PAIRS:,} uniform pairs, no glitches",
            read("energy_functional_pj"),
        ),
        "glitch_energy_pj": (
            "the same with every glitch, all gates of one delay: an upper bound",
            read("energy_glitch_pj"),
        ),
    }
    rows = []
    for cost, (origin, find) in sources.items():
        (value, why), (other, why_other) = find(unit), find(against)
        reasons: dict[str, list[str]] = {}
        for name, reason in ((unit.name, why), (against.name, why_other)):
            if reason and name not in reasons.setdefault(reason, []):
                reasons[reason].append(name)
        rows.append(
            {
                "cost": cost,
                "value": value,
                "against": other,
                "ratio": value / other if other else math.nan,
                "note": "; ".join(f"{', '.join(who)}: {why}" for why, who in reasons.items())
                or origin,
            }
        )
    return rows


def _stated_delay(unit: Multiplier) -> Found:
    if unit.delay_ps is None:
        return math.nan, unit.delay_source
    return unit.delay_ps, ""


def _table_energy(unit: Multiplier, table: EnergyTable) -> Found:
    try:
        return table.energy_pj(f"multiplier.{unit.name}", "compute"), ""
    except EnergyTableError:
        return math.nan, f"no row in {table.name}"


def _circuit(cost: Cost | None, figure: str) -> Found:
    return (math.nan, "no circuit is modeled") if cost is None else (getattr(cost, figure), "")
