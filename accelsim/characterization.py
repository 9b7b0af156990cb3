"""Characterize: what a unit's products are like, alone and in layers, and what they cost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from accelsim.costs import cost_rows
from accelsim.energy import load_table
from accelsim.errors import ConfigError
from accelsim.folders import prepare_folder, versions, write_results
from accelsim.layer import Trace
from accelsim.metrics import Metrics, measure
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier, Multiplier
from accelsim.multipliers.imported import ImportedMultiplier
from accelsim.operands import check_sample, choose_pairs, given_pairs, layer_pairs
from accelsim.quantization import Scheme
from accelsim.workload import weights_text

__all__ = ["Characterization", "baseline_of", "characterize"]

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Characterization:
    """What `characterize` found.

    Attributes
    ----------
    unit, against : str
        Names of the unit and of the one whose costs it is compared with.
    operands : str
        The pairs that were measured, in words.
    exhaustive : bool
        Whether these are all there are.
    metrics : DataFrame
        metric, value, low, high (95 % interval), convention; see `accelsim.metrics`.
    costs : DataFrame
        cost, value, against, ratio, note; see `accelsim.costs`.
    layers : DataFrame or None
        A row per MAC layer of the workload and one named ``all``, in which every product of the
        network counts the same.
    manifest : dict
        What determined the numbers.
    """

    unit: str
    against: str
    operands: str
    exhaustive: bool
    metrics: pd.DataFrame
    costs: pd.DataFrame
    layers: pd.DataFrame | None
    manifest: dict[str, Any]

    def value(self, metric: str) -> float:
        """Return the value of one metric by its name."""
        return float(self.metrics.set_index("metric").loc[metric, "value"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it; what is not finite becomes None."""
        tables = {"metrics": self.metrics, "costs": self.costs, "layers": self.layers}
        return {
            **self.manifest,
            "operands": self.operands,
            "exhaustive": self.exhaustive,
            **{
                name: None if table is None else [_plain(row) for row in table.to_dict("records")]
                for name, table in tables.items()
            },
        }

    def save(self, folder: str | Path, pictures: Mapping[str, bytes] | None = None) -> Path:
        """Write the tables, ``metrics.json`` and *pictures* into *folder*, all or nothing.

        Raises
        ------
        DataError
            The folder cannot be written, is a file, or holds something else.
        """
        target = prepare_folder(folder, "characterization")
        files: dict[str, pd.DataFrame | bytes] = {
            "metrics.csv": self.metrics,
            "metrics.json": (json.dumps(self.to_dict(), indent=2) + "\n").encode(),
            "costs.csv": self.costs,
        }
        if self.layers is not None:
            files["layers.csv"] = self.layers
        write_results(target, {**files, **(pictures or {})}, self.manifest)
        return target

    def __repr__(self) -> str:
        numbers = ", ".join(
            f"{name} {100 * self.value(name):.3g} %" for name in ("error_rate", "mred", "bias")
        )
        return f"<Characterization of {self.unit} over {self.operands}: {numbers}>"


def characterize(
    unit: Multiplier | str,
    *,
    against: Multiplier | str | None = None,
    pairs: int = 1_000_000,
    seed: int = 0,
    distribution: str = "uniform",
    exhaustive_bits: int = 8,
    operands: tuple[ArrayLike, ArrayLike] | None = None,
    workload: Trace | str | None = None,
    images: int = 16,
    data: str | PathLike[str] | None = None,
    scheme: Scheme | None = None,
    energy_table: str = "cmos45",
    progress: Progress | None = None,
) -> Characterization:
    """Return error metrics, costs and, for a workload, per-layer metrics of *unit*.

    Parameters
    ----------
    unit : Multiplier or str
        A unit, or its name in `accelsim.MULTIPLIERS`.
    against : Multiplier or str, optional
        The unit that costs are compared with; the exact one of the same operands by default.
    pairs, seed, distribution, exhaustive_bits
        Integers of up to *exhaustive_bits* bits are measured over all pairs; others, and floats,
        over *pairs* random ones of a *distribution*, see `accelsim.operands.choose_pairs`.
    operands : (activations, weights), optional
        Measure over these pairs instead.
    workload : Trace or str, optional
        Sample *pairs* products of each of its MAC layers, too, as activation and weight meet there
        in an exact run; for a unit of integers these are quantized. A name stands for the
        workload's first *images* test images, calibrated on training images where need be.
    data : path, optional
        Where these lie, as `accelsim.load_workload` takes it.
    scheme : Scheme, optional
        How they are quantized; ``Scheme()`` by default.
    energy_table : str
        Name or path of the table that energies per product are read from.
    progress : callable, optional
        Called with (pairs done, pairs in all, what they are).

    Raises
    ------
    UnknownNameError
        A unit, workload or table of that name does not exist.
    ConfigError
        A number is out of range, or the two units have operands of different kinds.
    DataError
        Given operands that are not the unit's, or a trace that is not calibrated although the unit
        takes integers.

    Examples
    --------
    >>> result = characterize("ax_fpm", pairs=100_000)
    >>> [round(result.value(name), 2) for name in ("mred", "bias", "inflated", "not_commuting")]
    [0.41, 0.38, 0.96, 1.0]
    """
    unit = MULTIPLIERS[unit] if isinstance(unit, str) else unit
    other = baseline_of(unit, against)
    check_sample(pairs, seed)
    table = load_table(energy_table)
    if operands is None:
        chosen = choose_pairs(unit, pairs, seed, distribution, exhaustive_bits)
    else:
        chosen = given_pairs(*operands)
    tell: Progress = progress or (lambda done, total, what: None)
    trace = _trace(workload, images, unit, data) if isinstance(workload, str) else workload
    measured = measure(unit, chosen, lambda done, total: tell(done, total, "products"))
    costs = cost_rows(unit, other, table, seed)
    weights = weights_text(workload) if isinstance(workload, str) else None
    scheme = scheme or Scheme()
    layers = None if trace is None else _layers(unit, trace, scheme, pairs, seed, tell)
    quantized = trace is not None and isinstance(unit, IntegerMultiplier)
    manifest = {
        "kind": "characterization",
        "unit": unit.name,
        "against": other.name,
        "unit_files": {
            one.name: one.fingerprint
            for one in (unit, other)
            if isinstance(one, ImportedMultiplier)
        },
        "pairs": chosen.count,
        "seed": seed,
        "distribution": distribution if operands is None else "given",
        "workload": None if trace is None else trace.name,
        "weights": weights,
        "trace_hash": None if trace is None else trace.fingerprint,
        "calibration": None if trace is None else trace.calibration,
        "quantization": vars(scheme) if quantized else None,
        "energy_table": table.name,
        "table_hash": table.fingerprint,
        "versions": versions(),
    }
    return Characterization(
        unit.name,
        other.name,
        measured.operands,
        measured.exhaustive,
        pd.DataFrame([{"metric": name, **vars(metric)} for name, metric in measured.items()]),
        pd.DataFrame(costs),
        layers,
        manifest,
    )


def baseline_of(unit: Multiplier, against: Multiplier | str | None = None) -> Multiplier:
    """Return the unit that *unit* is compared with: *against*, or the exact one of its operands.

    Raises
    ------
    ConfigError
        One of the two takes integers and the other floats.
    """
    integer = isinstance(unit, IntegerMultiplier)
    if against is None:
        against = f"exact_{unit.operands.name}" if integer else "exact_fp32"  # type: ignore[attr-defined]
    other = MULTIPLIERS[against] if isinstance(against, str) else against
    if isinstance(other, IntegerMultiplier) != integer:
        kinds = ("floats", "integers")
        raise ConfigError(
            f"{unit.name} takes {kinds[integer]} and {other.name} {kinds[not integer]}; compare "
            "with a unit of the same kind of operands, or leave 'against' out"
        )
    return other


def _trace(workload: str, images: int, unit: Multiplier, data: str | PathLike[str] | None) -> Trace:
    from accelsim.tracing import trace
    from accelsim.workload import load_workload

    model, batch, _ = load_workload(workload, limit=images, data=data)
    traced = trace(model, batch, name=workload)
    if not isinstance(unit, IntegerMultiplier):
        return traced
    from accelsim.nn import calibrate_workload

    return traced.calibrated(calibrate_workload(workload, model, data))


SHARED = ("error_rate", "exact_zero", "inflated", "med", "mean_error")
"""Metrics over all pairs that a layer's row has."""

RELATIVE = ("mred", "bias")
"""Metrics over the pairs with a product other than zero."""


def _layers(
    unit: Multiplier, trace: Trace, scheme: Scheme, pairs: int, seed: int, tell: Progress
) -> pd.DataFrame:
    """Return a row of metrics per MAC layer, and one for all of them."""
    rows = []
    for layer, sample in layer_pairs(trace, unit, pairs, seed, scheme):
        found = measure(
            unit,
            sample,
            lambda done, total, what=layer.name: tell(done, total, what),  # type: ignore[misc]
        )
        rows.append({"layer": layer.name, "op": layer.op, "macs": layer.shape.macs, **_row(found)})
    table = pd.DataFrame(rows)
    return pd.concat([table, pd.DataFrame([_all_layers(table)])], ignore_index=True)


def _row(found: Metrics) -> dict[str, float]:
    row: dict[str, float] = {"pairs": found.pairs}
    for name in (*SHARED, *RELATIVE):
        row |= {name: found[name].value, f"{name}_low": found[name].low}
        row |= {f"{name}_high": found[name].high}
    return row | {"relative_error_std": found["relative_error_std"].value}


def _all_layers(table: pd.DataFrame) -> dict[str, Any]:
    """Return the row of the whole network: layers weighted by their products that count.

    The layers' samples are independent, so squares of the weighted half widths add up.
    """
    row: dict[str, Any] = {"layer": "all", "op": "", "macs": table["macs"].sum()}
    row["pairs"] = table["pairs"].sum()
    nonzero = table["macs"] * (1 - table["exact_zero"])
    for names, counting in ((SHARED, table["macs"]), (RELATIVE, nonzero)):
        weight = counting / counting.sum()
        for name in names:
            value = float((weight * table[name]).sum())
            half = weight * (table[f"{name}_high"] - table[f"{name}_low"]) / 2
            width = math.sqrt(float((half**2).sum()))
            row |= {name: value, f"{name}_low": value - width, f"{name}_high": value + width}
    second = table["relative_error_std"] ** 2 + table["bias"] ** 2
    spread = float((weight * second).sum()) - row["bias"] ** 2
    return row | {"relative_error_std": math.sqrt(max(0.0, spread))}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a table's row with plain Python numbers, None for what is not finite."""
    plain = {}
    for name, value in row.items():
        item = value.item() if isinstance(value, np.generic) else value
        plain[str(name)] = None if isinstance(item, float) and not math.isfinite(item) else item
    return plain
