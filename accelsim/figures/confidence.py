"""How sure networks are on each unit, and whether rightly so."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import groups, legend_below, line_look, new_figure, quiet

__all__ = ["calibration_by_unit", "confidence_by_unit"]

FEWEST = 10
"""Images of a bin below which its accuracy would say nothing."""


def confidence_by_unit(table: pd.DataFrame) -> Figure:
    """Return distributions of confidence in the true class, and of its margin.

    A column for each workload, solid lines for units, dotted ones for the exact network with its
    logits times a factor.

    Parameters
    ----------
    table : DataFrame
        `confidence_quantiles` of the networks ``unit`` and ``exact x gain``, with columns
        ``workload`` and ``multiplier``.

    Raises
    ------
    DataError
        There is no row.
    """
    workloads, units = groups(table, "confidences")
    figure, all_axes = new_figure(2 + 3.4 * len(workloads), 6.4, axes=len(workloads), rows=2)
    for column, workload in enumerate(workloads):
        for row, measure in enumerate(("confidence", "margin")):
            axes = all_axes[row * len(workloads) + column]
            mine = table[(table["workload"] == workload) & (table["measure"] == measure)]
            for number, unit in enumerate(units):
                for network, style in (("unit", "-"), ("exact x gain", ":")):
                    own = mine[(mine["multiplier"] == unit) & (mine["network"] == network)]
                    shares = 100 * own["share"]
                    label = unit if network == "unit" else f"exact x gain of {unit}"
                    color = line_look(number)["color"]
                    axes.plot(own["value"], shares, color=color, ls=style, lw=1.2, label=label)
            quiet(axes)
        logarithmic = all_axes[column]
        logarithmic.set_title(workload, fontsize=10)
        logarithmic.set_yscale("log")
        logarithmic.set_ylim(0.05, 100)
        logarithmic.yaxis.set_major_formatter("{x:g}")
        logarithmic.set_xlabel("softmax probability of the true class")
        linear = all_axes[len(workloads) + column]
        linear.axvline(0, color="#555555", lw=0.8)
        linear.set_xlabel("logit of the true class less the largest other")
    for axes in (all_axes[0], all_axes[len(workloads)]):
        axes.set_ylabel("images with at most so much (%)")
    legend_below(figure, all_axes[0], units)
    title = "Confidence; dotted: the exact network's logits times the unit's gain"
    figure.suptitle(title, fontsize=11)
    return figure


def calibration_by_unit(table: pd.DataFrame) -> Figure:
    """Return how often networks are right where they are so sure, a column for each workload.

    Parameters
    ----------
    table : DataFrame
        `reliability` of the networks ``unit``, with columns ``workload`` and ``multiplier``. Bins
        of fewer than 10 images are left out.

    Raises
    ------
    DataError
        There is no row.
    """
    workloads, units = groups(table, "calibration")
    figure, all_axes = new_figure(2 + 3.2 * len(workloads), 4.2, axes=len(workloads))
    for axes, workload in zip(all_axes, workloads, strict=True):
        axes.plot([0, 100], [0, 100], color="#555555", lw=0.8)
        mine = table[(table["workload"] == workload) & (table["network"] == "unit")]
        mine = mine[mine["images"] >= FEWEST]
        for number, unit in enumerate(units):
            own = mine[mine["multiplier"] == unit]
            look = line_look(number)
            axes.vlines(
                100 * own["sure"],
                100 * own["accuracy_low"],
                100 * own["accuracy_high"],
                look["color"],
                lw=0.7,
            )
            axes.plot(100 * own["sure"], 100 * own["accuracy"], **look, label=unit, ms=4, lw=1)
        axes.set_xlabel("probability of the class that is chosen (%)")
        axes.set_title(workload, fontsize=10)
        quiet(axes)
    all_axes[0].set_ylabel("of these classified correctly (%)")
    legend_below(figure, all_axes[0], units)
    figure.suptitle("Calibration, 95 % intervals; below the line: too sure", fontsize=11)
    return figure
