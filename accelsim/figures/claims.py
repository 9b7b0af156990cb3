"""The paper's claims beside what is simulated."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import PALETTE, checked, new_figure, quiet

__all__ = ["claims_by_level"]


def claims_by_level(
    energy: pd.DataFrame,
    latency: pd.DataFrame,
    claimed: tuple[float, float],
    title: str,
) -> Figure:
    """Return two plots: ratios of energy by level, and of latency by clock, circuit by circuit.

    Parameters
    ----------
    energy, latency : DataFrame
        A row per circuit and place: ``circuit`` (one color each), ``place`` (level or clock, in
        order of appearance), ``ratio`` to the exact unit.
    claimed : (float, float)
        Ratios of energy and latency that the paper claims: a line.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        A table has no row, or a column is missing.
    """
    for table, what in ((energy, "ratios of energy"), (latency, "ratios of latency")):
        checked(table, ("circuit", "place", "ratio"), what)
    figure, all_axes = new_figure(11, 4.4, axes=2)
    for axes, table, claim, label in zip(
        all_axes, (energy, latency), claimed, ("energy", "latency"), strict=True
    ):
        places = list(table["place"].unique())
        circuits = list(table["circuit"].unique())
        for number, circuit in enumerate(circuits):
            part = table[table["circuit"] == circuit]
            spread = 0.5 * (number - (len(circuits) - 1) / 2) / len(circuits)
            for place in places:
                ratios = part.loc[part["place"] == place, "ratio"]
                at = places.index(place) + spread
                axes.plot([at, at], [ratios.min(), ratios.max()], color=PALETTE[number], lw=5,
                          alpha=0.35, solid_capstyle="round")  # fmt: skip
                axes.plot([at] * len(ratios), ratios, "o", color=PALETTE[number], ms=3,
                          label=circuit if place == places[0] else None)  # fmt: skip
        axes.axhline(1, color="black", lw=0.8)
        axes.axhline(claim, color="black", lw=1, ls="--")
        axes.text(
            0.01, claim, "claimed", va="bottom", fontsize=8, transform=axes.get_yaxis_transform()
        )
        axes.set_xticks(range(len(places)), places, fontsize=8)
        axes.set_ylim(0, 1.1)
        axes.set_ylabel(f"{label}, ratio to the exact unit")
        quiet(axes)
    all_axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    figure.suptitle(title, fontsize=11)
    return figure
