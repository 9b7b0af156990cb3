"""Tables of docs/findings.md of how much noise a white box takes, and what withstands it."""

from __future__ import annotations

import json
from operator import itemgetter

import pandas as pd
from cells import (
    ALEXNET,
    APGD,
    DDN,
    DEEPFOOL,
    OTHERS,
    OURS,
    PGD,
    RESULTS,
    SQUARE,
    Cell,
    Where,
    asking,
    cell,
    cw,
    length,
    lines,
    on_itself,
    share,
)

__all__ = ["GRADIENTS", "budgets", "more_steps", "noise_ratios", "noise_units", "smallest"]

GRADIENTS = ("exact", "effective")

NETWORKS = {"our weights": OURS, **OTHERS, "AlexNet": ALEXNET}
PLAIN = ("DeepFool, exact layers' gradient", "deepfool", "exact")
RIGHT = ("DeepFool, effective gradient", "deepfool", "effective")
SMALLEST = ("smallest of DDN and DeepFool", "smallest of ddn and deepfool", "none")
"""What a row is called on the page; attack and gradient in the table of ratios."""
STEPS = (100, 200, 1000)
"""Of DDN."""
UNITS = (
    *("ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16"),
    *("exact_bfloat16", "exact_int8", "drum4_s8"),
)


def smallest() -> str:
    units = ("exact_fp32", "ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16")
    units += ("exact_bfloat16", "drum4_s8")
    runs = [
        *((f"DeepFool, {slope}", DEEPFOOL, slope) for slope in GRADIENTS),
        *((f"DDN, {slope}", DDN, slope) for slope in GRADIENTS),
        *((f"C&W, {slope}", cw(0.0), slope) for slope in GRADIENTS),
        ("HopSkipJump, 5,000 queries (100 images)", asking("hopskipjump", 5000), "none"),
        ("Boundary, 1,000 queries (100 images)", asking("boundary", 1000), "none"),
    ]
    return _on_themselves("attack, gradient", units, runs, length)


def budgets() -> str:
    units = ("exact_fp32", "ax_fpm", "ax_fpm_flat", "exact_bfloat16", "drum4_s8")
    dlr = "APGD on the DLR loss, epsilon 0.1"
    runs = [
        *((f"PGD, epsilon 0.1, {slope}", PGD | {"epsilon": 0.1}, slope) for slope in GRADIENTS),
        *((f"{dlr}, {slope}", APGD | {"epsilon": 0.1}, slope) for slope in GRADIENTS),
        ("PGD, epsilon 0.2, exact", PGD | {"epsilon": 0.2}, "exact"),
        ("Square, 5,000 queries, epsilon 0.1 (100 images)", SQUARE | {"epsilon": 0.1}, "none"),
    ]
    return _on_themselves("attack", units, runs, share("robust_accuracy"))


def _on_themselves(
    head: str, units: tuple[str, ...], runs: list[tuple[str, Where, str]], text: Cell
) -> str:
    """Return *runs* (name, which, gradient) on each of *units*, the exact one first."""
    return lines(
        [head, "exact network", *(f"`{unit}`" for unit in units[1:])],
        [
            [name, *(cell(OURS, where | on_itself(unit, slope), text) for unit in units)]
            for name, where, slope in runs
        ],
    )


def noise_ratios() -> str:
    """Return medians of the exact network and `ax_fpm`, and their ratio, by network and attack."""
    rows = []
    for network, title in NETWORKS.items():
        for run in (PLAIN, RIGHT, SMALLEST):
            found = _noise(title, "ax_fpm", *run[1:])
            medians = (f"{found[one]:.2f}" for one in ("median_exact", "median"))
            rows.append([network, run[0], *medians, _times(found)])
    heads = ["network", "attack", "exact network, median L2", "`ax_fpm`", "squared error, times"]
    return lines(heads, rows)


def noise_units() -> str:
    """Return the ratios of each of `UNITS` on every network."""
    rows = [
        [f"`{unit}`", run[0], *(_times(_noise(one, unit, *run[1:])) for one in NETWORKS.values())]
        for run in (SMALLEST, PLAIN)
        for unit in UNITS
    ]
    return lines(["unit", "attack", *NETWORKS], rows)


def more_steps() -> str:
    """Return how far DDN goes on the exact network and on `ax_fpm` in ever more steps."""
    rows = []
    for network, title in NETWORKS.items():
        table = _white(title, "ax_fpm", "ddn", "effective")
        steps = table["settings"].map(json.loads).map(itemgetter("steps"))
        rows.append([network])
        for count in STEPS:
            found = table[steps == count]
            rows[-1].append(
                " and ".join(f"{found[one].item():.2f}" for one in ("median_exact", "median"))
                + f": {_times(found.iloc[0])}"
                if len(found)
                else ""
            )
    return lines(["network", *(f"{count:,} steps" for count in STEPS)], rows)


def _white(title: str, unit: str, attack: str, gradient: str) -> pd.DataFrame:
    """Return the rows of one unit, attack and gradient."""
    table = pd.read_csv(RESULTS / f"noise_ratio_{title}.csv")
    run = (table["attack"] == attack) & (table["gradient"] == gradient)
    return table[run & (table["multiplier"] == unit)]


def _noise(title: str, unit: str, attack: str, gradient: str) -> pd.Series:
    """Return the row of one unit and attack; there is one."""
    (row,) = _white(title, unit, attack, gradient).iloc
    return row


def _times(found: pd.Series) -> str:
    value, low, high = (found[f"mse_ratio{end}"] for end in ("", "_low", "_high"))
    digits = 0 if value >= 20 else 1 if value >= 2 else 2
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
