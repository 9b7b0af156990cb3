"""Layers below the roofs of their machine: multiply-accumulates against bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from accelsim.figures.style import (
    headline,
    legend_below,
    line_look,
    new_figure,
    quiet,
    run_labels,
)
from accelsim.results import Run
from accelsim.timeline import glb_peak_bytes_per_cycle, peak_bytes_per_cycle

__all__ = ["roofline"]

MEMORIES = {"dram": peak_bytes_per_cycle, "glb": glb_peak_bytes_per_cycle}
MOST_NAMES = 24
"""Layers beyond which none is named."""


def roofline(runs: Sequence[Run]) -> Figure:
    """Return what each layer with products attains, over its products per byte.

    Left over bytes of the DRAM, right over those of the GLB's ports, both as counted by the run;
    below the roofs of the configuration: a product every interval in every PE, and the peak of the
    memory. A layer is drawn at its products per cycle of its whole time, stalls included.

    Raises
    ------
    DataError
        The runs are of different networks, or cannot be told apart.
    """
    labels = [" ".join(label.split()) for label in run_labels(runs)]
    figure, panels = new_figure(11, 4.8, axes=len(MEMORIES))
    for axes, (memory, peak_of) in zip(panels, MEMORIES.items(), strict=True):
        drawn: set[tuple[float, int]] = set()
        spans = []
        for number, (run, label) in enumerate(zip(runs, labels, strict=True)):
            layers = run.layers[run.layers["macs"] > 0]
            moved = layers[f"{memory}_read_bytes"] + layers[f"{memory}_write_bytes"]
            layers = layers.assign(
                intensity=layers["macs"] / moved.where(moved > 0),
                attained=layers["macs"] / layers["total_cycles"],
            )
            look = {**line_look(number), "ls": "", "ms": 7 - 2 * (number % 2), "zorder": 3}
            points = layers["intensity"], layers["attained"]
            axes.plot(*points, **look, mec="white", mew=0.5, label=label)
            spans.append((layers["intensity"].min(), layers["intensity"].max()))
            if number == 0 and len(layers) <= MOST_NAMES:
                _name(axes, layers[moved > 0])
            row = run.summary.iloc[0]
            roof = row["rows"] * row["cols"] / row["pe_interval_cycles"], peak_of(run.accelerator)
            if roof not in drawn:
                drawn.add(roof)
                spans.append((roof[0] / roof[1],) * 2)
        low, high = min(span[0] for span in spans) / 8, max(span[1] for span in spans) * 10
        for place, roof in enumerate(sorted(drawn, reverse=True)):
            _draw_roof(axes, roof, (low, high), place)
        for products in {roof[0] for roof in drawn}:
            _name_products(axes, products, high)
        for peak in {roof[1] for roof in drawn}:
            _name_peak(axes, peak, low, memory.upper())
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(low, high)
        for axis in (axes.xaxis, axes.yaxis):
            # No formula, since a report has text alone.
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"MACs per byte of the {memory.upper()}")
        quiet(axes)
    panels[0].set_ylabel("MACs per cycle")
    if len(runs) > 1:
        legend_below(figure, panels[0], labels)
    figure.suptitle(headline(runs, "roofline", ratios=False), fontsize=11)
    return figure


def _name(axes: Axes, table: pd.DataFrame) -> None:
    """Write layers' names below their points, where no roof is."""
    for row in table.itertuples(index=False):
        axes.annotate(
            row.layer, (row.intensity, row.attained), (5, -4), textcoords="offset points",
            ha="left", va="top", fontsize=8, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
        )  # fmt: skip


def _draw_roof(axes: Axes, roof: tuple[float, int], span: tuple[float, float], place: int) -> None:
    """Draw the roof of so many products and bytes a cycle."""
    (products, peak), (low, high) = roof, span
    style = ("-", "--", ":")[place % 3]
    across = [low, products / peak, high]
    axes.plot(across, [low * peak, products, products], style, color="#333333", lw=1.3)


def _name_products(axes: Axes, products: float, high: float) -> None:
    """Write so many products a cycle along their roof."""
    axes.annotate(
        f"PEs: {products:g} MACs per cycle", (high, products), (-4, 3),
        textcoords="offset points", ha="right", fontsize=8,
    )  # fmt: skip


def _name_peak(axes: Axes, peak: int, low: float, memory: str) -> None:
    """Write so many bytes a cycle along their roof."""
    axes.text(
        1.15 * low, 1.25 * 1.15 * low * peak, f"{memory}: {peak:,} bytes per cycle",
        rotation=math.degrees(math.atan(1.25 * peak)), rotation_mode="anchor",
        transform_rotates_text=True, va="bottom", fontsize=8,
    )  # fmt: skip
