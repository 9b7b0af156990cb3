"""Checks 4 to 6: an attacker who knows more, tries longer or may change more does not do worse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.checks.base import Outcome, excesses, rule
from accelsim.robustness.checks.study import Run, Study, worst_case
from accelsim.robustness.outcomes import KEYS, distance

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]

__all__ = ["convergence", "growth", "ordering"]

MORE = 0.02
"""Share of images by which twice the effort may change the success of an attack that converged."""

FARTHER = 0.02
"""Share by which it may change the median of the smallest distances, as much as of a rate: 0.2 dB,
where the claims on noise are of 4 dB."""

UNBOUNDED = 0.5
"""Epsilon, linf, from which on every image can become the same gray, so no network can be right
more often than one that always gives the same answer."""

ONE_STEP = "an iterated attack beside its one step"
LESS = "an attack of twice the effort"

STRONG = ("white_box", "adaptive")
MUST = (("white box", "transfer"), ("white box", "noise"), ("gradients", "gradient-free"))
"""What must have been compared."""
ALIKE = ("transfer", "black box")
"""What has the attacks of a white box, and is compared by those that both have: many steps from
elsewhere may well fool more than one step on the target."""


@rule(
    4,
    "per image, at the same norm and epsilon, the white box is no weaker than transfer, black box "
    "and gradient-free attacks, and none is weaker than random noise",
    ("white_box",),
)
def ordering(study: Study) -> Outcome:
    """Return check 4: whoever knows more fools at least as many images.

    An attacker is the worst case over all runs of its kind with aim ``"budget"``; ``adaptive``
    counts as white box. White box and transfer or black box are compared by the attacks and
    settings that both have at that norm and epsilon; where they have none, or no image, in common
    is told. Gradients are those of many steps, against which alone a gradient-free attack shows
    masking. Images that the target classifies right count. Not demanded: that transfer be stronger
    than the black box, whose proxy learns the target's own boundary.
    """
    gradients = study.of_target(*STRONG, access=("gradient",))
    attackers = {
        "white box": study.of_target(*STRONG),
        "gradients": gradients[gradients["attack"].map(study.many_steps).isna()],
        "gradient-free": study.of_target(*STRONG, access=("score", "label")),
        "transfer": study.of_target("transfer"),
        "black box": study.of_target("black_box"),
        "noise": study.of_target(access=("none",)),
    }
    pairs = [
        ("white box", "transfer"),
        ("white box", "black box"),
        ("white box", "noise"),
        ("gradients", "gradient-free"),
        ("transfer", "noise"),
        ("black box", "noise"),
    ]
    tests: dict[str, tuple[int, int]] = {}
    compared = set()
    apart = []
    for strong, weak in pairs:
        alike = strong == "white box" and weak in ALIKE
        for where, one, two in _meeting(attackers[strong], attackers[weak], alike):
            if counts := _discordant(two, one):
                compared.add((strong, weak))
                tests[f"{weak} fools more than {strong} at {where}"] = counts
            else:
                apart.append(f"{weak} with {strong} at {where}")
    wrong = excesses(tests)
    if wrong:
        return False, "; ".join(wrong)
    told = f"; nothing in common: {', '.join(apart)}" if apart else ""
    missing = [pair[1] for pair in MUST if pair not in compared]
    if missing:
        what = " and no ".join(missing)
        return None, f"the white box meets no {what} at one norm and epsilon{told}"
    return True, f"{len(tests)} comparisons, none the wrong way round beyond chance{told}"


@rule(
    5,
    "in each scenario many steps are no weaker than one, and twice the iterations or restarts "
    f"change the success on the source by less than {MORE:.0%} of the images, smallest distances "
    f"by less than {FARTHER:.0%} in the median",
    ("transfer", "black_box", "white_box"),
)
def convergence(study: Study) -> Outcome:
    """Return check 5: the attacks have done what they can on their source.

    `Study.steps_and_one` and `Study.twice_the_effort` give the pairs, of the runs that differ in
    attack and settings alone: what has converged on one source, or at one epsilon, has not on
    another. Each scenario in which the target was attacked needs both kinds of pairs; ``adaptive``
    counts as white box. Images that the source classifies right count.
    """
    table = study.of_target()
    place = [name for name in KEYS if name not in ("target", "attack", "settings")]
    tests: dict[str, tuple[int, int]] = {}
    changes, farther = {}, {}
    seen: dict[str, set[str]] = {ONE_STEP: set(), LESS: set()}
    for key, part in table.groupby(place, sort=False, dropna=False):
        where = f"in {', '.join(map(str, key))}"
        runs = {Run(*pair): rows for pair, rows in part.groupby(["attack", "settings"], sort=False)}
        for single, many in study.steps_and_one(runs):
            if counts := _discordant(runs[single], runs[many], "source"):
                seen[ONE_STEP].add(key[0])
                tests[f"{single} fools more than {many} {where}"] = counts
        for less, more in study.twice_the_effort(runs):
            one, two = _shared(runs[less], runs[more], "source")
            if len(one):
                seen[LESS].add(key[0])
                gained = int(two["source_fooled"].sum()) - int(one["source_fooled"].sum())
                changes[f"{more} against {less} {where}"] = gained / len(one)
                if part["aim"].iloc[0] == "minimum":
                    farther[f"distances of {more} against {less} {where}"] = _farther(one, two)
    wrong = excesses(tests)
    for found, most in ((changes, MORE), (farther, FARTHER)):
        wrong += [f"{name}: {by:+.1%}" for name, by in found.items() if not abs(by) < most]
    if wrong:
        return False, "; ".join(wrong)
    attacked = dict.fromkeys(table["scenario"].replace("adaptive", "white_box"))
    lacks = [
        f"{what} in {scenario}"
        for what, scenarios in seen.items()
        for scenario in attacked
        if not scenarios & set(STRONG if scenario in STRONG else [scenario])
    ]
    if lacks or not attacked:
        return None, f"the table lacks {' and '.join(lacks or seen)}"
    told = [f"{max(map(abs, changes.values())):.1%} in {len(changes)} runs"]
    if farther:
        told.append(f"distances {max(map(abs, farther.values())):.1%} in {len(farther)}")
    return True, (
        f"{len(tests)} comparisons of many steps with one; twice the effort changes at most "
        + ", ".join(told)
    )


@rule(
    6,
    "success of white boxes never falls from one epsilon to any larger one beyond chance, and in "
    f"each linf ball of {UNBOUNDED} or more the worst case leaves no more right than a constant "
    "answer has",
    ("white_box",),
)
def growth(study: Study) -> Outcome:
    """Return check 6: success grows with epsilon until nothing is left.

    Every pair of epsilons of a run is tested over the images that the target classifies right; not
    those of one-step attacks, which have to go all of the way in one direction and may go past what
    fools. The constant answer has the share of the commonest label. ``adaptive`` counts as white
    box; what comes from other networks shows nothing of the target's own gradients.
    """
    table = study.of_target(*STRONG)
    table = table[table["aim"] == "budget"]
    tests = {}
    series = [name for name in KEYS if name != "epsilon"]
    many = table[table["attack"].map(study.many_steps).isna()]
    for key, part in many.groupby(series, sort=False):
        steps = dict(iter(part.groupby("epsilon")))
        for (small, one), (large, two) in combinations(steps.items(), 2):
            if counts := _discordant(one, two):
                told = ", ".join(str(name) for name in key)
                tests[f"{told}: epsilon {small:g} fools more than {large:g}"] = counts
    wrong = excesses(tests)
    left = []
    wide = table[(table["norm"] == "linf") & (table["epsilon"] >= UNBOUNDED)]
    for epsilon, part in wide.groupby("epsilon"):
        last = worst_case(part)
        if len(last):
            right = int((~last["target_fooled"]).sum())
            constant = int(last["label"].value_counts().max())
            left.append(f"{right / len(last):.1%} right in the linf ball of {epsilon:g}")
            if right > constant:
                wrong.append(f"{left[-1]}, a constant answer has {constant / len(last):.1%}")
    if wrong:
        return False, "; ".join(wrong)
    if not left or not tests:
        lacks = f"no linf epsilon >= {UNBOUNDED}" if not left else "one epsilon only"
        return None, f"the white box has {lacks}"
    return True, (f"{len(tests)} pairs of epsilons, none falls beyond chance; {', '.join(left)}")


def _meeting(
    first: pd.DataFrame, second: pd.DataFrame, alike: bool
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield where two attackers meet, norm and epsilon, and their worst cases there.

    If *alike*, by the attacks and settings that both have there.
    """
    ones, others = (
        dict(iter(table[table["aim"] == "budget"].groupby(["norm", "epsilon"])))
        for table in (first, second)
    )
    for key, one in ones.items():
        if key in others:
            two = others[key]
            if alike:
                one, two = one[_of_runs(one, two)], two[_of_runs(two, one)]
            yield f"{key[0]} {key[1]:g}", worst_case(one), worst_case(two)


def _of_runs(table: pd.DataFrame, other: pd.DataFrame) -> Flags:
    """Return which rows of *table* are of attacks and settings that *other* has."""
    import pandas as pd

    runs, others = (
        pd.MultiIndex.from_frame(part[["attack", "settings"]]) for part in (table, other)
    )
    return runs.isin(others)


def _shared(one: pd.DataFrame, two: pd.DataFrame, who: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the images that *who* gets right in both, image by image."""
    one, two = (part[part[f"{who}_right"].to_numpy()] for part in (one, two))
    images = one["image"].to_numpy(), two["image"].to_numpy()
    _, first, second = np.intersect1d(*images, assume_unique=True, return_indices=True)
    return one.iloc[first], two.iloc[second]


def _discordant(
    one: pd.DataFrame, two: pd.DataFrame, who: str = "target"
) -> tuple[int, int] | None:
    """Return how many images that *who* gets right only *one* fools, and only *two*.

    None if there is no such image: nothing was compared.
    """
    first, second = (part[f"{who}_fooled"].to_numpy() for part in _shared(one, two, who))
    return (int((first & ~second).sum()), int((second & ~first).sum())) if len(first) else None


def _farther(one: pd.DataFrame, two: pd.DataFrame) -> float:
    """Return by what share *two*'s distance exceeds *one*'s, in the median of the images.

    What does not fool the source is infinitely far; images that neither fools tell nothing.
    """
    first, second = (
        distance(part).where(part["source_fooled"], np.inf).to_numpy() for part in (one, two)
    )
    fooled = np.isfinite(np.fmin(first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(second[fooled] / first[fooled])) - 1 if fooled.any() else 0.0
