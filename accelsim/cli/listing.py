"""accelsim list and accelsim show: what there is, and what one thing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from accelsim.cli.catalog import KINDS, catalog
from accelsim.cli.output import print_table
from accelsim.errors import ConfigError, UnknownNameError, nearest

__all__ = ["list_", "show"]


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="multipliers, accumulators, dataflows, workloads, attacks, presets or tables.",
        ),
    ] = None,
) -> None:
    """List what can be named on the command line.

    Example: accelsim list multipliers
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"no kind {kind!r}; known: {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    for title, names in catalog(KINDS if kind is None else [kind]):
        print_table(title, ["name", "what it is"], list(names.items()), text=(0, 1))


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Any name that 'list' prints.")],
) -> None:
    """Show one multiplier, accumulator, dataflow, workload, attack, preset or energy table.

    Example: accelsim show ax_fpm
    """
    known: list[str] = []
    for kind, names in catalog(KINDS):
        if name in names:
            _SHOW[kind](name)
            return
        known += names
    from accelsim.multipliers import MULTIPLIERS

    if MULTIPLIERS.recognizes(name):  # as a member of a family, or as a unit file
        _show_multiplier(name)
        return
    raise UnknownNameError(
        f"nothing is named {name!r}; 'accelsim list' prints what is.{nearest(name, known)}"
    )


def _facts(title: str, facts: Mapping[str, object]) -> None:
    rows = [[name, str(value)] for name, value in facts.items()]
    print_table(title, ["fact", "value"], rows, text=(0, 1))


def _show_multiplier(name: str) -> None:
    from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
    from accelsim.multipliers.imported import ImportedMultiplier

    if any(name == family.form for family in MULTIPLIERS.families):
        _show_family(name)
        return
    unit = MULTIPLIERS[name]
    facts: dict[str, object] = {"description": unit.description}
    if isinstance(unit, IntegerMultiplier):
        operands = unit.operands
        facts["operands"] = f"{operands.name}, {operands.low} to {operands.high}"
        for a, w in ((2, 3), (3, 2), (operands.high,) * 2, (operands.low, operands.high)):
            facts[f"product({a}, {w})"] = int(unit.product(a, w))
    else:
        for x, y in ((0.856, 0.471), (1.5, 1.5), (1.9999999, 1.9999999)):
            facts[f"product({x}, {y})"] = float(unit.product(x, y))
    if isinstance(unit, ImportedMultiplier) and unit.warnings:
        facts["warnings"] = "; ".join(unit.warnings)
    delay = "not known" if unit.delay_ps is None else f"{unit.delay_ps:g} ps"
    facts["delay"] = f"{delay}: {unit.delay_source}"
    facts["sources"] = "; ".join(unit.sources)
    _facts(unit.title, facts)


def _show_accumulator(name: str) -> None:
    from accelsim.accumulators import ACCUMULATORS

    entry = ACCUMULATORS[name]
    _facts(entry.title, {"delay": f"{entry.delay_ps:g} ps: {entry.delay_source}"})


def _show_dataflow(name: str) -> None:
    import sys
    import textwrap

    from accelsim.dataflows import DATAFLOWS

    module = sys.modules[type(DATAFLOWS[name]).__module__]
    print(textwrap.dedent(module.__doc__ or "").strip())


def _show_workload(name: str) -> None:
    from accelsim.workload import WORKLOADS

    entry = WORKLOADS[name]
    _facts(
        entry.title,
        {
            "input": "x".join(map(str, entry.input_shape)),
            "classes": entry.classes,
            "data": entry.dataset,
            "weights": entry.weights,
            **{f"recipe: {name}": value for name, value in vars(entry.recipe).items()},
            "source": entry.source,
        },
    )


def _show_attack(name: str) -> None:
    import inspect

    from accelsim.robustness.attacks import ATTACKS

    entry = ATTACKS[name]
    _facts(entry.title, {"norm": entry.norm, "default epsilon": entry.default_epsilon})
    print(inspect.getdoc(entry))


def _show_preset(name: str) -> None:
    from accelsim.config import PRESET_DIR

    print((PRESET_DIR / f"{name}.yaml").read_text(encoding="utf-8").strip())


def _show_table(name: str) -> None:
    from accelsim.energy import load_table

    table = load_table(name)
    rows = [
        [
            f"{row.component} {row.action}"
            + (f" at {row.capacity_bytes} B" if row.capacity_bytes else ""),
            f"{row.energy_pj:.4g}",
            f"{row.technology_nm:g} nm" + (f" {row.voltage_v:g} V" if row.voltage_v else ""),
            f"{row.source}" + (f" [{row.note}]" if row.note else ""),
        ]
        for row in table.rows
    ]
    print_table(
        f"{name}: pJ per action (leak: pJ per ns and instance)",
        ["component, action", "pJ", "node", "source [note]"],
        rows,
        text=(0, 2, 3),
    )


def _show_family(form: str) -> None:
    import re

    from accelsim.multipliers import MULTIPLIERS

    family = next(one for one in MULTIPLIERS.families if one.form == form)
    listed = [name for name in MULTIPLIERS if re.fullmatch(family.pattern, name)]
    facts = {"names": f"{family.form}, any numbers", "listed": ", ".join(listed) or "none"}
    _facts(f"{family.title} (a family)", facts)


_SHOW: dict[str, Callable[[str], None]] = {
    "multipliers": _show_multiplier,
    "accumulators": _show_accumulator,
    "dataflows": _show_dataflow,
    "workloads": _show_workload,
    "attacks": _show_attack,
    "presets": _show_preset,
    "tables": _show_table,
}
