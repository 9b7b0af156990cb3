"""Measured chips beside what is simulated, published circuits beside their netlists."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import PALETTE, new_figure, quiet

__all__ = ["measured_and_simulated", "published_and_modeled"]

NAMES = {"alexnet": "AlexNet, batch of 4", "vgg16": "VGG-16, batch of 3"}


def measured_and_simulated(table: pd.DataFrame) -> Figure:
    """Return bars of processing latency a layer, measured and simulated, with signed errors.

    Parameters
    ----------
    table : DataFrame
        Of `accelsim.validation.validate_eyeriss`.
    """
    networks = list(table["network"].unique())
    figure, all_axes = new_figure(12, 4.6, axes=len(networks))
    for axes, network in zip(all_axes, networks, strict=True):
        whole = table[table["network"] == network]
        part, total = whole[whole["layer"] != "total"], whole[whole["layer"] == "total"].iloc[0]
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
        for place, row in zip(places, part.itertuples(index=False), strict=True):
            axes.annotate(
                f"{100 * row.error:+.1f}",
                (place, max(row.measured_ms, row.simulated_ms)),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
        axes.set_xticks(places, [name.removeprefix("CONV") for name in part["layer"]], fontsize=8)
        axes.set_xlabel("CONV layer (errors in %)")
        axes.set_ylabel("processing latency (ms)")
        axes.set_title(
            f"{NAMES.get(network, network)}: {total['measured_ms']:,.1f} ms measured, "
            f"{100 * total['error']:+.1f} %",
            fontsize=10,
        )
        quiet(axes)
    all_axes[0].legend(frameon=False, fontsize=9)
    how = "mappings of the mapper" if "chosen" in set(table["mapping_source"]) else "its mappings"
    figure.suptitle(f"Eyeriss, 168 PEs at 200 MHz, {how}: measured and simulated", fontsize=11)
    return figure


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
