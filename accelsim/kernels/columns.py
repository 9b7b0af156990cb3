"""Columns of operands: what a convolution's matrix product takes its activations from.

The order of k is (channel, kernel row, kernel column), that of ``torch``'s
``weight.reshape(M, -1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.errors import DataError
from accelsim.kernels.vectors import copy_items

__all__ = ["fill_columns", "im2col", "outputs_along", "padding_pattern", "patterns", "sides_of"]


def im2col(
    slab: NDArray[Any],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    out_hw: tuple[int, int] | None = None,
    fill: float = 0,
) -> NDArray[Any]:
    """Return the operands of each output pixel as a column, (C*R*S, P*Q) of the slab's dtype.

    Parameters
    ----------
    slab : ndarray of float32, int8, uint8, int16 or uint16, (C, H, W)
        An image or a tile of one.
    kernel, stride, dilation : (int, int)
        Rows and columns.
    padding : (int, int) or (int, int, int, int)
        Pixels of value *fill* (rows, columns) on both sides, or (top, bottom, left, right): a tile
        at the upper edge of a padded image has padding on its top only.
    out_hw : (int, int) or None
        P and Q, at most what slab and padding yield (the default).
    fill : number
        What padding holds, a value of the slab's dtype: for quantized operands their zero point.

    Raises
    ------
    DataError
        For a wrong dtype or shape, a *fill* that the dtype does not hold, or an *out_hw* that slab
        and padding do not yield.

    Examples
    --------
    >>> im2col(np.ones((1, 1, 1), np.uint8), (1, 2), padding=(0, 1), fill=7).tolist()
    [[7, 1], [1, 7]]
    """
    source = patterns(slab, "slab", "(C, H, W)")
    top, bottom, left, right = sides_of(padding)
    whole = (
        outputs_along(slab.shape[1] + top + bottom, kernel[0], stride[0], dilation[0]),
        outputs_along(slab.shape[2] + left + right, kernel[1], stride[1], dilation[1]),
    )
    height, width = out_hw = whole if out_hw is None else (int(out_hw[0]), int(out_hw[1]))
    if not (1 <= height <= whole[0] and 1 <= width <= whole[1]):
        raise DataError(
            f"out_hw must be at least (1, 1) and at most {whole}, which a slab of {slab.shape} "
            f"with kernel {tuple(kernel)}, stride {tuple(stride)}, padding {tuple(padding)} and "
            f"dilation {tuple(dilation)} yields, got {out_hw}; widen the slab or its padding"
        )
    columns = np.empty((slab.shape[0], *kernel, 1, height, width), source.dtype)
    pad = padding_pattern(fill, slab.dtype)
    fill_columns(source[None], *stride, top, left, *dilation, pad, columns, 0, len(columns))
    return columns.reshape(-1, height * width).view(slab.dtype)


def patterns(array: NDArray[Any], name: str, layout: str) -> NDArray[Any]:
    """Return the bit patterns of *array*, C-contiguous: one compiled form for each size.

    Raises
    ------
    DataError
        Unless it is an ndarray of float32 or of integers of 8 or 16 bits, laid out like *layout*.
    """
    if (
        not isinstance(array, np.ndarray)
        or array.ndim != layout.count(",") + 1
        or not (array.dtype == np.float32 or (array.dtype.kind in "iu" and array.itemsize <= 2))
    ):
        got = (
            f"{array.shape} of {array.dtype}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        raise DataError(
            f"{name} must be a float32 ndarray {layout}, or one of integers of 8 or 16 bits, got "
            f"{got}; convert with numpy.asarray(x, numpy.float32) or quantize it, and reshape"
        )
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def padding_pattern(fill: float, dtype: np.dtype[Any]) -> Any:
    """Return the bit pattern of *fill*; raise DataError unless *dtype* holds it."""
    if type(fill) is int and fill == 0:
        return np.dtype(f"u{dtype.itemsize}").type(0)
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.asarray(fill).astype(dtype)
    if value.ndim or value != fill:
        raise DataError(
            f"fill must be one value of the slab's dtype {dtype}, got {fill!r}; pass the zero "
            "point of the operands, or 0"
        )
    return value.view(f"u{dtype.itemsize}")[()]


def sides_of(padding: Sequence[int]) -> tuple[int, int, int, int]:
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


def outputs_along(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the outputs along one padded dimension; below 1 when the kernel does not fit."""
    if min(kernel, stride, dilation) < 1:
        raise DataError(
            f"kernel, stride and dilation must be at least 1, got {kernel}, {stride} and {dilation}"
        )
    return (size - dilation * (kernel - 1) - 1) // stride + 1


@jit
def fill_columns(  # type: ignore[no-untyped-def]
    images, down, right, top, left, dilation_down, dilation_right, pad, columns, first, last
):
    """Fill ``columns[c, r, s, n, p, q]`` with the operand of tap (c, r, s) at output (n, p, q).

    For the channels *c* from *first* to *last*.
    """
    _, rows, cols, count, out_height, out_width = columns.shape
    if right == down == 1 and out_width == images.shape[3]:
        _fill_planes(images, top, left, dilation_down, dilation_right, pad, columns, first, last)
        return
    height, width = images.shape[2:]
    for s in range(cols):
        offset = s * dilation_right - left
        # Outputs whose operand lies inside of its row.
        start = min(out_width, max(0, -(offset // right)))
        stop = max(start, min(out_width, (width - 1 - offset) // right + 1))
        for n in range(count):
            for c in range(first, last):
                for r in range(rows):
                    for p in range(out_height):
                        h = p * down + r * dilation_down - top
                        out = columns[c, r, s, n, p]
                        if not 0 <= h < height:
                            out[:] = pad
                            continue
                        row = images[n, c, h]
                        for q in range(start):
                            out[q] = pad
                        if right == 1:
                            copy_items(out, start, row, start + offset, stop - start)
                        else:
                            for q in range(start, stop):
                                out[q] = row[q * right + offset]
                        for q in range(stop, out_width):
                            out[q] = pad


@jit
def _fill_planes(  # type: ignore[no-untyped-def]
    images, top, left, dilation_down, dilation_right, pad, columns, first, last
):
    """Fill columns where stride is 1 and rows of outputs are as long as those of the image.

    A plane of outputs then is the image moved by so many places, but for its edges.
    """
    _, rows, cols, count, out_height, width = columns.shape
    height = images.shape[2]
    for c in range(first, last):
        for r in range(rows):
            down = r * dilation_down - top
            above = min(out_height, max(0, -down))
            below = max(above, min(out_height, height - down))
            for s in range(cols):
                offset = s * dilation_right - left
                # Outputs of a row whose operand lies inside of the image's row.
                start = min(width, max(0, -offset))
                stop = max(start, min(width, width - offset))
                shift = down * width + offset
                low, high = max(above * width, -shift), min(below * width, height * width - shift)
                for n in range(count):
                    out, source = columns[c, r, s, n].reshape(-1), images[n, c].reshape(-1)
                    out[: above * width] = pad
                    out[below * width :] = pad
                    copy_items(out, low, source, low + shift, max(0, high - low))
                    for p in range(above, below):
                        for q in range(start):
                            out[p * width + q] = pad
                        for q in range(stop, width):
                            out[p * width + q] = pad
