"""Accuracy under attack, units side by side, with intervals."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import groups, legend_below, line_look, new_figure, quiet

__all__ = ["accuracy_by_attack"]

ROW_INCHES = 0.17
"""Height of a unit's point with its interval."""


def accuracy_by_attack(summary: pd.DataFrame, title: str) -> Figure:
    """Return a row for each attack, with a point and its 95 % interval for each unit.

    Above them stands what units classify rightly without an attack.

    Parameters
    ----------
    summary : DataFrame
        A row for each attack and unit: ``attack`` (as it is to be told), ``multiplier``,
        ``clean_accuracy`` and ``robust_accuracy``, both with bounds ``_low`` and ``_high``, shares
        of 1. Attacks and units in order of appearance.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row.
    """
    attacks, units = groups(summary, "accuracies under attack", "attack")
    lines = ["none", *attacks]
    figure, (axes,) = new_figure(9, 1.5 + ROW_INCHES * len(lines) * (len(units) + 1.2))
    for number, unit in enumerate(units):
        own = summary[summary["multiplier"] == unit]
        clean = own.iloc[:1].assign(attack="none")
        shift = (number - (len(units) - 1) / 2) / (len(units) + 1.2)
        for part, rate in ((clean, "clean_accuracy"), (own, "robust_accuracy")):
            at = [lines.index(attack) + shift for attack in part["attack"]]
            look = line_look(number)
            low, high = 100 * part[f"{rate}_low"], 100 * part[f"{rate}_high"]
            axes.hlines(at, low, high, color=look["color"], lw=1.6)
            axes.plot(100 * part[rate], at, ls="", ms=5, label=unit, **look)
    axes.set_yticks(range(len(lines)), lines, fontsize=9)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(0, 101)
    axes.set_xlabel("classified rightly (%), with 95 % intervals")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    quiet(axes)
    axes.grid(axis="y", visible=False)
    for edge in range(len(lines) - 1):
        axes.axhline(edge + 0.5, color="#dddddd", lw=0.6)
    legend_below(figure, axes, units)
    figure.suptitle(title, fontsize=11)
    return figure
