"""Measures: the numbers that claims on a unit are about, each with its 95 % interval."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import KEYS, checked_outcomes, numbered, strongest_of_checked
from accelsim.robustness.scenarios import EXACT, TORCH
from accelsim.robustness.summary import compare, estimate
from accelsim.statistics import Estimate, RunningMean, wilson

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "Measured", "strengths"]

FEWEST = 20
"""Examples that fool the source, of a run that may stand for its attack in an average, and pairs of
which a ratio of noise is taken: with fewer the least of several rates is a matter of luck, and a
bootstrap knows too few values."""

MOST_MISSED = 0.05
"""Share of images that an attack for the minimum may leave unfooled on one of two networks: their
distance is infinite, so that a mean over the others says nothing of the network that resists."""

RESAMPLES = 2000
"""Of the images, for the interval of an average: a 95 % bound then varies by 2 % of its width."""

EVERY_ATTEMPT = ("scenario", "source", "gradient", "attack", "settings", "seed")


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


class Measured(NamedTuple):
    """A number.

    Attributes
    ----------
    attack : str
        Of which attack, with what tells its runs apart; or of how many.
    estimate : Estimate
    images : int
        Over which it was taken.
    """

    attack: str
    estimate: Estimate
    images: int


def strengths(runs: pd.DataFrame) -> list[str]:
    """Return each row's attack, epsilon, and what else its attack's rows differ in: settings, seed.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"attack": ["fgsm", "cw", "cw"], "epsilon": [0.1, np.nan, np.nan]})
    >>> settings = ["", '{"steps": 9, "confidence": 0.0}', '{"steps": 9, "confidence": 5.0}']
    >>> strengths(runs.assign(settings=settings, seed=0))
    ['fgsm 0.1', 'cw confidence=0', 'cw confidence=5']
    >>> strengths(runs.assign(settings="", seed=[0, 0, 1]))
    ['fgsm 0.1', 'cw seed=0', 'cw seed=1']
    """
    given = [
        _all_settings(attack, settings) | {"seed": seed}
        for attack, settings, seed in runs[["attack", "settings", "seed"]].to_numpy()
    ]
    values: dict[tuple[str, str], set[str]] = {}
    for attack, settings in zip(runs["attack"], given, strict=True):
        for name, value in settings.items():
            values.setdefault((attack, name), set()).add(_text(value))
    found = []
    for attack, epsilon, settings in zip(runs["attack"], runs["epsilon"], given, strict=True):
        reach = [] if epsilon != epsilon else [f"{epsilon:.3g}"]
        moving = [
            f"{name}={_text(value)}"
            for name, value in settings.items()
            if len(values[attack, name]) > 1
        ]
        found.append(" ".join([attack, *reach, *moving]))
    return found


def transfer(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return of each run on the exact network which share of what fools it fools *unit* too.

    Over images that both classify right: no attack did what *unit* gets wrong by itself.
    """
    return [
        Measured(name, wilson(int((fooled & both).sum()), int(fooled.sum())), int(fooled.sum()))
        for name, _, fooled, both in _transferred(outcomes, unit, attacks)
    ]


def kindest_average(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return the mean over attacks of the transfer success, each at its lowest run.

    NaN unless each of *attacks* has a run; those in which fewer than `FEWEST` examples fool the
    source do not stand for their attack. The interval is a bootstrap over images, on which all runs
    are drawn together, of the runs that were picked: that others could have been is not in it.
    """
    return _average(_transferred(outcomes, unit, attacks), min, attacks)


def harshest_average(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return `kindest_average`, each attack at its highest run."""
    return _average(_transferred(outcomes, unit, attacks), max, attacks)


def from_proxy(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return of each run on *unit*'s proxy which share of what fools the exact unit fools *unit*.

    Over images that both classify right.
    """
    return [
        Measured(name, wilson(int((exact & own).sum()), int(exact.sum())), int(exact.sum()))
        for name, exact, own in _proxy_pairs(outcomes, unit, attacks)
    ]


def only_exact(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return, of what fools either the exact unit or *unit* alone, the exact unit's share.

    Of each run on *unit*'s proxy, over images that both classify right. 1/2 says that neither is
    harder to fool.
    """
    return [
        Measured(name, wilson(int((exact & ~own).sum()), alone), alone)
        for name, exact, own in _proxy_pairs(outcomes, unit, attacks)
        for alone in [int((exact ^ own).sum())]
    ]


def noise_db(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return by how many dB of PSNR more noise *unit* takes than the exact unit, image by image.

    Of each image the smallest perturbation over the attacks for the minimum that both met in one
    norm, with the same settings and seed: whoever met more would look the easier to fool. All
    gradients and adaptive sources count, and gradient-free attacks. NaN where more than
    `MOST_MISSED` of the images were not fooled on both, or fewer than `FEWEST` are left.
    """
    return _noise(_smallest(outcomes, attacks), unit, "psnr_db", EVERY_ATTEMPT)


def noise_mse(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return `noise_db` as a ratio of mean squared errors."""
    return _noise(_smallest(outcomes, attacks), unit, "mse_ratio", EVERY_ATTEMPT)


def noise_db_exact_gradient(
    outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]
) -> list[Measured]:
    """Return by how many dB more noise *unit* takes, for each attack, by the exact gradient alone.

    That is the backward pass of the exact layers. Attacks that follow no gradient are left out.
    """
    table = _smallest(outcomes, attacks)
    table = table[(table["scenario"] == "white_box") & (table["gradient"] == "exact")]
    return _noise(table, unit, "psnr_db", ("settings", "seed"))


def confidence_gain(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> list[Measured]:
    """Return by how much *unit* is surer of the true class of unattacked images than the exact one.

    The mean difference of softmax probabilities over all images, with its normal interval.
    """
    of = {
        name: outcomes[outcomes["target"] == name].drop_duplicates("image").set_index("image")
        for name in (unit, EXACT)
    }
    more = (of[unit]["confidence_clean"] - of[EXACT]["confidence_clean"]).dropna()
    mean = RunningMean()
    mean.add(more.to_numpy())
    return [Measured("none", mean.estimate(), len(more))] if len(more) else []


Measure = Callable[["pd.DataFrame", str, Sequence[str]], list[Measured]]

MEASURES: dict[str, Measure] = {
    one.__name__: one
    for one in (
        *(transfer, kindest_average, harshest_average, from_proxy, only_exact),
        *(noise_db, noise_mse, noise_db_exact_gradient, confidence_gain),
    )
}
"""Name -> function of outcomes, a unit, and the attacks that count; no row where the table has
nothing to measure."""

Flags = NDArray[np.bool_]
Runs = list[tuple[str, "pd.DataFrame", Flags, Flags]]


def _transferred(outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]) -> Runs:
    """Return (name, rows, fools the source, fools *unit*) of the runs on the exact network.

    Of images that *unit* gets wrong by itself neither is true.
    """
    rows = _as_made(outcomes, attacks)
    rows = rows[
        (rows["scenario"] == "transfer") & (rows["source"] == TORCH) & (rows["target"] == unit)
    ]
    return [
        (
            name,
            part,
            (part["source_right"] & part["source_fooled"] & part["target_right"]).to_numpy(),
            (part["target_fooled"] & part["target_right"]).to_numpy(),
        )
        for name, part in _runs(rows)
    ]


def _average(runs: Runs, pick: Callable[..., Any], attacks: Sequence[str]) -> list[Measured]:
    best: dict[str, tuple[float, pd.DataFrame, Flags, Flags]] = {}
    for _, part, fooled, both in runs:
        if fooled.sum() >= FEWEST:
            one = (float((fooled & both).sum() / fooled.sum()), part, fooled, both)
            attack = part["attack"].iloc[0]
            best[attack] = pick(best.get(attack, one), one, key=lambda found: found[0])
    if not best:
        return []
    if len(best) < len(attacks):
        return [Measured(f"{len(best)} of {len(attacks)} attacks", UNKNOWN, 0)]
    images = np.unique(np.concatenate([part["image"] for _, part, _, _ in best.values()]))
    hits, trials = np.zeros((2, len(best), len(images)))
    for number, (_, part, fooled, both) in enumerate(best.values()):
        place = np.searchsorted(images, part["image"])
        trials[number, place] = fooled
        hits[number, place] = fooled & both
    draws = np.random.default_rng(0).multinomial(
        len(images), np.full(len(images), 1 / len(images)), size=RESAMPLES
    )
    rates = (draws @ hits.T) / np.maximum(draws @ trials.T, 1)
    low, high = np.percentile(rates.mean(axis=1), [2.5, 97.5])
    value = float(np.mean([rate for rate, *_ in best.values()]))
    return [Measured(f"mean of {len(best)}", Estimate(value, float(low), float(high)), len(images))]


def _proxy_pairs(
    outcomes: pd.DataFrame, unit: str, attacks: Sequence[str]
) -> list[tuple[str, Flags, Flags]]:
    """Return (name, fools the exact unit, fools *unit*) of each run on *unit*'s proxy."""
    rows = _as_made(outcomes, attacks)
    rows = rows[(rows["scenario"] == "black_box") & (rows["source"] == f"proxy of {unit}")]
    keys = [*(name for name in KEYS if name != "target"), "image"]
    right = ["target_right", "target_right_exact"]
    exact, own = (rows[rows["target"] == name] for name in (EXACT, unit))
    columns = [*keys, "target_right", "target_fooled"]
    both = own.merge(exact[columns], on=keys, suffixes=("", "_exact"))
    both = both[both[right].all(axis=1)]
    return [
        (name, part["target_fooled_exact"].to_numpy(), part["target_fooled"].to_numpy())
        for name, part in _runs(both)
    ]


def _smallest(outcomes: pd.DataFrame, attacks: Sequence[str]) -> pd.DataFrame:
    """Return the attempts of white boxes and adaptive attackers at the smallest perturbation."""
    rows = _as_made(outcomes, attacks)
    return rows[rows["scenario"].isin(["white_box", "adaptive"]) & (rows["aim"] == "minimum")]


def _noise(rows: pd.DataFrame, unit: str, number: str, over: tuple[str, ...]) -> list[Measured]:
    import pandas as pd

    rows = rows[rows["target"].isin([unit, EXACT])]
    if rows.empty:
        return []
    run = pd.Series(numbered(rows, ["attack", "settings", "norm", "seed"]), rows.index)
    rows = rows[rows["target"].groupby(run).transform("nunique") == 2]
    if rows.empty:
        return []
    pairs = compare(strongest_of_checked(checked_outcomes(rows), over), EXACT, unit)
    return [
        Measured(
            f"best of all, {row['norm']}" if "attack" in over else row["attack"],
            estimate(row, number) if _enough(row) else UNKNOWN,
            int(row["both_fooled"]),
        )
        for row in pairs.to_dict("records")
    ]


def _enough(pair: dict[str, Any]) -> bool:
    """Return whether a row of `compare` has nearly all images fooled on both, and not too few."""
    return bool(pair["both_fooled"] >= max(FEWEST, (1 - MOST_MISSED) * pair["images"]))


def _as_made(outcomes: pd.DataFrame, attacks: Sequence[str]) -> pd.DataFrame:
    """Return the examples of *attacks* as the attack made them."""
    return outcomes[(outcomes["scale"] == 1) & outcomes["attack"].isin(attacks)]


def _runs(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (name, rows) of each run."""
    parts = [part for _, part in rows.groupby(list(KEYS), sort=False, dropna=False)]
    if not parts:
        return []
    import pandas as pd

    return list(zip(strengths(pd.concat([part[:1] for part in parts])), parts, strict=True))


def _all_settings(attack: str, settings: str) -> dict[str, Any]:
    """Return the settings of a run, defaults among them where the attack is known."""
    given: dict[str, Any] = json.loads(settings or "{}")
    return ATTACKS[attack].replace(**given).settings if attack in ATTACKS else given


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
