"""accelsim list and accelsim show: what there is, and what one thing is."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.catalog import KINDS, Catalog
from accelsim.cli.output import print_table
from accelsim.cli.pages import PAGES, Page
from accelsim.errors import ConfigError, UnknownNameError, nearest

__all__ = ["list_", "show"]


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="multipliers, accumulators, dataflows, workloads, attacks, presets, dram, tables.",
        ),
    ] = None,
) -> None:
    """List what can be named on the command line.

    Example: accelsim list multipliers
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"no kind {kind!r}; known: {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    catalog = Catalog()
    for title in KINDS if kind is None else [kind]:
        names = catalog.names(title)
        print_table(title, ["name", "what it is"], list(names.items()), text=(0, 1))


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Any name that 'list' prints, or a table's .csv."),
    ],
) -> None:
    """Show one multiplier, accumulator, dataflow, workload, attack, preset, DRAM or energy table.

    Example: accelsim show ax_fpm
    """
    _print(_find(name))


def _find(name: str) -> Page:
    catalog = Catalog()
    known: list[str] = []
    for kind in KINDS:
        names = catalog.names(kind)
        if name in names:
            return catalog.page(kind, name)
        known += names
    if name.endswith(".csv"):  # an energy table of the user's
        return PAGES["tables"](name)
    from accelsim.multipliers import MULTIPLIERS

    if MULTIPLIERS.recognizes(name):  # as a member of a family, or as a unit file: nothing to keep
        return PAGES["multipliers"](name)
    raise UnknownNameError(
        f"nothing is named {name!r}; 'accelsim list' prints what is.{nearest(name, known)}"
    )


def _print(page: Page) -> None:
    if page.rows:
        words = [number for number in range(len(page.columns)) if number not in page.numbers]
        print_table(page.title, page.columns, page.rows, text=words)
    if page.prose:
        print(page.prose)
