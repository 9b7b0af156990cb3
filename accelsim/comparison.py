"""Cost beside robustness: runs and scores of the same network, one column per unit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from accelsim.errors import DataError
from accelsim.folders import find_results, read_manifest, read_table
from accelsim.results import BASELINE, load_run

__all__ = ["compare_results"]


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
        The folders hold no runs or scores, results of several networks, or two runs of one unit.
    """
    columns: dict[str, dict[tuple[str, str], float]] = {}
    networks: set[str] = set()
    for folder in find_results(folders):
        kind = read_manifest(folder)["kind"]
        if kind == "run":
            summary = load_run(folder).summary.iloc[0]
            networks.add(str(summary["workload"]))
            column = columns.setdefault(str(summary["multiplier"]), {})
            if ("latency", "us/image") in column:
                raise DataError(
                    f"two runs have the multiplier {summary['multiplier']!r} (the second is in "
                    f"{str(folder)!r}); compare takes one run per multiplier"
                )
            column.update(_cost(summary))
        elif kind == "score":
            for _, row in read_table(folder / "scores.csv").iterrows():
                networks.add(str(row["workload"]))
                columns.setdefault(str(row["multiplier"]), {}).update(_robustness(row))
    if not columns:
        raise DataError("nothing to compare: the folders hold neither runs nor scores")
    if len(networks) > 1:
        raise DataError(f"results of several networks: {', '.join(sorted(networks))}; give one")
    ordered = {name: columns[name] for name in sorted(columns, key=lambda name: name != BASELINE)}
    quantities = list(dict.fromkeys(key for column in columns.values() for key in column))
    quantities.sort(key=_order)
    return pd.DataFrame(
        [
            {
                "quantity": name,
                "unit": unit,
                **{
                    multiplier: column.get((name, unit), float("nan"))
                    for multiplier, column in ordered.items()
                },
            }
            for name, unit in quantities
        ]
    )


def _cost(summary: pd.Series) -> dict[tuple[str, str], float]:
    images = float(summary["images"])
    chip = float(summary["energy_uj"] - summary["energy_dram_uj"]) / images
    return {
        ("multiplier delay", "ns"): float(summary["multiplier_delay_ps"]) / 1e3,
        ("multiplier latency", "cycles"): float(summary["multiplier_latency_cycles"]),
        ("latency", "us/image"): float(summary["latency_us_per_image"]),
        ("latency, array busy", "kcycles/image"): float(summary["compute_cycles"]) / images / 1e3,
        ("energy", "uJ/image"): float(summary["energy_uj_per_image"]),
        ("energy on chip, no DRAM", "uJ/image"): chip,
        ("energy of multipliers", "uJ/image"): float(summary["energy_multiplier_uj"]) / images,
    }


def _robustness(row: pd.Series) -> dict[tuple[str, str], float]:
    attack = f"{row['attack']} {row['epsilon']:g}"
    return {
        ("accuracy, clean", "%"): 100 * float(row["clean_accuracy"]),
        ("confidence, clean", "%"): 100 * float(row["mean_confidence_clean"]),
        (f"accuracy, {attack}", "%"): 100 * float(row["robust_accuracy"]),
        (f"transfer success, {attack}", "%"): 100 * float(row["transfer_success"]),
    }


def _order(quantity: tuple[str, str]) -> int:
    """Return the place of a quantity: accuracy, latency, energy, then what attacks did."""
    leading = ("accuracy, clean", "multiplier", "latency", "energy")
    trailing = ("confidence", "accuracy", "transfer")
    name = quantity[0]
    return next(place for place, prefix in enumerate(leading + trailing) if name.startswith(prefix))
