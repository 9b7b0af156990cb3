"""Pooling: windows that stop at the image, at its padding, or hang over both."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table, torch_pads
from accelsim.onnx.convolution import window

__all__ = ["POOLING"]


def _max_pool(call: Call, x: Tensor) -> Tensor:
    pool = _of_rank(call, x, functional.max_pool1d, functional.max_pool2d)
    return _pooled(call, x, pool, pads_count=False)


def _average_pool(call: Call, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    if any(step != 1 for step in call.ints("dilations", rank, 1)):
        raise call.error("torch has no average pooling with dilations, so it is not modelled")
    pool = _of_rank(call, x, functional.avg_pool1d, functional.avg_pool2d)
    counted = bool(call.get("count_include_pad", 0))

    def average(x: Tensor, *sizes: tuple[int, ...], dilation: object, ceil_mode: bool) -> Tensor:
        return pool(x, *sizes, ceil_mode=ceil_mode, count_include_pad=counted)

    return _pooled(call, x, average, pads_count=counted)


def _pooled(call: Call, x: Tensor, pool: Callable[..., Tensor], pads_count: bool) -> Tensor:
    """Return *pool* of *x*; if *pads_count* the padding's zeros are pixels.

    Windows start at the padding in front, so that is what torch must be told; where they end
    behind the image makes no difference to what they hold, only to how many of them there are.
    """
    kernel, rank = tuple(call["kernel_shape"]), x.dim() - 2
    stride, dilation, before, after = window(call, x.shape[2:], kernel)
    ceil, counts = bool(call.get("ceil_mode", 0)), list[int]()
    for extent, k, s, d, b, a in zip(
        x.shape[2:], kernel, stride, dilation, before, after, strict=True
    ):
        room = extent + b + a - d * (k - 1) - 1
        count = (-(-room // s) if ceil else room // s) + 1
        # No window starts behind the image and the padding in front.
        counts.append(min(count, -(-(extent + b) // s)) if ceil else count)
    if min(counts) < 1:
        raise call.error(f"its kernel {kernel} is larger than the padded input {tuple(x.shape)}")
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(2 * b > size for b, size in zip(before, reach, strict=True)):
        raise call.error(f"its pads {before} are more than half its kernel {kernel}")
    if pads_count and before != after:
        x = functional.pad(x, torch_pads(zip(before, after, strict=True)))
        before = (0,) * rank
    made = pool(x, kernel, stride, before, dilation=dilation, ceil_mode=False)
    if list(made.shape[2:]) != counts:
        made = pool(x, kernel, stride, before, dilation=dilation, ceil_mode=True)
    for at, count in enumerate(counts, start=2):
        if made.shape[at] < count:
            raise call.error(f"its last windows lie in its padding {before}, {after} alone")
        if made.shape[at] > count:
            made = made.narrow(at, 0, count)
    return made


def _of_rank(call: Call, x: Tensor, one: Callable, two: Callable) -> Callable:
    if x.dim() not in (3, 4):
        raise call.error(f"its input must be (N, C, H, W) or (N, C, W), got {tuple(x.shape)}")
    return one if x.dim() == 3 else two


def _global_average(call: Call, x: Tensor) -> Tensor:
    pool = _of_rank(call, x, functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d)
    return pool(x, 1)


def _global_max(call: Call, x: Tensor) -> Tensor:
    pool = _of_rank(call, x, functional.adaptive_max_pool1d, functional.adaptive_max_pool2d)
    return pool(x, 1)


POOLING: Table = {
    "MaxPool": Operator(_max_pool),
    "AveragePool": Operator(_average_pool),
    "GlobalAveragePool": Operator(_global_average),
    "GlobalMaxPool": Operator(_global_max),
}
"""Operator -> how it is computed."""
