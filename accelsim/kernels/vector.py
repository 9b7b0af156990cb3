"""What the vector unit computes: ReLU, max and average pooling, with torch's bits.

Torch's CPU kernels walk a window row by row: the maximum keeps a NaN, the average adds in float32
in that order and divides once. The same order here gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.layer import Pooling

__all__ = ["pool2d", "relu"]

Slab = NDArray[np.float32]


def relu(values: Slab) -> Slab:
    """Return *values* with the negative ones as +0; as in torch a NaN and -0 stay what they are."""
    return np.where(values < 0, np.float32(0), values)


def pool2d(
    op: str,
    slab: Slab,
    pooling: Pooling,
    out_hw: tuple[int, int],
    *,
    first_row: int,
    slab_row: int,
    height: int,
) -> Slab:
    """Return the window maxima or means of some ofmap rows.

    What a sum is divided by follows torch: the divisor if one is given, else the window's size,
    clipped to the padded ifmap, or to the ifmap itself without `Pooling.count_include_pad`.

    Parameters
    ----------
    op : str
        ``"max_pool2d"`` or ``"avg_pool2d"``.
    slab : float32, (C, rows, W)
        The ifmap rows that the windows touch.
    pooling : Pooling
        The window; for maxima the padding is minus infinity.
    out_hw : (int, int)
        Ofmap rows and columns wanted.
    first_row : int
        Ifmap row of the first window's first row; negative inside the padding.
    slab_row : int
        Ifmap row of the slab's first row.
    height : int
        Rows of the whole ifmap.

    Returns
    -------
    float32, (C, *out_hw)
    """
    out = np.empty((slab.shape[0], *out_hw), np.float32)
    rows = (first_row, slab_row, height)
    if op == "max_pool2d":
        padding, dilation = pooling.padding[1], pooling.dilation
        _max_pool(slab, pooling.kernel, pooling.stride, padding, dilation, *rows, out)
    else:
        counted = (pooling.count_include_pad, pooling.divisor or 0)
        _avg_pool(slab, pooling.kernel, pooling.stride, pooling.padding, *counted, *rows, out)
    return out


@jit
def _max_pool(slab, kernel, stride, pad_w, dilation, first_row, slab_row, height, out):  # type: ignore[no-untyped-def]
    channels, _, width = slab.shape
    for c in range(channels):
        for p in range(out.shape[1]):
            for q in range(out.shape[2]):
                best = np.float32(-np.inf)
                for r in range(kernel[0]):
                    h = first_row + p * stride[0] + r * dilation[0]
                    if h < 0 or h >= height:
                        continue
                    for s in range(kernel[1]):
                        w = q * stride[1] - pad_w + s * dilation[1]
                        if w < 0 or w >= width:
                            continue
                        value = slab[c, h - slab_row, w]
                        if value > best or np.isnan(value):
                            best = value
                out[c, p, q] = best


@jit
def _avg_pool(  # type: ignore[no-untyped-def]
    slab, kernel, stride, padding, include_pad, divisor, first_row, slab_row, height, out
):
    channels, _, width = slab.shape
    for c in range(channels):
        for p in range(out.shape[1]):
            for q in range(out.shape[2]):
                h_start = first_row + p * stride[0]
                w_start = q * stride[1] - padding[1]
                h_stop = min(h_start + kernel[0], height + padding[0])
                w_stop = min(w_start + kernel[1], width + padding[1])
                size = (h_stop - h_start) * (w_stop - w_start)
                h_start, w_start = max(h_start, 0), max(w_start, 0)
                h_stop, w_stop = min(h_stop, height), min(w_stop, width)
                if divisor != 0:
                    size = divisor
                elif not include_pad:
                    size = (h_stop - h_start) * (w_stop - w_start)
                total = np.float32(0)
                for h in range(h_start, h_stop):
                    for w in range(w_start, w_stop):
                        total += slab[c, h - slab_row, w]
                out[c, p, q] = total / np.float32(size)
