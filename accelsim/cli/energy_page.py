"""The page of an energy table: figures, memories as a grid, sources once, then every note."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from accelsim.cli.pages import Page

if TYPE_CHECKING:
    from accelsim.energy.rows import EnergyRow

__all__ = ["energy_page"]

WIDTH = 80

COLUMNS = ["component", "action", "figure", "unit", "bits", "confidence", "source"]


def energy_page(name: str) -> Page:
    """Return the page of the shipped table *name*, or of the CSV file that it is the path of."""
    from accelsim.energy import load_table

    table = load_table(name)
    sources = list(dict.fromkeys(row.source for row in table.rows))
    number = {source: f"[{at}]" for at, source in enumerate(sources, 1)}
    sized = [row for row in table.rows if row.capacity_bytes is not None]
    parts = [
        *_grids(sized, number),
        "\n".join(["Sources", *(_indented(number[source], source) for source in sources)]),
        "\n".join(["Notes", *_notes(table.rows)]),
    ]
    node = f": {table.technology_nm:g} nm, {table.voltage_v:g} V" if table.technology_nm else ""
    title = f"{table.name}{node}; pJ per action, mW per instance"
    lines = list(_lines(table.rows, number))
    return Page(title, COLUMNS, lines, numbers=[2, 4], prose="\n\n".join(parts))


def _lines(rows: Sequence[EnergyRow], number: dict[str, str]) -> Iterator[list[str]]:
    """Yield a line for each row that is not by capacity, below the family and name it is of."""
    plain = [row for row in rows if row.capacity_bytes is None]
    components = list(dict.fromkeys(row.component for row in plain))
    families = list(dict.fromkeys(_family(one) for one in components))
    plain.sort(key=lambda row: components.index(row.component))
    plain.sort(key=lambda row: families.index(_family(row.component)))
    said: tuple[str, ...] = ("", "")
    for row in plain:
        family, _, name = row.component.partition(".")
        if name and family != said[0]:
            yield [family, *("" for _ in COLUMNS[1:])]
        component = "" if (family, name) == said else f"  {name}" if name else family
        said = family, name
        figures = [f"{row.amount:.4g}", _unit(row), str(row.bits)]
        yield [component, row.action, *figures, row.confidence, number[row.source]]


def _family(component: str) -> str:
    return component.partition(".")[0]


def _unit(row: EnergyRow) -> str:
    from accelsim.energy.actions import is_power

    return "mW" if is_power(row.action) else "pJ"


def _grids(rows: Sequence[EnergyRow], number: dict[str, str]) -> Iterator[str]:
    """Yield a grid for each action of a memory: capacities down, widths of an access across."""
    groups: dict[tuple[str, str], list[EnergyRow]] = {}
    for row in rows:
        groups.setdefault((row.component, row.action), []).append(row)
    for (component, action), group in groups.items():
        amounts = {(row.capacity_bytes, row.bits): f"{row.amount:.4g}" for row in group}
        sizes, widths = (sorted({pair[axis] or 0 for pair in amounts}) for axis in (0, 1))
        where = ", ".join(dict.fromkeys(number[row.source] for row in group))
        how = ", ".join(dict.fromkeys(row.confidence for row in group))
        lines = [
            f"{component} {action}, {_unit(group[0])} by KiB and bits of an access; {how} {where}",
            "".join(f"{head:>10}" for head in ("KiB", *(f"{width} bits" for width in widths))),
        ]
        for size in sizes:
            cells = [amounts.get((size, width), "-") for width in widths]
            lines.append("".join(f"{cell:>10}" for cell in (f"{size / 1024:g}", *cells)))
        yield "\n".join(lines)


def _notes(rows: Sequence[EnergyRow]) -> Iterator[str]:
    """Yield what each row's figure is made of; of a memory's rows, what they have in common."""
    said = set()
    for row in rows:
        made = f" x {row.factor}" if row.factor else ""
        value = f"{row.value:g} {row.unit}" if row.capacity_bytes is None else "each"
        why = f": {row.note}" if row.note else ""
        text = f"= {value}{made}{why}"
        key = (row.component, row.action, text)
        if key not in said and (made or why):
            said.add(key)
            yield _indented(f"{row.component} {row.action}", text)


def _indented(head: str, text: str) -> str:
    return textwrap.fill(
        f"{head} {text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
