"""Confidence and calibration: how sure a network is of the truth, and whether rightly so.

Logits times a constant above 1 leave every class as it is and raise the confidence of nearly every
image, so a gain alone makes a network look surer. `logit_gain` measures it, and exact logits times
it are the control: what is the same there is the gain's doing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.verdict import Verdict
from accelsim.statistics import mcnemar, share_deviation, wilson

__all__ = [
    "BINS",
    "confidence_quantiles",
    "confidence_summary",
    "logit_gain",
    "reliability",
]

BINS = 15
"""Bins of equal width of the confidence, as is usual for the calibration error."""

SHARES = (
    0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, *(k / 20 for k in range(2, 20)),
    0.97, 0.98, 0.99, 0.995, 0.999, 1,
)  # fmt: skip
"""Of the images, where the distributions are given: dense at the ends, the low one above all, where
images fail.
"""

BIN = ("low", "high", "images", "sure", "accuracy", "accuracy_low", "accuracy_high")
"""Columns of a bin of the confidence."""

Logits = NDArray[np.float64]


def logit_gain(exact: Logits, unit: Logits) -> float:
    """Return the factor by which *unit*'s logits are those of the *exact* network, least squares.

    Each image's logits less their mean, which no class and no softmax depends on. Images whose
    logits are not all finite are left out. ``1 / gain`` is the temperature at which the exact
    network would be as sure.

    Raises
    ------
    DataError
        The two are not logits of the same images, no image's are all finite, or all exact logits
        of an image are equal, in every image.
    """
    if exact.ndim != 2 or exact.shape != unit.shape:
        raise DataError(
            "exact and unit logits must be (N, classes) of the same images, got shapes "
            f"{exact.shape} and {unit.shape}"
        )
    finite = np.isfinite(exact).all(axis=1) & np.isfinite(unit).all(axis=1)
    if not finite.any():
        raise DataError("no image's logits are all finite on both networks, so there is no gain")
    e, u = (one[finite] - one[finite].mean(axis=1, keepdims=True) for one in (exact, unit))
    if not e.any():
        raise DataError("the exact logits tell no class from another, so there is no gain")
    return float((e * u).sum() / (e * e).sum())


def confidence_summary(
    logits: Mapping[str, Logits], labels: NDArray[np.int64], baseline: str
) -> pd.DataFrame:
    """Return accuracy, confidence and calibration of each network, beside those of *baseline*.

    Parameters
    ----------
    logits : name -> (N, classes) float64
        Of the same images.
    labels : (N,) integers
    baseline : str
        One of the names.

    Returns
    -------
    DataFrame
        A row per network: ``network``, ``images``; ``accuracy`` with its Wilson 95 % interval
        ``accuracy_low``, ``accuracy_high``; ``agree``, images with the class that *baseline* gives
        them; ``lost`` and ``won``, those that only *baseline* or only this network gets right, and
        ``p``, McNemar's exact test of the two;
        ``confidence`` and ``margin``, means of the softmax probability of the true class and
        medians of its logit less the largest other; ``sure``, the mean probability of the class
        that is chosen, ``ece``, the expected calibration error of it: the mean over `BINS` bins of
        equal width, weighted by their images, of ``|accuracy - sure|``; ``ece_calibrated``, the
        ``ece`` that is to be expected of a perfectly calibrated network that is as sure, by chance
        alone: so many images of each bin are right with its mean probability, independently
        (`share_deviation`, no draw); ``overconfidence``, ``sure - accuracy``. An image whose
        logits are not all finite is wrong, with confidence 0; it has no class, and the last four
        are of the others, NaN where there are none.

    Raises
    ------
    DataError
        If logits and labels do not belong together, there are none, or *baseline* is none of the
        names.
    """
    judged = _verdicts(logits, labels)
    if baseline not in judged:
        raise DataError(f"baseline {baseline!r} is none of {', '.join(judged)}")
    base = judged[baseline]
    rows = []
    for name, one in judged.items():
        accuracy, low, high = wilson(int(one.right.sum()), len(one.right))
        lost, won = int((base.right & ~one.right).sum()), int((one.right & ~base.right).sum())
        rows.append(
            {
                "network": name,
                "images": len(one.right),
                "accuracy": accuracy,
                "accuracy_low": low,
                "accuracy_high": high,
                "agree": int((one.chosen == base.chosen).sum()),
                "lost": lost,
                "won": won,
                "p": mcnemar(lost, won),
                "confidence": one.confidence.mean(),
                "margin": float(np.median(one.margin)),
                **_calibration(one),
            }
        )
    return pd.DataFrame(rows)


def confidence_quantiles(logits: Mapping[str, Logits], labels: NDArray[np.int64]) -> pd.DataFrame:
    """Return the distributions of confidence in the true class, and of its margin.

    Returns
    -------
    DataFrame
        A row per network, measure and share: ``network``; ``measure``, ``confidence`` (softmax
        probability of the true class) or ``margin`` (its logit less the largest other, negative
        where the image is wrong); ``share`` of the images that have at most ``value``.

    Raises
    ------
    DataError
        If logits and labels do not belong together, or there are none.
    """
    rows = []
    for name, judged in _verdicts(logits, labels).items():
        for measure in ("confidence", "margin"):
            values = np.quantile(getattr(judged, measure), SHARES, method="inverted_cdf")
            rows += [
                {"network": name, "measure": measure, "share": share, "value": value}
                for share, value in zip(SHARES, values, strict=True)
            ]
    return pd.DataFrame(rows)


def reliability(
    logits: Mapping[str, Logits], labels: NDArray[np.int64], bins: int = BINS
) -> pd.DataFrame:
    """Return how often each network is right where it is so sure.

    Returns
    -------
    DataFrame
        A row per network and bin of equal width that holds an image: ``network``, ``low``,
        ``high`` (the bin of the probability of the class that is chosen), ``images``, ``sure``
        (mean probability), ``accuracy`` with its Wilson 95 % interval ``accuracy_low``,
        ``accuracy_high``. An image whose logits are not all finite has no class and is in no bin.

    Raises
    ------
    ConfigError
        If *bins* is not an int >= 1.
    DataError
        If logits and labels do not belong together, or there are none.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ConfigError(f"bins must be an int >= 1, got {bins!r}")
    rows = [
        {"network": name, **row}
        for name, judged in _verdicts(logits, labels).items()
        for row in _bins(judged, bins)
    ]
    return pd.DataFrame(rows, columns=["network", *BIN])


def _verdicts(logits: Mapping[str, Logits], labels: NDArray[np.int64]) -> dict[str, Verdict]:
    if not logits or not np.size(labels):
        raise DataError(
            "there is nothing to judge; give name -> logits (N, classes) of N >= 1 images, got "
            f"{len(logits)} networks and {np.size(labels)} labels"
        )
    for name, one in logits.items():
        if one.ndim != 2:
            raise DataError(f"{name}: logits must be (N, classes), got shape {one.shape}")
    return {name: Verdict.of(one, labels) for name, one in logits.items()}


def _calibration(judged: Verdict) -> dict[str, float]:
    """Return how sure a network is, and by how much wrongly so, of the images it gives a class."""
    bins = pd.DataFrame(_bins(judged, BINS), columns=BIN)
    gaps, chance = bins["sure"] - bins["accuracy"], share_deviation(bins["images"], bins["sure"])
    each = {
        "sure": bins["sure"],
        "ece": gaps.abs(),
        "ece_calibrated": chance,
        "overconfidence": gaps,
    }
    images = bins["images"].sum() or math.nan
    return {name: float((bins["images"] * one).sum() / images) for name, one in each.items()}


def _bins(judged: Verdict, bins: int) -> list[dict[str, Any]]:
    """Return a row, of columns `BIN`, for each bin that holds an image."""
    places = np.minimum((judged.sure * bins).astype(int), bins - 1)
    has_class = judged.chosen >= 0
    rows = []
    for place in np.unique(places[has_class]):
        own = (places == place) & has_class
        images, right = int(own.sum()), int(judged.right[own].sum())
        estimate = wilson(right, images)
        sure = judged.sure[own].mean()
        row = (place / bins, (place + 1) / bins, images, sure, *estimate)
        rows.append(dict(zip(BIN, row, strict=True)))
    return rows
