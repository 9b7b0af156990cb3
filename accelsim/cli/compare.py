"""accelsim compare: units side by side, cost and robustness in one table, with ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.options import JsonOption
from accelsim.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare"]


def compare(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Folders written by simulate and score."),
    ],
    json: JsonOption = False,
) -> None:
    """Put runs and scores of the same network side by side; ratios are to the first unit.

    Example: accelsim compare runs/x scores/x
    """
    from accelsim.comparison import compare_results

    table = compare_results(folders)
    if json:
        print_json(table.to_dict("records"))
        return
    _print(table)
    for folder in folders:
        note(f"read {folder}")


def _print(table: pd.DataFrame) -> None:
    units = [column for column in table.columns if column not in ("quantity", "unit")]
    rows = []
    for _, line in table.iterrows():
        first = line[units[0]]
        cells = [_number(first)]
        for unit in units[1:]:
            ratio = line[unit] / first if first else float("nan")
            cells += [_number(line[unit]), "-" if ratio != ratio else f"{ratio:.2f}x"]
        rows.append([f"{line['quantity']} ({line['unit']})", *cells])
    columns = ["", units[0]]
    for unit in units[1:]:
        columns += [unit, "ratio"]
    print_table(f"Ratios are to {units[0]}", columns, rows)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:,.4g}"
