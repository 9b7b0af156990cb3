"""Windows of the vector unit whose bits are not torch's: means, adaptive ones, interpolation.

They are computed here as the machine computes them, below torch's graph: the backward pass is that
of torch's operator. Torch adds a mean in an order of its own, an adaptive one in another where the
channels come last, and fuses products and sums of interpolations where the processor can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor

from accelsim.kernels import windowed
from accelsim.windows import AdaptivePooling, Blend, Pooling, Window, linear_taps

__all__ = ["WINDOWS"]

Function = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Any]


def _mean(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    values, dims, *rest = args
    rank = values.dim()
    if not dims or kwargs.get("dtype") is not None:
        return operator(*args, **kwargs)
    gone = sorted(dim % rank for dim in dims)
    kept = [at for at in range(rank) if at not in gone]
    last = values.permute(*kept, *gone)
    count = prod(last.shape[len(kept) :])
    rows = last.reshape(-1, 1, count)
    means = _planes("avg_pool2d", rows, Pooling((1, count), (1, 1)), 1, 1)
    keepdim = rest[0] if rest else kwargs.get("keepdim", False)
    shape = [1 if at in gone else size for at, size in enumerate(values.shape)]
    return means.reshape(shape if keepdim else last.shape[: len(kept)])


def _adaptive(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    values, (p, q) = args
    *outer, h, w = values.shape
    made = _planes("avg_pool2d", values, AdaptivePooling((h, w), (p, q)), p, q)
    return made.reshape(*outer, p, q)


def _linear(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    values, sizes, corners, *scales = args
    scales += [None] * (len(sizes) - len(scales))
    taps = [
        linear_taps(size, outputs, align_corners=corners, scale=scale)
        for size, outputs, scale in zip(values.shape[2:], sizes, scales, strict=True)
    ]
    if len(taps) == 1:
        taps.append(linear_taps(1, 1, align_corners=corners))
        values = values.unsqueeze(3)
    rows, columns = (len(some) for some in taps)
    made = _planes("upsample_bilinear2d", values, Blend(*taps), rows, columns)
    return made.reshape(*values.shape[:2], *sizes)


def _planes(op: str, values: Tensor, window: Window, rows: int, columns: int) -> Tensor:
    """Return the ofmaps, (..., rows, columns) as planes, of the last two dimensions of *values*."""
    planes = values.detach().reshape(-1, *values.shape[-2:]).numpy()
    return torch.from_numpy(windowed(op, planes, window, (0, rows), columns))


WINDOWS: dict[str, Function] = {
    "aten.mean.dim": _mean,
    "aten._adaptive_avg_pool2d.default": _adaptive,
    "aten.upsample_linear1d.default": _linear,
    "aten.upsample_bilinear2d.default": _linear,
}
"""Operator -> what computes it: called with it, its arguments and its keyword arguments."""
