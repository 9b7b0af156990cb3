"""The long table `outcomes`: one row an image and attack; every rate and test derives from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.errors import DataError
from accelsim.robustness.attack import AIMS, CAUSES, NORMS
from accelsim.robustness.distances import DISTANCES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KEYS", "OUTCOMES", "checked_outcomes", "distance", "strongest"]

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
        if not table[name].isin([True, False]).all():
            raise DataError(f"outcomes: column {name} must hold true and false only")
        table[name] = table[name].astype(bool)
    for name in ("cause", "settings"):
        table[name] = table[name].astype(object).fillna("").astype(str)
    for name, known in {"norm": NORMS, "aim": AIMS, "cause": ("", *CAUSES)}.items():
        other = set(table[name].astype(str)) - set(known)
        if other:
            raise DataError(f"outcomes: {name} must be one of {known}, got {min(other)!r}")
    twice = table.duplicated([*KEYS, "image"])
    if twice.any():
        row = table[twice].iloc[0]
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
    table = checked_outcomes(outcomes)
    wrong = [name for name in over if name not in CHOICES]
    if wrong or not over:
        got = ", ".join(wrong) or "none"
        raise DataError(f"the strongest is taken over {', '.join(CHOICES)}, got {got}")
    kept = [name for name in KEYS if name not in over]
    table["_attempt"] = _numbers(table, list(KEYS))
    table["_case"] = _numbers(table, [*kept, "image"])
    cases, group = table.groupby("_case"), _numbers(table, kept)
    attempts = table.groupby(group)["_attempt"].transform("nunique")
    common = cases["_attempt"].transform("size") == attempts
    without = table[~group.isin(group[common])]
    if not without.empty:
        where = ", ".join(f"{name} {without.iloc[0][name]}" for name in kept)
        raise DataError(
            f"the attempts of ({where}) have no image in common; attack the same images"
        )
    for name in EFFORT:
        table[name] = cases[name].transform("sum")
    table["_survived"] = ~table["target_fooled"]
    table["_rest"] = distance(table).where(table["aim"] == "minimum", table["margin_attacked"])
    best = table[common].sort_values(["_survived", "_rest"], kind="stable")
    best = best.drop_duplicates("_case").sort_values("_case")
    for name in over:
        best[name] = best[name].min() if name == "seed" else STRONGEST
    return best[list(OUTCOMES)].reset_index(drop=True)


def distance(table: pd.DataFrame) -> pd.Series:
    """Return each example's distance from its image, in the norm of its run."""
    found = table["linf"].where(table["norm"] == "linf", table["l2"])
    return found.where(table["norm"] != "l0", table["l0"])


def _numbers(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return a number for each row, the same for rows that agree in *columns*."""
    return table.groupby(columns, sort=False, dropna=False).ngroup()
