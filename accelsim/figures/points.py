"""Points of a sweep: energy against latency."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from accelsim.figures.style import groups, legend_below, line_look, new_figure, quiet

__all__ = ["cost_by_point"]


def cost_by_point(table: pd.DataFrame, title: str) -> Figure:
    """Return a point for each row, a look for each unit: left and low is better.

    Points some of whose layers are on other units have a look of their own.

    Parameters
    ----------
    table : DataFrame
        ``multiplier``, ``latency_us_per_image`` and ``energy_uj_per_image``, as
        `accelsim.sweep` returns them, of points that did not fail.
    title : str
        Of the figure.

    Raises
    ------
    DataError
        There is no row.
    """
    groups(table, "points", "multiplier")
    looks = table["multiplier"]
    if "layer_multipliers" in table:
        looks = looks.where(table["layer_multipliers"].isna(), looks + " and others")
    units = list(looks.unique())
    figure, (axes,) = new_figure(9, 4.6)
    for number, unit in enumerate(units):
        own = table[looks == unit]
        axes.plot(
            own["latency_us_per_image"], own["energy_uj_per_image"], ls="", ms=6, label=unit,
            **line_look(number),
        )  # fmt: skip
    axes.set_xlabel("latency per image (us)")
    axes.set_ylabel("energy per image (uJ)")
    axes.set_xlim(0, 1.05 * table["latency_us_per_image"].max())
    axes.set_ylim(0, 1.08 * table["energy_uj_per_image"].max())
    quiet(axes)
    legend_below(figure, axes, units)
    figure.suptitle(title, fontsize=11)
    return figure
