"""Convolutions of torch become layers: along one dimension or two, on whatever padding.

What has one dimension is an image of one row.
"""

from __future__ import annotations

from typing import Any

from accelsim.errors import TraceError
from accelsim.layer import LayerShape, MacLayer
from accelsim.tracing.builder import Arguments, Builder, shape_of, where
from accelsim.tracing.words import Words

__all__ = ["CONVOLUTIONS"]


def _convolution(builder: Builder, node: Any, arguments: Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    rank = weight.ndim - 2
    kernel = (1, *weight.shape[2:])[-2:]
    dilation = arguments.pair("dilation", rank)
    if isinstance(arguments["padding"], str):
        padding = _named_padding(node, arguments["padding"], kernel, dilation)
    else:
        padding = arguments.pair("padding", rank, 0)
    shape_of(node, arguments["input"], rank=weight.ndim)
    words, view, _ = builder.images(node, arguments["input"])
    stride, groups = arguments.pair("stride", rank), int(arguments["groups"])
    (n, c, h, w), (r, s) = words.shape, kernel
    layer = MacLayer(
        builder.name(node),
        f"conv{rank}d",
        words.source,
        LayerShape(n, len(weight), c, h, w, r, s, stride, padding, dilation, groups),
        weight.reshape(*weight.shape[:2], *kernel),
        builder.bias(node, arguments["bias"]),
        view=view,
    )
    builder.layers.append(layer)
    builder.put(node, Words.dense(layer.name, shape_of(node, node)))


def _named_padding(
    node: Any, padding: str, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int]:
    if padding == "valid":
        return (0, 0)
    reach = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    if padding != "same" or any(total % 2 for total in reach):
        raise TraceError(
            f"{where(node)}: padding {padding!r} with a {kernel[0]}x{kernel[1]} kernel is not the "
            "same on both sides; only symmetric padding is modelled"
        )
    return (reach[0] // 2, reach[1] // 2)


CONVOLUTIONS = {
    f"aten.{operator}": _convolution
    for operator in ("conv1d.default", "conv1d.padding", "conv2d.default", "conv2d.padding")
}
"""Operator -> what adds a node of it to a builder."""
