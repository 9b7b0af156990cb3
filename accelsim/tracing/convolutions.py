"""Convolutions of torch become layers: along one dimension or two, on whatever padding.

What has one dimension is an image of one column, so that a long one can be cut into tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.layer import LayerShape, MacLayer
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import (
    Builder,
    Handler,
    as_images,
    by_operator,
    plane_of,
    shape_of,
    where,
)
from accelsim.tracing.moves import add_gather
from accelsim.tracing.words import Words

__all__ = ["CONVOLUTIONS"]

Pair = tuple[int, int]


def _convolution(builder: Builder, node: Any, arguments: Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    rank = weight.ndim - 2
    weight = weight.reshape(*weight.shape[:2], *plane_of(weight.shape))
    dilation, stride = arguments.pair("dilation", rank), arguments.pair("stride", rank)
    words = _images(builder, node, arguments, rank)
    padding = arguments["padding"]
    if not isinstance(padding, str):
        padding = arguments.pair("padding", rank, 0)
    elif padding == "valid":
        padding = (0, 0)
    else:
        totals = [step * (size - 1) for size, step in zip(weight.shape[2:], dilation, strict=True)]
        padding = (totals[0] // 2, totals[1] // 2)
        # Where it is odd, torch pads one more at the end.
        maps = {
            at: (*range(size), -1)
            for at, size, total in zip((2, 3), words.shape[2:], totals, strict=True)
            if total % 2
        }
        if maps:
            words = add_gather(builder, node, builder.name(node, "_pad"), words, maps)
    window = (stride, padding, dilation, int(arguments["groups"]))
    _add(builder, node, f"conv{rank}d", words, weight, arguments["bias"], window)


def _transposed(builder: Builder, node: Any, arguments: Arguments) -> None:
    """Add a convolution of images with zeros between their pixels, its kernel turned.

    Its padding is what the kernel reaches less that of the transposed one; where this is negative,
    pixels are cut off. `accelsim.nn.lowering` does the same.
    """
    weight = builder.constant(node, arguments["weight"], "weight")
    rank, groups = weight.ndim - 2, int(arguments["groups"])
    c, m, *_ = weight.shape
    weight = weight.reshape(groups, c // groups, m, *plane_of(weight.shape))
    turned = weight.swapaxes(1, 2)[..., ::-1, ::-1].reshape(groups * m, -1, *weight.shape[3:])
    stride, dilation = arguments.pair("stride", rank), arguments.pair("dilation", rank)
    less, more = (arguments.pair(name, rank, 0) for name in ("padding", "output_padding"))
    words = _images(builder, node, arguments, rank)
    margins, maps = [], {}
    for axis, size in enumerate(words.shape[2:]):
        margin = dilation[axis] * (turned.shape[2 + axis] - 1) - less[axis]
        spread = [-1] * ((size - 1) * stride[axis] + 1 + more[axis])
        spread[: (size - 1) * stride[axis] + 1 : stride[axis]] = range(size)
        cut = max(0, -margin)
        spread = spread[cut : len(spread) - cut]
        if not spread:
            raise TraceError(
                f"{where(node)}: padding {less} leaves nothing of {words.shape[2:]} pixels at "
                f"stride {stride}; make it smaller"
            )
        margins.append(max(0, margin))
        if spread != list(range(size)):
            maps[2 + axis] = tuple(spread)
    if maps:
        name = builder.name(node, "_spread")
        words = add_gather(builder, node, name, words, maps, op="spread")
    window = ((1, 1), (margins[0], margins[1]), dilation, groups)
    op = f"conv_transpose{rank}d"
    _add(builder, node, op, words, np.ascontiguousarray(turned), arguments["bias"], window)


def _images(builder: Builder, node: Any, arguments: Arguments, rank: int) -> Words:
    """Return the words of the input, (N, C, H, W)."""
    shape_of(node, arguments["input"], rank=rank + 2)
    return as_images(builder.words(node, arguments["input"]))


def _add(
    builder: Builder,
    node: Any,
    op: str,
    words: Words,
    weight: np.ndarray,
    bias: Any,
    window: tuple[Pair, Pair, Pair, int],
) -> None:
    words, view = builder.images(node, words)
    (n, c, h, w), (m, _, r, s) = words.shape, weight.shape
    layer = MacLayer(
        builder.name(node),
        op,
        words.source,
        LayerShape(n, m, c, h, w, r, s, *window),
        weight,
        builder.bias(node, bias),
        view=view,
    )
    builder.layers.append(layer)
    builder.put(node, Words.dense(layer.name, shape_of(node, node)))


_KINDS: dict[Handler, str] = {
    _convolution: "conv1d.default conv1d.padding conv2d.default conv2d.padding",
    _transposed: "conv_transpose1d.default conv_transpose2d.input",
}

CONVOLUTIONS = by_operator(_KINDS)
"""Operator -> what adds a node of it to a builder."""
