"""Errors of products: over both operands, and against the magnitude of the exact product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.figures.style import PALETTE, new_figure, quiet
from accelsim.surfaces import ErrorSurface

__all__ = ["error_magnitude", "error_surfaces"]

FEWEST = 5e-4
"""Share of all pairs below which a binade is left out: its quantiles would say nothing."""


def error_surfaces(surfaces: Sequence[ErrorSurface]) -> Figure:
    """Return a map of each unit's error over activation and weight, on one scale of colors.

    White is no error, and the scale is symmetric: red is too large, blue too small.

    Raises
    ------
    DataError
        Some errors are relative and others are not, or operands differ.
    """
    first = surfaces[0]
    for other in surfaces[1:]:
        if (other.relative, other.low, other.high) != (first.relative, first.low, first.high):
            raise DataError(
                f"{first.unit} and {other.unit} have operands of different formats; draw them apart"
            )
    scale = 100.0 if first.relative else 1.0
    greatest = max(float(np.abs(surface.error).max()) for surface in surfaces) * scale
    figure, all_axes = new_figure(4.2 * len(surfaces) + 1.2, 4.4, axes=len(surfaces))
    for axes, surface in zip(all_axes, surfaces, strict=True):
        image = axes.imshow(
            scale * surface.error,
            origin="lower",
            extent=(surface.low, surface.high, surface.low, surface.high),
            cmap="RdBu_r",
            # A unit without errors is white all over.
            vmin=-(greatest or 1.0),
            vmax=greatest or 1.0,
            interpolation="nearest",
        )
        what = "significand of the " if surface.relative else ""
        axes.set_xlabel(f"{what}weight")
        axes.set_ylabel(f"{what}activation")
        axes.set_title(surface.unit, fontsize=10)
    label = "(product - exact) / exact (%)" if first.relative else "product - exact"
    figure.colorbar(image, ax=list(all_axes), label=label, shrink=0.9)
    cells = "" if first.draws == 1 else f", mean of {first.draws} random pairs per cell"
    figure.suptitle(f"error over both operands{cells}", fontsize=11)
    return figure


def error_magnitude(exact: NDArray[np.float64], product: NDArray[np.float64], title: str) -> Figure:
    """Return the relative error against the exact product's magnitude, and its distribution.

    Left: per binade of the exact product the median, the middle 50 % and 90 %, and the extremes.
    Right: how often each relative error comes, all magnitudes together.

    Parameters
    ----------
    exact, product : ndarray of float64, (n,)
        Exact and approximate products of the same pairs; those whose exact product is 0 are left
        out, as are products that are not finite.

    Raises
    ------
    DataError
        No pair is left.
    """
    kept = (exact != 0) & np.isfinite(product)
    if not kept.any():
        raise DataError("no pair has a finite product other than 0; there is nothing to draw")
    exact, product = exact[kept], product[kept]
    error = 100 * (product - exact) / exact
    figure, (axes, histogram) = new_figure(8, 4.4, axes=2)
    histogram.sharey(axes)
    _draw_bands(axes, np.frexp(np.abs(exact))[1] - 1, error)
    axes.set_xlabel("magnitude of the exact product")
    axes.set_ylabel("(product - exact) / exact (%)")
    histogram.hist(
        error,
        bins=81,
        # Where all errors are equal, a line.
        range=None if np.ptp(error) else (error[0] - 1.0, error[0] + 1.0),
        orientation="horizontal",
        weights=np.full(error.size, 100 / error.size),
        color=PALETTE[0],
    )
    mean = float(error.mean())
    histogram.axhline(mean, color=PALETTE[3], linewidth=1.4, label=f"mean {mean:+.3g} %")
    histogram.set_xlabel("share of products (%)")
    for plot in (axes, histogram):
        quiet(plot)
        plot.axhline(0, color="#555555", linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_bands(axes: Axes, binades: NDArray[np.int32], error: NDArray[np.float64]) -> None:
    """Draw quantiles of *error* per binade: a band over the width of each."""
    found = [
        k for k in np.unique(binades) if np.count_nonzero(binades == k) >= FEWEST * binades.size
    ]
    shares = (0, 5, 25, 50, 75, 95, 100)
    low = np.array([np.percentile(error[binades == k], shares) for k in found])
    # Drawn as steps: what holds for a binade holds from its start to the next one's.
    edges, steps = np.append(found, found[-1] + 1), np.vstack([low, low[-1:]])
    for inner, color, label in (
        (0, "#d9e8f2", "extremes"),
        (1, "#8fc1e0", "middle 90 %"),
        (2, PALETTE[5], "middle 50 %"),
    ):
        axes.fill_between(
            edges, steps[:, inner], steps[:, -1 - inner], step="post", color=color, label=label
        )
    axes.step(edges, steps[:, 3], where="post", color=PALETTE[0], linewidth=1.6, label="median")
    axes.set_xlim(edges[0], edges[-1])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(lambda k, _: f"$2^{{{k:.0f}}}$")
