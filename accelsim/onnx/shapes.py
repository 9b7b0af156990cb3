"""Operators that move words and compute nothing, and those that ask for shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table, Value, torch_pads

__all__ = ["SHAPES"]


def _reshape(call: Call, x: Tensor, shape: np.ndarray) -> Tensor:
    sizes = [int(size) for size in shape]
    if not call.get("allowzero", 0):
        sizes = [size or x.shape[at] for at, size in enumerate(sizes)]
    return x.reshape(_for_images(call, x, sizes))


def _for_images(call: Call, x: Tensor, sizes: list[int]) -> list[int]:
    """Return *sizes* with the images there are, in a file that has another number of them."""
    if call.batch in (None, call.images) or not sizes or sizes[0] != call.batch:
        return sizes
    several = [call.images, *sizes[1:]]
    fits = x.shape[0] == call.images if -1 in sizes else prod(several) == x.numel()
    return several if fits else sizes


def _flatten(call: Call, x: Tensor) -> Tensor:
    axis = call["axis"]
    if axis != x.dim():
        axis = call.axis(axis, x.dim())
    if axis == 1:
        return torch.flatten(x, 1)
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


def _transpose(call: Call, x: Tensor) -> Tensor:
    return x.permute(tuple(call.get("perm") or reversed(range(x.dim()))))


def _squeeze(call: Call, x: Tensor, axes: Value = None) -> Tensor:
    found = call.given(axes, "axes")
    if found is None:
        # The images are no dimension that a file may lose.
        found = tuple(at for at, extent in enumerate(x.shape) if extent == 1 and at > 0)
    over = sorted({call.axis(axis, x.dim()) for axis in found}, reverse=True)
    for axis in over:
        if x.shape[axis] != 1:
            raise call.error(f"dimension {axis} of {tuple(x.shape)} is not 1")
        x = x.squeeze(axis)
    return x


def _unsqueeze(call: Call, x: Tensor, axes: Value = None) -> Tensor:
    found = call.given(axes, "axes") or ()
    rank = x.dim() + len(found)
    for axis in sorted(call.axis(axis, rank) for axis in found):
        x = x.unsqueeze(axis)
    return x


def _concat(call: Call, *several: Tensor) -> Tensor:
    return torch.cat(several, call.axis(call["axis"], several[0].dim()))


def _slice(
    call: Call,
    x: Tensor,
    starts: Value = None,
    ends: Value = None,
    axes: Value = None,
    steps: Value = None,
) -> Tensor:
    first, last = call.given(starts, "starts"), call.given(ends, "ends")
    if first is None or last is None:
        raise call.error("its starts or ends are missing")
    over = call.given(axes, "axes") or tuple(range(len(first)))
    by = call.given(steps, "steps") or (1,) * len(first)
    for start, end, axis, step in zip(first, last, over, by, strict=True):
        at = call.axis(axis, x.dim())
        if step == 0:
            raise call.error("its step must not be 0")
        chosen = range(*slice(start, end, step).indices(x.shape[at]))
        begin = chosen.start
        if step < 0:
            # The same pixels in a mirror.
            x, begin, step = x.flip(at), x.shape[at] - 1 - begin, -step
        index = [slice(None)] * at + [slice(begin, begin + len(chosen) * step, step)]
        x = x[tuple(index)]
    return x


def _split(call: Call, x: Tensor, sizes: Value = None) -> tuple[Tensor, ...]:
    axis = call.axis(call["axis"], x.dim())
    found = call.given(sizes, "split")
    if found is None:
        parts = call.get("num_outputs") or call.outputs
        size = -(-x.shape[axis] // parts)
        found = (*(size,) * (parts - 1), x.shape[axis] - size * (parts - 1))
    return x.split(found, axis)


def _gather(call: Call, x: Tensor, indices: np.ndarray) -> Tensor:
    axis = call.axis(call["axis"], x.dim())
    extent = x.shape[axis]
    if indices.min(initial=0) < -extent or indices.max(initial=-1) >= extent:
        raise call.error(f"its indices must lie in {-extent}..{extent - 1}")
    found = indices.astype(np.int64) % extent
    if indices.ndim == 0:
        return x.select(axis, int(found))
    flat = found.reshape(-1)
    if flat.size and (np.diff(flat) == 1).all():
        made = x.narrow(axis, int(flat[0]), flat.size)
    else:
        made = x.index_select(axis, torch.from_numpy(flat))
    return made.unflatten(axis, found.shape) if indices.ndim > 1 else made


def _expand(call: Call, x: Tensor, shape: np.ndarray) -> Tensor:
    sizes = np.broadcast_shapes(tuple(x.shape), tuple(map(int, shape)))
    call.check_size(sizes)
    return x.expand(sizes)


_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _pad(
    call: Call, x: Tensor, pads: Value = None, value: Value = None, axes: Value = None
) -> Tensor:
    found, mode = call.given(pads, "pads"), _MODES.get(call["mode"])
    over = call.given(axes, "axes") or tuple(range(x.dim()))
    if mode is None or found is None or len(found) != 2 * len(over):
        raise call.error(f"mode {call['mode']!r} with pads {found} cannot be computed")
    amounts = [(0, 0)] * x.dim()
    for axis, before, after in zip(over, found, found[len(over) :], strict=False):
        amounts[call.axis(axis, x.dim())] = (before, after)
    call.check_size([extent + sum(pair) for extent, pair in zip(x.shape, amounts, strict=True)])
    if mode != "constant":
        return _pad_with_pixels(call, x, amounts, mode)
    fill = call.get("value", 0.0) if value is None else float(np.asarray(value).reshape(()))
    first = next((at for at, pair in enumerate(amounts) if pair != (0, 0)), len(amounts))
    return functional.pad(x, torch_pads(amounts[first:]), value=fill)


def _pad_with_pixels(
    call: Call, x: Tensor, amounts: Sequence[tuple[int, int]], mode: str
) -> Tensor:
    if any(pair != (0, 0) for pair in amounts[:2]) or x.dim() not in (3, 4):
        raise call.error(
            f"mode {call['mode']!r} is for spatial dimensions of (N, C, H, W) or (N, C, W), got "
            f"{amounts} for {tuple(x.shape)}"
        )
    return functional.pad(x, torch_pads(amounts[2:]), mode=mode)


def _depth_to_space(call: Call, x: Tensor) -> Tensor:
    size, (n, c, h, w) = call["blocksize"], x.shape
    if call.get("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, size)
    x = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // size**2, h * size, w * size)


def _space_to_depth(call: Call, x: Tensor) -> Tensor:
    size, (n, c, h, w) = call["blocksize"], x.shape
    x = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * size**2, h // size, w // size)


def _shape(call: Call, x: Tensor) -> np.ndarray:
    whole = np.array(x.shape, np.int64)
    return whole[call.get("start", 0) : call.get("end")]


def _same(call: Call, x: Tensor, *ignored: Value) -> Tensor:
    return x


SHAPES: Table = {
    "Reshape": Operator(_reshape, constants=(1,)),
    "Flatten": Operator(_flatten),
    "Transpose": Operator(_transpose),
    "Squeeze": Operator(_squeeze, constants=(1,)),
    "Unsqueeze": Operator(_unsqueeze, constants=(1,)),
    "Concat": Operator(_concat),
    "Slice": Operator(_slice, constants=(1, 2, 3, 4)),
    "Split": Operator(_split, constants=(1,)),
    "Gather": Operator(_gather, constants=(1,)),
    "Expand": Operator(_expand, constants=(1,)),
    "Pad": Operator(_pad, constants=(1, 2, 3)),
    "DepthToSpace": Operator(_depth_to_space),
    "SpaceToDepth": Operator(_space_to_depth),
    "Shape": Operator(_shape),
    "Size": Operator(lambda call, x: np.array(x.numel(), np.int64)),
    "Identity": Operator(_same),
    "Dropout": Operator(_same, constants=(1, 2)),
}
"""Operator -> how it is computed."""
