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

__all__ = ["Verdict", "classify", "judge", "logits_of"]


@dataclass(frozen=True)
class Verdict:
    """What one network made of N images.

    Attributes
    ----------
    chosen : (N,) int64
        The class of the largest logit; -1 where a logit is not finite.
    right : (N,) bool
        It is the true class.
    confidence : (N,) float64
        Softmax probability of the true class.
    sure : (N,) float64
        Softmax probability of the class that is chosen.
    margin : (N,) float64
        Logit of the true class less the largest other; -inf where a logit is not finite.
    classes : int
        Number of logits.
    """

    chosen: NDArray[np.int64]
    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    sure: NDArray[np.float64]
    margin: NDArray[np.float64]
    classes: int

    @classmethod
    def of(cls, logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Verdict:
        """Compare (N, classes) *logits* with (N,) *labels*.

        An image whose logits are not all finite is wrong, with confidence 0: argmax would make NaN
        the winner, which is right one time in ten by chance.

        Raises
        ------
        DataError
            If there is not one label an image, or a label is not one of the classes.
        """
        check_labels(labels, *logits.shape)
        finite = np.asarray(np.isfinite(logits).all(axis=1))
        safe = np.where(finite[:, np.newaxis], logits, 0.0)
        powers = np.exp(safe - safe.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        each = np.arange(len(labels))
        others = safe.copy()
        others[each, labels] = -np.inf
        chosen = np.where(finite, safe.argmax(axis=1), -1)
        return cls(
            chosen=chosen,
            right=np.asarray(chosen == labels),
            confidence=np.where(finite, probabilities[each, labels], 0.0),
            sure=np.where(finite, probabilities.max(axis=1), 0.0),
            margin=np.where(finite, safe[each, labels] - others.max(axis=1), -np.inf),
            classes=logits.shape[1],
        )


def judge(
    network: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64], batch_size: int
) -> Verdict:
    """Classify (N, C, H, W) *images* and compare with (N,) *labels*, as `Verdict.of` does.

    Raises
    ------
    DataError
        If the network does not return (N, classes) logits, or a label is not one of the classes.
    """
    return Verdict.of(logits_of(network, images, batch_size), labels)


def classify(network: nn.Module, images: NDArray[np.float32], batch_size: int) -> NDArray[np.int64]:
    """Return the class of each of (N, C, H, W) *images*; the first where logits are not finite.

    Raises
    ------
    DataError
        If the network does not return (N, classes) logits.
    """
    logits = logits_of(network, images, batch_size)
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), 0)


def logits_of(
    network: nn.Module, images: NDArray[np.float32], batch_size: int
) -> NDArray[np.float64]:
    """Return the logits of each of (N, C, H, W) *images*, (N, classes).

    Raises
    ------
    DataError
        If the network does not return (N, classes) logits.
    """
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
