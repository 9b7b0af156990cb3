"""Looks shared by all figures: colors that survive color blindness and print, quiet axes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import fill
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.errors import DataError, nearest
from accelsim.layer_units import of_any_unit, unit_label
from accelsim.results import Run

__all__ = [
    "HATCHES",
    "MARKERS",
    "PALETTE",
    "broken",
    "checked",
    "differing",
    "groups",
    "headline",
    "legend_below",
    "line_look",
    "new_figure",
    "quiet",
    "rendered",
    "run_labels",
    "told_apart",
]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#F0E442")
"""Okabe and Ito's colors, the most distinct first."""

MARKERS = "osD^vPX*"
"""As many, so that a line is told by its marker too."""


HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "||||", "++++")
"""As many, so that an area is told by its hatch too."""


def new_figure(
    width: float, height: float, *, axes: int = 1, rows: int = 1, share_rows: bool = False
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure of *width* x *height* inches with *rows* of *axes* plots side by side.

    With *share_rows* those of a row have one scale.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    sharey: Literal["row", "none"] = "row" if share_rows else "none"
    return figure, list(figure.subplots(rows, axes, squeeze=False, sharey=sharey).flat)


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return a label per run: its multipliers, and its accelerator where those differ.

    Raises
    ------
    DataError
        There is no run, the runs are of different networks, or two cannot be told apart.
    """
    if not runs:
        raise DataError("there is no run to draw; simulate one, see accelsim.simulate")
    first = runs[0]
    for run in runs[1:]:
        if list(run.layers["layer"]) != list(first.layers["layer"]):
            raise DataError(
                "the runs are of different networks: "
                f"{first.summary['workload'].iloc[0]} and {run.summary['workload'].iloc[0]}"
            )
    labels = [unit_label(run.accelerator) for run in runs]
    if len({of_any_unit(run.accelerator) for run in runs}) > 1:
        labels = [f"{run.accelerator.name}\n{unit_label(run.accelerator)}" for run in runs]
    if len(set(labels)) < len(labels):
        raise DataError(
            f"runs cannot be told apart by name: {', '.join(sorted(labels))}; give the "
            "accelerators names of their own (--set name=...)"
        )
    return labels


def broken(label: str, width: int) -> str:
    """Return *label* in lines of about *width* characters; a name is never cut.

    >>> broken("exact_fp32, ax_fpm in conv2", 16)
    'exact_fp32,\\nax_fpm in conv2'
    """
    lines = (fill(line, width, break_long_words=False) for line in label.split("\n"))
    return "\n".join(lines)


def headline(runs: Sequence[Run], what: str, *, ratios: bool = True) -> str:
    """Return a figure's title: network, accelerator, batch, *what*, and what *ratios* refer to."""
    machines = {run.accelerator.name for run in runs}
    place = machines.pop() if len(machines) == 1 else f"{len(machines)} accelerators"
    batches = {int(run.summary["images"].iloc[0]) for run in runs}
    images = " or ".join(f"{count}" for count in sorted(batches))
    against = (
        f" (ratios to {' '.join(run_labels(runs)[0].split())})" if ratios and len(runs) > 1 else ""
    )
    return f"{runs[0].summary['workload'].iloc[0]} on {place}, batch of {images}: {what}{against}"


def quiet(axes: Axes) -> None:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def checked(table: pd.DataFrame, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Return *table*, which has *columns* and rows of *what*.

    Raises
    ------
    DataError
        It has not.
    """
    if len(table.columns) and table.empty:
        raise DataError(f"there are no {what} to draw; the table has no row")
    missing = [name for name in columns if name not in table]
    if missing:
        hint = nearest(missing[0], map(str, table.columns))
        raise DataError(
            f"there are no {what} to draw: the table lacks {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(str, table.columns)) or 'no column'}.{hint}"
        )
    return table


def groups(table: pd.DataFrame, what: str, column: str = "workload") -> tuple[list[Any], list[str]]:
    """Return the values of *column* and the multipliers, in order of appearance."""
    checked(table, [column, "multiplier"], what)
    return list(table[column].unique()), list(table["multiplier"].unique())


def differing(settings: dict[str, Any], runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return, for readers, which of *settings* are not those of all *runs*.

    >>> differing({"queries": 1000, "step": 0.1}, [{"queries": 5000, "step": 0.1}])
    ['1000 queries']
    """
    return [
        f"{value:g} {name}" if isinstance(value, int | float) else f"{name} {value}"
        for name, value in settings.items()
        if any(other.get(name) != value for other in runs)
    ]


def told_apart(table: pd.DataFrame, place: list[str]) -> None:
    """Raise `DataError` if two rows of *table* would be drawn in one *place*."""
    twice = table.duplicated(place)
    if twice.any():
        row = table[twice].iloc[0]
        where = ", ".join(f"{name} {row[name]}" for name in place)
        raise DataError(
            f"two rows of the table would be drawn in one place ({where}); leave one scenario, "
            "gradient and seed, or summarize the strongest"
        )


def line_look(number: int) -> dict[str, Any]:
    """Return color and marker of the unit of that number."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def legend_below(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    """Put one legend of *axes*' lines with *labels* below the whole figure."""
    found = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [label for label in labels if label in found]
    figure.legend(
        [found[name] for name in names],
        names,
        loc="outside lower center",
        ncols=max(1, min(len(names), int(figure.get_figwidth() / 1.4))),
        frameon=False,
        fontsize=8,
    )


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """Return *figure* as a file of *kind*: png, svg or pdf."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=150)
    return content.getvalue()
