"""Two runs of one network beside each other: what they cost, what differs, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from accelsim.config import Accelerator
from accelsim.errors import DataError
from accelsim.fields import field_types
from accelsim.layer_units import unit_label

if TYPE_CHECKING:
    from accelsim.results import Run

__all__ = ["compare_runs", "cost_of"]


def cost_of(summary: pd.Series) -> dict[tuple[str, str], float]:
    """Return (quantity, unit) -> value of what a run costs, from its summary."""
    images = float(summary["images"])
    chip = float(summary["energy_uj"] - summary["energy_dram_uj"]) / images
    return {
        ("multiplier delay", "ns"): float(summary["multiplier_delay_ps"]) / 1e3,
        ("multiplier latency", "cycles"): float(summary["multiplier_latency_cycles"]),
        ("latency", "us/image"): float(summary["latency_us_per_image"]),
        ("latency, array busy", "kcycles/image"): float(summary["array_cycles"]) / images / 1e3,
        ("energy", "uJ/image"): float(summary["energy_uj_per_image"]),
        ("energy on chip, no DRAM", "uJ/image"): chip,
        ("energy of multipliers", "uJ/image"): float(summary["energy_multiplier_uj"]) / images,
    }


def compare_runs(first: Run, second: Run) -> pd.DataFrame:
    """Return a row per quantity: of *first*, of *second*, and the ratio of the second's to it.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``unit``, one for each run under what tells it from the other (its
        multiplier, or the fields in which the accelerators differ), and ``ratio``. A ratio to 0 is
        NaN, as is an accuracy that is not known.

    Raises
    ------
    DataError
        The runs are of different networks, images or numbers of images.
    """
    _check_same_network(first, second)
    labels = _labels(first.accelerator, second.accelerator)
    values = [_quantities(run.summary.iloc[0]) for run in (first, second)]
    table = pd.DataFrame(
        [
            (name, unit, one, values[1].get((name, unit), float("nan")))
            for (name, unit), one in values[0].items()
        ],
        columns=["quantity", "unit", *labels],
    )
    base = table[labels[0]]
    return table.assign(ratio=table[labels[1]] / base.where(base != 0))


def _quantities(summary: pd.Series) -> dict[tuple[str, str], float]:
    cost = cost_of(summary)
    parts = {
        (f"energy of {name.removeprefix('energy_').removesuffix('_uj')}", "uJ/image"): value
        for name, value in summary.items()
        if str(name).startswith("energy_") and str(name).endswith("_uj") and name != "energy_uj"
    }
    del parts["energy of multiplier", "uJ/image"]  # in the cost
    images = float(summary["images"])
    return {
        ("accuracy", "%"): 100 * float(summary["accuracy"]),
        **cost,
        **{what: float(value) / images for what, value in parts.items()},
        ("utilization", "%"): 100 * float(summary["utilization"]),
    }


def _check_same_network(first: Run, second: Run) -> None:
    for what in ("workload", "images"):
        one, other = (run.summary.iloc[0][what] for run in (first, second))
        if one != other:
            raise DataError(
                f"runs to compare must be of the same network and images; they differ in {what}: "
                f"{one} and {other}"
            )
    # Without the ranges, which only units of integers have.
    hashes = {
        run.manifest.get("network_hash", run.summary.iloc[0]["trace_hash"])
        for run in (first, second)
    }
    if len(hashes) > 1:
        raise DataError(
            "runs to compare must be of the same network and images; their weights or images "
            "differ (network_hash)"
        )


def _labels(first: Accelerator, second: Accelerator) -> list[str]:
    """Return what each is called: its multiplier if that differs, else the fields that do."""
    units = [unit_label(first), unit_label(second)]
    if units[0] != units[1]:
        return units
    fields = [
        name
        for name in field_types(Accelerator)
        if name != "name" and _value(first, name) != _value(second, name)
    ]
    labels = [
        ", ".join(f"{name}={_value(machine, name)}" for name in fields)
        for machine in (first, second)
    ]
    return labels if fields else ["this", "other"]


def _value(machine: Accelerator, name: str) -> Any:
    value: Any = machine
    for part in name.split("."):
        value = getattr(value, part)
    return value
