"""Products of two activations over a unit: a matrix product for each matrix of a batch.

::

    outputs[g, i, j] = sum over k, ascending, of product(first[g, i, k], second[g, k, j])

The order of k is another where one is given. Units need not commute: the first operand is the
activation, the second one the weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.kernels.gemm import (
    accumulate_groups,
    entries,
    require_float32,
    require_operands,
    rounded,
)
from accelsim.multipliers import Multiplier
from accelsim.quantization import LayerQuantization

__all__ = ["matmul", "matmul_quantized"]

Float = NDArray[np.float32]


def matmul(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    first: Float,
    second: Float,
    order: AccumulationOrder | None = None,
) -> Float:
    """Return ``first @ second``, (G, m, n), whose products go through a unit.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
    first : ndarray of float32, (G, m, k)
    second : ndarray of float32, (G, k, n)
    order : AccumulationOrder, optional
        Of the additions; k ascending by default.

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.

    Examples
    --------
    >>> ones = np.ones((1, 2, 2), np.float32)
    >>> matmul("exact_fp32", "float32", ones, 2 * ones).tolist()
    [[[4.0, 4.0], [4.0, 4.0]]]
    """
    unit, adder = entries(multiplier, accumulator)
    _require_matrices(first, second)
    psums = _accumulated(unit, adder, first.swapaxes(1, 2), second.swapaxes(1, 2), order)
    return np.ascontiguousarray(rounded(psums, None).swapaxes(1, 2))


def matmul_quantized(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    layer: LayerQuantization,
    first: Float,
    second: Float,
    order: AccumulationOrder | None = None,
) -> Float:
    """Return ``first @ second``, (G, m, n), whose products go through a unit of integers.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
        Of integers.
    layer : LayerQuantization
        Scales and zero points, one of either operand.
    first, second, order
        As for `matmul`.

    Raises
    ------
    DataError
        For a wrong dtype, shapes that do not fit, or NaN.
    """
    unit, adder = entries(multiplier, accumulator)
    _require_matrices(first, second)
    activations = layer.quantize_activations(first).swapaxes(1, 2)
    weights = layer.quantize_weights(second).swapaxes(1, 2)
    psums = _accumulated(unit, adder, activations, weights, order)
    outputs = np.empty(psums.shape, np.float32)
    for x, w, sums, output in zip(activations, weights, psums, outputs, strict=True):
        added = (x.sum(axis=0, dtype=np.int64), w.sum(axis=1, dtype=np.int64))
        output[...] = layer.dequantize(sums, *added, len(x), None)
    return np.ascontiguousarray(outputs.swapaxes(1, 2))


def _accumulated(
    unit: Multiplier,
    adder: Accumulator,
    activations: NDArray[Any],
    weights: NDArray[Any],
    order: AccumulationOrder | None,
) -> NDArray[Any]:
    """Return the psums (G, n, m) of activations (G, k, m) and weights (G, n, k)."""
    activations = require_operands(unit, activations, "first, transposed", "(G, k, m)")
    weights = require_operands(unit, weights, "second, transposed", "(G, n, k)")
    psums = np.zeros((len(weights), weights.shape[1], activations.shape[2]), adder.dtype)
    accumulate_groups(unit, adder, activations, weights, psums, order)
    return psums


def _require_matrices(first: Float, second: Float) -> None:
    """Raise unless the operands are float32 matrices that fit each other."""
    require_float32(first, "first", "(G, m, k)")
    require_float32(second, "second", "(G, k, n)")
    if len(first) != len(second) or first.shape[2] != second.shape[1]:
        raise DataError(
            f"first (G, m, k) {first.shape} and second (G, k, n) {second.shape} differ in G or k; "
            "transpose one, or repeat its matrices"
        )
