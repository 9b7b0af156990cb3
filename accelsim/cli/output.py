"""What verbs print: results on stdout, progress and notes on stderr.

On a terminal tables are ruled and fit its width. In a pipe or a file they are words and blanks, a
line for each row, unless ``COLUMNS`` says how wide they may be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["note", "print_json", "print_table", "progress", "quieted", "warn"]

UNFOLDED = 100_000
"""Columns that no table is wider than."""

_quiet = False


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text: Sequence[int] = (0,),
    whole: Sequence[int] = (),
) -> None:
    """Print a table; columns *text* hold words, the others numbers, which are not folded.

    Neither are the words of columns *whole*.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console(stderr=False)
    piped = not console.is_terminal
    table = Table(
        title=Text(title),
        title_justify="left",
        box=None if piped else box.SIMPLE_HEAD,
        padding=(0, 2 if piped else 1, 0, 0),
        pad_edge=False,
    )
    for number, column in enumerate(columns):
        words = number in text
        table.add_column(
            Text(column),
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=not words or number in whole,
        )
    for row in rows:
        # Text, not str: names may hold what looks like markup.
        table.add_row(*map(Text, row))
    if not piped:
        console.print(table)
        return
    if "COLUMNS" not in os.environ:
        console.width = UNFOLDED
    with console.capture() as written:
        console.print(table)
    print(*(line.rstrip() for line in written.get().splitlines()), sep="\n")


def print_json(value: object) -> None:
    """Print *value* as JSON; NaN, which JSON does not know, becomes null."""
    import json
    import math

    def plain(item: object) -> object:
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [plain(inner) for inner in item]
        if hasattr(item, "item"):
            item = item.item()
        return None if isinstance(item, float) and not math.isfinite(item) else item

    print(json.dumps(plain(value), indent=2))


@contextmanager
def quieted(quiet: bool) -> Iterator[None]:
    """Make `note` and `progress` say nothing inside, if *quiet*."""
    global _quiet
    before, _quiet = _quiet, quiet
    try:
        yield
    finally:
        _quiet = before


def note(text: str) -> None:
    """Say something about the work on stderr."""
    if not _quiet:
        warn(text)


def warn(text: str) -> None:
    """Say on stderr what the user must know, quiet or not."""
    _console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield ``update(done, total, what)``, which moves a progress bar on stderr.

    Where stderr is no terminal nothing is drawn, so that logs stay readable; neither is it when
    `quieted`.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = _console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(
        *columns, console=console, transient=True, disable=_quiet or not console.is_terminal
    ) as bar:
        task = bar.add_task(label, total=None, what="")

        def update(done: int, total: int, what: str = "") -> None:
            bar.update(task, completed=done, total=total, what=what)

        yield update


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)
