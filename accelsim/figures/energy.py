"""Energy by component, units side by side."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from accelsim.energy.account import CLOCK, COMPONENTS
from accelsim.figures.style import PALETTE, broken, headline, new_figure, quiet, run_labels
from accelsim.results import Run

__all__ = ["energy_by_component"]


def energy_by_component(runs: Sequence[Run]) -> Figure:
    """Return a stacked bar per run: energy per image by component, with the total on top.

    The left plot has all components; the right one leaves out the DRAM, which hides the rest.
    """
    figure, (whole, chip) = new_figure(max(9, 2 + 2.4 * len(runs)), 4.2, axes=2)
    labels = [broken(label, 14) for label in run_labels(runs)]
    charged = [CLOCK] if any(f"energy_{CLOCK}_uj" in run.summary for run in runs) else []
    everything = (*COMPONENTS, *charged)
    for axes, components in ((whole, everything), (chip, [c for c in everything if c != "dram"])):
        bottom = [0.0] * len(runs)
        for component in components:
            values = [_per_image(run, component) for run in runs]
            color = PALETTE[everything.index(component)]
            axes.bar(labels, values, bottom=bottom, color=color, label=component, width=0.6)
            bottom = [low + value for low, value in zip(bottom, values, strict=True)]
        for place, total in enumerate(bottom):
            note = f"{total:.3g}" if place == 0 else f"{total:.3g}\n({total / bottom[0]:.2f}x)"
            axes.annotate(note, (place, total), ha="center", va="bottom", fontsize=9)
        axes.set_ylim(0, max(bottom) * 1.18)
        axes.set_ylabel("energy per image (uJ)")
        quiet(axes)
    whole.set_title("all components", fontsize=10)
    chip.set_title("on chip, without DRAM", fontsize=10)
    handles, names = whole.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside right center", frameon=False)
    figure.suptitle(headline(runs, "energy by component"), fontsize=11)
    return figure


def _per_image(run: Run, component: str) -> float:
    row = run.summary.iloc[0]
    return float(row.get(f"energy_{component}_uj", 0.0) / row["images"])
