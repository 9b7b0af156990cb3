"""What `accelsim show` prints of one thing: its facts as a table, and its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.multipliers import Multiplier
    from accelsim.workload import Workload

__all__ = ["LIVE_PAGES", "PAGES", "Page"]


@dataclass(frozen=True)
class Page:
    """What is known of one thing, in words; written as JSON and read again it is the same.

    Attributes
    ----------
    title : str
        The table's.
    columns : list of str
        Their heads.
    rows : list of lists of str
        A cell for each column; without rows there is no table.
    numbers : list of int
        The columns that hold numbers.
    prose : str
        What stands below the table, in lines of its own.
    """

    title: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    prose: str = ""


def _facts(title: str, facts: Mapping[str, object], prose: str = "") -> Page:
    rows = [[name, str(value)] for name, value in facts.items()]
    return Page(title, ["fact", "value"], rows, prose=prose)


def _multiplier(name: str) -> Page:
    from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
    from accelsim.multipliers.imported import ImportedMultiplier

    if any(name == family.form for family in MULTIPLIERS.families):
        return _family(name)
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
    facts |= _circuit_facts(unit)
    facts["sources"] = "; ".join(unit.sources)
    return _facts(unit.title, facts)


def _circuit_facts(unit: Multiplier) -> dict[str, str]:
    """Return what the unit's gate netlist costs, and under which conditions."""
    from accelsim.costs import CIRCUIT_CELLS, CIRCUIT_PAIRS, circuit_cost

    cost = circuit_cost(unit)
    if unit.circuit is None or cost is None:
        return {"circuit": "none is modeled"}
    return {
        "circuit": f"{len(unit.circuit.netlist.gates):,} gates: {CIRCUIT_CELLS}, no wires",
        "circuit delay": f"{cost.delay_ps:.4g} ps, the longest path by nominal delays",
        "circuit area": f"{cost.area_um2:.5g} um2, the sum of the cells'",
        "circuit energy": (
            f"{cost.energy_functional_pj:.4g} pJ a product without glitches, "
            f"{cost.energy_glitch_pj:.4g} pJ with all; {CIRCUIT_PAIRS:,} uniform pairs"
        ),
    }


def _family(form: str) -> Page:
    import re

    from accelsim.multipliers import MULTIPLIERS

    family = next(one for one in MULTIPLIERS.families if one.form == form)
    listed = [name for name in MULTIPLIERS if re.fullmatch(family.pattern, name)]
    facts = {"names": f"{family.form}, any numbers", "listed": ", ".join(listed) or "none"}
    return _facts(f"{family.title} (a family)", facts)


def _accumulator(name: str) -> Page:
    from accelsim.accumulators import ACCUMULATORS

    entry = ACCUMULATORS[name]
    return _facts(entry.title, {"delay": f"{entry.delay_ps:g} ps: {entry.delay_source}"})


def _dataflow(name: str) -> Page:
    import sys
    import textwrap

    from accelsim.dataflows import DATAFLOWS

    module = sys.modules[type(DATAFLOWS[name]).__module__]
    return Page(prose=textwrap.dedent(module.__doc__ or "").strip())


def _workload(name: str) -> Page:
    from accelsim.workload import WORKLOADS

    entry = WORKLOADS[name]
    recipe = {} if entry.recipe is None else vars(entry.recipe)
    return _facts(
        entry.title,
        {
            "input": "x".join("?" if size is None else str(size) for size in entry.input_shape),
            "classes": "?" if entry.classes is None else entry.classes,
            "data": entry.dataset or "as you name it (--data)",
            **_weights(entry),
            **{f"recipe: {name}": value for name, value in recipe.items()},
            "source": entry.source,
        },
    )


def _weights(entry: Workload) -> dict[str, object]:
    """Return what is known of a workload's own weights."""
    from accelsim.workload import weights_text

    card = entry.card
    if entry.seed is not None:
        return {"weights": weights_text(entry.name)}
    if card is None:
        return {"weights": f"{entry.weights}, missing"}
    return {
        "weights": entry.weights,
        "weights' SHA-256": card["sha256"],
        "test accuracy": f"{100 * card['test_accuracy']:.2f} % "
        f"of {card['data']['test']['images']:,} images",
    }


def _attack(name: str) -> Page:
    import inspect

    from accelsim.robustness.attacks import ATTACKS

    entry = ATTACKS[name]
    facts: dict[str, object] = {"norm": entry.norm, "aim": entry.aim, "access": entry.access}
    if entry.aim == "budget":
        facts["default epsilon"] = entry.default_epsilon
    facts |= {f"setting: {name}": value for name, value in entry.settings.items()}
    return _facts(entry.title, facts, inspect.getdoc(entry) or "")


def _preset(name: str) -> Page:
    from accelsim.config import PRESET_DIR

    return Page(prose=(PRESET_DIR / f"{name}.yaml").read_text(encoding="utf-8").strip())


def _table(name: str) -> Page:
    from accelsim.cli.energy_page import energy_page

    return energy_page(name)


def _dram(name: str) -> Page:
    from dataclasses import asdict

    from accelsim.machine.dram_kinds import dram_kind

    kind = dram_kind(name)
    if kind is None:
        facts = {
            "timing": "a transfer takes latency_cycles + bytes / bytes_per_cycle",
            "rows and banks": "none: addresses do not matter",
        }
        return _facts("simple: latency and bandwidth alone", facts)
    return _facts(f"DRAM {name}: one channel", asdict(kind))


PAGES: dict[str, Callable[[str], Page]] = {
    "multipliers": _multiplier,
    "accumulators": _accumulator,
    "dataflows": _dataflow,
    "workloads": _workload,
    "attacks": _attack,
    "presets": _preset,
    "dram": _dram,
    "tables": _table,
}
"""Kind -> function that returns the page of one of its names."""


def _dataset(name: str, data: str | None) -> Page:
    import sys
    import textwrap

    from accelsim.datasets import DATASETS, FILE_FORM, SPLITS, find_folder

    entry = DATASETS[name]
    facts: dict[str, object] = {"source": entry.source}
    if name != FILE_FORM and name not in {family.form for family in DATASETS.families}:
        folder = find_folder(data)
        for split in SPLITS:
            facts[f"{split} split"] = entry.state(split, folder)
            facts[f"{split} files"] = ", ".join(entry.files(split)) or "none"
        if name in set(DATASETS):
            none = "none is given, neither with --data DIR nor in ACCELSIM_DATA"
            facts["data folder"] = none if folder is None else folder
    module = sys.modules[type(entry).__module__]
    return _facts(entry.title, facts, textwrap.dedent(module.__doc__ or "").strip())


LIVE_PAGES: dict[str, Callable[[str, str | None], Page]] = {"datasets": _dataset}
"""Kind that is looked up each time -> function of a name and the data folder, as in `PAGES`."""
