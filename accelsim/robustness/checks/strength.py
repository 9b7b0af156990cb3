"""Checks 4 to 6: an attacker who knows more, tries longer or may change more does not do worse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.checks.base import Outcome, excesses, rule
from accelsim.robustness.checks.study import Run, Study, worst_case
from accelsim.robustness.outcomes import KEYS

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]

__all__ = ["convergence", "growth", "ordering"]

MORE = 0.02
"""Share of images by which twice the effort may change the success of an attack that converged."""

UNBOUNDED = 0.5
"""Epsilon, linf, from which on every image can become the same gray, so no network can be right
more often than one that always gives the same answer."""

STRONG = ("white_box", "adaptive")
MUST = ("transfer", "noise", "gradient-free")
"""What the white box must have been compared with."""


@rule(
    4,
    "per image, at the same norm and epsilon, the white box is no weaker than transfer, black box "
    "and gradient-free attacks, and none is weaker than random noise",
    ("white_box",),
)
def ordering(study: Study) -> Outcome:
    """Return check 4: whoever knows more fools at least as many images.

    An attacker is the worst case over all runs of its kind with aim ``"budget"``; ``adaptive``
    counts as white box. Images that the target classifies right count. Not demanded: that transfer
    be stronger than the black box, whose proxy learns the target's own boundary.
    """
    attackers = {
        "white box": study.of_target(*STRONG),
        "gradients": study.of_target(*STRONG, access=("gradient",)),
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
    for strong, weak in pairs:
        for where, one, two in _meeting(attackers[strong], attackers[weak]):
            compared.add(weak)
            tests[f"{weak} fools more than {strong} at {where}"] = _discordant(two, one)
    missing = [name for name in MUST if name not in compared]
    wrong = excesses(tests)
    if wrong:
        return False, "; ".join(wrong)
    if missing:
        return None, f"the white box meets no {' and no '.join(missing)} at one norm and epsilon"
    return True, f"{len(tests)} comparisons, none the wrong way round beyond chance"


@rule(
    5,
    "many steps are no weaker than one, and twice the iterations or restarts change the success "
    f"on the source by less than {MORE:.0%} of the images",
    ("transfer", "black_box", "white_box"),
)
def convergence(study: Study) -> Outcome:
    """Return check 5: the attacks have done what they can on their source.

    `Study.steps_and_one` and `Study.twice_the_effort` give the pairs. Images that the source
    classifies right count.
    """
    table = study.of_target()
    tests = {
        f"{single} fools more than {many} in {where}": _discordant(one, two, "source")
        for single, many in study.steps_and_one()
        for where, one, two in _same_run(table, single, many)
    }
    wrong = excesses(tests)
    changes = {}
    for attack, twice in study.twice_the_effort():
        for where, one, two in _same_run(table, attack, twice):
            first, second = _both(one, two, "source")
            gained = int(second.sum()) - int(first.sum())
            changes[f"{twice} against {attack} in {where}"] = gained / max(len(first), 1)
    wrong += [f"{name}: {by:+.1%}" for name, by in changes.items() if abs(by) >= MORE]
    if wrong:
        return False, "; ".join(wrong)
    if not tests or not changes:
        lacks = "an iterated attack beside its one step" if not tests else "an attack of twice"
        return None, f"the table lacks {lacks}{'' if not tests else ' the effort'}"
    most = max(abs(by) for by in changes.values())
    return True, (
        f"{len(tests)} comparisons of many steps with one; twice the effort changes at most "
        f"{most:.1%} in {len(changes)} runs"
    )


@rule(
    6,
    "success never falls from one epsilon to any larger one beyond chance, and in the linf ball of "
    f"{UNBOUNDED} the worst case leaves no more right than a constant answer has",
    ("white_box",),
)
def growth(study: Study) -> Outcome:
    """Return check 6: success grows with epsilon until nothing is left.

    Every pair of epsilons of a run is tested over the images that the target classifies right; not
    those of one-step attacks, which have to go all of the way in one direction and may go past what
    fools. The constant answer has the share of the commonest label.
    """
    table = study.of_target()
    table = table[table["aim"] == "budget"]
    tests = {}
    series = [name for name in KEYS if name != "epsilon"]
    single = [name for name in table["attack"].unique() if study.many_steps(name)]
    many = table[~table["attack"].isin(single)]
    for key, part in many.groupby(series, sort=False):
        steps = dict(iter(part.groupby("epsilon")))
        for (small, one), (large, two) in combinations(steps.items(), 2):
            told = ", ".join(str(name) for name in key)
            tests[f"{told}: epsilon {small:g} fools more than {large:g}"] = _discordant(one, two)
    wrong = excesses(tests)
    wide = table[(table["norm"] == "linf") & (table["epsilon"] >= UNBOUNDED)]
    if not wide.empty:
        last = worst_case(wide[wide["epsilon"] == wide["epsilon"].max()])
        accuracy = 1 - float(last["target_fooled"].mean())
        chance = float(last["label"].value_counts(normalize=True).iloc[0])
        told = f"{accuracy:.1%} right in the linf ball of {last['epsilon'].iloc[0]:g}"
        if accuracy > chance:
            wrong.append(f"{told}, a constant answer has {chance:.1%}")
    if wrong:
        return False, "; ".join(wrong)
    if wide.empty or not tests:
        lacks = f"no linf epsilon >= {UNBOUNDED}" if wide.empty else "one epsilon only"
        return None, f"{lacks} in the table"
    return True, f"{len(tests)} pairs of epsilons, none falls beyond chance; {told}"


def _meeting(
    first: pd.DataFrame, second: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield where two attackers meet, norm and epsilon, and their worst cases there."""
    ones, others = (
        dict(iter(table[table["aim"] == "budget"].groupby(["norm", "epsilon"])))
        for table in (first, second)
    )
    for key, one in ones.items():
        if key in others:
            yield f"{key[0]} {key[1]:g}", worst_case(one), worst_case(others[key])


def _same_run(
    table: pd.DataFrame, first: Run, second: Run
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield where two attacks were both run, and what each did there."""
    where = [name for name in KEYS if name not in ("target", "attack", "settings")]
    of = [(table["attack"] == run.attack) & (table["settings"] == run.settings)
          for run in (first, second)]  # fmt: skip
    both = table[of[0] | of[1]].assign(first=of[0])
    for key, part in both.groupby(where, sort=False, dropna=False):
        one, two = part[part["first"]], part[~part["first"]]
        if len(one) and len(two):
            yield ", ".join(map(str, key)), one, two


def _both(one: pd.DataFrame, two: pd.DataFrame, who: str) -> tuple[Flags, Flags]:
    """Return whether each fools it, for images that *who* gets right in both."""
    ones, others = (part[part[f"{who}_right"].to_numpy()] for part in (one, two))
    images = ones["image"].to_numpy(), others["image"].to_numpy()
    _, first, second = np.intersect1d(*images, assume_unique=True, return_indices=True)
    fooled = f"{who}_fooled"
    return ones[fooled].to_numpy()[first], others[fooled].to_numpy()[second]


def _discordant(one: pd.DataFrame, two: pd.DataFrame, who: str = "target") -> tuple[int, int]:
    """Return how many images that *who* gets right only *one* fools, and only *two*."""
    first, second = _both(one, two, who)
    return int((first & ~second).sum()), int((second & ~first).sum())
