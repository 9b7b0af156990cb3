"""Summary: rates with their intervals, and paired comparisons, from the table of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import DataError, nearest
from accelsim.robustness.attack import CAUSES
from accelsim.robustness.outcomes import KEYS, checked_outcomes
from accelsim.statistics import Estimate, bootstrap_ratio, holm, mcnemar, wilson

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.typing import DataFrameGroupBy

__all__ = ["RATES", "by_role", "compare", "estimate", "summarize"]

Row = dict[str, Any]

RATES = {
    "clean_accuracy": ("clean", "images"),
    "robust_accuracy": ("robust", "images"),
    "source_success": ("fooled_source", "attacked"),
    "transfer_success": ("fooled_both", "fooled_source"),
    "transfer_of_right": ("transferred", "transferable"),
}
"""Name of a rate of `summarize` -> what is counted, and of how many."""

_MEANS = ("confidence_clean", "confidence_attacked", "margin_clean", "margin_attacked")


def summarize(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each run of an attack judged by one target, in order of appearance.

    Parameters
    ----------
    outcomes : DataFrame
        Columns as `accelsim.robustness.outcomes.OUTCOMES`.

    Returns
    -------
    DataFrame
        - `KEYS`: scenario, source, gradient, target, attack, settings, norm, aim, epsilon, scale,
          seed.
        - ``images``; ``attacked``: those that the source classifies right; ``fooled_source``: those
          of them that it gets wrong under attack; ``fooled_both``: those of them that the target
          gets wrong too. ``transferable``: those of fooled_source that the target classifies right
          before the attack; ``transferred``: those of them that it gets wrong then.
        - ``clean_accuracy``, ``robust_accuracy``: of all images, those that the target classifies
          right without and under attack; ``source_success``: fooled_source / attacked;
          ``transfer_success``: fooled_both / fooled_source, the paper's measure, which counts what
          the target gets wrong by itself; ``transfer_of_right``: transferred / transferable, which
          does not. Each with its Wilson 95 % bounds ``_low`` and ``_high``; NaN, 0, 1 where nothing
          is counted.
        - ``median_l0``, ``median_l2``, ``median_linf``, ``median_psnr``: over fooled_source.
        - ``mean_confidence_clean``, ``..._attacked``, ``mean_margin_clean``, ``..._attacked``: of
          the target, over all images.
        - ``forwards``, ``gradients``: means per image.
        - ``failed_no_gradient``, ``failed_clipped``, ``failed_budget``, ``failed_gave_up``: images
          of attacked that do not fool the source, by cause.

    Raises
    ------
    DataError
        If *outcomes* cannot be used.
    """
    table = checked_outcomes(outcomes)
    fooled_source = table["source_right"] & table["source_fooled"]
    counted = table[list(KEYS)].assign(
        images=1,
        attacked=table["source_right"],
        fooled_source=fooled_source,
        fooled_both=fooled_source & table["target_fooled"],
        transferable=fooled_source & table["target_right"],
        transferred=fooled_source & table["target_right"] & table["target_fooled"],
        clean=table["target_right"],
        robust=~table["target_fooled"],
        **{
            f"failed_{cause.replace(' ', '_')}": table["source_right"] & (table["cause"] == cause)
            for cause in CAUSES
        },
    )
    counts = _by_run(counted).sum().astype(int)
    counted_of = ["images", "attacked", "fooled_source", "fooled_both"]
    found = counts[[*counted_of, "transferable", "transferred"]].copy()
    for name, (hits, of) in RATES.items():
        shares = [wilson(*pair) for pair in zip(counts[hits], counts[of], strict=True)]
        for bound, column in zip(("", "_low", "_high"), zip(*shares, strict=True), strict=True):
            found[f"{name}{bound}"] = column
    lengths = table[["l0", "l2", "linf", "psnr"]].where(fooled_source)
    medians = _by_run(table[list(KEYS)].join(lengths)).median()
    means = _by_run(table)[[*_MEANS, "forwards", "gradients"]].mean()
    return (
        found.join(medians.add_prefix("median_"))
        .join(means.rename(columns={name: f"mean_{name}" for name in _MEANS}))
        .join(counts.filter(like="failed_"))
        .reset_index()
    )


def _by_run(table: pd.DataFrame) -> DataFrameGroupBy:
    return table.groupby(list(KEYS), sort=False, dropna=False)


def estimate(row: Mapping[str, Any] | pd.Series, name: str) -> Estimate:
    """Return number *name* of a row of `summarize` or `compare` with its interval."""
    return Estimate(*(float(row[f"{name}{bound}"]) for bound in ("", "_low", "_high")))


def compare(outcomes: pd.DataFrame, baseline: str, other: str, *, seed: int = 0) -> pd.DataFrame:
    """Return, for each run that both targets were judged in, how they differ image by image.

    Runs are paired by everything but the target; a source that is the target itself, or made from
    it ("proxy of ax_fpm"), is paired with the same made from the other one. Gradient choices that
    only one of the targets has are not paired: take `strongest` over ``("gradient",)`` first. Only
    images that both sources and both targets classify right are compared.

    Parameters
    ----------
    outcomes : DataFrame
        Columns as `accelsim.robustness.outcomes.OUTCOMES`.
    baseline, other : str
        Two targets.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        - `KEYS` without target; in ``source`` the word "target" stands for the target's name.
        - ``baseline``, ``other``; ``images``: those compared.
        - ``fooled_baseline``, ``fooled_other``, ``only_baseline``, ``only_other``: how many fool
          each target, and one of them only.
        - ``p``: McNemar's exact two-sided test of the last two; ``p_holm``: corrected for all rows
          of this table, so give it the runs of one question.
        - Where aim is ``"minimum"``, over the ``both_fooled`` images: ``norm_ratio``, the median of
          other / baseline in the run's norm; ``mse_ratio``, the geometric mean of the same of mean
          squared errors; ``psnr_db``, by how much the PSNR of the other's examples is lower, the
          mean: 10 log10(mse_ratio). Above 1, above 0 dB: fooling *other* takes more noise. Each
          with ``_low`` and ``_high``, paired bootstrap 95 %, not corrected for their number. NaN
          for other aims.

    Raises
    ------
    DataError
        If *outcomes* cannot be used, a target is not among them or is compared with itself, or the
        two share no run.

    Sources
    -------
    See `accelsim.statistics.mcnemar`, `holm` and `bootstrap_ratio`.
    """
    import pandas as pd

    table = checked_outcomes(outcomes)
    targets = list(table["target"].unique())
    for name in (baseline, other):
        if name not in targets:
            raise DataError(
                f"no outcome of target {name!r}; there are: {', '.join(targets)}."
                f"{nearest(name, targets)}"
            )
    if baseline == other:
        raise DataError(f"target {baseline!r} cannot be compared with itself; name another one")
    keys = [name for name in KEYS if name != "target"]
    both = by_role(table, baseline).merge(
        by_role(table, other), on=[*keys, "image"], suffixes=("_baseline", "_other")
    )
    if both.empty:
        raise DataError(
            f"targets {baseline!r} and {other!r} share no run (same scenario, source, gradient, "
            "attack, norm, aim, epsilon, seed and images); if their gradients differ, take "
            "strongest(outcomes, ('gradient',)) first"
        )
    rows = [
        dict(zip(keys, key, strict=True))
        | {"baseline": baseline, "other": other}
        | _paired(part, part["norm"].iloc[0], part["aim"].iloc[0], seed)
        for key, part in both.groupby(keys, sort=False, dropna=False)
    ]
    found = pd.DataFrame(rows)
    found.insert(list(found.columns).index("p") + 1, "p_holm", holm(found["p"].to_numpy()))
    return found


def by_role(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return the rows of *target*, its own name in ``source`` replaced by "target"."""
    part = table[table["target"] == target]
    own = {
        name: name.removesuffix(target) + "target"
        for name in part["source"].unique()
        if name == target or name.endswith(f" of {target}")
    }
    return part.assign(source=part["source"].replace(own))


def _paired(part: pd.DataFrame, norm: str, aim: str, seed: int) -> Row:
    sure = [f"{who}_right_{one}" for who in ("source", "target") for one in ("baseline", "other")]
    right = part[part[sure].all(axis=1)]
    first, second = right["target_fooled_baseline"], right["target_fooled_other"]
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    both = right[first & second]
    row: Row = {
        "images": len(right),
        "fooled_baseline": int(first.sum()),
        "fooled_other": int(second.sum()),
        "only_baseline": only_first,
        "only_other": only_second,
        "p": mcnemar(only_first, only_second),
        "both_fooled": len(both),
    }
    ratios = {"norm_ratio": (norm, "median"), "mse_ratio": ("mse", "geometric mean")}
    for name, (column, average) in ratios.items():
        row |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
        if aim == "minimum":
            if (both[["mse_baseline", "mse_other"]] == 0).any(axis=None):
                raise DataError(
                    "outcomes: an example that equals its image fools a target that classifies the "
                    "image right; no ratio of distances can be taken"
                )
            ratio = bootstrap_ratio(
                both[f"{column}_other"].to_numpy(),
                both[f"{column}_baseline"].to_numpy(),
                average=average,
                seed=seed,
            )
            row |= {name: ratio.value, f"{name}_low": ratio.low, f"{name}_high": ratio.high}
    for bound in ("", "_low", "_high"):
        with np.errstate(divide="ignore"):
            row[f"psnr_db{bound}"] = float(10 * np.log10(row[f"mse_ratio{bound}"]))
    return row
