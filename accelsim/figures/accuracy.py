"""Accuracy of networks on units."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from accelsim.figures.style import PALETTE, checked, legend_below, new_figure, quiet

__all__ = ["accuracy_by_unit"]


NARROWEST = 6.4
"""Inches that the title needs."""


def accuracy_by_unit(table: pd.DataFrame, baseline: str, title: str) -> Figure:
    """Return a plot for each workload: what every unit gets wrong, with its interval.

    Parameters
    ----------
    table : DataFrame
        A row per workload and unit: ``workload``, ``multiplier``, ``kind`` (one color each),
        ``images``, ``accuracy``, ``low`` and ``high`` (shares of 1). Units in order of appearance.
    baseline : str
        The unit whose share is drawn as a line.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row, or a column is missing.
    """
    columns = ("workload", "multiplier", "kind", "images", "accuracy", "low", "high")
    checked(table, columns, "accuracies")
    workloads, units = list(table["workload"].unique()), list(table["multiplier"].unique())
    kinds = list(table["kind"].unique())
    figure, all_axes = new_figure(
        max(NARROWEST, 1.8 + 2.3 * len(workloads)), 1.2 + 0.19 * len(units), axes=len(workloads)
    )
    for axes, workload in zip(all_axes, workloads, strict=True):
        rows = table[table["workload"] == workload]
        for number, kind in enumerate(kinds):
            part = rows[rows["kind"] == kind]
            at = [units.index(name) for name in part["multiplier"]]
            axes.hlines(
                at, 100 - 100 * part["high"], 100 - 100 * part["low"], color=PALETTE[number], lw=1.2
            )
            axes.plot(
                100 - 100 * part["accuracy"], at, "o", color=PALETTE[number], ms=4, label=kind
            )
        for accuracy in rows.loc[rows["multiplier"] == baseline, "accuracy"]:
            axes.axvline(100 - 100 * accuracy, color="black", lw=0.8, ls="--")
        axes.set_xscale("log")
        most = rows["images"].max()
        for row in rows[rows["images"] < most].itertuples():
            axes.annotate(
                f" {row.images} images",
                (100 - 100 * row.low, units.index(row.multiplier)),
                fontsize=6,
                va="center",
            )
        axes.set_yticks(range(len(units)), units if axes is all_axes[0] else [""] * len(units))
        axes.tick_params(axis="y", labelsize=7)
        axes.set_ylim(len(units) - 0.4, -0.6)
        axes.set_xlim(right=110)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("classified wrongly (%)")
        axes.set_title(f"{workload}\n{most:,} test images", fontsize=9)
        quiet(axes)
    legend_below(figure, all_axes[0], kinds)
    figure.suptitle(title, fontsize=11)
    return figure
