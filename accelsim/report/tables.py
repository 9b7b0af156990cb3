"""Tables of a report: cells with what they are sorted by, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.statistics import Estimate

__all__ = ["DASH", "TIMES", "Cell", "Column", "Table", "estimated", "number", "shown"]

DASH = "\N{EN DASH}"
"""Between bounds; alone it stands for what was not measured."""

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    title: str
    unit: str = ""
    numeric: bool = True
    """Numbers, which are set to the right; else words."""


@dataclass(frozen=True)
class Cell:
    """What a table shows at one place."""

    text: str
    key: float | None = None
    """What a column of numbers is sorted by; None: nothing is known, which comes last."""
    unit: str = ""
    """Of a row whose columns have none."""
    note: str = ""
    """Set smaller below: an interval."""
    tone: str = ""
    """Name of a look: pass, fail, skip, ratio, differs."""
    more: tuple[str, ...] = ()
    """Paragraphs that unfold."""
    href: str = ""
    """Anchor in the report that the text leads to."""
    anchor: str = ""
    """Anchor of this cell."""


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by each of its columns."""

    name: str
    """Unique in the report: what links and tests find it by."""
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def shown(value: float) -> str:
    """Return a number in four digits, or all of a whole one; NaN as `DASH`.

    >>> shown(319561), shown(0.00012345), shown(1234.5), shown(12345.6)
    ('319,561', '0.0001234', '1,234', '12,346')
    """
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return f"{value:g}"
    if value == int(value) or abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def number(value: float, tone: str = "") -> Cell:
    """Return the cell of a number; NaN is one that is not known."""
    value = float(value)
    return Cell(shown(value), None if math.isnan(value) else value, tone=tone)


def estimated(found: Estimate | None) -> Cell:
    """Return the cell of a number with its 95 % interval, if it has one; None is not known."""
    if found is None or math.isnan(found.value):
        return Cell(DASH)
    known = not (math.isnan(found.low) or math.isnan(found.high))
    note = f"{_bound(found.low)}{DASH}{_bound(found.high)}" if known else ""
    return Cell(shown(found.value), found.value, note=note)


def _bound(value: float) -> str:
    """Return a bound of an interval: with one digit behind the point, or as `shown`."""
    return f"{value:.1f}" if 1 <= abs(value) < 1e4 or value == 0 else shown(value)
