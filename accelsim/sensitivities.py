"""Sensitivity: how far the energies of units, and which is least, hang on single constants."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from accelsim.comparison import check_same, run_conditions
from accelsim.energy import looked_up
from accelsim.errors import DataError
from accelsim.layer_units import unit_label
from accelsim.results import Run, actions_of

__all__ = ["CONSTANTS", "FACTORS", "sensitivity"]

CONSTANTS = 5
"""How many constants are varied."""

FACTORS = (0.5, 2.0)
"""What each is multiplied by."""


def sensitivity(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the energy of each run with the constants that it depends on most halved and doubled.

    A constant is a row of the energy table: the energy of an action, or the power of an instance.
    All components that the row is looked up for share it, and so do all runs: memories of the same
    size and width do, two multipliers do not. The energy is linear in each, E + (factor - 1) x the
    constant's part of E. In mode toggles the multipliers' constant is the energy of their netlist.

    Parameters
    ----------
    runs : sequence of Run
        Of one network on one accelerator, each with a multiplier of its own. Ratios are to the
        first.

    Returns
    -------
    DataFrame
        A row for each constant, factor and multiplier, the `CONSTANTS` constants with the largest
        share of any run's energy first: ``constant``; ``energy_pj`` of one action (of one cycle,
        for a power); ``share`` of this run's energy; ``factor``; ``multiplier``; ``energy_uj`` with
        the constant changed; ``ratio`` of it to the first run's; ``survives``: whether of any two
        runs the same one takes less energy as with the constants as they are. That is ``factor``
        1, whose rows come first, with an empty constant.

    Raises
    ------
    DataError
        There are no runs, or they differ in more than the multiplier, or one was saved without its
        actions.
    """
    if not runs:
        raise DataError("sensitivity needs at least one run")
    conditions: dict[str, dict[str, object]] = {}
    parts: dict[str, pd.DataFrame] = {}
    for run in runs:
        unit = unit_label(run.accelerator)
        if unit in parts:
            raise DataError(f"two runs have the multiplier {unit!r}; give one for each")
        check_same(conditions, "run", run_conditions(run), unit)
        parts[unit] = _parts(run)
    totals = pd.Series({unit: own["energy_pj"].sum() for unit, own in parts.items()})
    energies = pd.DataFrame({unit: own["energy_pj"] for unit, own in parts.items()}).fillna(0.0)
    counts = pd.DataFrame({unit: own["count"] for unit, own in parts.items()}).sum(axis=1)
    shares = energies / totals
    most = shares.max(axis=1).sort_values(ascending=False, kind="stable").index[:CONSTANTS]
    blocks = [_block("", float("nan"), shares.sum(), 1.0, totals, totals)]
    for name in most:
        one_pj = energies.loc[name].sum() / counts[name]
        for factor in FACTORS:
            changed = totals + (factor - 1) * energies.loc[name]
            blocks.append(_block(name, one_pj, shares.loc[name], factor, changed, totals))
    return pd.concat(blocks, ignore_index=True)


def _parts(run: Run) -> pd.DataFrame:
    """Return count and energy_pj by constant; what costs nothing depends on none."""
    actions = actions_of(run)
    actions = actions[actions["energy_pj"] > 0]
    names = [
        _name(component, action, run)
        for component, action in zip(actions["component"], actions["action"], strict=True)
    ]
    return actions[["count", "energy_pj"]].groupby(names).sum()


def _name(component: str, action: str, run: Run) -> str:
    row = looked_up(component, action, run.accelerator)
    size = f" ({row.capacity_bytes / 1024:g} KiB, {row.bits} bits)" if row.capacity_bytes else ""
    return f"{row.component} {row.action}{size}"


def _block(
    constant: str,
    energy_pj: float,
    shares: pd.Series,
    factor: float,
    changed: pd.Series,
    totals: pd.Series,
) -> pd.DataFrame:
    """Return the rows of one constant and factor; *shares* and energies are by multiplier."""
    return pd.DataFrame(
        {
            "constant": constant,
            "energy_pj": energy_pj,
            "share": shares.to_numpy(),
            "factor": factor,
            "multiplier": changed.index,
            "energy_uj": changed.to_numpy() / 1e6,
            "ratio": (changed / changed.iloc[0]).to_numpy(),
            "survives": bool((changed.rank(method="min") == totals.rank(method="min")).all()),
        }
    )
