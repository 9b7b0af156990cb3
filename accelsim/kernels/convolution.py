"""Convolutions and fully connected layers over a unit: im2col, then the matrix product.

Few filters of one channel each, as in depthwise layers, are convolved directly: see `direct`.

All products of an output are added in the order of k, see `columns`, unless another is given.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.kernels.columns import (
    fill_columns,
    outputs_along,
    padding_pattern,
    patterns,
    sides_of,
)
from accelsim.kernels.direct import FEW_FILTERS, convolve_directly, has_direct_form
from accelsim.kernels.gemm import (
    accumulate_groups,
    entries,
    order_is_free,
    require_convolution,
    require_linear,
    require_operands,
    rounded,
)
from accelsim.multipliers import Multiplier
from accelsim.threads import run_parts, shares, worthwhile

__all__ = ["conv2d", "convolve", "linear"]

TOGETHER = 2048
"""Columns of one matrix product: images are taken together until there are so many."""
GRAIN = 1 << 18
"""Operands that are worth a thread to lay out."""


def conv2d(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    images: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    order: AccumulationOrder | None = None,
) -> NDArray[np.float32]:
    """Return the convolution (N, M, P, Q) whose products go through a unit.

    Products with padding go through the unit too: a PE does not know where its zeros come from.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
    images : ndarray of float32, (N, C, H, W)
    weights : ndarray of float32, (M, C / groups, R, S)
    bias : ndarray of float32, (M,), or None
    stride, padding, dilation
        As for `im2col`.
    groups : int
        Divides C and M.
    order : AccumulationOrder, optional
        Of the additions; k ascending by default.

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.
    """
    unit, adder = entries(multiplier, accumulator)
    images, weights, bias = require_convolution(images, weights, bias)
    window = stride, padding, dilation, groups
    psums = convolve(unit, adder, images, weights, *window, order=order)
    return rounded(psums, None if bias is None else bias[:, None, None])


def convolve(
    unit: Multiplier,
    adder: Accumulator,
    images: NDArray[Any],
    weights: NDArray[Any],
    stride: tuple[int, int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    fill: float = 0,
    order: AccumulationOrder | None = None,
) -> NDArray[Any]:
    """Return the psums (N, M, P, Q) of a convolution, of the accumulator's dtype.

    Parameters
    ----------
    unit : Multiplier
    adder : Accumulator
        One that fits the unit.
    images : ndarray, (N, C, H, W)
        Operands of the unit: float32, or its integer format's dtype.
    weights : ndarray, (M, C / groups, R, S)
        As *images*.
    stride, padding, dilation, fill
        As for `im2col`.
    groups : int
        Divides C and M.
    order : AccumulationOrder, optional
        Of the additions; k ascending by default.

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.
    """
    images = require_operands(unit, images, "images", "(N, C, H, W)")
    weights = require_operands(unit, weights, "weights", "(M, C / groups, R, S)")
    source = patterns(images, "images", "(N, C, H, W)")
    filters, channels, rows, cols = weights.shape
    if groups < 1 or channels * groups != images.shape[1] or filters % groups:
        raise DataError(
            f"weights {weights.shape} and groups={groups} do not fit images {images.shape}: "
            f"expected C = {channels} x groups = {channels * groups}, got C={images.shape[1]}, "
            "and M divisible by groups"
        )
    top, bottom, left, right = sides_of(padding)
    height = outputs_along(images.shape[2] + top + bottom, rows, stride[0], dilation[0])
    width = outputs_along(images.shape[3] + left + right, cols, stride[1], dilation[1])
    if height < 1 or width < 1:
        raise DataError(
            f"a kernel of {(rows, cols)} with dilation {tuple(dilation)} does not fit images "
            f"{images.shape} with padding {tuple(padding)}; pad more or use a smaller kernel"
        )
    pad = padding_pattern(fill, images.dtype)
    count, pixels, share = len(images), height * width, filters // groups
    ascending = order is None or order_is_free(adder)
    few = channels == 1 and share <= FEW_FILTERS and rows * cols > 1
    if ascending and few and has_direct_form(unit):
        psums = np.empty((count, filters, height, width), adder.dtype)
        geometry = *stride, *dilation, top, left
        convolve_directly(unit, adder, images, weights, geometry, pad, psums)
        return psums
    together = max(1, min(count, TOGETHER // pixels))
    matrix = weights.reshape(groups, share, -1)
    # Of a single image pixels are columns already, as they are.
    as_it_is = (rows, cols, *stride, top, bottom, left, right) == (1, 1, 1, 1, 0, 0, 0, 0)
    outputs = np.zeros((count, filters, height, width), adder.dtype)
    for first in range(0, count, together):
        batch = source[first : first + together]
        if as_it_is and len(batch) == 1:
            columns = batch
        else:
            columns = np.empty(
                (channels * groups, rows, cols, len(batch), height, width), source.dtype
            )
            lay_out = functools.partial(
                fill_columns, batch, *stride, top, left, *dilation, pad, columns
            )
            pieces = shares(len(columns), worthwhile(columns.size, GRAIN))
            run_parts([functools.partial(lay_out, *piece) for piece in pieces])
        operands = columns.reshape(groups, -1, len(batch) * pixels).view(images.dtype)
        own = psums = outputs[first : first + together]
        if len(batch) > 1:  # psums of one image lie as its outputs do
            psums = np.zeros((filters, len(batch), height, width), adder.dtype)
        accumulate_groups(unit, adder, operands, matrix, psums.reshape(groups, share, -1), order)
        if psums is not own:
            own[...] = psums.transpose(1, 0, 2, 3)
    return outputs


def linear(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    inputs: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    order: AccumulationOrder | None = None,
) -> NDArray[np.float32]:
    """Return ``inputs @ weights.T + bias`` (N, M) whose products go through a unit.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
    inputs : ndarray of float32, (N, K)
    weights : ndarray of float32, (M, K)
    bias : ndarray of float32, (M,), or None
    order : AccumulationOrder, optional
        Of the additions; k ascending by default.

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.
    """
    unit, adder = entries(multiplier, accumulator)
    inputs, weights, bias = require_linear(inputs, weights, bias)
    activations = require_operands(unit, inputs.T, "inputs.T", "(K, N)")
    psums = np.zeros((1, len(weights), len(inputs)), adder.dtype)
    accumulate_groups(unit, adder, activations[None], weights[None], psums, order)
    return np.ascontiguousarray(rounded(psums[0], None if bias is None else bias[:, None]).T)
