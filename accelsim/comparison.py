"""Cost beside robustness: runs and scores of the same network, one column per unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.accumulators import AUTO
from accelsim.config import Accelerator
from accelsim.differences import cost_of
from accelsim.errors import DataError
from accelsim.folders import find_results, read_manifest, read_table
from accelsim.layer_units import of_any_unit, unit_label
from accelsim.results import BASELINE, Run, load_run
from accelsim.statistics import Estimate

__all__ = [
    "Quantities",
    "attack_label",
    "attack_quantities",
    "attacked",
    "check_same",
    "compare_results",
    "cost_quantities",
    "in_order",
    "load_scores",
    "run_conditions",
    "score_conditions",
]

Quantities = dict[tuple[str, str], Estimate]
"""(quantity, unit) -> its value; the bounds are NaN where there is no interval."""


def compare_results(folders: Iterable[str | Path]) -> pd.DataFrame:
    """Return a row per quantity and a column per multiplier.

    Parameters
    ----------
    folders : iterable of path
        Folders that simulate and score wrote, of one network; of runs, one per multiplier.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``unit``, then the multipliers, ``exact_fp32`` first.
        What was not measured is NaN.

    Raises
    ------
    DataError
        The folders hold no runs or scores, or results that differ in more than the multiplier.
    """
    columns: dict[str, Quantities] = {}
    conditions: dict[str, dict[str, object]] = {}
    for folder in find_results(folders):
        manifest = read_manifest(folder)
        if manifest["kind"] == "run":
            run = load_run(folder)
            summary = run.summary.iloc[0]
            check_same(conditions, "run", run_conditions(run), folder)
            if run.manifest.get("calibration"):
                calibrated = {
                    "workload": summary["workload"],
                    "calibration (trace_hash)": summary["trace_hash"],
                }
                check_same(conditions, "calibrated run", calibrated, folder)
            _add(columns, unit_label(run.accelerator), cost_quantities(summary), folder)
        elif manifest["kind"] == "score":
            for _, row in _checked_scores(folder, conditions).iterrows():
                _add(columns, str(row["target"]), attack_quantities(row), folder)
    if not columns:
        raise DataError("nothing to compare: the folders hold neither runs nor scores")
    networks = {str(found["workload"]) for found in conditions.values()}
    if len(networks) > 1:
        raise DataError(f"results of several networks: {', '.join(sorted(networks))}; give one")
    ordered = {name: columns[name] for name in sorted(columns, key=lambda name: name != BASELINE)}
    return pd.DataFrame(
        [
            {
                "quantity": name,
                "unit": unit,
                **{
                    multiplier: column[name, unit].value if (name, unit) in column else math.nan
                    for multiplier, column in ordered.items()
                },
            }
            for name, unit in in_order(ordered.values())
        ]
    )


def run_conditions(run: Run) -> dict[str, object]:
    """Return what must be the same in all runs: everything but the multipliers."""
    summary = run.summary.iloc[0]
    return {
        "workload": summary["workload"],
        "accelerator": summary["accelerator"],
        "images": summary["images"],
        # Without the ranges, which only units of integers have.
        "weights or images (network_hash)": run.manifest.get("network_hash", summary["trace_hash"]),
        "configuration": of_any_unit(run.accelerator)
        .replace(accumulator=_asked_for(run.accelerator.accumulator))
        .config_hash,
        "energy table (table_hash)": summary["table_hash"],
    }


def load_scores(folders: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of the scores in *folders* as one table.

    Parameters
    ----------
    folders : sequence of path
        Folders that score wrote, at least one.

    Raises
    ------
    DataError
        The scores differ in more than attack and multiplier.
    """
    conditions: dict[str, dict[str, object]] = {}
    tables = [_checked_scores(folder, conditions) for folder in folders]
    return pd.concat(tables, ignore_index=True)


def _checked_scores(folder: Path, conditions: dict[str, dict[str, object]]) -> pd.DataFrame:
    """Return the scores in *folder*, which must be under the *conditions* of those before."""
    manifest, table = read_manifest(folder, "score"), read_table(folder / "scores.csv")
    for _, row in table.iterrows():
        check_same(conditions, "score", score_conditions(row, manifest), folder)
    return table


def score_conditions(row: pd.Series, manifest: Mapping[str, Any]) -> dict[str, object]:
    """Return what must be the same in all scores: everything but attack and multiplier.

    A row names the accumulator that its unit had, the manifest what was asked for.
    """
    same = {name: row[name] for name in ("workload", "scenario", "images", "seed", "weights_hash")}
    return {
        **same,
        "accumulator": _asked_for(manifest.get("accumulator", row["accumulator"])),
        "images or labels (data_hash)": manifest.get("data_hash", "not recorded"),
        "accelerator": _whose_pes(manifest.get("accelerator")),
    }


def _whose_pes(fields: Mapping[str, Any] | None) -> str:
    """Return in whose PEs units were judged, in words."""
    if fields is None:
        return "none"
    machine = of_any_unit(Accelerator.from_dict(fields))  # judges are called by their units
    return f"{machine.name}, {machine.config_hash}"


def _asked_for(accumulator: str) -> str:
    """Return ``auto`` where the setting is what ``auto`` means for every unit of floats."""
    return AUTO if accumulator == "float32" else accumulator


def check_same(
    conditions: dict[str, dict[str, object]],
    kind: str,
    found: dict[str, object],
    where: str | Path,
    may_differ: str = "the multiplier",
) -> None:
    """Remember the conditions of the first result of a *kind*, and refuse others that differ.

    Parameters
    ----------
    conditions : dict
        Kind -> what the first had; filled here.
    kind : str
        Such as ``run``.
    found : dict
        Name of a condition -> its value in this result.
    where : str or path
        Folder or multiplier of this result, for the message.
    may_differ : str
        In what results may differ, for the message.

    Raises
    ------
    DataError
        One differs.
    """
    expected = conditions.setdefault(kind, found)
    for name, value in found.items():
        if value != expected[name]:
            raise DataError(
                f"the {kind}s to compare differ in {name}: {expected[name]} and, in "
                f"{str(where)!r}, {value}; give {kind}s that differ in {may_differ} alone"
            )


def _add(
    columns: dict[str, Quantities], multiplier: str, quantities: Quantities, folder: Path
) -> None:
    """Add a unit's quantities; an accuracy without attack may come again with each attack."""
    column = columns.setdefault(multiplier, {})
    for name, found in quantities.items():
        if name in column and column[name].value != found.value:
            raise DataError(
                f"two results have {name[0]!r} of {multiplier!r} (the second is in "
                f"{str(folder)!r}); compare takes one per multiplier"
            )
        column[name] = found


def cost_quantities(summary: pd.Series) -> Quantities:
    """Return what a run, whose *summary* this is, takes."""
    return {name: Estimate(one, math.nan, math.nan) for name, one in cost_of(summary).items()}


def attack_label(row: pd.Series) -> str:
    """Return the attack of a row of scores, with its budget, and whom it attacked."""
    budget = "" if pd.isna(row["epsilon"]) else f" {row['epsilon']:g}"
    attack = f"{row['attack']}{budget}"
    if row["source"] != "torch":
        attack += f" on {' '.join(filter(None, (attacked(row), row['gradient'])))}"
    return attack


def attacked(row: pd.Series) -> str:
    """Return whom the attack of a row of scores attacked; nothing where that is the target.

    Where it is made of the target, only what it is: ``proxy``, ``surrogate``, ``ensemble``.
    """
    return str(row["source"]).removesuffix(str(row["target"])).removesuffix(" of ").strip()


def attack_quantities(row: pd.Series) -> Quantities:
    """Return what an attack did to a unit, from a row of scores; in percent."""
    attack = attack_label(row)
    rates = {
        "accuracy, clean": "clean_accuracy",
        "confidence, clean": "mean_confidence_clean",
        f"accuracy, {attack}": "robust_accuracy",
        f"transfer success, {attack}": "transfer_success",
    }
    return {
        (name, "%"): Estimate(
            *(100 * float(row.get(f"{rate}{bound}", math.nan)) for bound in ("", "_low", "_high"))
        )
        for name, rate in rates.items()
    }


def in_order(columns: Iterable[Quantities]) -> list[tuple[str, str]]:
    """Return the quantities of *columns*: accuracy, latency, energy, then what attacks did."""
    quantities = list(dict.fromkeys(key for column in columns for key in column))
    return sorted(quantities, key=_order)


def _order(quantity: tuple[str, str]) -> int:
    leading = ("accuracy, clean", "multiplier", "latency", "energy")
    trailing = ("confidence", "accuracy", "transfer")
    name = quantity[0]
    return next(place for place, prefix in enumerate(leading + trailing) if name.startswith(prefix))
