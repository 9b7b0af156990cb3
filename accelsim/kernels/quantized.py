"""Convolutions and fully connected layers over a unit of integers, float32 in and out.

Operands are quantized, multiplied by the unit and added as integers, and the sums made float32
again, as `accelsim.quantization` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import ACCUMULATORS, Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.kernels.convolution import convolve
from accelsim.kernels.gemm import accumulate, entries, require_convolution, require_linear
from accelsim.multipliers import MULTIPLIERS, Multiplier
from accelsim.quantization import LayerQuantization

__all__ = ["conv2d_quantized", "linear_quantized"]


def conv2d_quantized(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    layer: LayerQuantization,
    images: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    order: AccumulationOrder | None = None,
) -> NDArray[np.float32]:
    """Return the convolution (N, M, P, Q) whose products go through a unit of integers.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
        Of integers.
    layer : LayerQuantization
        Scales and zero points.
    images, weights, bias, stride, padding, dilation, groups, order
        As for `accelsim.kernels.conv2d`.

    Raises
    ------
    DataError
        For a wrong dtype, shapes that do not fit, or NaN.
    """
    unit, adder = entries(multiplier, accumulator)
    images, weights, bias = require_convolution(images, weights, bias)
    x, w = layer.quantize_activations(images), layer.quantize_weights(weights)
    settings = (stride, padding, dilation, groups, layer.fill)
    psums = convolve(unit, adder, x, w, *settings, order)
    sums = np.zeros((len(psums), groups, *psums.shape[2:]), np.int64)
    if layer.needs_activation_sums:
        # The sum of a window is its product with ones.
        ones = np.ones((groups, *w.shape[1:]), w.dtype)
        exact = MULTIPLIERS[f"exact_{layer.activations.operands.name}"]
        sums = convolve(exact, ACCUMULATORS["int64"], x, ones, *settings)
    outputs = np.empty(psums.shape, np.float32)
    filters, k = len(w), w[0].size
    for psum, own, output in zip(psums, sums, outputs, strict=True):
        added = np.repeat(own.reshape(groups, -1), filters // groups, axis=0)
        finished = layer.dequantize(psum.reshape(filters, -1), added, _sums(w), k, bias)
        output[...] = finished.reshape(output.shape)
    return outputs


def linear_quantized(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    layer: LayerQuantization,
    inputs: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    order: AccumulationOrder | None = None,
) -> NDArray[np.float32]:
    """Return ``inputs @ weights.T + bias`` (N, M) whose products go through a unit of integers.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
        Of integers.
    layer : LayerQuantization
        Scales and zero points.
    inputs, weights, bias, order
        As for `accelsim.kernels.linear`.

    Raises
    ------
    DataError
        For a wrong dtype, shapes that do not fit, or NaN.
    """
    unit, adder = entries(multiplier, accumulator)
    inputs, weights, bias = require_linear(inputs, weights, bias)
    x, w = layer.quantize_activations(inputs), layer.quantize_weights(weights)
    psums = np.zeros((len(w), len(x)), adder.dtype)
    accumulate(unit, adder, np.ascontiguousarray(x.T), w, psums, order)
    outputs = layer.dequantize(psums, x.sum(axis=1, dtype=np.int64), _sums(w), w.shape[1], bias)
    return np.ascontiguousarray(outputs.T)


def _sums(weights: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sum of each filter's quantized weights, (M,)."""
    return weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int64)
