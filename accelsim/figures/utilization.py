"""Which PEs of the array work how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.figures.style import broken, headline, new_figure, run_labels
from accelsim.results import Run, pes_of

__all__ = ["products_by_pe", "utilization_by_pe"]

MOST_PANELS = 8
"""Layers beyond which only their sum is drawn."""


def products_by_pe(pes: pd.DataFrame, rows: int, cols: int) -> NDArray[np.int64]:
    """Return the products that each PE made.

    Parameters
    ----------
    pes : DataFrame
        Rows of `accelsim.results.Run.pes`.
    rows, cols : int
        PEs of the array.

    Returns
    -------
    int64 array, (rows, cols)
    """
    made = np.zeros((rows, cols), np.int64)
    for block in pes.itertuples(index=False):
        part = made[block.row_start : block.row_stop, block.col_start : block.col_stop]
        part += block.macs * block.passes
    return made


def utilization_by_pe(runs: Sequence[Run]) -> Figure:
    """Return maps of the PE array: products per cycle of each PE, a row of maps for each run.

    The first map is of the whole run, the others of its layers with products, over the whole time
    of each. The mean of a map is the utilization that the run's tables tell.

    Raises
    ------
    DataError
        The runs are of different networks, cannot be told apart, have no layer with products, or
        were saved by an accelsim that did not keep what each PE did.
    """
    labels = [broken(label, 32) for label in run_labels(runs)]
    layers = runs[0].layers[runs[0].layers["macs"] > 0]["layer"]
    if layers.empty:
        raise DataError("there is no utilization to draw; no layer has products")
    panels = ["whole run", *layers] if len(layers) <= MOST_PANELS else ["whole run"]
    figure, all_axes = new_figure(
        max(4.4, 1.9 + 1.75 * len(panels)), 0.9 + 2.2 * len(runs), axes=len(panels), rows=len(runs)
    )
    for number, (run, label) in enumerate(zip(runs, labels, strict=True)):
        pes, row = pes_of(run), run.summary.iloc[0]
        cycles = run.layers.set_index("layer")["total_cycles"]
        for place, name in enumerate(panels):
            axes = all_axes[number * len(panels) + place]
            own = pes if name == "whole run" else pes[pes["layer"] == name]
            time = row["latency_cycles"] if name == "whole run" else cycles[name]
            share = 100 * products_by_pe(own, row["rows"], row["cols"]) / time
            # Cividis goes from dark to light in colors and in gray alike.
            image = axes.imshow(share, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
            axes.set_title(f"{name}\n{share.mean():.3g} %", fontsize=9)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            axes.tick_params(labelsize=7)
            if number + 1 == len(runs):
                axes.set_xlabel("PE column", fontsize=8)
            if place:
                axes.set_yticklabels([])
        all_axes[number * len(panels)].set_ylabel(f"{label}\nPE row", fontsize=8)
    figure.colorbar(image, ax=list(all_axes), label="MACs per cycle (%)", shrink=0.9, pad=0.01)
    figure.suptitle(headline(runs, "utilization of PEs", ratios=False), fontsize=11)
    return figure
