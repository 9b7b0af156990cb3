"""Samples of a layer's activations, over which the slopes of its products are taken."""

from __future__ import annotations

import functools
import statistics

import numpy as np
from numpy.typing import NDArray

from accelsim.quantization import Calibration

__all__ = ["SAMPLES", "Drawing", "sample_of"]

SAMPLES = 256
"""Activations in a sample."""

Float = NDArray[np.float32]


class Drawing:
    """`SAMPLES` of the numbers other than 0 in a stream, each as likely as any other.

    The seed is fixed, and how the stream is cut into pieces makes no difference.
    """

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self._values = np.empty(0, np.float32)
        self._lots = np.empty(0)

    def add(self, values: Float) -> None:
        """Let *values*, of any shape, take part."""
        values = values[values != 0]
        lots = self._random.random(values.size)
        if self._lots.size == SAMPLES:
            among = lots < self._lots[-1]
            values, lots = values[among], lots[among]
        values, lots = np.append(self._values, values), np.append(self._lots, lots)
        order = np.argsort(lots)[:SAMPLES]
        self._values, self._lots = values[order], lots[order]

    def drawn(self) -> tuple[float, ...]:
        """Return what has been drawn so far."""
        return tuple(self._values.tolist())


def sample_of(calibration: Calibration | None, operand: int) -> Float:
    """Return a sample of activation *operand*, (n,).

    What *calibration* drew of it, else `SAMPLES` numbers evenly over its range, else the standard
    normal's quantiles: half-normal magnitudes, each with both signs.

    >>> sample_of(None, 0)[[0, 127, 128, 255]].round(4).tolist()
    [-2.8856000900268555, -0.004900000058114529, 0.004900000058114529, 2.8856000900268555]
    """
    if calibration is None:
        return _normal()
    if calibration.samples:
        return np.array(calibration.samples[operand], np.float32)
    low, high = calibration.ranges[operand]
    return (low + (high - low) * _middles()).astype(np.float32)


@functools.cache
def _normal() -> Float:
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf(middle) for middle in _middles().tolist()], np.float32)


def _middles() -> NDArray[np.float64]:
    """Return the middles of `SAMPLES` equal parts of [0, 1]."""
    return (np.arange(SAMPLES) + 0.5) / SAMPLES
