"""Accuracy of networks on units."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from accelsim.errors import DataError
from accelsim.figures.style import PALETTE, new_figure, quiet

__all__ = ["accuracy_by_unit"]


def accuracy_by_unit(table: pd.DataFrame, baseline: str, title: str) -> Figure:
    """Return a plot for each workload: accuracy of every unit, with its interval.

    Parameters
    ----------
    table : DataFrame
        A row per workload and unit: ``workload``, ``multiplier``, ``kind`` (one color each),
        ``images``, ``accuracy``, ``low`` and ``high`` (shares of 1). Units in order of appearance.
    baseline : str
        The unit whose accuracy is drawn as a line.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row.
    """
    if table.empty:
        raise DataError("there is no accuracy to draw; the table has no row")
    workloads, units = list(table["workload"].unique()), list(table["multiplier"].unique())
    kinds = list(table["kind"].unique())
    figure, all_axes = new_figure(
        1.8 + 2.3 * len(workloads), 1.2 + 0.19 * len(units), axes=len(workloads)
    )
    for axes, workload in zip(all_axes, workloads, strict=True):
        rows = table[table["workload"] == workload]
        for number, kind in enumerate(kinds):
            part = rows[rows["kind"] == kind]
            at = [units.index(name) for name in part["multiplier"]]
            axes.hlines(at, 100 * part["low"], 100 * part["high"], color=PALETTE[number], lw=1.2)
            axes.plot(100 * part["accuracy"], at, "o", color=PALETTE[number], ms=4, label=kind)
        exact = rows.loc[rows["multiplier"] == baseline, "accuracy"]
        for accuracy in exact:
            axes.axvline(100 * accuracy, color="black", lw=0.8, ls="--")
        most = rows["images"].max()
        for row in rows[rows["images"] < most].itertuples():
            axes.text(101, units.index(row.multiplier), f"{row.images} images", fontsize=6,
                      va="center")  # fmt: skip
        axes.set_yticks(range(len(units)), units if axes is all_axes[0] else [""] * len(units))
        axes.tick_params(axis="y", labelsize=7)
        axes.set_ylim(len(units) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("accuracy in %")
        axes.set_title(f"{workload}\n{most:,} test images", fontsize=9)
        quiet(axes)
    all_axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.suptitle(title, fontsize=11)
    return figure
