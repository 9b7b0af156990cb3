"""Convolutions and fully connected layers over a unit: im2col, then the matrix product.

The order of k is (channel, kernel row, kernel column), that of ``torch``'s
``weight.reshape(M, -1)``; all products of an output are added in that order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.compilation import jit
from accelsim.errors import DataError
from accelsim.kernels.gemm import accumulate, entries, finish, require_bias, require_float32
from accelsim.multipliers import Multiplier

__all__ = ["conv2d", "im2col", "linear"]

GROUP_COLUMNS = 4096
"""Columns of one matrix product: images are taken together until there are so many."""


def im2col(
    slab: NDArray[np.float32],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    out_hw: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """Return the operands of each output pixel as a column, (C*R*S, P*Q).

    Parameters
    ----------
    slab : ndarray of float32, (C, H, W)
        An image or a tile of one.
    kernel, stride, dilation : (int, int)
        Rows and columns.
    padding : (int, int) or (int, int, int, int)
        Zeros (rows, columns) on both sides, or (top, bottom, left, right): a tile at the upper
        edge of a padded image has padding on its top only.
    out_hw : (int, int) or None
        P and Q, at most what slab and padding yield (the default).

    Raises
    ------
    DataError
        For a wrong dtype or shape, or an *out_hw* that slab and padding do not yield.
    """
    slab = require_float32(slab, "slab", "(C, H, W)")
    top, bottom, left, right = _sides(padding)
    whole = (
        _outputs(slab.shape[1] + top + bottom, kernel[0], stride[0], dilation[0]),
        _outputs(slab.shape[2] + left + right, kernel[1], stride[1], dilation[1]),
    )
    height, width = out_hw = whole if out_hw is None else (int(out_hw[0]), int(out_hw[1]))
    if not (1 <= height <= whole[0] and 1 <= width <= whole[1]):
        raise DataError(
            f"out_hw must be at least (1, 1) and at most {whole}, which a slab of {slab.shape} "
            f"with kernel {tuple(kernel)}, stride {tuple(stride)}, padding {tuple(padding)} and "
            f"dilation {tuple(dilation)} yields, got {out_hw}; widen the slab or its padding"
        )
    columns = np.empty((slab.shape[0], kernel[0], kernel[1], height, width), np.float32)
    _fill(slab, *stride, top, left, *dilation, columns)
    return columns.reshape(-1, height * width)


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

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.
    """
    unit, adder = entries(multiplier, accumulator)
    images = require_float32(images, "images", "(N, C, H, W)")
    weights = require_float32(weights, "weights", "(M, C / groups, R, S)")
    filters, channels, rows, cols = weights.shape
    if groups < 1 or channels * groups != images.shape[1] or filters % groups:
        raise DataError(
            f"weights {weights.shape} and groups={groups} do not fit images {images.shape}: "
            f"expected C = {channels} x groups = {channels * groups}, got C={images.shape[1]}, "
            "and M divisible by groups"
        )
    top, bottom, left, right = _sides(padding)
    height = _outputs(images.shape[2] + top + bottom, rows, stride[0], dilation[0])
    width = _outputs(images.shape[3] + left + right, cols, stride[1], dilation[1])
    if height < 1 or width < 1:
        raise DataError(
            f"a kernel of {(rows, cols)} with dilation {tuple(dilation)} does not fit images "
            f"{images.shape} with padding {tuple(padding)}; pad more or use a smaller kernel"
        )
    if bias is not None:
        bias = require_bias(bias, filters)
    count, pixels, share = len(images), height * width, filters // groups
    together = max(1, min(count, GROUP_COLUMNS // pixels))
    matrix = weights.reshape(groups, share, -1)
    outputs = np.empty((count, filters, height, width), np.float32)
    for first in range(0, count, together):
        batch = images[first : first + together]
        columns = np.empty((channels, rows, cols, len(batch), height, width), np.float32)
        for group in range(groups):
            for index, image in enumerate(batch):
                slab = image[group * channels : (group + 1) * channels]
                _fill(slab, *stride, top, left, *dilation, columns[:, :, :, index])
            psums = np.zeros((share, len(batch) * pixels), adder.dtype)
            accumulate(unit, adder, columns.reshape(-1, psums.shape[1]), matrix[group], psums)
            own = slice(group * share, (group + 1) * share)
            result = finish(psums, None if bias is None else bias[own])
            result = result.reshape(share, len(batch), height, width)
            outputs[first : first + together, own] = result.transpose(1, 0, 2, 3)
    return outputs


def linear(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    inputs: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return ``inputs @ weights.T + bias`` (N, M) whose products go through a unit.

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
    inputs : ndarray of float32, (N, K)
    weights : ndarray of float32, (M, K)
    bias : ndarray of float32, (M,), or None

    Raises
    ------
    DataError
        For a wrong dtype, or shapes that do not fit.
    """
    unit, adder = entries(multiplier, accumulator)
    inputs = require_float32(inputs, "inputs", "(N, K)")
    weights = require_float32(weights, "weights", "(M, K)")
    if inputs.shape[1] != weights.shape[1]:
        raise DataError(
            f"inputs (N, K) {inputs.shape} and weights (M, K) {weights.shape} differ in K; "
            "flatten the inputs to (N, K) or transpose the weights"
        )
    psums = np.zeros((weights.shape[0], inputs.shape[0]), adder.dtype)
    accumulate(unit, adder, np.ascontiguousarray(inputs.T), weights, psums)
    return np.ascontiguousarray(finish(psums, bias).T)


def _sides(padding: Sequence[int]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of either form of padding."""
    sides = tuple(int(side) for side in padding)
    if len(sides) == 2:
        sides = (sides[0], sides[0], sides[1], sides[1])
    if len(sides) != 4 or min(sides) < 0:
        raise DataError(
            "padding must be (rows, columns) or (top, bottom, left, right), none negative, "
            f"got {tuple(padding)}"
        )
    return sides[0], sides[1], sides[2], sides[3]


def _outputs(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the outputs along one padded dimension; below 1 when the kernel does not fit."""
    if min(kernel, stride, dilation) < 1:
        raise DataError(
            f"kernel, stride and dilation must be at least 1, got {kernel}, {stride} and {dilation}"
        )
    return (size - dilation * (kernel - 1) - 1) // stride + 1


@jit
def _fill(  # type: ignore[no-untyped-def]
    slab, down, right, top, left, dilation_down, dilation_right, columns
):
    """Fill ``columns[c, r, s, p, q]`` with the operand of tap (c, r, s) at output (p, q)."""
    channels, rows, cols, out_height, _ = columns.shape
    for c in range(channels):
        for r in range(rows):
            for s in range(cols):
                offset = s * dilation_right - left
                for p in range(out_height):
                    h = p * down + r * dilation_down - top
                    out = columns[c, r, s, p]
                    if 0 <= h < slab.shape[1]:
                        _fill_row(slab[c, h], right, offset, out)
                    else:
                        out[:] = 0.0


@jit
def _fill_row(row, stride, offset, out):  # type: ignore[no-untyped-def]
    """Fill ``out[q] = row[q * stride + offset]``, 0 outside of the row."""
    # The loop inside the row has no test, so that it vectorizes.
    first = min(out.size, max(0, -(offset // stride)))
    last = max(first, min(out.size, (row.size - 1 - offset) // stride + 1))
    source, target = row[first * stride + offset :], out[first:last]
    for q in range(first):
        out[q] = 0.0
    for q in range(target.size):
        target[q] = source[q * stride]
    for q in range(last, out.size):
        out[q] = 0.0
