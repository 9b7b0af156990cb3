"""Robustness: accuracy under attack against epsilon, and what transfers, how far, to whom."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.errors import DataError
from accelsim.figures.style import PALETTE, checked, differing, new_figure, quiet, told_apart

__all__ = ["accuracy_by_epsilon", "transfer_by_margin", "transfer_matrix"]

COLUMNS = 4
"""Plots side by side."""
BOUNDS = ("", "_low", "_high")
LINES = ("-", "--", ":", "-.")
NORMS = {"linf": "$L_\\infty$", "l2": "$L_2$", "l0": "$L_0$"}
DARK = 60
"""Percent from which on text on a cell is white."""
LABEL = 0.16
"""Share of an axis that the label of a tick takes."""


def accuracy_by_epsilon(summary: pd.DataFrame, title: str) -> Figure:
    """Return a plot for each attack: robust accuracy of every target against epsilon.

    At epsilon 0 stands the clean accuracy; from the smallest epsilon on the axis is nearly
    logarithmic, so that small ones have room. The bands are 95 % intervals.

    Parameters
    ----------
    summary : DataFrame
        As `accelsim.robustness.summary.summarize` returns it; rows with an epsilon are drawn, one
        for each attack, norm, target and epsilon.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row with an epsilon, or two would be the same point.
    """
    rates = [f"{rate}{end}" for rate in ("clean_accuracy", "robust_accuracy") for end in BOUNDS]
    checked(summary, ["aim", "attack", "norm", "target", "epsilon", *rates], "accuracies")
    _refuse_mixed(summary)
    table = summary[summary["aim"] == "budget"]
    if table.empty:
        raise DataError("there is no accuracy to draw; the table has no row with an epsilon")
    told_apart(table, ["attack", "norm", "target", "epsilon"])
    targets = list(table["target"].unique())
    panels = list(table.groupby(["attack", "norm"], sort=False))
    figure, all_axes = _panels(len(panels), 2.7, 2.6)
    for axes, ((attack, norm), part) in zip(all_axes, panels, strict=True):
        for name, line in part.groupby("target", sort=False):
            line = line.sort_values("epsilon")
            shares = [[line[f"clean_accuracy{end}"].iloc[0], *line[f"robust_accuracy{end}"]]
                      for end in BOUNDS]  # fmt: skip
            _draw_line(axes, [0.0, *line["epsilon"]], shares, str(name), targets.index(name))
        axes.set_title(attack, fontsize=9)
        axes.set_xlabel(f"epsilon ({NORMS[norm]})")
        _scale(axes, [0.0, *sorted(part["epsilon"].unique())])
    _finish(figure, all_axes, targets, "classified rightly (%)", title)
    return figure


def transfer_by_margin(
    summary: pd.DataFrame, title: str, measure: str = "transfer_success"
) -> Figure:
    """Return *measure* against how far beyond the source's boundary examples go.

    A plot for each run of an attack for the smallest perturbation, against how many times as far as
    the attack left it an example goes, and one against the confidence of an attack that was run
    with several; the first is then of the least. Bands are 95 % intervals. A run at one distance
    alone is left out, and so are rows without a value.

    Parameters
    ----------
    summary : DataFrame
        As `accelsim.robustness.summary.summarize` returns it, of one source; rows with the aim
        ``"minimum"`` are drawn, one for each attack, norm, settings, scale and target.
    title : str
        Of the figure.
    measure : str
        A rate of *summary* that has bounds.

    Raises
    ------
    DataError
        No run is at two distances, there is no such rate, or two rows would be the same point.
    """
    run = ["attack", "norm", "settings"]
    checked(summary, ["aim", *run, "scale", "target"], "transfer rates")
    _refuse_mixed(summary)
    _refuse_unknown(summary, measure)
    table = summary[(summary["aim"] == "minimum") & summary[measure].notna()]
    told_apart(table, [*run, "scale", "target"])
    panels = _margins(table)
    if not panels:
        raise DataError(
            "there is no curve to draw: no attack for the smallest perturbation has examples at "
            "two scales or two confidences"
        )
    targets = list(table["target"].unique())
    figure, all_axes = _panels(len(panels), 2.7, 2.6)
    for axes, (name, over, part) in zip(all_axes, panels, strict=True):
        for target, line in part.groupby("target", sort=False):
            line = line.sort_values(over)
            shares = [list(line[f"{measure}{end}"]) for end in BOUNDS]
            _draw_line(axes, list(line[over]), shares, str(target), targets.index(target))
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("times as far" if over == "scale" else over)
    _finish(figure, all_axes, targets, measure.replace("_", " ") + " (%)", title)
    return figure


def _margins(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return (title, column that it is drawn against, rows) of every curve with two points."""
    settings = table["settings"].map(lambda text: json.loads(text) if text else {})
    table = table.assign(
        confidence=settings.map(lambda one: one.get("confidence", 0.0)),
        rest=settings.map(lambda one: {k: v for k, v in one.items() if k != "confidence"}),
    )
    table["like"] = table["rest"].map(lambda one: json.dumps(one, sort_keys=True))
    found = []
    for (attack, norm, _), part in table.groupby(["attack", "norm", "like"], sort=False):
        runs = list(table.loc[(table["attack"] == attack) & (table["norm"] == norm), "rest"])
        told = differing(part["rest"].iloc[0], runs)
        name = ", ".join([f"{attack} ({NORMS[norm]})", *told])
        least = part["confidence"].min()
        several = part["confidence"].nunique() > 1
        scaled = part[part["confidence"] == least]
        if scaled["scale"].nunique() > 1:
            held = f", confidence {least:g}" if several else ""
            found.append((name + held, "scale", scaled))
        if several:
            found.append((name, "confidence", part[part["scale"] == 1]))
    return found


def _finish(
    figure: Figure, all_axes: Sequence[Axes], targets: Sequence[str], label: str, title: str
) -> None:
    """Give plots of shares in percent their axis, and all one legend and title."""
    for axes in all_axes:
        axes.set_ylim(0, 102)
        quiet(axes)
    for axes in all_axes[::COLUMNS]:
        axes.set_ylabel(label)
    lines = {line.get_label(): line for axes in all_axes for line in axes.lines}
    figure.legend(
        [lines[name] for name in targets],
        targets,
        loc="outside lower center",
        ncols=min(len(targets), COLUMNS),
        frameon=False,
        fontsize=8,
    )
    figure.suptitle(title, fontsize=11)


def _scale(axes: Axes, epsilons: Sequence[float]) -> None:
    """Give *axes* a tick for each epsilon, logarithmic but near 0, and labels that do not meet."""
    first, last = epsilons[1], epsilons[-1]

    def place(epsilon: Any) -> Any:
        return np.log1p(np.maximum(epsilon, 0.0) / first)

    axes.set_xlim(0, 1.05 * last)
    axes.set_xscale("function", functions=(place, lambda x: first * np.expm1(x)))
    labels, free = [], 0.0
    for epsilon in epsilons:
        at = float(place(epsilon) / place(last))
        shown = epsilon == last or free <= at <= 1 - LABEL
        labels.append(f"{epsilon:.2g}" if shown else "")
        free = at + LABEL if shown else free
    axes.set_xticks(epsilons, labels, fontsize=7)


def _draw_line(
    axes: Axes, x: Sequence[float], shares: Sequence[Sequence[float]], name: str, number: int
) -> None:
    """Draw *shares*, (share, low, high) of each *x*, in percent."""
    color = PALETTE[number % len(PALETTE)]
    middle, low, high = ([100 * share for share in one] for one in shares)
    axes.fill_between(x, low, high, color=color, alpha=0.18, lw=0)
    style = LINES[number // len(PALETTE) % len(LINES)]
    axes.plot(x, middle, style, marker="o", ms=3, lw=1.4, color=color, label=name)


def transfer_matrix(summary: pd.DataFrame, title: str, measure: str = "transfer_success") -> Figure:
    """Return a matrix for each attack and epsilon: *measure* from every source to every target.

    A cell tells the share and its 95 % interval in percent; "none" where no example fools the
    source; it is empty where the pair was not tried.

    Parameters
    ----------
    summary : DataFrame
        As `accelsim.robustness.summary.summarize` returns it, one row for each attack, norm,
        epsilon, source and target.
    title : str
        Of the figure.
    measure : str
        A rate of *summary* that has bounds.

    Raises
    ------
    DataError
        There is no row or no such rate, or two rows would be the same cell.
    """
    setting = ["attack", "norm", "aim", "epsilon"]
    checked(summary, [*setting, "source", "target"], "transfer rates")
    _refuse_mixed(summary)
    _refuse_unknown(summary, measure)
    told_apart(summary, [*setting, "source", "target"])
    sources, targets = list(summary["source"].unique()), list(summary["target"].unique())
    panels = list(summary.groupby(setting, sort=False, dropna=False))
    figure, all_axes = _panels(len(panels), 1.1 + 0.65 * len(targets), 1.2 + 0.45 * len(sources))
    for axes, ((attack, norm, aim, epsilon), part) in zip(all_axes, panels, strict=True):
        shares = np.full((len(sources), len(targets)), np.nan)
        for row in part.to_dict("records"):
            y, x = sources.index(row["source"]), targets.index(row["target"])
            share, *bounds = (100 * row[f"{measure}{one}"] for one in ("", "_low", "_high"))
            shares[y, x] = share
            text = (
                "none" if math.isnan(share) else "{:.0f} %\n{:.0f} to {:.0f}".format(share, *bounds)
            )
            color = "white" if share > DARK else "black"
            axes.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        reach = "smallest" if aim == "minimum" else f"{epsilon:g}"
        axes.set_title(f"{attack}, {NORMS[norm]} {reach}", fontsize=9)
        axes.set_xticks(range(len(targets)), targets, rotation=40, ha="right", fontsize=7)
        axes.set_yticks(range(len(sources)), [""] * len(sources))
        axes.set_xlabel("judged by", fontsize=8)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    for axes in all_axes[::COLUMNS]:
        axes.set_yticks(range(len(sources)), sources, fontsize=7)
        axes.set_ylabel("made on", fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _panels(count: int, width: float, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure of *count* plots of *width* x *height* inches, `COLUMNS` in a row."""
    columns = min(count, COLUMNS)
    rows = math.ceil(count / columns)
    size = 0.8 + width * columns, 0.8 + height * rows
    figure, all_axes = new_figure(*size, axes=columns, rows=rows)
    for spare in all_axes[count:]:
        spare.remove()
    return figure, all_axes[:count]


def _refuse_mixed(table: pd.DataFrame) -> None:
    if "workload" in table and table["workload"].nunique() > 1:
        names = ", ".join(map(str, table["workload"].unique()))
        raise DataError(f"the table is of several networks: {names}; draw them apart")


def _refuse_unknown(table: pd.DataFrame, measure: str) -> None:
    if f"{measure}_low" not in table.columns:
        rates = [name.removesuffix("_low") for name in table.columns if name.endswith("_low")]
        raise DataError(f"the table has no rate {measure!r}; it has: {', '.join(rates)}")
