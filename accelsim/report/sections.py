"""Tables of what the folders hold: machines, units, layers, points of sweeps."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import pandas as pd

from accelsim.errors import AccelsimError
from accelsim.layer_units import by_unit
from accelsim.multipliers import MULTIPLIERS
from accelsim.report.results import LabelledRun, Results, Sweep, plain_fields
from accelsim.report.tables import Cell, Column, Table, number
from accelsim.tabulation import unit_timing

__all__ = ["configuration", "layer_table", "point_table", "unit_table"]

TIMING = ("multiplier_delay_ps", "multiplier_latency_cycles", "pe_interval_cycles")


def configuration(results: Results) -> list[Table]:
    """Return the fields in which the runs' accelerators differ, and the others.

    Without runs, those of the sweeps' bases.
    """
    machines = {one.label: plain_fields(one.stored) for one in results.runs}
    if not machines:
        machines = {
            f"base of {one.folder.resolve().name}": plain_fields(one.base) for one in results.sweeps
        }
    if not machines:
        return []
    heads = [Column("field", numeric=False), *(Column(one, numeric=False) for one in machines)]
    differing: list[list[Cell]] = []
    same: list[list[Cell]] = []
    for name in dict.fromkeys(chain.from_iterable(machines.values())):
        values = [_plain(own.get(name, "")) for own in machines.values()]
        differs = len(set(values)) > 1
        tone = "differs" if differs else ""
        (differing if differs else same).append(
            [Cell(name), *(Cell(value, tone=tone) for value in values)]
        )
    if not differing:
        return [Table("fields", "All fields", heads, same)]
    return [
        Table("fields-differing", "What differs", heads, differing),
        Table("fields", "What is the same", heads, same),
    ]


def _plain(value: object) -> str:
    """Return a field as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def unit_table(results: Results) -> Table | None:
    """Return what the runs' multipliers are, and who states their delays; None without runs."""
    heads = [
        Column("unit", numeric=False), Column("what it is", numeric=False), Column("delay", "ps"),
        Column("latency", "cycles"), Column("interval", "cycles"), Column("clock", "MHz"),
    ]  # fmt: skip
    rows = [_unit_row(one, name) for one in results.runs for name in one.stored.units]
    return Table("units", "Multipliers of the runs", heads, rows) if rows else None


def _unit_row(one: LabelledRun, name: str) -> list[Cell]:
    """Return what multiplier *name* of a run is; the summary tells how fast the first one was."""
    machine, timing = one.stored, one.run.summary.iloc[0].to_dict()
    label = one.label if len(machine.units) == 1 else f"{one.label}: {name}"
    try:
        unit = MULTIPLIERS[name]
        what, origin = unit.title, unit.delay_source
        if name != machine.multiplier:
            timing |= unit_timing(by_unit(machine)[name])
    except AccelsimError as error:
        what, origin = "not there any more", str(error)
        if name != machine.multiplier:
            timing |= dict.fromkeys(TIMING, math.nan)
    if machine.array.multiplier_delay_ps is not None:
        origin = "array.multiplier_delay_ps of the configuration"
    return [
        Cell(label), Cell(what, more=(f"Delay: {origin}",)),
        *(number(timing[column]) for column in (*TIMING, "clock_mhz")),
    ]  # fmt: skip


def layer_table(one: LabelledRun, place: int) -> Table:
    """Return the layers of a run."""
    images = int(one.run.summary["images"].iloc[0])
    heads = [
        Column("layer", numeric=False), Column("operator", numeric=False),
        Column("MACs", "10⁶"), Column("compute", "cycles"), Column("stall", "cycles"),
        Column("total", "cycles"), Column("utilization", "%"), Column("DRAM", "KiB"),
        Column("energy", "uJ/image"), Column("share", "%"),
    ]  # fmt: skip
    units = "multiplier" in one.run.layers
    if units:
        heads.insert(2, Column("multiplier", numeric=False))
    total = one.run.layers["energy_pj"].sum()
    rows = [
        [
            Cell(str(row.layer)), Cell(str(row.op)),
            *([Cell(str(row.multiplier))] if units else []),
            number(row.macs / 1e6),
            number(row.compute_cycles), number(row.stall_cycles), number(row.total_cycles),
            number(100 * row.utilization),
            number((row.dram_read_bytes + row.dram_write_bytes) / 1024),
            number(row.energy_pj / 1e6 / images), number(100 * row.energy_pj / total),
        ]
        for row in one.run.layers.itertuples(index=False)
    ]  # fmt: skip
    caption = f"{one.label}: a batch of {images}; energy per image"
    return Table(f"layers-{place}", caption, heads, rows)


def point_table(sweep: Sweep, place: int) -> Table:
    """Return the points of a sweep: what varied, and what came of it."""
    varied = sweep.varied
    numeric = {name: _is_numeric(sweep.points[name]) for name in varied}
    heads = [
        *(Column(name, numeric=numeric[name]) for name in varied),
        Column("latency", "cycles"), Column("latency", "us/image"), Column("utilization", "%"),
        Column("energy", "uJ/image"), Column("accuracy", "%"), Column("error", numeric=False),
    ]  # fmt: skip
    rows = [
        [
            *(_value(row[name], numeric[name]) for name in varied),
            _number(row, "latency_cycles"), _number(row, "latency_us_per_image"),
            _number(row, "utilization", 100), _number(row, "energy_uj_per_image"),
            _number(row, "accuracy", 100), Cell(str(row["error"])),
        ]
        for _, row in sweep.points.iterrows()
    ]  # fmt: skip
    if not sweep.points["error"].any():
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    failed = int((sweep.points["error"] != "").sum())
    caption = f"{len(rows)} points, {failed} failed" if failed else f"{len(rows)} points"
    return Table(f"points-{place}", caption, heads, rows)


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _value(value: Any, numeric: bool) -> Cell:
    if numeric:
        return number(value)
    return Cell("null" if pd.isna(value) else str(value))


def _number(row: pd.Series, name: str, scale: float = 1) -> Cell:
    return number(scale * float(row.get(name, math.nan)))
