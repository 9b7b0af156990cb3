"""Looks shared by all figures: colors that survive color blindness and print, quiet axes."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.errors import DataError
from accelsim.results import Run

__all__ = ["PALETTE", "headline", "new_figure", "quiet", "rendered", "run_labels"]

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#F0E442")
"""Okabe and Ito's colors, the most distinct first."""


def new_figure(
    width: float, height: float, *, axes: int = 1, rows: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure of *width* x *height* inches with *rows* of *axes* plots side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, axes, squeeze=False).flat)


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return a label per run: its multiplier, and its accelerator where those differ.

    Raises
    ------
    DataError
        The runs are of different networks, or two cannot be told apart.
    """
    first = runs[0]
    for run in runs[1:]:
        if list(run.layers["layer"]) != list(first.layers["layer"]):
            raise DataError(
                "the runs are of different networks: "
                f"{first.summary['workload'].iloc[0]} and {run.summary['workload'].iloc[0]}"
            )
    labels = [run.accelerator.multiplier for run in runs]
    if len({run.accelerator.replace(multiplier="any").config_hash for run in runs}) > 1:
        labels = [f"{run.accelerator.name}\n{run.accelerator.multiplier}" for run in runs]
    if len(set(labels)) < len(labels):
        raise DataError(
            f"runs cannot be told apart by name: {', '.join(sorted(labels))}; give the "
            "accelerators names of their own (--set name=...)"
        )
    return labels


def headline(runs: Sequence[Run], what: str) -> str:
    """Return a figure's title: network, accelerator, batch, *what*, and what ratios refer to."""
    machines = {run.accelerator.name for run in runs}
    place = machines.pop() if len(machines) == 1 else f"{len(machines)} accelerators"
    batches = {int(run.summary["images"].iloc[0]) for run in runs}
    images = " or ".join(f"{count}" for count in sorted(batches))
    against = f" (ratios to {' '.join(run_labels(runs)[0].split())})" if len(runs) > 1 else ""
    return f"{runs[0].summary['workload'].iloc[0]} on {place}, batch of {images}: {what}{against}"


def quiet(axes: Axes) -> None:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """Return *figure* as a file of *kind*: png, svg or pdf."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=150)
    return content.getvalue()
