"""Verdict: which images a network classifies right, and how sure it is of the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.workload import check_labels

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Verdict", "classify", "judge"]


@dataclass(frozen=True)
class Verdict:
    """What one network made of N images.

    Attributes
    ----------
    right : (N,) bool
        The largest logit is that of the true class.
    confidence : (N,) float64
        Softmax probability of the true class.
    margin : (N,) float64
        Logit of the true class less the largest other; -inf where a logit is not finite.
    classes : int
        Number of logits.
    """

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    margin: NDArray[np.float64]
    classes: int


def judge(
    network: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64], batch_size: int
) -> Verdict:
    """Classify (N, C, H, W) *images* and compare with (N,) *labels*.

    An image whose logits are not all finite is wrong, with confidence 0: argmax would make NaN the
    winner, which is right one time in ten by chance.

    Raises
    ------
    DataError
        If the network does not return (N, classes) logits, or a label is not one of the classes.
    """
    logits = _logits(network, images, batch_size)
    check_labels(labels, len(images), logits.shape[1])
    finite = np.asarray(np.isfinite(logits).all(axis=1))
    safe = np.where(finite[:, np.newaxis], logits, 0.0)
    powers = np.exp(safe - safe.max(axis=1, keepdims=True))
    each = np.arange(len(labels))
    truth = powers[each, labels] / powers.sum(axis=1)
    others = safe.copy()
    others[each, labels] = -np.inf
    return Verdict(
        right=finite & (safe.argmax(axis=1) == labels),
        confidence=np.where(finite, truth, 0.0),
        margin=np.where(finite, safe[each, labels] - others.max(axis=1), -np.inf),
        classes=logits.shape[1],
    )


def classify(network: nn.Module, images: NDArray[np.float32], batch_size: int) -> NDArray[np.int64]:
    """Return the class of each of (N, C, H, W) *images*; the first where logits are not finite.

    Raises
    ------
    DataError
        If the network does not return (N, classes) logits.
    """
    logits = _logits(network, images, batch_size)
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), 0)


def _logits(
    network: nn.Module, images: NDArray[np.float32], batch_size: int
) -> NDArray[np.float64]:
    import torch

    with torch.no_grad():
        parts = [
            network(torch.from_numpy(images[first : first + batch_size].copy())).numpy()
            for first in range(0, len(images), batch_size)
        ]
    logits = np.concatenate(parts).astype(np.float64)
    if logits.ndim != 2 or len(logits) != len(images):
        raise DataError(f"the model must return logits (N, classes), got shape {logits.shape}")
    return logits
