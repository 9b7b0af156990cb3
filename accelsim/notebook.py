"""HTML that a notebook shows in place of a repr: small tables, every text of them escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["facts_html", "rows_html"]


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """Return a table with *title* above it and a row for each fact.

    >>> facts_html("a < b", {"rows": 4})
    '<table><caption>a &lt; b</caption><tr><th>rows</th><td>4</td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def rows_html(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a head of *columns* above its *rows*.

    >>> rows_html(["layer"], [["conv1"]])
    '<table><tr><th>layer</th></tr><tr><td>conv1</td></tr></table>'
    """
    lines = [_line("th", columns), *(_line("td", row) for row in rows)]
    return f"<table>{''.join(lines)}</table>"


def _line(tag: str, cells: Iterable[object]) -> str:
    inner = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)
    return f"<tr>{inner}</tr>"
