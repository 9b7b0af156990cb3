"""Where energies are from: what was counted, what each is charged, and who states that figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from accelsim.config import Accelerator
from accelsim.costs import CIRCUIT_CELLS
from accelsim.energy import EnergyTable, all_counts, load_table, looked_up
from accelsim.energy.account import LookUp
from accelsim.energy.actions import is_power
from accelsim.energy.rows import EnergyRow
from accelsim.errors import AccelsimError
from accelsim.machine.program import possible_actions
from accelsim.report.results import LabelledRun, Results, Sweep
from accelsim.report.tables import DASH, TIMES, Cell, Column, Table, number, shown

__all__ = ["Provenance", "provenance"]


@dataclass(frozen=True)
class Figure:
    """One number that energies are made of."""

    anchor: str
    component: str
    action: str
    size: str
    amount: float
    unit: str
    made_of: str
    confidence: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass
class Provenance:
    """What a report tells about its energies."""

    spent: list[tuple[str, Table]] = field(default_factory=list)
    """Of each run: its label, and all that its energy is the sum of."""
    tables: list[tuple[str, Table]] = field(default_factory=list)
    """Of each energy table: its name with node, voltage and hash, and the figures taken from it."""
    sources: list[str] = field(default_factory=list)
    """In the order of their numbers, from 1."""
    problems: list[str] = field(default_factory=list)
    """What cannot be told, and why."""


def provenance(results: Results) -> Provenance:
    """Return where every energy of *results* is from.

    The energy tables are looked up by the names that the results state. One that is not there any
    more, or has changed since, is told as a problem: its sources would be those of other numbers.
    """
    found = Provenance()
    figures: dict[tuple[str, str], dict[LookUp, Figure]] = {}
    for one in results.runs:
        stated = str(one.run.summary["table_hash"].iloc[0])
        used = _figures(one.stored, _counted(one), stated, one.label, figures, found)
        if _toggled(one):
            own = figures.setdefault((f"gate netlist of {one.label}", ""), {})
            for component in _multipliers(one):
                look = LookUp(component, "compute")
                anchor = f"figure-netlist-{len(figures) - 1}-{len(own) + 1}"
                used[look] = own[look] = _netlist(one, component, anchor)
        if one.run.actions is not None:
            found.spent.append((one.label, _spent(one, used, len(found.spent))))
    for sweep in results.sweeps:
        label = f"the sweep in {sweep.folder}"
        for _, point in sweep.points[sweep.points["error"] == ""].iterrows():
            machine = sweep.machine(point)
            if machine is None:
                _tell(found, f"{label}: the accelerator of {_point(point, sweep)} is not known")
            else:
                _figures(machine, None, str(point["table_hash"]), label, figures, found)
    found.sources = list(
        dict.fromkeys(s for own in figures.values() for one in own.values() for s in one.sources)
    )
    for place, ((title, fingerprint), own) in enumerate(figures.items()):
        name = f"{title}; file {fingerprint}" if fingerprint else title
        found.tables.append((name, _table(f"figures-{place}", own.values(), found.sources)))
    return found


def _counted(one: LabelledRun) -> list[tuple[str, str]] | None:
    """Return the (component, action) that the table charged a run; None if it keeps no actions."""
    actions = one.run.actions
    if actions is None:
        return None
    pairs = dict.fromkeys(zip(actions["component"], actions["action"], strict=True))
    products = [(unit, "compute") for unit in _multipliers(one)] if _toggled(one) else []
    return [pair for pair in pairs if pair not in products]


def _multipliers(one: LabelledRun) -> list[str]:
    """Return the components that made the products of a run."""
    if one.run.actions is None:
        return [f"multiplier.{name}" for name in one.stored.units]
    computed = one.run.actions.loc[one.run.actions["action"] == "compute", "component"]
    return list(computed.unique())


def _toggled(one: LabelledRun) -> bool:
    return bool(one.run.accelerator.multiplier_energy.mode == "toggles")


def _figures(
    machine: Accelerator,
    pairs: Iterable[tuple[str, str]] | None,
    stated: str,
    label: str,
    figures: dict[tuple[str, str], dict[LookUp, Figure]],
    found: Provenance,
) -> dict[LookUp, Figure]:
    """Return the figures of a machine's actions by what is looked up, added to *figures* too.

    *pairs*: (component, action) that were counted; None: all that may be.
    """
    try:
        table = load_table(machine.energy_table)
        counted = list(_possible(machine) if pairs is None else pairs)
    except AccelsimError as error:
        _tell(found, f"{label}: the sources of its energy cannot be told any more: {error}")
        return {}
    if table.fingerprint != stated:
        _tell(
            found,
            f"{label}: the energy table {table.name!r} was another ({stated}) than it is now "
            f"({table.fingerprint}), so its sources are not told",
        )
        return {}
    title = table.name
    if table.technology_nm is not None:
        title += f": {table.technology_nm:g} nm, {table.voltage_v:g} V"
    own = figures.setdefault((title, table.fingerprint), {})
    used = {}
    for component, action in counted:
        if _words_of_bursts(component, action, machine):
            continue
        look = looked_up(component, action, machine)
        if look not in own:
            anchor = f"figure-{list(figures).index((title, table.fingerprint))}-{len(own) + 1}"
            own[look] = _figure(look, table, anchor)
        used[look] = own[look]
    return used


def _possible(machine: Accelerator) -> Iterable[tuple[str, str]]:
    """Return every (component, action) that a machine may charge."""
    gated = [(f"multiplier.{name}", "gated") for name in machine.units]
    zeros = gated if machine.multiplier_energy.mode == "zero_gated" else []
    return all_counts(dict.fromkeys([*possible_actions(machine), *zeros], 0), 0, machine)


def _point(point: pd.Series, sweep: Sweep) -> str:
    return ", ".join(f"{name}={point[name]}" for name in sweep.varied)


def _tell(found: Provenance, problem: str) -> None:
    if problem not in found.problems:
        found.problems.append(problem)


def _words_of_bursts(component: str, action: str, machine: Accelerator) -> bool:
    """Return whether an action is traffic alone: the bursts that the words are part of are charged.

    See `accelsim.energy.energy_per_action`.
    """
    return component == "dram" and machine.dram.is_device and action in ("read", "write")


def _figure(look: LookUp, table: EnergyTable, anchor: str) -> Figure:
    power = is_power(look.action)
    amount = (table.power_mw if power else table.energy_pj)(*look)
    rows = table.rows_behind(*look)
    made_of = _made_of(rows[0])
    if len(rows) > 1:
        made_of = f"between {len(rows)} figures"
    size = f"{look.capacity_bytes / 1024:g} KiB, {look.bits} bits" if look.capacity_bytes else ""
    return Figure(
        anchor,
        look.component,
        look.action,
        size if rows[0].capacity_bytes is not None else f"{rows[0].bits} bits",
        amount,
        "mW" if power else "pJ",
        made_of,
        ", ".join(dict.fromkeys(row.confidence for row in rows)),
        tuple(dict.fromkeys(row.source for row in rows)),
        tuple(dict.fromkeys(_notes(rows))),
    )


def _made_of(row: EnergyRow) -> str:
    bits = f" {TIMES} {row.bits} bits" if row.unit.endswith("/bit") else ""
    factor = f" {TIMES} {row.factor.replace(' x ', f' {TIMES} ')}" if row.factor else ""
    return f"{row.value:g} {row.unit}{bits}{factor}"


def _notes(rows: Sequence[EnergyRow]) -> Iterator[str]:
    """Yield what has to be known about the rows: their sizes, conditions and caveats."""
    for row in rows:
        if len(rows) > 1 and row.capacity_bytes is not None:
            yield f"{row.capacity_bytes / 1024:g} KiB, {row.bits} bits: {_made_of(row)}"
    for row in rows:
        node = "node not stated"
        if row.source_technology_nm is not None:
            node = f"{row.source_technology_nm:g} nm"
        supply = "" if row.source_voltage_v is None else f", {row.source_voltage_v:g} V"
        yield f"The source is of: {node}{supply}; corner: {row.corner}"
    for row in rows:
        if row.note:
            yield row.note


def _netlist(one: LabelledRun, component: str, anchor: str) -> Figure:
    """Return the figure that stands for the toggles of a unit's netlist."""
    mode = one.run.manifest["multiplier_energy"]
    unit = component.removeprefix("multiplier.")
    circuit = mode.get("circuits", {}).get(unit, mode["circuit"])
    amount = math.nan
    if one.run.actions is not None:
        actions = one.run.actions
        own = actions[actions["component"] == component]
        own = own[own["action"] == "compute"]
        amount = float(own["energy_pj"].sum() / own["count"].sum())
    return Figure(
        anchor,
        component,
        "compute",
        "",
        amount,
        "pJ",
        f"{mode['toggles']} toggles of {circuit} {TIMES} {mode['energy_factor']:.3f}",
        "modelled",
        (f"gate netlist of {circuit}, {CIRCUIT_CELLS}",),
        (
            "The mean over the products of this run, whose operands were followed; the factor "
            f"leads from {mode['circuit_voltage_v']:g} V to {mode['table_voltage_v']:g} V",
        ),
    )


def _spent(one: LabelledRun, used: dict[LookUp, Figure], place: int) -> Table:
    """Return all that a run's energy is the sum of, over its layers."""
    images = int(one.run.summary["images"].iloc[0])
    spent = (
        pd.DataFrame(one.run.actions)
        .groupby(["component", "action"], sort=False)[["count", "energy_pj"]]
        .sum()
        .sort_values("energy_pj", ascending=False, kind="stable")
    )
    total, rows = spent["energy_pj"].sum(), []
    for (component, action), row in spent.iterrows():
        look = looked_up(component, action, one.run.accelerator)
        behind = used.get(look)
        origin = Cell(DASH)
        if behind is not None:
            origin = Cell(f"{shown(behind.amount)} {behind.unit}", href=behind.anchor)
        elif _words_of_bursts(component, action, one.run.accelerator):
            origin = Cell("in the bursts")
        rows.append([
            Cell(component), Cell(action), number(row["count"]),
            number(row["energy_pj"] / row["count"]), number(row["energy_pj"] / 1e6 / images),
            number(100 * row["energy_pj"] / total), origin,
            Cell("" if behind is None else behind.confidence),
        ])  # fmt: skip
    heads = [
        Column("component", numeric=False), Column("action", numeric=False), Column("count"),
        Column("charged each", "pJ"), Column("energy", "uJ/image"), Column("share", "%"),
        Column("figure", "in the table", numeric=False), Column("confidence", numeric=False),
    ]  # fmt: skip
    caption = (
        f"{one.label}: count {TIMES} charge, over all layers. Memories are counted in words of 32 "
        "bits; leak and background in cycles of all instances together"
    )
    return Table(f"spent-{place}", caption, heads, rows)


def _table(name: str, figures: Iterable[Figure], sources: Sequence[str]) -> Table:
    heads = [
        Column("component", numeric=False), Column("action", numeric=False),
        Column("size", numeric=False), Column("figure"), Column("unit", numeric=False),
        Column("made of", numeric=False), Column("confidence", numeric=False),
        Column("source", numeric=False),
    ]  # fmt: skip
    rows = [
        [
            Cell(one.component, anchor=one.anchor), Cell(one.action), Cell(one.size),
            number(one.amount), Cell(one.unit), Cell(one.made_of, more=one.notes),
            Cell(one.confidence),
            Cell(", ".join(f"[{sources.index(source) + 1}]" for source in one.sources)),
        ]
        for one in figures
    ]  # fmt: skip
    caption = "Energy of an action in pJ, power of an instance in mW; unfold for conditions"
    return Table(name, caption, heads, rows)
