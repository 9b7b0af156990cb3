"""What the vector unit computes of windows: pooling, moves of pixels, interpolation.

Torch's CPU kernels walk a window row by row: the maximum keeps a NaN, the average adds in float32
in that order and divides, an adaptive one by the rows and then by the columns. The same order here
gives the same bits. Interpolation rounds every product and every sum to float32, which torch fuses
where the processor can; its bits are those of this module everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.windows import AdaptivePooling, Blend, Gather, Pooling, Tap, Window

__all__ = ["windowed"]

Slab = NDArray[np.float32]


def windowed(
    op: str,
    slab: Slab,
    window: Window,
    rows: tuple[int, int],
    columns: int,
    *,
    slab_row: int = 0,
    height: int | None = None,
) -> Slab:
    """Return some ofmap rows of a layer with windows.

    What a sum is divided by follows torch: of a `Pooling` the divisor if one is given, else the
    window's size, clipped to the padded ifmap, or to the ifmap itself without
    `Pooling.count_include_pad`.

    Parameters
    ----------
    op : str
        With ``max`` in its name the maxima of windows, in which padding is minus infinity.
    slab : float32, (C, some rows, W)
        The ifmap rows that the windows touch, `Window.ifmap_rows` as far as they exist.
    window : Window
    rows : (int, int)
        Ofmap rows wanted, [first, stop).
    columns : int
        Ofmap columns.
    slab_row : int
        Ifmap row of the slab's first row.
    height : int, optional
        Rows of the whole ifmap; the slab's by default.

    Returns
    -------
    float32, (C, stop - first, columns)
    """
    slab, height = np.ascontiguousarray(slab), slab.shape[1] if height is None else height
    out = np.empty((len(slab), rows[1] - rows[0], columns), np.float32)
    if isinstance(window, Pooling):
        _pool("max" in op, slab, window, (window.ifmap_rows(*rows)[0], slab_row, height), out)
    elif isinstance(window, AdaptivePooling):
        bounds = np.array(window.rows[slice(*rows)]) - slab_row, np.array(window.columns)
        (_adaptive_max if "max" in op else _adaptive_avg)(slab, *bounds, out)
    elif isinstance(window, Gather):
        down = np.array(window.rows[slice(*rows)])
        across = np.arange(columns) if window.columns is None else np.array(window.columns)
        out[...] = window.fill
        to_rows, to_columns = np.flatnonzero(down >= 0), np.flatnonzero(across >= 0)
        moved = slab[:, down[to_rows] - slab_row][:, :, across[to_columns]]
        out[:, to_rows[:, None], to_columns] = moved
    elif isinstance(window, Blend):
        _blend(slab, *_taps(window.rows[slice(*rows)], slab_row), *_taps(window.columns), out)
    else:
        raise TypeError(f"window of an unknown kind: {window!r}")
    return out


def _pool(
    maximum: bool, slab: Slab, window: Pooling, rows: tuple[int, int, int], out: Slab
) -> None:
    if maximum:
        padding, dilation = window.padding[1], window.dilation
        _max_pool(slab, window.kernel, window.stride, padding, dilation, *rows, out)
    else:
        counted = (window.count_include_pad, window.divisor or 0)
        _avg_pool(slab, window.kernel, window.stride, window.padding, *counted, *rows, out)


def _taps(taps: tuple[Tap, ...], first_row: int = 0) -> tuple[NDArray[np.int64], Slab]:
    """Return first and second rows, counted from *first_row* on, and weights."""
    places = np.array([(tap.first, tap.second) for tap in taps]) - first_row
    return places, np.array([tap.weight for tap in taps], np.float32)


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


@jit
def _adaptive_max(slab, rows, columns, out):  # type: ignore[no-untyped-def]
    for c in range(out.shape[0]):
        for p in range(out.shape[1]):
            for q in range(out.shape[2]):
                best = np.float32(-np.inf)
                for h in range(rows[p, 0], rows[p, 1]):
                    for w in range(columns[q, 0], columns[q, 1]):
                        value = slab[c, h, w]
                        if value > best or np.isnan(value):
                            best = value
                out[c, p, q] = best


@jit
def _adaptive_avg(slab, rows, columns, out):  # type: ignore[no-untyped-def]
    for c in range(out.shape[0]):
        for p in range(out.shape[1]):
            down = np.float32(rows[p, 1] - rows[p, 0])
            for q in range(out.shape[2]):
                across = np.float32(columns[q, 1] - columns[q, 0])
                total = np.float32(0)
                for h in range(rows[p, 0], rows[p, 1]):
                    for w in range(columns[q, 0], columns[q, 1]):
                        total += slab[c, h, w]
                out[c, p, q] = total / down / across


@jit
def _blend(slab, rows, down, columns, across, out):  # type: ignore[no-untyped-def]
    for c in range(out.shape[0]):
        for p in range(out.shape[1]):
            for q in range(out.shape[2]):
                weight, left, right = across[q], columns[q, 0], columns[q, 1]
                value = _between(slab[c, rows[p, 0], left], slab[c, rows[p, 0], right], weight)
                if down[p] > 0:
                    row = rows[p, 1]
                    below = _between(slab[c, row, left], slab[c, row, right], weight)
                    value = _between(value, below, down[p])
                out[c, p, q] = value


@jit
def _between(first, second, weight):  # type: ignore[no-untyped-def]
    if weight == 0:
        return first
    return (np.float32(1) - weight) * first + weight * second
