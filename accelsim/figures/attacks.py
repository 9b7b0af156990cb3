"""Attacks, units side by side: accuracy under each, and how far each has to go."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from accelsim.figures.style import (
    checked,
    differing,
    groups,
    legend_below,
    line_look,
    new_figure,
    quiet,
    told_apart,
)

__all__ = ["accuracy_by_attack", "as_told", "noise_by_attack"]

ROW_INCHES = 0.17
"""Height of a unit's point with its interval."""
SPACE = 1.2
"""Between the units of two lines, in such heights."""
ENDS = ("", "_low", "_high")


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
    points = []
    for unit in units:
        own = summary[summary["multiplier"] == unit]
        clean = own.iloc[:1].assign(attack="none")
        for part, rate in ((clean, "clean_accuracy"), (own, "robust_accuracy")):
            shares = {f"value{end}": 100 * part[f"{rate}{end}"] for end in ENDS}
            points.append(part[["attack", "multiplier"]].assign(**shares))
    figure, axes = _units_by_line(pd.concat(points), ["none", *attacks], units)
    axes.set_xlim(0, 101)
    axes.set_xlabel("classified rightly (%), with 95 % intervals")
    figure.suptitle(title, fontsize=11)
    return figure


def noise_by_attack(comparisons: pd.DataFrame, title: str, claimed: float | None = None) -> Figure:
    """Return a row for each attack and gradient: how much more noise each unit takes to be fooled.

    The ratio of mean squared errors of the smallest perturbations, image by image, to those of the
    exact unit, on a logarithmic axis, with 95 % intervals. Right of 1 a unit is harder to fool.

    Parameters
    ----------
    comparisons : DataFrame
        A row for each run of an attack on each unit: ``attack``, ``settings`` (JSON), ``gradient``,
        ``multiplier``, and ``mse_ratio`` with bounds: what `accelsim.robustness.compare` returns,
        its ``other`` renamed. In order of appearance. Rows without a ratio are left out.
    title : str
        Of the figure.
    claimed : float, optional
        A ratio to draw a line at.

    Raises
    ------
    DataError
        There is no ratio, a column is missing, or two rows would be the same point.
    """
    columns = ["attack", "settings", "gradient", "multiplier"]
    checked(comparisons, [*columns, *(f"mse_ratio{end}" for end in ENDS)], "ratios of noise")
    table = checked(comparisons[comparisons["mse_ratio"].notna()], columns, "ratios of noise")
    told_apart(table, columns)
    ratios = {f"value{end}": table[f"mse_ratio{end}"] for end in ENDS}
    points = table[columns].assign(attack=as_told(table), **ratios)
    lines, units = groups(points, "ratios of noise", "attack")
    figure, axes = _units_by_line(points, lines, units)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda ratio, _: f"{ratio:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("squared error of the smallest perturbation, ratio to the exact unit's")
    axes.axvline(1, color="black", lw=0.8)
    if claimed is not None:
        axes.axvline(claimed, color="black", lw=1, ls="--")
        axes.text(
            claimed, 1.01, "claimed", ha="center", fontsize=8, transform=axes.get_xaxis_transform()
        )
    figure.suptitle(title, fontsize=11)
    return figure


def as_told(table: pd.DataFrame) -> list[str]:
    """Return how each run is told: the attack, those of its settings that differ, the gradient.

    Parameters
    ----------
    table : DataFrame
        ``attack``, ``settings`` (JSON) and ``gradient`` of each run.
    """
    settings = [json.loads(text) if text else {} for text in table["settings"].fillna("")]
    found = []
    for attack, own, gradient in zip(table["attack"], settings, table["gradient"], strict=True):
        others = [
            one for one, name in zip(settings, table["attack"], strict=True) if name == attack
        ]
        told = [attack, *differing(own, others)]
        found.append(", ".join(told if gradient == "none" else [*told, f"{gradient} gradient"]))
    return found


def _units_by_line(
    points: pd.DataFrame, lines: Sequence[str], units: Sequence[str]
) -> tuple[Figure, Axes]:
    """Return a figure of *points* (attack, multiplier, value with bounds), a line for each attack.

    Without a scale and title; *units* are told below.
    """
    has = points.groupby("attack")["multiplier"].agg(set)
    shown = [[unit for unit in units if unit in has[line]] for line in lines]
    edges = np.cumsum([0.0, *(len(own) + SPACE for own in shown)])
    figure, (axes,) = new_figure(9, 1.5 + ROW_INCHES * edges[-1])
    for number, unit in enumerate(units):
        part = points[points["multiplier"] == unit]
        own = [lines.index(attack) for attack in part["attack"]]
        at = [edges[line] + (SPACE + 1) / 2 + shown[line].index(unit) for line in own]
        look = line_look(number)
        axes.hlines(at, part["value_low"], part["value_high"], color=look["color"], lw=1.6)
        axes.plot(part["value"], at, ls="", ms=5, label=unit, **look)
    axes.set_yticks((edges[:-1] + edges[1:]) / 2, lines, fontsize=9)
    axes.set_ylim(edges[-1], 0)
    quiet(axes)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.grid(axis="y", visible=False)
    for edge in edges[1:-1]:
        axes.axhline(edge, color="#dddddd", lw=0.6)
    legend_below(figure, axes, units)
    return figure, axes
