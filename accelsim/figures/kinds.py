"""The figures of result folders, by the names that the command line knows them by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from accelsim.comparison import load_scores
from accelsim.errors import DataError
from accelsim.figures.energy import energy_by_component
from accelsim.figures.latency import latency_by_layer
from accelsim.figures.over_time import bandwidth_over_time, block_timeline
from accelsim.figures.pareto import pareto
from accelsim.figures.robustness import accuracy_by_epsilon, transfer_matrix
from accelsim.figures.roofline import roofline
from accelsim.figures.utilization import utilization_by_pe
from accelsim.folders import find_results, read_manifest
from accelsim.results import load_runs
from accelsim.tradeoffs import trade_offs

__all__ = ["FIGURES", "Kind", "drawn_trade_offs"]

Folders = Sequence[str | Path]


class Kind(NamedTuple):
    """A figure of result folders."""

    draw: Callable[..., Figure]
    """Of folders; with ``cycles`` where it is one over time."""
    about: str
    """What it shows, in a line."""
    over_time: bool = False


def _of_runs(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    def of_folders(folders: Folders, **how: object) -> Figure:
        return draw(load_runs(folders), **how)

    return of_folders


def _of_scores(draw: Callable[[pd.DataFrame, str], Figure], what: str) -> Callable[..., Figure]:
    def of_folders(folders: Folders) -> Figure:
        found = find_results(folders)
        places = [place for place in found if read_manifest(place)["kind"] == "score"]
        if not places:
            names = ", ".join(map(str, folders))
            raise DataError(f"no scores in {names}; make some with accelsim score --out")
        table = load_scores(places)
        first = table.iloc[0]
        return draw(table, f"{first['workload']}: {what}, {first['images']} images")

    return of_folders


def drawn_trade_offs(table: pd.DataFrame) -> Figure:
    """Draw what is known: robust accuracy, else accuracy, else latency against energy.

    Columns as `accelsim.tradeoffs.trade_offs` returns them.
    """
    x, latency = "energy_uj_per_image", "latency_us_per_image"
    title = f"{table['workload'].iloc[0]}: what {len(table)} points cost and are worth"
    if "robust_accuracy" in table:
        return pareto(table, title, x=x, size=latency)
    if "accuracy" in table:
        return pareto(table, title, x=x, y="accuracy", color=None, size=latency)
    return pareto(table, title, x=x, y=latency, color=None, size=None)


FIGURES = {
    "energy": Kind(_of_runs(energy_by_component), "energy by component"),
    "latency": Kind(_of_runs(latency_by_layer), "latency by layer, compute and stall"),
    "roofline": Kind(_of_runs(roofline), "layers below the roofs of DRAM, GLB and PEs"),
    "utilization": Kind(_of_runs(utilization_by_pe), "maps of how much each PE works"),
    "bandwidth": Kind(_of_runs(bandwidth_over_time), "DRAM bandwidth over time", over_time=True),
    "timeline": Kind(_of_runs(block_timeline), "blocks over time", over_time=True),
    "pareto": Kind(
        lambda folders: drawn_trade_offs(trade_offs(folders)),
        "energy, latency, accuracy, robustness: runs and scores, or a sweep",
    ),
    "robustness": Kind(
        _of_scores(accuracy_by_epsilon, "accuracy under attack"), "scores: accuracy against epsilon"
    ),
    "transfer": Kind(_of_scores(transfer_matrix, "what transfers"), "scores: who fools whom"),
}
"""Name -> figure."""
