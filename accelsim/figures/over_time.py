"""What a machine does over time: its blocks, and the bandwidth of its DRAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.figures.style import HATCHES, PALETTE, headline, new_figure, quiet, run_labels
from accelsim.results import Run, moved_of
from accelsim.timeline import activity, checked_cycles, peak_bytes_per_cycle

__all__ = ["bandwidth_over_time", "block_timeline"]

WINDOWS = 300
"""Means over time that a plot has room for."""
FINEST = 700
"""Parts of a plot's width that can be told apart."""
SMALLEST_NAME = 0.035
"""Share of a plot's width that the name of a layer needs."""
BLOCKS = ("dram", "dma_read", "dma_write", "array", "vector_unit")
"""From top to bottom, as far as there are any."""


def bandwidth_over_time(
    runs: Sequence[Run], cycles: tuple[int, int | None] | None = None
) -> Figure:
    """Return the bytes per cycle over the DRAM's bus, read and written, a plot for each run.

    Parameters
    ----------
    runs : sequence of Run
    cycles : (int, int or None), optional
        Start and stop, None being the end; the whole run by default.

    Raises
    ------
    ConfigError
        *cycles* is no part of a run.
    DataError
        The runs are of different networks, cannot be told apart, or were saved by an accelsim that
        did not keep what is moved when.
    """
    figure, panels = _panels(runs, 2.2, 1.2)
    for axes, run, label in zip(panels, runs, run_labels(runs), strict=True):
        timeline, peak = moved_of(run), peak_bytes_per_cycle(run.accelerator)
        found = activity(timeline, run.accelerator, windows=WINDOWS, cycles=cycles)
        edges = np.append(found["cycle_start"], found["cycle_end"].iloc[-1])
        read, both = found["dram_read"], found["dram_read"] + found["dram_write"]
        axes.stairs(read, edges, fill=True, color=PALETTE[0], label="read")
        axes.stairs(
            both, edges, baseline=read, fill=True, facecolor=PALETTE[1], edgecolor="#7a5200",
            hatch="////", lw=0, label="written",
        )  # fmt: skip
        axes.axhline(peak, color="#333333", lw=1, ls="--")
        axes.annotate(
            f"peak {peak} ", (1, peak), (0, 2), xycoords=axes.get_yaxis_transform(),
            textcoords="offset points", ha="right", fontsize=8,
        )  # fmt: skip
        axes.set_ylim(0, 1.3 * peak)
        axes.set_ylabel("DRAM bandwidth\n(bytes per cycle)")
        _finish(axes, timeline, checked_cycles(timeline, cycles), " ".join(label.split()))
        quiet(axes)
    panels[-1].set_xlabel("time (cycles)")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2,
        frameon=False, fontsize=9,
    )  # fmt: skip
    figure.suptitle(headline(runs, "DRAM bandwidth over time", ratios=False), fontsize=11)
    return figure


def block_timeline(runs: Sequence[Run], cycles: tuple[int, int | None] | None = None) -> Figure:
    """Return when each block of the machine was busy and with what, a plot for each run.

    Stretches of the same work that begin so close to each other that they cannot be told apart are
    drawn as one.

    Parameters
    ----------
    runs : sequence of Run
    cycles : (int, int or None), optional
        Start and stop, None being the end; the whole run by default.

    Raises
    ------
    ConfigError
        *cycles* is no part of a run.
    DataError
        The runs are of different networks, or cannot be told apart.
    """
    figure, panels = _panels(runs, 2.3, 1.5)
    parts = [_part(run.timeline, checked_cycles(run.timeline, cycles)) for run in runs]
    # A look for each kind of work, the same in all plots.
    kinds = list(dict.fromkeys(what for part in parts for what in part["what"]))
    for axes, run, part, label in zip(panels, runs, parts, run_labels(runs), strict=True):
        found = set(part["block"])
        blocks = [*(name for name in BLOCKS if name in found), *sorted(found - {*BLOCKS})]
        for (block, what), rows in part.groupby(["block", "what"], sort=False):
            look = _look(kinds.index(what))
            spans = rows[["start", "size"]].to_numpy()
            axes.broken_barh(spans, (blocks.index(block) - 0.38, 0.76), lw=0.3, **look)
        axes.set_yticks(range(len(blocks)), blocks, fontsize=8)
        axes.set_ylim(len(blocks) - 0.4, -1.0)
        span = checked_cycles(run.timeline, cycles)
        _finish(axes, run.timeline, span, " ".join(label.split()))
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("time (cycles)")
    figure.legend(
        handles=[Patch(**_look(place), label=what) for place, what in enumerate(kinds)],
        loc="outside lower center", ncols=min(len(kinds), 6), frameon=False, fontsize=8,
    )  # fmt: skip
    figure.suptitle(headline(runs, "blocks over time", ratios=False), fontsize=11)
    return figure


def _panels(runs: Sequence[Run], height: float, around: float) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with a plot for each run, one below the other."""
    return new_figure(10, around + height * max(1, len(runs)), rows=max(1, len(runs)))


def _look(place: int) -> dict[str, Any]:
    """Return the color and hatch of the kind of work of that number."""
    return {
        "facecolor": PALETTE[place % len(PALETTE)],
        "edgecolor": "#333333",
        # Where colors come again, hatches do not come with the same ones.
        "hatch": HATCHES[(place + place // len(PALETTE)) % len(HATCHES)],
    }


def _part(timeline: pd.DataFrame, cycles: tuple[int, int]) -> pd.DataFrame:
    """Return block, what, start and size of what lies in *cycles*, with what is too fine joined."""
    start, stop = cycles
    inside = timeline[(timeline["cycle_end"] > start) & (timeline["cycle_start"] < stop)]
    inside = inside.sort_values(["block", "what", "cycle_start"], kind="stable")
    begins = inside["cycle_start"].clip(lower=start)
    ends = inside["cycle_end"].clip(upper=stop)
    apart = (stop - start) // FINEST
    same = (inside[["block", "what"]] == inside[["block", "what"]].shift()).all(axis=1)
    joined = same & (begins - begins.shift() < apart)
    rows = pd.DataFrame(
        {"block": inside["block"], "what": inside["what"], "start": begins, "end": ends}
    )
    merged = rows.groupby((~joined).cumsum().to_numpy()).agg(
        {"block": "first", "what": "first", "start": "first", "end": "last"}
    )
    return merged.assign(size=merged["end"] - merged["start"])


def _finish(
    axes: Axes,
    timeline: pd.DataFrame,
    cycles: tuple[int, int],
    label: str,
) -> None:
    """Mark the layers in *cycles*, with names where there is room, and name the run."""
    start, stop = cycles
    axes.set_xlim(start, stop)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    spans = timeline.groupby("layer", sort=False).agg(
        start=("cycle_start", "min"), end=("cycle_end", "max")
    )
    for name, low, high in spans.itertuples():
        low, high = max(low, start), min(high, stop)
        if low >= high:
            continue
        axes.axvline(low, color="#555555", lw=0.7, ls=":")
        if high - low >= SMALLEST_NAME * (stop - start):
            axes.annotate(
                f" {name}", (low, 1), xycoords=axes.get_xaxis_transform(), va="top", fontsize=8
            )
    axes.set_title(label, fontsize=9, loc="left")
