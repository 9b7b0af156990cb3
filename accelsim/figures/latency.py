"""Latency by layer, compute and stall, units side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.figures.style import PALETTE, headline, new_figure, quiet, run_labels
from accelsim.results import Run

__all__ = ["latency_by_layer"]

FLAT = 9
"""Layers whose names fit below the axis without being turned."""

HALF = 45
"""Characters of a legend entry that leaves room for another beside it."""


def latency_by_layer(runs: Sequence[Run]) -> Figure:
    """Return grouped bars, one group per layer and one bar per run: compute, and stall on top."""
    labels = run_labels(runs)
    layers = list(runs[0].layers["layer"])
    figure, (axes,) = new_figure(min(max(6.5, 1.3 * len(layers) + 2), 14), 4.6)
    places, width = np.arange(len(layers)), 0.8 / len(runs)
    for number, (run, name) in enumerate(zip(runs, labels, strict=True)):
        row, table = run.summary.iloc[0], run.layers.set_index("layer").loc[layers]
        scale = row["latency_us"] / row["latency_cycles"] / row["images"]
        compute, stall = table["compute_cycles"] * scale, table["stall_cycles"] * scale
        at = places + (number - (len(runs) - 1) / 2) * width
        color = PALETTE[number % len(PALETTE)]
        total = row["latency_us_per_image"]
        label = f"{' '.join(name.split())}: {total:.4g} us per image"
        if number:
            ratio = total / runs[0].summary["latency_us_per_image"].iloc[0]
            label += f" ({ratio:.2f}x)"
        axes.bar(at, compute, width * 0.92, color=color, label=label)
        axes.bar(
            at, stall, width * 0.92, bottom=compute, color="white", edgecolor=color, hatch="////"
        )
    operators = runs[0].layers["op"]
    axes.set_xticks(
        places,
        [f"{layer}\n{op}" for layer, op in zip(layers, operators, strict=True)],
        fontsize=8,
        rotation=0 if len(layers) <= FLAT else 60,
    )
    axes.set_ylabel("latency per image (us)")
    handles, _ = axes.get_legend_handles_labels()
    handles.append(Patch(facecolor="white", edgecolor="#555555", hatch="////", label="stall"))
    columns = 2 if all(len(str(handle.get_label())) < HALF for handle in handles) else 1
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    quiet(axes)
    figure.suptitle(headline(runs, "latency by layer"), fontsize=11)
    return figure
