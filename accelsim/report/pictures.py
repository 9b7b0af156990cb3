"""Figures of a report, as SVG inside the page: same bytes each time, readable on light and dark."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from accelsim.comparison import attack_label
from accelsim.figures import (
    accuracy_by_attack,
    cost_by_point,
    energy_by_component,
    latency_by_layer,
    rendered,
    roofline,
)
from accelsim.figures.kinds import drawn_trade_offs
from accelsim.layer_units import unit_label
from accelsim.report.results import Results, Score, Sweep
from accelsim.tradeoffs import run_trade_offs, shared_attacks

__all__ = ["Picture", "attack_picture", "inline_svg", "run_pictures", "sweep_picture"]

COLORS = {
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#dddddd": "var(--rule)",
    "#555555": "var(--muted)",
}
"""Colors of figures that are those of the page, whatever its mode."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page."""

    caption: str
    svg: str


def run_pictures(results: Results) -> list[Picture]:
    """Return what runs cost, layer by layer too, and what several are worth for it."""
    runs = [one.run for one in results.runs]
    if not runs:
        return []
    found = [
        _picture(
            "energy",
            "Energy per image by component; right: without the DRAM.",
            lambda: energy_by_component(runs),
        ),
        _picture(
            "latency",
            "Latency per image by layer; hatched: stalls.",
            lambda: latency_by_layer(runs),
        ),
    ]
    if all(run.layers["macs"].any() for run in runs):
        found.append(
            _picture(
                "roofline",
                "What layers attain, below the roofs of memories and PEs.",
                lambda: roofline(runs),
            )
        )
    return [*found, _trade_off_picture(results)] if len(runs) > 1 else found


def _trade_off_picture(results: Results) -> Picture:
    """Return what runs cost and are worth; under attack if all of their units met one attack."""
    runs = [one.run for one in results.runs]
    rates = _rates(results.scores) if results.scores else None
    units = [unit_label(one.accelerator) for one in runs]
    if rates is not None and shared_attacks(rates, list(dict.fromkeys(units))).empty:
        rates = None
    table = run_trade_offs(runs, rates).assign(unit=[one.label for one in results.runs])
    worth = "" if rates is None else "; robust accuracy: under the strongest attack that all met"
    return _picture(
        "trade-offs",
        f"What units cost and are worth; pale: another is as good in all{worth}.",
        lambda: drawn_trade_offs(table),
    )


def _rates(scores: tuple[Score, ...]) -> pd.DataFrame:
    return pd.concat([score.rates for score in scores], ignore_index=True)


def attack_picture(scores: tuple[Score, ...], workload: str) -> Picture:
    """Return the accuracy of all units under every attack."""
    rates = _rates(scores)
    names = [
        attack_label(row)
        if row["scenario"] == "transfer"
        else f"{attack_label(row)} ({row['scenario'].replace('_', ' ')})"
        for _, row in rates.iterrows()
    ]
    table = rates.assign(attack=names, multiplier=rates["target"])
    table = table.drop_duplicates(["attack", "multiplier"])
    title = f"{workload}: accuracy under attack"
    return _picture(
        "attacks",
        "What is classified rightly under each attack; lines: 95 % intervals.",
        lambda: accuracy_by_attack(table, title),
    )


def sweep_picture(sweep: Sweep, place: int) -> Picture | None:
    """Return the energy of a sweep's points against their latency; None where all failed."""
    points = sweep.points[sweep.points["error"] == ""]
    if points.empty:
        return None
    title = f"{sweep.workload}: points of the sweep"
    return _picture(
        f"sweep-{place}",
        "Energy against latency of each point; left and low is better.",
        lambda: cost_by_point(points, title),
    )


def _picture(name: str, caption: str, draw: Callable[[], Figure]) -> Picture:
    return Picture(caption, inline_svg(draw, name))


def inline_svg(draw: Callable[[], Figure], name: str) -> str:
    """Return the figure that *draw* makes as an ``<svg>`` element.

    Its ids begin with *name*, which no other of the page has; text stays text; nothing in it
    depends on when or where it was drawn.
    """
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "text.parse_math": False}):
        figure = draw()
        text = rendered(figure, "svg").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", text)
    for color, variable in COLORS.items():
        text = re.sub(rf'\b(fill|stroke)(: |="){color}\b', rf"\1\2{variable}", text)
    title = figure.get_suptitle()
    text = text.replace("<svg ", f'<svg role="img" aria-label="{_attribute(title)}" ', 1)
    return text.strip()


def _attribute(text: str) -> str:
    """Return *text* on one line, as it may stand in an attribute."""
    return html.escape(" ".join(text.split()))
