"""What units do to products and to the sums of layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from accelsim.errors import DataError
from accelsim.figures.style import (
    MARKERS,
    PALETTE,
    checked,
    groups,
    legend_below,
    line_look,
    new_figure,
    quiet,
)

__all__ = ["constant_factor", "gain_by_layer", "inflation_by_operands", "noise_by_correlation"]

FEWEST = 10
"""Cases of a bin below which it would say nothing."""

ROWS = {
    "noise": "|unit - exact|\n/ rms of exact",
    "residual": "|unit - gain x exact|\n/ rms of gain x exact",
    "residual_relative": "|unit - gain x exact|\n/ |gain x exact|",
}
"""Measure of an error -> what it is."""


def gain_by_layer(table: pd.DataFrame) -> Figure:
    """Return gain and noise of each layer: a column for each workload, a line for each unit.

    Parameters
    ----------
    table : DataFrame
        `layer_gains` of one or more units, with a column ``workload``.

    Raises
    ------
    DataError
        There is no row.
    """
    workloads, units = groups(table, "layer gains")
    figure, all_axes = new_figure(2 + 3.4 * len(workloads), 6.2, axes=len(workloads), rows=2)
    for column, workload in enumerate(workloads):
        rows = table[table["workload"] == workload]
        gain, noise = all_axes[column], all_axes[len(workloads) + column]
        for number, unit in enumerate(units):
            own = rows[rows["multiplier"] == unit]
            look = {**line_look(number), "label": unit, "ms": 4, "lw": 1}
            gain.plot(own["call"], own["gain"], **look)
            # What is not noisy at all has no place on a logarithmic scale.
            noise.plot(own["call"], 100 * own["noise"].where(own["noise"] > 0), **look)
        names = rows.drop_duplicates("call").sort_values("call")["layer"]
        gain.set_title(workload, fontsize=10)
        noise.set_yscale("log")
        noise.yaxis.set_major_formatter("{x:g}")
        for axes in (gain, noise):
            axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=7)
            quiet(axes)
        gain.axhline(1, color="#555555", lw=0.8)
    all_axes[0].set_ylabel("gain")
    all_axes[len(workloads)].set_ylabel("noise beside the gain (% of the sums)")
    legend_below(figure, all_axes[0], units)
    figure.suptitle("A unit's sums: a constant factor, and noise", fontsize=11)
    return figure


def constant_factor(table: pd.DataFrame) -> Figure:
    """Return what each unit's network gets wrong, and those that have only part of its effect.

    Parameters
    ----------
    table : DataFrame
        `confidence_summary` of such networks, with columns ``workload`` and ``multiplier``; rows of
        network ``exact`` become a line. Since there is no 0 on a logarithmic scale, a network that
        classifies every image rightly is drawn at half an image, and its axis says so.

    Raises
    ------
    DataError
        There is no row.
    """
    workloads, units = groups(table, "accuracies")
    drawn = table[table["network"] != "exact"]
    # Controls without a unit have a row each, units one row for all their networks.
    single = drawn["multiplier"] == "exact_fp32"
    drawn = drawn.assign(
        row=drawn["multiplier"].where(~single, drawn["network"]),
        kind=drawn["network"].where(~single, "control"),
    )
    rows, kinds = list(drawn["row"].unique()), list(drawn["kind"].unique())
    rows.sort(key=lambda name: name not in units)
    figure, all_axes = new_figure(
        2 + 3 * len(workloads), 1.6 + 0.36 * len(rows), axes=len(workloads)
    )
    for axes, workload in zip(all_axes, workloads, strict=True):
        mine = drawn[drawn["workload"] == workload]
        for number, kind in enumerate(kinds):
            part = mine[mine["kind"] == kind]
            shift = 0.13 * (number - (len(kinds) - 1) / 2) if kind != "control" else 0
            at = [rows.index(name) + shift for name in part["row"]]
            color = PALETTE[number]
            wrong, least, most = (
                _percent_wrong(part, name) for name in ("accuracy", "accuracy_high", "accuracy_low")
            )
            axes.hlines(at, least, most, color, lw=1)
            axes.plot(wrong, at, MARKERS[number], color=color, ms=4, label=kind)
        exact = table[(table["workload"] == workload) & (table["network"] == "exact")]
        for wrong in _percent_wrong(exact, "accuracy").unique():
            axes.axvline(wrong, color="black", lw=0.8, ls="--")
        axes.set_xscale("log")
        axes.set_xlim(right=110)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(rows)), rows if axes is all_axes[0] else [""] * len(rows))
        axes.tick_params(axis="y", labelsize=8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        perfect = (table["workload"] == workload) & (table["accuracy"] == 1)
        none = " or, of none, half an image" if perfect.any() else ""
        axes.set_xlabel(f"classified wrongly (%){none}")
        axes.set_title(f"{workload}\n{mine['images'].max():,} test images", fontsize=9)
        quiet(axes)
    legend_below(figure, all_axes[0], kinds)
    figure.suptitle("How much is a constant factor? 95 % intervals; dashed: exact", fontsize=11)
    return figure


def _percent_wrong(rows: pd.DataFrame, accuracy: str) -> pd.Series:
    """Return the share of images that are wrong by that column, half an image if there is none."""
    wrong = 100 - 100 * rows[accuracy]
    return wrong.where(wrong > 0, 50 / rows["images"])


def noise_by_correlation(table: pd.DataFrame, title: str) -> Figure:
    """Return errors of sums against the cosine of patch and filter: median and middle half.

    A column for each layer, a line for each unit; above the error itself, in the middle what is
    left beside the layer's gain, below that relative to the output.

    Parameters
    ----------
    table : DataFrame
        `by_correlation` of one network on one or more units. Bins of fewer than 10 outputs are left
        out, and so are layers without any other.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row, or no bin of so many outputs.
    """
    _, units = groups(table, "noise", "call")
    table = table[table["outputs"] >= FEWEST]
    if table.empty:
        raise DataError(f"there is no noise to draw; no bin holds {FEWEST} outputs")
    layers = list(table["call"].unique())
    figure, all_axes = new_figure(
        1.6 + 2.1 * len(layers), 7, axes=len(layers), rows=len(ROWS), share_rows=True
    )
    for column, call in enumerate(layers):
        mine = table[table["call"] == call]
        for row, (measure, label) in enumerate(ROWS.items()):
            axes = all_axes[row * len(layers) + column]
            for number, unit in enumerate(units):
                own = mine[mine["multiplier"] == unit]
                center = (own["cosine_low"] + own["cosine_high"]) / 2
                low, median, high = (own[f"{measure}_{q}"] for q in ("q25", "median", "q75"))
                color = line_look(number)["color"]
                axes.fill_between(center, low, high, color=color, alpha=0.18, lw=0)
                axes.plot(center, median, **line_look(number), ms=3, lw=1, label=unit)
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(axis="x", labelsize=8)
            quiet(axes)
            if column == 0:
                axes.set_ylabel(label, fontsize=8)
        all_axes[column].set_title(mine["layer"].iloc[0], fontsize=9)
        all_axes[(len(ROWS) - 1) * len(layers) + column].set_xlabel("cosine", fontsize=8)
    legend_below(figure, all_axes[0], units)
    figure.suptitle(f"{title}: error of sums against the cosine of patch and filter", fontsize=11)
    return figure


def inflation_by_operands(table: pd.DataFrame) -> Figure:
    """Return the share of products larger than exact ones over activation, weight and product.

    Parameters
    ----------
    table : DataFrame
        `product_inflation` of one or more units. Magnitudes of integers, which are no significands,
        are drawn in parts of the largest plus 1, as 1 to 2.

    Raises
    ------
    DataError
        There is no row, or no column ``largest``.
    """
    checked(table, ["largest"], "products")
    overs, units = groups(table, "products", "over")
    overs = [one for one in ("activation", "weight", "product") if one in overs]
    figure, all_axes = new_figure(12, 4.2, axes=len(overs))
    for axes, over in zip(all_axes, overs, strict=True):
        for number, unit in enumerate(units):
            own = table[(table["over"] == over) & (table["multiplier"] == unit)]
            look = {**line_look(number), "ms": 3, "lw": 1, "label": unit}
            if over == "product":
                center = np.log2(own["low"]) + 0.5
            else:
                center = (own["low"] + own["high"]) / 2
                center = center.where(own["largest"].isna(), 1 + center / (own["largest"] + 1))
            axes.fill_between(
                center, 100 * own["inflated_low"], 100 * own["inflated_high"],
                color=look["color"], alpha=0.2, lw=0,
            )  # fmt: skip
            axes.plot(center, 100 * own["inflated"], **look)
        axes.set_ylim(-3, 103)
        quiet(axes)
    for axes, over in zip(all_axes, overs, strict=True):
        axes.set_xlabel(f"significand of the {over}")
        if over == "product":
            axes.set_xlabel("magnitude of the exact product")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
            axes.xaxis.set_major_formatter(lambda k, _: f"$2^{{{k:.0f}}}$")
    all_axes[0].set_ylabel("products larger in magnitude\nthan exact ones (%)")
    legend_below(figure, all_axes[0], units)
    figure.suptitle("Inflated products; of integers: 1 + magnitude / (largest + 1)", fontsize=11)
    return figure
