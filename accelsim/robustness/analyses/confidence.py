"""Confidence and calibration: how sure a network is of the truth, and whether rightly so.

Logits times a constant above 1 leave every class as it is and raise the confidence of nearly every
image, so a gain alone makes a network look surer. `logit_gain` measures it, and exact logits times
it are the control: what is the same there is the gain's doing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.verdict import Verdict
from accelsim.statistics import mcnemar, wilson

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
    0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, *(k / 20 for k in range(2, 21))
)  # fmt: skip
"""Of the images, where the distributions are given: dense at the low end, where images fail."""

Logits = NDArray[np.float64]


def logit_gain(exact: Logits, unit: Logits) -> float:
    """Return the factor by which *unit*'s logits are those of the *exact* network, least squares.

    Each image's logits less their mean, which no class and no softmax depends on. Images whose
    logits are not all finite are left out. ``1 / gain`` is the temperature at which the exact
    network would be as sure.

    Raises
    ------
    DataError
        All exact logits of an image are equal, in every image.
    """
    finite = np.isfinite(exact).all(axis=1) & np.isfinite(unit).all(axis=1)
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
        equal width, weighted by their images, of ``|accuracy - sure|``; ``overconfidence``, ``sure
        - accuracy``. An image whose logits are not all finite is wrong, with confidence 0.

    Raises
    ------
    DataError
        If logits and labels do not belong together, or *baseline* is none of the names.
    """
    if baseline not in logits:
        raise DataError(f"baseline {baseline!r} is none of {', '.join(logits)}")
    judged = {name: _verdict(one, labels, name) for name, one in logits.items()}
    base = judged[baseline]
    rows = []
    for name, one in judged.items():
        accuracy, low, high = wilson(int(one.right.sum()), len(one.right))
        bins = _reliability(one, BINS)
        gaps = (bins["accuracy"] - bins["sure"]).abs()
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
                "sure": one.sure.mean(),
                "ece": float((gaps * bins["images"]).sum() / len(one.right)),
                "overconfidence": one.sure.mean() - accuracy,
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
        If logits and labels do not belong together.
    """
    rows = []
    for name, one in logits.items():
        judged = _verdict(one, labels, name)
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
        ``accuracy_high``.

    Raises
    ------
    ConfigError
        If *bins* is not an int >= 1.
    DataError
        If logits and labels do not belong together.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ConfigError(f"bins must be an int >= 1, got {bins!r}")
    tables = [
        _reliability(_verdict(one, labels, name), bins).assign(network=name)
        for name, one in logits.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["network", *(name for name in table if name != "network")]]


def _verdict(logits: Logits, labels: NDArray[np.int64], name: str) -> Verdict:
    if logits.ndim != 2:
        raise DataError(f"{name}: logits must be (N, classes), got shape {logits.shape}")
    return Verdict.of(logits, labels)


def _reliability(judged: Verdict, bins: int) -> pd.DataFrame:
    places = np.minimum((judged.sure * bins).astype(int), bins - 1)
    rows = []
    for place in np.unique(places):
        own = places == place
        accuracy, low, high = wilson(int(judged.right[own].sum()), int(own.sum()))
        rows.append(
            {
                "low": place / bins,
                "high": (place + 1) / bins,
                "images": int(own.sum()),
                "sure": judged.sure[own].mean(),
                "accuracy": accuracy,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return pd.DataFrame(rows)
