"""What a unit costs and what it is worth: latency, energy, accuracy and robustness at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from accelsim.dominance import undominated
from accelsim.errors import DataError
from accelsim.figures.style import checked, new_figure, quiet

__all__ = ["LESS_IS_BETTER", "best_points", "pareto"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LESS_IS_BETTER = ("latency", "energy", "area", "delay", "power", "cycles")
"""What the name of a column begins with of which less is better."""
COSTLY_UNITS = ("_cycles", "_ps", "_ns", "_us", "_ms", "_pj", "_uj", "_um2", "_mm2", "_bytes",
                "_kib", "_mw")  # fmt: skip
"""What it ends with where it begins otherwise; of all other columns more is better."""

NAMES = {
    "energy_pj": "energy (pJ)",
    "energy_uj": "energy (uJ)",
    "energy_uj_per_image": "energy per image (uJ)",
    "latency_ns": "latency (ns)",
    "latency_us": "latency (us)",
    "latency_us_per_image": "latency per image (us)",
    "latency_cycles": "latency (cycles)",
    "accuracy": "clean accuracy (%)",
    "robust_accuracy": "robust accuracy (%)",
}
"""Column -> text of its axis; a column of accuracies is drawn in percent."""

SMALL, LARGE = 40.0, 260.0
"""Areas of the markers of the least and the most, in square points."""
PALE = 0.3
LETTER = 4.7
"""Points that a letter of a name is wide."""
SPOTS = ((8, -11), (8, 12), (-8, 12), (-8, -11), (8, -23), (8, 24), (-8, 24), (-8, -23), (8, 36),
         (8, -35), (-8, 36), (-8, -35))  # fmt: skip
"""Where a name may stand beside its point, in points. The front leaves a point to the right and
comes to it from below, so the first is free of it."""
MOST_NAMES = 20
"""Points beyond which those that are pale have no names."""


def best_points(table: pd.DataFrame, columns: list[str]) -> Flags:
    """Return for each row whether no other is as good in all *columns* and better in one.

    In columns whose name begins as `LESS_IS_BETTER` or ends as `COSTLY_UNITS` says, less is better,
    in others more.

    >>> points = pd.DataFrame({"energy_pj": [1, 2, 2], "accuracy": [0.8, 0.9, 0.8]})
    >>> best_points(points, ["energy_pj", "accuracy"])
    array([ True,  True, False])
    """
    signs = [1.0 if _is_cost(name) else -1.0 for name in columns]
    return undominated(table[columns].to_numpy(np.float64) * signs)


def _is_cost(name: str) -> bool:
    return name.startswith(LESS_IS_BETTER) or name.endswith(COSTLY_UNITS)


def pareto(
    table: pd.DataFrame,
    title: str,
    *,
    x: str = "energy_pj",
    y: str = "robust_accuracy",
    color: str | None = "accuracy",
    size: str | None = "latency_ns",
    label: str = "unit",
) -> Figure:
    """Return a point for each row, with the front of the two axes drawn.

    A point is pale where another one is as good in all that is drawn, axes, color and size, and
    better in one. The line is the front of the axes alone: nothing lies beyond it. Columns that are
    named as *y* with ``_low`` and ``_high`` behind it are drawn as intervals.

    Parameters
    ----------
    table : DataFrame
        A row for each point, of one network; accuracies as shares of 1.
    title : str
        Of the figure.
    x, y : str
        Columns of the axes.
    color, size : str, optional
        Columns of the markers' color and size; None: all alike.
    label : str
        Column of the points' names.

    Raises
    ------
    DataError
        A column is missing or is named twice, there is no row, a value is not a finite number, two
        rows have one name, or the rows are of several networks.
    """
    measures = [name for name in (x, y, color, size) if name is not None]
    checked(table, [label, *measures], "points")
    _refuse(table, measures, label)
    best = best_points(table, measures)
    shown = table.assign(**{name: _shown(table[name], name) for name in measures})
    figure, (axes,) = new_figure(8, 5)
    areas = _areas(shown[size]) if size is not None else np.full(len(table), 90.0)
    colors = shown[color] if color is not None else pd.Series(0.0, table.index)
    # One scale for all, whatever is pale.
    scale = {"vmin": colors.min(), "vmax": colors.max()}
    if scale["vmin"] == scale["vmax"]:
        scale = {"vmin": colors.min() - 1, "vmax": colors.max() + 1}
    for kept, alpha in ((~best, PALE), (best, 1.0)):
        image = axes.scatter(
            shown[x][kept], shown[y][kept], s=areas[kept], c=colors[kept], alpha=alpha,
            cmap="cividis", edgecolors="black", linewidths=0.8, zorder=3, **scale,
        )  # fmt: skip
    bounds = [f"{y}_low", f"{y}_high"]
    if {*bounds} <= {*table}:
        ends = [_shown(table[name], name) for name in bounds]
        axes.vlines(shown[x], *ends, color="#999999", lw=0.8, zorder=1)
    _draw_front(axes, shown, x, y, best_points(table, [x, y]))
    axes.margins(0.14)
    _name_points(axes, figure.get_size_inches(), shown, x, y, label, best)
    axes.set_xlabel(_text(x))
    axes.set_ylabel(_text(y))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8))
    quiet(axes)
    if color is not None:
        figure.colorbar(image, ax=axes, label=_text(color), pad=0.01)
    _explain(figure, shown, size, pale=not best.all())
    figure.suptitle(title, fontsize=11)
    return figure


def _refuse(table: pd.DataFrame, measures: list[str], label: str) -> None:
    if len(set(measures)) < len(measures):
        raise DataError(f"axes, color and size must be different columns, got {measures}")
    for name in measures:
        values = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(values.to_numpy(np.float64)).all():
            bad = table[~np.isfinite(values)].iloc[0]
            raise DataError(
                f"{name} of {bad[label]!r} must be a finite number, got {bad[name]!r}; leave the "
                "row or the column out"
            )
    if "workload" in table and table["workload"].nunique() > 1:
        names = ", ".join(map(str, table["workload"].unique()))
        raise DataError(f"the table is of several networks: {names}; draw them apart")
    if twice := sorted(map(str, table[label][table[label].duplicated()].unique())):
        raise DataError(
            f"{len(table)} points have {table[label].nunique()} names, {', '.join(twice)} more "
            f"than once; give each a {label} of its own"
        )


def _shown(values: pd.Series, name: str) -> pd.Series:
    """Return what is drawn: percents of accuracies."""
    return 100.0 * values if "accuracy" in name else values.astype(float)


def _text(name: str) -> str:
    return NAMES.get(name, name.replace("_", " ") + (" (%)" if "accuracy" in name else ""))


def _areas(values: pd.Series) -> NDArray[np.float64]:
    """Return markers' areas, in proportion between the least and the most."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.full(len(values), 90.0)
    return SMALL + (LARGE - SMALL) * ((values - low) / (high - low)).to_numpy(np.float64)


def _draw_front(axes: Axes, table: pd.DataFrame, x: str, y: str, front: NDArray[np.bool_]) -> None:
    """Draw the line beyond which no point lies, from the edge of one axis to that of the other."""
    points = table[front].sort_values(x)
    less = _is_cost(x)
    axes.step(
        points[x], points[y], where="post" if less else "pre", color="#333333", lw=1.2, ls="--"
    )


def _name_points(
    axes: Axes, size: Floats, table: pd.DataFrame, x: str, y: str, label: str, best: Flags
) -> None:
    """Write names beside points, where they meet neither another point nor another name."""
    axes.autoscale_view()
    box = axes.get_position()
    width, height = 72 * size * (box.width, box.height)
    places = axes.transLimits.transform(table[[x, y]].to_numpy(float)) * (width, height)
    taken = [_Box(across - 6, up - 6, across + 6, up + 6) for across, up in places]
    for number, (name, (across, up)) in enumerate(zip(table[label], places, strict=True)):
        if len(table) > MOST_NAMES and not best[number]:
            continue
        long = LETTER * len(str(name))
        for side, lift in SPOTS:
            left = across + side if side > 0 else across + side - long
            spot = _Box(left, up + lift - 5, left + long, up + lift + 5)
            if spot.left >= 0 and spot.right <= width and not any(map(spot.meets, taken)):
                break
        taken.append(spot)
        axes.annotate(
            str(name), (table[x].iloc[number], table[y].iloc[number]), (side, lift),
            textcoords="offset points", ha="left" if side > 0 else "right", va="center",
            fontsize=8, color="black" if best[number] else "#777777", zorder=4,
        )  # fmt: skip


class _Box(NamedTuple):
    """A part of the plot, in points."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: _Box) -> bool:
        """Return whether the two have a part in common."""
        apart = self.right < other.left or other.right < self.left
        return not (apart or self.high < other.low or other.high < self.low)


def _explain(figure: Figure, table: pd.DataFrame, size: str | None, *, pale: bool) -> None:
    """Say below what line, sizes and pale points mean."""
    handles = [Line2D([], [], color="#333333", ls="--", lw=1.2, label="front of the two axes")]
    round_: dict[str, Any] = {"ls": "", "marker": "o", "mec": "black", "mfc": "white"}
    if size is not None:
        low, high = table[size].min(), table[size].max()
        ends = ((low, SMALL), (high, LARGE)) if low < high else ((low, 90.0),)
        for value, area in ends:
            handles.append(Line2D([], [], ms=area**0.5, label=f"{_text(size)}: {value:,.4g}",
                                  **round_))  # fmt: skip
    if pale:
        look = {**round_, "mfc": "#999999"}
        handles.append(Line2D([], [], ms=9, alpha=PALE, label="dominated in all drawn", **look))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8
    )
