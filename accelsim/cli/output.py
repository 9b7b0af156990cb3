"""What verbs print: tables on stdout that fit 80 columns, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["note", "print_json", "print_table", "progress"]


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

    table = Table(
        title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        pad_edge=False,
    )  # fmt: skip
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
    _console(stderr=False).print(table)


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


def note(text: str) -> None:
    """Say something about the work on stderr."""
    _console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield ``update(done, total, what)``, which moves a progress bar on stderr.

    Where stderr is no terminal nothing is drawn, so that logs stay readable.
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
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(label, total=None, what="")

        def update(done: int, total: int, what: str = "") -> None:
            bar.update(task, completed=done, total=total, what=what)

        yield update


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)
