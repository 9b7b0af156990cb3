"""Checks 11 to 13: better than what costs nothing, on enough images, by attacks that work."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from accelsim.robustness.attack import ACCESSES
from accelsim.robustness.checks.base import ALPHA, Outcome, rule
from accelsim.robustness.checks.strength import STRONG, UNBOUNDED
from accelsim.robustness.checks.study import Study, worst_case
from accelsim.robustness.outcomes import KEYS, distance
from accelsim.robustness.summary import by_role, summarize
from accelsim.statistics import holm, mcnemar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["controls", "known_answer", "statistics", "valid_examples"]

FEWEST = 93
"""Images of which any rate, also a half, has an interval at most 20 points wide: the claims are of
reductions by 70 to 90 points, and a half of that must stay apart from none. What was found must not
decide whether the images were enough: a rate of 0 has so narrow an interval of 16 images."""

TOLERANCE = 1e-6
"""What an example may exceed its budget by: the rounding of float32 pixels."""

RUN = ["scenario", "attack", "settings", "norm", "aim", "epsilon", "scale", "seed"]
"""What the runs of several targets are the same in."""

PLACES = ("transfer", "black_box", "white_box")
"""Scenarios in which every target can be attacked: ``adaptive`` needs a circuit to know."""

PLACE = ["scenario", "norm", "aim", "epsilon", "scale"]
"""Where the worst cases of two targets are compared."""

LOST = 0.01
"""Share of the attacked images that may have no gradient, as in check 3."""


@rule(
    11,
    "in each scenario the target does significantly better somewhere than the exact unit and every "
    "control under the same attacks, and nowhere significantly worse",
    PLACES,
)
def controls(study: Study) -> Outcome:
    """Return check 11: the target does better than what costs nothing.

    Worst cases per image, over the sources, attacks, settings and seeds that both targets met, at
    each scenario, norm and epsilon: McNemar's exact test of the images that resist longer on the
    one and on the other, all p of the check corrected after Holm. Longer: it is not fooled while
    the other one is; where smallest perturbations were looked for, also at a larger distance. A
    proxy counts for the target that it was trained on alone.

    Not run, unless it fails already, where a control is missing, or met none of the target's
    attacks in one of `PLACES` in which the target was attacked.
    """
    if study.target == study.baseline:
        return None, f"{study.target} is the baseline itself"
    if not study.controls:
        return None, "no control was named"
    table = study.outcomes[study.outcomes["access"] != "none"]
    others = list(dict.fromkeys((study.baseline, *study.controls)))
    attacked = sorted(set(table.loc[table["target"] == study.target, "scenario"]) & set(PLACES))
    if not attacked:
        return None, f"{study.target} was attacked in none of {', '.join(PLACES)}"
    missing = [name for name in others if name not in set(table["target"])]
    tests = [
        (other, *test)
        for other in others
        if other not in missing
        for test in _resisting(_met_by_both(table, other, study.target), other, study.target)
    ]
    adjusted = holm([mcnemar(longer, shorter) for *_, longer, shorter in tests])
    met = {(other, scenario) for other, scenario, *_ in tests}
    better: set[tuple[str, str]] = set()
    worse = []
    for (other, scenario, where, longer, shorter), p in zip(tests, adjusted, strict=True):
        if p < ALPHA and longer > shorter:
            better.add((other, scenario))
        elif p < ALPHA:
            worse.append(f"{other} in {where}")
    equal = _by_scenario(others, attacked, met - better)
    if worse or equal:
        lines = [f"worse than {', '.join(worse)}"] if worse else []
        lines += [f"nowhere in {where} better than {name}" for name, where in equal.items()]
        return False, "; ".join(lines)
    there = [name for name in others if name not in missing]
    unmet = _by_scenario(there, attacked, set(product(there, attacked)) - met)
    if missing or unmet:
        lines = [f"the table has no outcome of {', '.join(missing)}"] if missing else []
        lines += [f"no attack of {where} met both {name} and {study.target}"
                  for name, where in unmet.items()]  # fmt: skip
        return None, "; ".join(lines)
    return True, f"better than {', '.join(others)}; {len(tests)} comparisons, none the worse"


@rule(
    12,
    f"every run and every smallest distance of white boxes is of at least {FEWEST} images, of "
    "which any rate has an interval at most 20 points wide, and all targets saw the same images",
    ("transfer", "black_box", "white_box"),
    success=True,
)
def statistics(study: Study) -> Outcome:
    """Return check 12: there are images enough, and the same for all.

    A smallest distance is the best of all attempts in a norm, over the images that all were made
    on. Targets are compared run by run; a source that is the target itself, or made from it, stands
    beside the same of the others. The sizes, the success on the source and the number of seeds are
    told.
    """
    import pandas as pd

    table = study.of_target(scaled=True)
    if table.empty:
        return None, f"nothing but random noise attacked {study.target}"
    rows = summarize(table)
    width = rows["robust_accuracy_high"] - rows["robust_accuracy_low"]
    told = (
        f"{rows['images'].min()} to {rows['images'].max()} images, {rows['attacked'].min()} to "
        f"{rows['attacked'].max()} attacked, source success {rows['source_success'].min():.1%} to "
        f"{rows['source_success'].max():.1%}, {rows['seed'].nunique()} seeds, widest interval of "
        f"robust accuracy {100 * width.max():.1f} points"
    )
    wrong = []
    by_roles = [by_role(study.outcomes, name) for name in study.outcomes["target"].unique()]
    run = [*RUN, "source", "gradient"]
    for key, part in pd.concat(by_roles).groupby(run, sort=False, dropna=False):
        images = part.groupby("target")["image"].agg(lambda seen: frozenset(seen))
        if images.nunique() > 1:
            wrong.append(", ".join(str(one) for one in key if one != ""))
    if wrong:
        wrong = [f"targets saw different images in {'; '.join(wrong)}"]
    if rows["images"].min() < FEWEST:
        wrong.append(f"a run has fewer than {FEWEST} images")
    white = study.of_target(*STRONG)
    for norm, part in white[white["aim"] == "minimum"].groupby("norm"):
        images = len(worst_case(part))
        if images < FEWEST:
            wrong.append(f"the smallest distances in {norm} have {images} images in common")
    return not wrong, "; ".join([*wrong, told])


@rule(
    13,
    "examples keep their budget and range, fool nobody without a change, and less than "
    f"{LOST:.0%} of the images that gradients should attack have none",
    ("transfer", "black_box", "white_box"),
    success=True,
)
def valid_examples(study: Study) -> Outcome:
    """Return check 13, first half: examples are what they are said to be.

    ``linf`` at most 1, between the root of ``mse`` and ``l2`` and, like the other norms, at most
    epsilon times the scale, up to `TOLERANCE`; the square of ``l2`` is ``mse`` times the number of
    values of an image, the same for all; none is NaN. An example that fools a source which
    classifies the image right is another image. Failures for want of a gradient are counted over
    all attacks that follow one.
    """
    table = study.of_target(access=ACCESSES, scaled=True)
    budget = table["epsilon"] * table["scale"] + TOLERANCE
    beyond = (table["aim"] == "budget") & (distance(table) > budget)
    follow = table[table["source_right"] & (table["access"] == "gradient")]
    root = np.sqrt(table["mse"])
    disagree = root > table["linf"] + TOLERANCE
    disagree |= table["linf"] > table["l2"] + TOLERANCE
    disagree |= abs(table["l2"] - root * (table["l2"] / root).median()) > TOLERANCE * table["l2"]
    lost = float((follow["cause"] == "no gradient").mean()) if len(follow) else 0.0
    faults = {
        "beyond their budget": int(beyond.sum()),
        "beyond the pixel range": int((table["linf"] > 1 + TOLERANCE).sum()),
        "of norms that disagree": int(disagree.sum()),
        "without a distance": int(table[["l0", "l2", "linf", "mse"]].isna().any(axis=1).sum()),
        "that fool without a change": int(
            (table["source_right"] & table["source_fooled"] & (table["linf"] == 0)).sum()
        ),
    }
    told = f"{lost:.1%} of {len(follow)} attacked images without gradient"
    wrong = [f"{count} examples {what}" for what, count in faults.items() if count]
    if wrong or lost >= LOST:
        return False, "; ".join([*wrong, told])
    return True, f"{len(table)} examples keep budget and range; {told}"


@rule(
    13,
    f"in the linf ball of {UNBOUNDED} the attacks fool the undefended source on every image",
    ("transfer", "black_box", "white_box"),
)
def known_answer(study: Study) -> Outcome:
    """Return check 13, second half: the attacks succeed where they must.

    The undefended source is the exact network, "torch", or the baseline attacked as itself. Counted
    are the images that it classifies right, each by its worst case.
    """
    table = study.outcomes
    table = table[
        table["source"].isin(["torch", study.baseline])
        & (table["access"] == "gradient")
        & (table["norm"] == "linf")
        & (table["epsilon"] >= UNBOUNDED)
        & (table["scale"] == 1)
        & table["source_right"]
    ]
    if table.empty:
        return None, f"the undefended source was not attacked at a linf epsilon >= {UNBOUNDED}"
    judged = table.assign(target=table["source"], target_fooled=table["source_fooled"])
    judged = judged.drop_duplicates([*KEYS, "image"])
    told, good = [], True
    for (name, epsilon), part in judged.groupby(["source", "epsilon"]):
        fooled = worst_case(part)["target_fooled"]
        good = good and len(fooled) > 0 and bool(fooled.all())
        told.append(f"{name} at {epsilon:g}: {int(fooled.sum())} of {len(fooled)} fooled")
    return good, "; ".join(told)


def _met_by_both(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return the outcomes of two targets in the runs that both have, sources by their roles.

    A proxy of the one, or the one itself, is paired with the same of the other: that more proxies
    were judged by the one makes it no weaker.
    """
    import pandas as pd

    both = pd.concat([by_role(table, name) for name in (first, second)], ignore_index=True)
    run = [*RUN, "source"]
    met = both.groupby(run, sort=False, dropna=False)["target"].transform("nunique")
    return both[met == 2]


def _resisting(
    shared: pd.DataFrame, control: str, target: str
) -> Iterator[tuple[str, str, int, int]]:
    """Yield (scenario, place, images on which *target* resists longer than *control*, shorter).

    Of the images that both sources and both targets classify right; places without are left out.
    """
    for (scenario, norm, aim, epsilon, scale), part in shared.groupby(PLACE, dropna=False):
        ones, others = (
            _resistance(worst_case(part[part["target"] == name])) for name in (target, control)
        )
        images = ones.index.intersection(others.index)
        if len(images):
            one, other = ones[images], others[images]
            reach = "" if aim == "minimum" else f" {epsilon:g}"
            scaled = "" if scale == 1 else f" scaled by {scale:g}"
            where = f"{scenario} {norm}{reach}{scaled}"
            yield scenario, where, int((one > other).sum()), int((one < other).sum())


def _resistance(worst: pd.DataFrame) -> pd.Series:
    """Return image -> how far one has to go to fool the target; 0 within a budget, inf if never."""
    right = worst[worst["source_right"] & worst["target_right"]].set_index("image")
    reach = distance(right).where(right["aim"] == "minimum", 0.0)
    return reach.where(right["target_fooled"], np.inf)


def _by_scenario(
    names: list[str], scenarios: list[str], pairs: set[tuple[str, str]]
) -> dict[str, str]:
    """Return name -> its scenarios in *pairs*, told in order."""
    found = {name: ", ".join(one for one in scenarios if (name, one) in pairs) for name in names}
    return {name: told for name, told in found.items() if told}
