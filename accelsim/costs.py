"""What one product costs: delay, area and energy of a unit beside those of another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.energy import EnergyTable
from accelsim.errors import EnergyTableError
from accelsim.multipliers import Multiplier
from accelsim.operands import random_pairs

__all__ = ["cost_rows"]

CIRCUIT_PAIRS = 1000
"""Random pairs whose toggles a circuit's energy is the mean of."""

Found = tuple[float, str]
"""A value, NaN when there is none, and then why."""


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
    sources: dict[str, tuple[str, Callable[[Multiplier], Found]]] = {
        "delay_ps": ("stated by the units", _stated_delay),
        "energy_pj": (f"energy table {table.name}", lambda one: _table_energy(one, table)),
        "circuit_delay_ps": ("gate netlists", lambda one: _circuit(one, "delay_ps")),
        "circuit_area_um2": ("gate netlists", lambda one: _circuit(one, "area_um2")),
        "circuit_energy_pj": (
            f"gate netlists at their own voltage, {CIRCUIT_PAIRS:,} uniform pairs, no glitches",
            lambda one: _circuit_energy(one, seed, glitches=False),
        ),
        "glitch_energy_pj": (
            "the same with every glitch, all gates of one delay: an upper bound",
            lambda one: _circuit_energy(one, seed, glitches=True),
        ),
    }
    rows = []
    for cost, (origin, read) in sources.items():
        (value, why), (other, why_other) = read(unit), read(against)
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


def _circuit(unit: Multiplier, method: str) -> Found:
    if unit.circuit is None:
        return math.nan, "no circuit is modeled"
    return float(getattr(unit.circuit, method)()), ""


def _circuit_energy(unit: Multiplier, seed: int, *, glitches: bool) -> Found:
    if unit.circuit is None:
        return math.nan, "no circuit is modeled"
    (a, w), *_ = random_pairs(unit, CIRCUIT_PAIRS, seed).chunks()
    return float(np.mean(unit.circuit.energy_pj(a, w, glitches=glitches))), ""
