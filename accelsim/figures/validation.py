"""Measured chips beside what is simulated, published circuits beside their netlists."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.figures.style import PALETTE, new_figure, quiet
from accelsim.validation.eyeriss_energy import COMPONENTS, FITTED_ON

__all__ = ["measured_and_simulated", "power_by_component", "published_and_modeled"]

MEASURED = "#333333"

NAMES = {"alexnet": "AlexNet, batch of 4", "vgg16": "VGG-16, batch of 3"}


def measured_and_simulated(table: pd.DataFrame) -> Figure:
    """Return bars of processing latency a layer, measured and simulated, with signed errors.

    Parameters
    ----------
    table : DataFrame
        Of `accelsim.validation.validate_eyeriss`.
    """
    figure, panels = _panels(table)
    for axes, part, total in panels:
        places = np.arange(len(part))
        for number, (kind, label) in enumerate(
            (("measured", "measured"), ("simulated", "simulated"))
        ):
            axes.bar(
                places + 0.4 * (number - 0.5),
                part[f"{kind}_ms"],
                0.37,
                color=PALETTE[number],
                label=label,
            )
        tops = part[["measured_ms", "simulated_ms"]].max(axis=1)
        _by_layer(axes, part["layer"], tops, part["error"])
        axes.set_ylabel("processing latency (ms)")
        axes.set_title(
            f"{_name(total)}: {total['measured_ms']:,.1f} ms measured, "
            f"{100 * total['error']:+.1f} %",
            fontsize=10,
        )
        quiet(axes)
    panels[0][0].legend(frameon=False, fontsize=9)
    how = "mappings of the mapper" if "chosen" in set(table["mapping_source"]) else "its mappings"
    figure.suptitle(f"Eyeriss, 168 PEs at 200 MHz, {how}: measured and simulated", fontsize=11)
    return figure


def power_by_component(table: pd.DataFrame) -> Figure:
    """Return bars of chip power a layer: measured, and simulated by component with the clock.

    Signed errors are those of the simulated power, clock included.

    Parameters
    ----------
    table : DataFrame
        Of `accelsim.validation.validate_eyeriss_energy`.
    """
    figure, panels = _panels(table)
    for axes, part, total in panels:
        places = np.arange(len(part))
        axes.bar(places - 0.2, part["measured_mw"], 0.37, color=MEASURED, label="measured")
        bottom = np.zeros(len(part))
        for number, name in enumerate((*COMPONENTS, "clock")):
            power = 1e3 * part[f"{name}_mj"].to_numpy() / part["simulated_ms"].to_numpy()
            label = "clock (fitted)" if name == "clock" else name
            axes.bar(places + 0.2, power, 0.37, bottom, color=PALETTE[number], label=label)
            bottom += power
        tops = part[["measured_mw", "clocked_mw"]].max(axis=1)
        _by_layer(axes, part["layer"], tops, part["clocked_error"])
        axes.set_ylabel("chip power (mW)")
        fitted = total["network"] == FITTED_ON
        axes.set_title(
            f"{_name(total)}: {total['measured_mw']:.0f} mW measured\n"
            f"{100 * total['error']:+.1f} % without clock, "
            + ("0 by the fit with it" if fitted else f"{100 * total['clocked_error']:+.1f} % with"),
            fontsize=10,
        )
        quiet(axes)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside right center", frameon=False, fontsize=9)
    figure.suptitle(
        f"Eyeriss' power; the clock's {table['clock_mw'].iloc[0]:.0f} mW are fitted to AlexNet's "
        "mean alone",
        fontsize=11,
    )
    return figure


def _panels(table: pd.DataFrame) -> tuple[Figure, list[tuple[Axes, pd.DataFrame, pd.Series]]]:
    """Return a figure, and for each network its plot, its layers and its total."""
    parts = [part for _, part in table.groupby("network", sort=False)]
    figure, all_axes = new_figure(12, 4.6, axes=len(parts))
    panels = [
        (axes, part[part["layer"] != "total"], part[part["layer"] == "total"].iloc[0])
        for axes, part in zip(all_axes, parts, strict=True)
    ]
    return figure, panels


def _name(total: pd.Series) -> str:
    return NAMES.get(total["network"], str(total["network"]))


def _by_layer(axes: Axes, layers: pd.Series, tops: pd.Series, errors: pd.Series) -> None:
    """Name the layers below their bars, and write signed errors above them."""
    for place, (top, error) in enumerate(zip(tops, errors, strict=True)):
        axes.annotate(
            f"{100 * error:+.1f}",
            (place, top),
            (0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    labels = [name.removeprefix("CONV") for name in layers]
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set_xlabel("CONV layer (errors in %)")


RANKED = (
    ("published_power_mw", "energy_functional_pj", "published power (mW)",
     "energy of a product, no glitches (pJ)"),
    ("published_power_mw", "energy_glitch_pj", "published power (mW)",
     "energy of a product, all glitches (pJ)"),
    ("published_area_um2", "area_um2", "published area (um2)", "area of the cells (um2)"),
)  # fmt: skip
"""Columns of a plot, and its labels."""


def published_and_modeled(table: pd.DataFrame) -> Figure:
    """Return three plots of circuits, published figures against those of their netlists.

    Energy without glitches and with all against power, and area against area; Pearson's and
    Spearman's r in the titles, axes logarithmic, a color each width; circuits whose netlist is of
    operators rather than cells are hollow.

    Parameters
    ----------
    table : DataFrame
        Of `accelsim.validation.rank_evoapprox`.
    """
    figure, all_axes = new_figure(12, 4.4, axes=len(RANKED))
    for axes, (published, modeled, *labels) in zip(all_axes, RANKED, strict=True):
        known = table.dropna(subset=[published, modeled])
        for number, (bits, part) in enumerate(known.groupby("bits")):
            color = PALETTE[number % len(PALETTE)]
            for mapped, filled in part.groupby("mapped"):
                axes.scatter(
                    filled[published],
                    filled[modeled],
                    s=28,
                    edgecolors=color,
                    facecolors=color if mapped else "none",
                    label=f"{bits} bits" + ("" if mapped else ", operators"),
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        values, ranks = known[[published, modeled]], known[[published, modeled]].rank()
        pearson, spearman = (pair[published].corr(pair[modeled]) for pair in (values, ranks))
        axes.set_title(
            f"{len(known)} circuits: Pearson {pearson:.3f}, Spearman {spearman:.3f}", fontsize=10
        )
        quiet(axes)
    all_axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(
        "EvoApproxLib's multipliers: as published (FreePDK45), and by this cell table", fontsize=11
    )
    return figure
