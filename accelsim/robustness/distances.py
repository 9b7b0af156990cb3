"""Distances: how far an adversarial example is from its image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DISTANCES", "distances"]

DISTANCES = ("l0", "l2", "linf", "mse", "psnr")


def distances(
    images: NDArray[np.float32], examples: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    """Return each of `DISTANCES` between (N, C, H, W) *images* and *examples*, (N,) float64.

    ``l0``: pixels changed in any channel; ``l2``; ``linf``: the largest change; ``mse``: mean of
    the squared changes over all values; ``psnr``: ``-10 log10(mse)`` dB, the pixel range being 1,
    infinite where nothing changed.

    >>> image = np.zeros((1, 1, 2, 2), np.float32)
    >>> example = image + np.float32([[0.0, 0.0], [0.3, 0.4]])
    >>> found = distances(image, example)
    >>> [round(float(found[name][0]), 4) for name in DISTANCES]
    [2.0, 0.5, 0.4, 0.0625, 12.0412]
    """
    change = (examples.astype(np.float64) - images).reshape(len(images), images.shape[1], -1)
    flat = change.reshape(len(images), -1)
    mse = (flat**2).mean(axis=1)
    with np.errstate(divide="ignore"):
        psnr = -10 * np.log10(mse)
    return {
        "l0": (change != 0).any(axis=1).sum(axis=1).astype(np.float64),
        "l2": np.sqrt((flat**2).sum(axis=1)),
        "linf": np.abs(flat).max(axis=1),
        "mse": mse,
        "psnr": psnr,
    }
