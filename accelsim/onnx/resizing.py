"""Resize and Upsample, as far as torch interpolates the same pixels."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table, Value

__all__ = ["RESIZING"]


def _resize(call: Call, x: Tensor, roi: Value, scales: Value = None, sizes: Value = None) -> Tensor:
    if call.version < 11:
        # Opset 10: (X, scales), and pixels lie on their corners.
        return _interpolated(call, x, roi, None, "asymmetric", "floor")
    for name, expected in (
        ("antialias", 0),
        ("exclude_outside", 0),
        ("keep_aspect_ratio_policy", "stretch"),
    ):
        call.refuse(name, expected)
    if call.get("axes") is not None:
        scales, sizes = _over_all(call, x, scales, 1.0), _over_all(call, x, sizes, None)
    where, how = call["coordinate_transformation_mode"], call["nearest_mode"]
    return _interpolated(call, x, scales, sizes, where, how)


def _upsample(call: Call, x: Tensor, scales: Value = None) -> Tensor:
    given = call.get("scales") if scales is None else scales
    return _interpolated(call, x, given, None, "asymmetric", "floor")


def _over_all(call: Call, x: Tensor, values: Value, rest: float | None) -> Value:
    """Return what is given for some axes for all of them; the others keep their size."""
    if values is None or np.size(values) == 0:
        return values
    found = [extent if rest is None else rest for extent in x.shape]
    for axis, value in zip(call["axes"], np.asarray(values), strict=True):
        found[call.axis(axis, x.dim())] = value
    return np.array(found)


def _interpolated(
    call: Call, x: Tensor, scales: Value, sizes: Value, where: str, how: str
) -> Tensor:
    if x.dim() not in (3, 4):
        raise call.error(f"its input must be (N, C, H, W) or (N, C, W), got {tuple(x.shape)}")
    factors, wanted = _factors(call, x, scales, sizes)
    call.check_size((*x.shape[:2], *wanted))
    extents = tuple(x.shape[2:])
    mode = call["mode"]
    if mode == "nearest":
        found = _nearest(call, extents, wanted, factors, where, how)
        return functional.interpolate(x, wanted, mode=found)
    kind = {("linear", 1): "linear", ("linear", 2): "bilinear", ("cubic", 2): "bicubic"}.get(
        (mode, len(wanted))
    )
    if kind is None or where not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise call.error(
            f"mode {mode!r} with coordinates {where!r} in {len(wanted)} dimensions is none of "
            "torch's interpolations; export it with half_pixel or align_corners"
        )
    if mode == "cubic":
        call.refuse("cubic_coeff_a", -0.75)
    if where == "align_corners":
        return functional.interpolate(x, wanted, mode=kind, align_corners=True)
    if where == "pytorch_half_pixel" and 1 in wanted:
        raise call.error("an output of one pixel with pytorch_half_pixel is not torch's own")
    if wanted == tuple(extent * factor for extent, factor in zip(extents, factors, strict=True)):
        return functional.interpolate(x, wanted, mode=kind, align_corners=False)
    return functional.interpolate(
        x, scale_factor=factors, mode=kind, align_corners=False, recompute_scale_factor=False
    )


def _factors(
    call: Call, x: Tensor, scales: Value, sizes: Value
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return by how much each spatial dimension grows, and how large it becomes."""
    if scales is not None and np.size(scales):
        found = [float(scale) for scale in np.asarray(scales).reshape(-1)]
        wanted = [floor(extent * scale) for extent, scale in zip(x.shape, found, strict=False)]
    elif sizes is not None and np.size(sizes):
        wanted = [int(size) for size in np.asarray(sizes).reshape(-1)]
        if call.batch is not None and len(wanted) == x.dim() and wanted[0] == call.batch:
            wanted[0] = x.shape[0]
        found = [size / extent for size, extent in zip(wanted, x.shape, strict=False)]
    else:
        raise call.error("it has neither scales nor sizes")
    if len(wanted) != x.dim() or wanted[:2] != list(x.shape[:2]) or min(wanted) < 1:
        raise call.error(f"it makes {tuple(wanted)} of {tuple(x.shape)}; only pixels are resized")
    return tuple(found[2:]), tuple(wanted[2:])


def _nearest(
    call: Call,
    extents: tuple[int, ...],
    wanted: tuple[int, ...],
    factors: tuple[float, ...],
    where: str,
    how: str,
) -> str:
    """Return which of torch's two modes looks at the pixels that ONNX looks at."""
    rounding: dict[str, Callable[..., Any]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda at: np.ceil(at - 0.5),
        "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    }
    coordinates: dict[str, Callable[..., Any]] = {
        "asymmetric": lambda at, size, extent, factor: at / factor,
        "half_pixel": lambda at, size, extent, factor: (at + 0.5) / factor - 0.5,
        "pytorch_half_pixel": lambda at, size, extent, factor: (
            (at + 0.5) / factor - 0.5 if size > 1 else at * 0.0
        ),
        "align_corners": lambda at, size, extent, factor: (
            at * (extent - 1) / (size - 1) if size > 1 else at * 0.0
        ),
    }
    torch_modes = {"nearest": 0.0, "nearest-exact": 0.5}
    if how in rounding and where in coordinates:
        for mode, shift in torch_modes.items():
            same = []
            for extent, size, factor in zip(extents, wanted, factors, strict=True):
                at = np.arange(size)
                onnx = rounding[how](coordinates[where](at, size, extent, factor))
                own = np.floor((at + shift) * (extent / size))
                last = extent - 1
                same.append(np.array_equal(np.clip(onnx, 0, last), np.clip(own, 0, last)))
            if all(same):
                return mode
    raise call.error(
        f"nearest pixels by {where!r} and {how!r} of {extents} for {wanted} are not those that "
        "torch takes; export it with asymmetric and floor"
    )


RESIZING: Table = {
    "Resize": Operator(_resize, constants=(1, 2, 3)),
    "Upsample": Operator(_upsample, constants=(1,)),
}
"""Operator -> how it is computed."""
