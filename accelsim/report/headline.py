"""The headline: what every unit takes and withstands, and the ratios to the first one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.comparison import Quantities, attack_quantities, cost_quantities, in_order
from accelsim.errors import DataError
from accelsim.layer_units import unit_label
from accelsim.report.results import LabelledRun, Results
from accelsim.report.tables import DASH, TIMES, Cell, Column, Table, estimated, shown
from accelsim.results import BASELINE
from accelsim.statistics import Estimate, wilson

__all__ = ["Tile", "headlines", "tiles"]

SIMULATED = ("accuracy, clean, simulated images", "%")
CLEAN = (("accuracy, clean", "%"), SIMULATED)
RATIOS = {
    ("latency", "us/image"): "latency",
    ("energy", "uJ/image"): "energy",
    ("energy of multipliers", "uJ/image"): "energy of multipliers",
}

MOST_TILES = 3
"""Units beside the first whose numbers fit on a screen."""


@dataclass(frozen=True)
class Tile:
    """One number that is worth a large letter."""

    title: str
    value: str
    note: str


def headlines(results: Results) -> list[Table]:
    """Return one table where runs and scores are both told apart by the unit alone, else two."""
    names = ("headline", "headline-attacks")
    return [_table(*one) for one in zip(names, _columns(results), strict=False)]


def tiles(results: Results) -> list[tuple[str, list[Tile]]]:
    """Return the few numbers by which units differ from the first: of each other one, its own.

    None where there is but one, or so many that a table tells it better.
    """
    found = []
    for columns in _columns(results):
        first, *others = columns
        if len(others) <= MOST_TILES:
            found += [
                (f"{name} against {first}", own)
                for name in others
                if (own := list(_tiles(columns[name], columns[first])))
            ]
    return found


def _columns(results: Results) -> list[dict[str, Quantities]]:
    """Return the columns of each headline: label -> its quantities, the first the reference."""
    costs = {one.label: _of_run(one) for one in results.runs}
    attacked = _of_scores(results)
    units = {unit_label(one.run.accelerator) for one in results.runs}
    if units == set(costs):
        costs = {name: costs.get(name, {}) | attacked.get(name, {}) for name in (*costs, *attacked)}
        attacked = {}
    return [columns for columns in (costs, attacked) if columns]


def _tiles(own: Quantities, reference: Quantities) -> Iterator[Tile]:
    for key, title in RATIOS.items():
        if key in own and key in reference and reference[key].value:
            told = f"{shown(own[key].value)} against {shown(reference[key].value)} {key[1]}"
            yield Tile(title, f"{own[key].value / reference[key].value:.2f}{TIMES}", told)
    shares = {"clean accuracy": [key for key in CLEAN if key in own][:1]}
    attacks = [key for key in own if key[0].startswith("accuracy, ") and key not in CLEAN]
    worst = min(attacks, key=lambda key: own[key].value, default=None)
    if worst is not None:
        shares[f"least accuracy under attack: {worst[0].removeprefix('accuracy, ')}"] = [worst]
    for title, keys in shares.items():
        for key in keys:
            value, low, high = own[key]
            note = f"{low:.0f}{DASH}{high:.0f} %"
            if key in reference:
                note += f", against {shown(reference[key].value)} %"
            yield Tile(title, f"{shown(value)} %", note)


def _of_run(labelled: LabelledRun) -> Quantities:
    summary = labelled.run.summary.iloc[0]
    found = cost_quantities(summary)
    accuracy, images = float(summary["accuracy"]), int(summary["images"])
    if not math.isnan(accuracy):
        share = wilson(round(accuracy * images), images)
        found[SIMULATED] = Estimate(*(100 * bound for bound in share))
    return found


def _of_scores(results: Results) -> dict[str, Quantities]:
    """Return unit -> what attacks did to it, the baseline first.

    Raises
    ------
    DataError
        Two scores have different rates of the same.
    """
    columns: dict[str, Quantities] = {}
    for score in results.scores:
        for _, row in score.rates.iterrows():
            column = columns.setdefault(str(row["target"]), {})
            for (name, unit), rate in attack_quantities(row).items():
                attack = name.partition(", ")[2]
                scenario = "" if attack == "clean" or row["scenario"] == "transfer" else (
                    f" ({row['scenario'].replace('_', ' ')})"
                )  # fmt: skip
                key = (f"{name}{scenario}", unit)
                if key in column and column[key].value != rate.value:
                    raise DataError(
                        f"two scores have {key[0]!r} of {row['target']!r} (the second is in "
                        f"{str(score.folder)!r}); a report takes one"
                    )
                column[key] = rate
    return {name: columns[name] for name in sorted(columns, key=lambda one: one != BASELINE)}


def _table(name: str, columns: dict[str, Quantities]) -> Table:
    first, *others = columns
    heads = [Column("quantity", numeric=False), Column(first)]
    for label in others:
        heads += [Column(label), Column("ratio")]
    rows = []
    for quantity, unit in in_order(columns.values()):
        reference = columns[first].get((quantity, unit))
        cells = [Cell(quantity, unit=unit), estimated(reference)]
        for label in others:
            found = columns[label].get((quantity, unit))
            cells += [estimated(found), _ratio(found, reference)]
        rows.append(cells)
    ratios = f"; ratios are to {first}" if others else ""
    return Table(name, f"Below shares stand 95 % intervals{ratios}", heads, rows)


def _ratio(found: Estimate | None, reference: Estimate | None) -> Cell:
    if found is None or reference is None or not reference.value:
        return estimated(None)
    ratio = found.value / reference.value
    if math.isnan(ratio):
        return estimated(None)
    return Cell(f"{ratio:.2f}{TIMES}", ratio, tone="ratio")
