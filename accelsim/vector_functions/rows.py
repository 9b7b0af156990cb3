"""Functions of whole rows, and of planes: softmax and the normalizations.

They add in float64, element after element, and round each result to float32 once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.vector_functions.base import VECTOR_FUNCTIONS, VectorFunction, together
from accelsim.vector_functions.costs import EXP, LOG, RSQRT

__all__ = ["scale_and_shift"]

Float = NDArray[np.float32]


@jit
def _softmax(rows, out):  # type: ignore[no-untyped-def]
    for row in range(rows.shape[0]):
        greatest, total = _greatest(rows[row]), 0.0
        for at in range(rows.shape[1]):
            out[row, at] = math.exp(rows[row, at] - greatest)
            total += out[row, at]
        for at in range(rows.shape[1]):
            out[row, at] /= total


@jit
def _log_softmax(rows, out):  # type: ignore[no-untyped-def]
    for row in range(rows.shape[0]):
        greatest, total = _greatest(rows[row]), 0.0
        for at in range(rows.shape[1]):
            total += math.exp(rows[row, at] - greatest)
        for at in range(rows.shape[1]):
            out[row, at] = rows[row, at] - greatest - math.log(total)


@jit
def _greatest(row):  # type: ignore[no-untyped-def]
    greatest = np.float64(-np.inf)
    for value in row:
        if value > greatest or np.isnan(value):
            greatest = np.float64(value)
    return greatest


@jit
def _normalize(rows, out, epsilon):  # type: ignore[no-untyped-def]
    count = rows.shape[1]
    for row in range(rows.shape[0]):
        total = squares = 0.0
        for at in range(count):
            total += rows[row, at]
        mean = total / count
        for at in range(count):
            difference = rows[row, at] - mean
            out[row, at] = difference
            squares += difference * difference
        factor = 1.0 / math.sqrt(squares / count + epsilon)
        for at in range(count):
            out[row, at] *= factor


def _by_rows(kernel: Any, reduces: int, values: Float, *settings: float) -> NDArray[np.float64]:
    """Return what *kernel* makes of rows, which are the last *reduces* dimensions together."""
    outer = values.shape[: values.ndim - reduces]
    rows = np.ascontiguousarray(values, np.float32).reshape(math.prod(outer), -1)
    out = np.empty(rows.shape, np.float64)
    kernel(rows, out, *settings)
    return out.reshape(values.shape)


def _of_rows(kernel: Any) -> Callable[..., NDArray[np.float64]]:
    return lambda values: _by_rows(kernel, 1, values)


def _norm(reduces: int) -> Callable[..., NDArray[np.float64]]:
    def compute(values: Float, weight: Float, bias: Float, epsilon: float) -> NDArray[np.float64]:
        return _by_rows(_normalize, reduces, values, epsilon) * weight + bias

    return compute


def _scale_shift(values: Float, scale: Float, shift: Float) -> NDArray[np.float64]:
    return values.astype(np.float64) * scale + shift


def scale_and_shift(
    weight: NDArray[Any] | None,
    bias: NDArray[Any] | None,
    mean: NDArray[Any],
    variance: NDArray[Any],
    epsilon: float,
    dtype: type[np.floating[Any]] = np.float32,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a batch norm in evaluation mode as x * scale + shift, per channel.

    ``scale = weight / sqrt(variance + epsilon)`` and ``shift = bias - mean * scale``, in float64
    and each rounded to *dtype* once.
    """
    inverse = 1.0 / np.sqrt(variance.astype(np.float64) + epsilon)
    scale = inverse if weight is None else weight * inverse
    shift = -mean * scale if bias is None else bias - mean * scale
    return scale.astype(dtype), shift.astype(dtype)


_NORM = {"add": 4, "multiply": 3}
"""Of each element: added to the sum, less the mean, squared, added to the squares, times the factor
and the weight, plus the bias."""

_NORM_ROW = together(RSQRT, {"add": -1, "divide": 2})
"""Of each row: n - 1 additions for each of two sums, one of epsilon, two divisions by n."""

for _function in (
    VectorFunction(
        "softmax",
        "exp(x - max) / sum of them, along a row",
        _of_rows(_softmax),
        1,
        together(EXP, {"compare": 1, "add": 2, "multiply": 1}),
        {"compare": -1, "add": -1, "divide": 1},
        reduces=1,
    ),
    VectorFunction(
        "log_softmax",
        "x - max - log(sum of exp(x - max)), along a row",
        _of_rows(_log_softmax),
        1,
        together(EXP, {"compare": 1, "add": 3}),
        together(LOG, {"compare": -1, "add": -1}),
        reduces=1,
    ),
    VectorFunction(
        "layer_norm",
        "(x - mean) / sqrt(variance + epsilon) * weight + bias, along a row",
        _norm(1),
        4,
        _NORM,
        _NORM_ROW,
        reduces=1,
    ),
    VectorFunction(
        "group_norm",
        "the same over a group of channels, all their pixels",
        _norm(2),
        4,
        _NORM,
        _NORM_ROW,
        reduces=2,
    ),
    VectorFunction(
        "scale_shift",
        "x * scale + shift, rounded once: a batch norm in evaluation mode",
        _scale_shift,
        3,
        {"multiply": 1, "add": 1},
    ),
):
    VECTOR_FUNCTIONS.register(_function.name, _function)
