"""The long table `outcomes`: one row an image and attack; every rate and test derives from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.robustness.attack import AIMS, CAUSES, NORMS
from accelsim.robustness.distances import DISTANCES

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KEYS",
    "OUTCOMES",
    "checked_outcomes",
    "distance",
    "numbered",
    "strongest",
    "strongest_of_checked",
]

KEYS = (
    *("scenario", "source", "gradient", "target", "attack", "settings", "norm", "aim"),
    *("epsilon", "scale", "seed"),
)
"""What one run of an attack, judged by one target, is told from the others by."""

FLAGS = ("source_right", "target_right", "source_fooled", "target_fooled")
EFFORT = ("forwards", "gradients")

OUTCOMES = (
    *KEYS,
    *("image", "label"),
    *FLAGS,
    *DISTANCES,
    "cause",
    *EFFORT,
    *("confidence_clean", "confidence_attacked", "margin_clean", "margin_attacked"),
)
"""Columns of the table."""

STRONGEST = "strongest"
"""Stands in the columns over which the strongest was taken."""

CHOICES = ("scenario", "source", "gradient", "attack", "settings", "seed")


def checked_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of *outcomes* with flags as bool, no NaN for an empty cause, rows numbered.

    Raises
    ------
    DataError
        A column is missing, there is no row, a flag is neither true nor false, a norm, aim or cause
        is unknown, or a run holds an image twice.
    """
    import pandas as pd

    missing = [name for name in OUTCOMES if name not in outcomes.columns]
    if missing:
        raise DataError(
            f"outcomes lack the columns {', '.join(missing)}; each of {', '.join(OUTCOMES)} is "
            "needed, as the scenarios make them"
        )
    if outcomes.empty:
        raise DataError("outcomes have no row; run a scenario first")
    table = outcomes.reset_index(drop=True)
    for name in FLAGS:
        if table[name].dtype != bool and not table[name].isin([True, False]).all():
            raise DataError(f"outcomes: column {name} must hold true and false only")
        table[name] = table[name].astype(bool)
    for name in ("cause", "settings"):
        table[name] = table[name].astype(object).fillna("").astype(str)
    for name, known in {"norm": NORMS, "aim": AIMS, "cause": ("", *CAUSES)}.items():
        other = {str(one) for one in table[name].unique()} - set(known)
        if other:
            raise DataError(f"outcomes: {name} must be one of {known}, got {min(other)!r}")
    case = numbered(table, [*KEYS, "image"])
    if case.max() + 1 < len(table):
        row = table[pd.Series(case).duplicated()].iloc[0]
        where = ", ".join(f"{name} {row[name]}" for name in KEYS)
        raise DataError(
            f"outcomes hold image {row['image']} twice in one run ({where}); runs that differ in "
            "something else need names of their own"
        )
    return table


def strongest(
    outcomes: pd.DataFrame, over: tuple[str, ...] = ("gradient", "attack")
) -> pd.DataFrame:
    """Return, for each image, the row of the attacker's best attempt over the columns *over*.

    The mean of ``target_fooled`` over its images is the mean over images of the worst case of each,
    not the worst of the means. The best attempt is one that fools the target; among equals the one
    of the smallest distance in the run's norm (aim ``"minimum"``), or of the smallest margin under
    attack (aim ``"budget"``). An attempt that was made on some images only would make the others
    look robust: images on which not all attempts of a group were made are left out.

    Parameters
    ----------
    outcomes : DataFrame
        Columns as `OUTCOMES`.
    over : tuple of str
        Of scenario, source, gradient, attack, settings and seed. ``("gradient",)`` keeps the
        attacks apart.

    Returns
    -------
    DataFrame
        Columns as `OUTCOMES`. Those of *over* hold ``"strongest"`` (seed: the least of them);
        ``forwards`` and ``gradients`` are the sums over all attempts, which the attacker paid.

    Raises
    ------
    DataError
        If *outcomes* cannot be used, *over* names another column, or the attempts of a group have
        no image in common.
    """
    return strongest_of_checked(checked_outcomes(outcomes), over)


def strongest_of_checked(table: pd.DataFrame, over: tuple[str, ...]) -> pd.DataFrame:
    """Return `strongest` of a table that `checked_outcomes` returned, or of some of its rows."""
    wrong = [name for name in over if name not in CHOICES]
    if wrong or not over:
        got = ", ".join(wrong) or "none"
        raise DataError(f"the strongest is taken over {', '.join(CHOICES)}, got {got}")
    kept = [name for name in KEYS if name not in over]
    attempt = numbered(table, list(KEYS))
    first = np.unique(attempt, return_index=True)[1]
    group_of = numbered(table.iloc[first], kept)
    group = group_of[attempt]
    attempts = np.bincount(group_of)
    image = table["image"].factorize()[0]
    case = np.unique(group * (int(image.max()) + 1) + image, return_inverse=True)[1]
    common = np.bincount(case)[case] == attempts[group]
    without = np.bincount(group[common], minlength=len(attempts)) == 0
    if without.any():
        row = table.iloc[int(np.argmax(without[group]))]
        where = ", ".join(f"{name} {row[name]}" for name in kept)
        raise DataError(
            f"the attempts of ({where}) have no image in common; attack the same images"
        )
    survived = ~table["target_fooled"].to_numpy()
    minimum = (table["aim"] == "minimum").to_numpy()
    rest = np.where(minimum, distance(table), table["margin_attacked"])
    order = np.lexsort((rest, survived, case))
    order = order[common[order]]
    chosen = order[np.unique(case[order], return_index=True)[1]]
    appeared = np.unique(case, return_index=True)[1]
    chosen = chosen[np.argsort(appeared[case[chosen]], kind="stable")]
    best = table[list(OUTCOMES)].iloc[chosen].reset_index(drop=True)
    for name in EFFORT:
        best[name] = np.bincount(case, weights=table[name])[case[chosen]]
    for name in over:
        best[name] = best[name].min() if name == "seed" else STRONGEST
    return best


def distance(table: pd.DataFrame) -> pd.Series:
    """Return each example's distance from its image, in the norm of its run."""
    found = table["linf"].where(table["norm"] == "linf", table["l2"])
    return found.where(table["norm"] != "l0", table["l0"])


def numbered(table: pd.DataFrame, columns: list[str]) -> NDArray[np.int64]:
    """Return a number for each row, from 0 on, the same for rows that agree in *columns*."""
    numbers = np.zeros(len(table), np.int64)
    for name in columns:
        codes = table[name].factorize(use_na_sentinel=False)[0]
        joined = numbers * (int(codes.max()) + 1) + codes
        numbers = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return numbers
