"""How sure networks are on each unit, and whether rightly so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import groups, legend_below, line_look, new_figure, quiet
from accelsim.statistics import wilson

__all__ = ["calibration_by_unit", "confidence_by_unit"]

FEWEST = 10
"""Images of a bin below which its accuracy says next to nothing."""

EXACT = "exact_fp32"

SHARES = ("sure", "accuracy", "accuracy_low", "accuracy_high")
"""Columns of `reliability` that are drawn."""


def confidence_by_unit(table: pd.DataFrame) -> Figure:
    """Return distributions of confidence in the true class, and of its margin.

    A column for each workload, solid lines for units, dotted ones for the exact network with its
    logits times a factor, a dashed one for the exact network as it is.

    Parameters
    ----------
    table : DataFrame
        `confidence_quantiles` of the networks ``unit`` and ``exact logits x gain``, with columns
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
            for unit, look in _looks(units).items():
                look |= {"lw": 1.2, "marker": ""}
                for network, more in (
                    ("exact logits x gain", {"ls": ":", "label": f"exact logits x gain of {unit}"}),
                    ("unit", {"label": unit}),
                ):
                    own = mine[(mine["multiplier"] == unit) & (mine["network"] == network)]
                    axes.plot(own["value"], 100 * own["share"], **(look | more))
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
        `reliability` of the networks ``unit``, with columns ``workload`` and ``multiplier``. All
        bins of fewer than 10 images of a network are one hollow point, off its line.

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
        for unit, look in _looks(units).items():
            own = mine[mine["multiplier"] == unit]
            few = own["images"] < FEWEST
            for bins, more in (
                (own[~few], {"label": unit, "ms": 4}),
                (_together(own[few]), {"mfc": "white", "ls": "", "ms": 5, "mew": 0.8}),
            ):
                sure, accuracy, low, high = (100 * bins[name] for name in SHARES)
                axes.vlines(sure, low, high, look["color"], lw=0.7)
                axes.plot(sure, accuracy, **(look | more), lw=1)
        axes.set_xlabel("probability of the class that is chosen (%)")
        axes.set_title(workload, fontsize=10)
        quiet(axes)
    all_axes[0].set_ylabel("of these classified correctly (%)")
    legend_below(figure, all_axes[0], units)
    figure.suptitle(
        "Calibration, 95 % intervals; below the line: too sure; "
        f"hollow: all bins of fewer than {FEWEST} images together",
        fontsize=11,
    )
    return figure


def _together(bins: pd.DataFrame) -> pd.DataFrame:
    """Return *bins* of `reliability` as one, or none if there is none."""
    if bins.empty:
        return bins
    images = bins["images"].sum()
    sure, right = ((bins[name] * bins["images"]).sum() for name in ("sure", "accuracy"))
    return pd.DataFrame([(sure / images, *wilson(round(right), images))], columns=SHARES)


def _looks(units: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the look of each unit's line; the exact one's is last, above those it equals."""
    others = [unit for unit in units if unit != EXACT]
    looks = {unit: {**line_look(number), "ls": "-"} for number, unit in enumerate(others)}
    if EXACT in units:
        looks[EXACT] = {"color": "black", "marker": "*", "ls": "--"}
    return looks
