"""Checks 7 to 10: the attackers that must have been tried before anybody is called robust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.robustness.checks.base import Outcome, rule
from accelsim.robustness.checks.study import Run, Study, overshoots, worst_case
from accelsim.robustness.outcomes import KEYS
from accelsim.robustness.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["adaptivity", "gain_invariance", "gradient_free", "overshoot"]

KNOWING = ("effective", "unit")
"""Gradient choices that know the circuit."""

NO_CURVE = "the table has no curve of at least two overshoots"

FEWEST_FOOLED = 20
"""Examples that fool the source, of a point of a curve: of fewer the interval is more than 40
points wide at a half, so that all curves look flat; 0 of 3 and 3 of 3 share a value."""


@rule(
    7,
    "in each scenario there is a curve of overshoot, and along each the intervals of transfer "
    "success share a value",
    ("transfer", "black_box"),
)
def overshoot(study: Study) -> Outcome:
    """Return check 7: the rate of transfer does not depend on how far past its border one goes.

    A minimal perturbation ends on the source's border, and fails on every copy that differs at all;
    so a rate at one overshoot says nothing where its curve is not flat. A curve: the runs that
    differ in the scale of the perturbation alone, or in `overshoots`, where at least
    `FEWEST_FOOLED` examples fool the source. It is flat if the Wilson intervals of all its points
    have a value in common. Each scenario in which the target was attacked needs one.
    """
    table = study.of_target("transfer", "black_box", scaled=True)
    lacking = sorted(set(table["scenario"]))
    table = table[table["aim"] == "minimum"]
    told: dict[bool, list[str]] = {True: [], False: []}
    for name, curve in _curves(table) if len(table) else ():
        shared = curve["transfer_success_low"].max() <= curve["transfer_success_high"].min()
        told[bool(shared)].append(f"{name} {_points(curve)}")
        lacking = [scenario for scenario in lacking if scenario != curve["scenario"].iloc[0]]
    if told[False]:
        return False, "transfer depends on the overshoot: " + "; ".join(told[False])
    if lacking or not told[True]:
        return None, " in ".join([NO_CURVE, *([", ".join(lacking)] if lacking else [])])
    return True, "; ".join(told[True])


def _curves(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the points of each curve of at least two overshoots."""
    rates = summarize(table)
    rates = rates[rates["fooled_source"] >= FEWEST_FOOLED]
    runs = [Run(*pair) for pair in zip(rates["attack"], rates["settings"], strict=True)]
    by_setting = overshoots(dict.fromkeys(runs))
    scaled = rates.assign(curve=[f"{run} by scale" for run in runs], overshoot=rates["scale"])
    further = rates[np.array([run in by_setting for run in runs], bool)].copy()
    named = [by_setting[run] for run in runs if run in by_setting]
    further["curve"] = [name for name, _ in named]
    further["overshoot"] = [far for _, far in named]
    for points, moving in ((scaled, ("scale",)), (further, ("attack", "settings"))):
        fixed = [name for name in KEYS if name not in moving]
        for (name, *_), curve in points.groupby(["curve", *fixed], sort=False, dropna=False):
            if len(curve) > 1:
                yield name, curve


def _points(curve: pd.DataFrame) -> str:
    """Return a curve of transfer in words."""
    points = curve.sort_values("overshoot")
    return f"from {curve['source'].iloc[0]}: " + ", ".join(
        f"{rate:.1%} at {far:g}"
        for far, rate in zip(points["overshoot"], points["transfer_success"], strict=True)
    )


@rule(
    8,
    "at each norm and epsilon white boxes went through the exact gradient and, on the same images, "
    "through one that knows the circuit; the worst case of each image is told",
    ("white_box",),
)
def adaptivity(study: Study) -> Outcome:
    """Return check 8: the attacker adapted, and each image counts by its worst case.

    What knows the circuit: the gradients of `KNOWING`, or a source "surrogate of" the target. An
    attacker who adapts on more images than the exact gradient had is welcome.
    """
    table = study.of_target("white_box", "adaptive", access=("gradient",))
    if table.empty:
        return None, "the table has no white box that follows gradients"
    surrogate = table["source"].str.startswith("surrogate of ")
    knowing = table["gradient"].isin(KNOWING) | surrogate
    plain = (table["gradient"] == "exact") & ~surrogate
    rates = []
    lacking: dict[str, list[str]] = {"the exact gradient": [], "one that knows the circuit": []}
    for (norm, epsilon), part in table.groupby(["norm", "epsilon"], dropna=False):
        place = norm if np.isnan(epsilon) else f"{norm} {epsilon:g}"
        exact, known = (set(part.loc[tried, "image"]) for tried in (plain, knowing))
        if not exact:
            lacking["the exact gradient"].append(place)
        if not known or exact - known:
            lacking["one that knows the circuit"].append(place)
        if place != norm:
            runs = part.groupby(["source", "gradient", "attack", "settings"])["target_fooled"]
            worst = worst_case(part)["target_fooled"].mean()
            best = f"best attempt {runs.mean().max():.1%}"
            rates.append(f"{place}: {best}, worst case {worst:.1%} fooled")
    told = "; ".join(rates) or "minimum norms only"
    wrong = [
        f"no white box through {name} on all images at {', '.join(places)}"
        for name, places in lacking.items()
        if places
    ]
    return not wrong, "; ".join([*wrong, told])


@rule(
    9,
    "a score attack that looks at logits and a label attack were run on the target itself; their "
    "queries and what remains are told",
    ("white_box",),
)
def gradient_free(study: Study) -> Outcome:
    """Return check 9: attacks that no gradient can mislead were tried.

    An attack whose loss is the softmax probability (LSA) does not count as a score attack: it is
    flat where the softmax is 1.0.
    """
    table = study.of_target("white_box")
    if table.empty:
        return None, "the table has no white box"
    told, lacking = [], []
    for access in ("score", "label"):
        free = table[(table["access"] == access) & (table["loss"] != "probability")]
        if free.empty:
            lacking.append(f"{access} attack")
        for pair, part in free.groupby(["attack", "settings"], sort=False):
            told.append(
                f"{Run(*pair)} ({access}) {part['forwards'].mean():,.0f} queries an image, fooled "
                f"{part['target_fooled'].mean():.1%}, median l2 {_fooled(part, 'l2'):.3g}"
            )
    if lacking:
        return False, "; ".join([f"no {' and no '.join(lacking)} on the target", *told])
    return True, "; ".join(told)


@rule(
    10,
    "beside every attack on the cross entropy there is one on a margin at the same norm and "
    "epsilon; every smallest distance is the best of at least two attacks that fool most images",
    ("white_box",),
)
def gain_invariance(study: Study) -> Outcome:
    """Return check 10: no rate hangs on a loss that larger logits saturate, nor on one attack.

    A distance is the median over the images that the target classifies right, where what does not
    fool is infinitely far: an attack that fools half of them or less found none.
    """
    table = study.of_target("white_box", "adaptive")
    if table.empty:
        return None, "the table has no white box"
    alone: list[str] = []
    told: list[str] = []
    for (norm, epsilon), part in table[table["aim"] == "budget"].groupby(["norm", "epsilon"]):
        fooled = part[part["loss"] != ""].groupby("loss")["target_fooled"].mean()
        if "cross entropy" in fooled.index:
            rates = ", ".join(f"{name} {by:.1%}" for name, by in fooled.items())
            line = f"{norm} {epsilon:g}: {rates}"
            (told if "margin" in fooled.index else alone).append(line)
    for norm, part in table[table["aim"] == "minimum"].groupby("norm"):
        part = part[part["target_right"]]
        lengths = part[str(norm)].where(part["target_fooled"], np.inf)
        medians = dict(lengths.groupby(part["attack"]).median())
        line = f"{norm} " + ", ".join(f"{name} {length:.3g}" for name, length in medians.items())
        (told if np.isfinite([*medians.values()]).sum() > 1 else alone).append(line)
    if alone:
        return False, "alone, without a margin loss or a second attack: " + "; ".join(alone)
    if not told:
        return None, "the table has neither a cross entropy nor a smallest distance"
    return True, "; ".join(told)


def _fooled(part: pd.DataFrame, column: str) -> float:
    """Return the median of *column* over what fools the target although it was right; or NaN."""
    values = part.loc[part["target_right"] & part["target_fooled"], column]
    return float(np.median(values)) if len(values) else float("nan")
