"""accelsim list and accelsim show: what there is, and what one thing is."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.catalog import KINDS, LIVE, Catalog
from accelsim.cli.completion import choices, names
from accelsim.cli.output import print_table
from accelsim.cli.pages import LIVE_PAGES, PAGES, Page
from accelsim.errors import ConfigError, UnknownNameError, nearest

__all__ = ["list_", "show"]

FolderOption = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder in which datasets are looked for, else ACCELSIM_DATA."
    ),
]


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="multipliers, accumulators, dataflows, workloads, attacks, presets, dram, tables, "
            "datasets.",
            autocompletion=choices(*KINDS, *LIVE),
        ),
    ] = None,
    data: FolderOption = None,
) -> None:
    """List what can be named on the command line, datasets with where their files are.

    Example: accelsim list multipliers
    """
    kinds = [*KINDS, *LIVE]
    if kind is not None and kind not in kinds:
        raise ConfigError(f"no kind {kind!r}; known: {', '.join(kinds)}.{nearest(kind, kinds)}")
    catalog = Catalog(data)
    for title in kinds if kind is None else [kind]:
        names = catalog.names(title)
        print_table(title, ["name", "what it is"], list(names.items()), text=(0, 1))


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Any name that 'list' prints, a table's .csv, or a network's .onnx.",
            autocompletion=names(*KINDS),
        ),
    ],
    data: FolderOption = None,
) -> None:
    """Show a multiplier, accumulator, dataflow, workload, attack, preset, dataset or table.

    Example: accelsim show ax_fpm
    """
    _print(_find(name, data))


def _find(name: str, data: str | None) -> Page:
    catalog = Catalog(data)
    known: list[str] = []
    for kind in (*KINDS, *LIVE):
        names = catalog.names(kind)
        if name in names:
            return catalog.page(kind, name)
        known += names
    if name.endswith(".csv"):  # an energy table of the user's
        return PAGES["tables"](name)
    from accelsim.multipliers import MULTIPLIERS

    if MULTIPLIERS.recognizes(name):  # as a member of a family, or as a unit file: nothing to keep
        return PAGES["multipliers"](name)
    from accelsim.datasets import DATASETS

    if DATASETS.recognizes(name):
        return LIVE_PAGES["datasets"](name, data)
    from accelsim.workload import WORKLOADS

    if WORKLOADS.recognizes(name):
        return PAGES["workloads"](name)
    raise UnknownNameError(
        f"nothing is named {name!r}; 'accelsim list' prints what is.{nearest(name, known)}"
    )


def _print(page: Page) -> None:
    if page.rows:
        words = [number for number in range(len(page.columns)) if number not in page.numbers]
        print_table(page.title, page.columns, page.rows, text=words)
    if page.prose:
        print(page.prose)
