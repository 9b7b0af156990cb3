"""Operators of torch that become layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.layer import LayerShape, MacLayer, Operand, Pooling, VectorLayer, View
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, shape_of, where
from accelsim.tracing.words import (
    Axis,
    MixedImagesError,
    NeedsCopyError,
    Words,
    axes,
    matrices,
    merged,
)

__all__ = ["OPERATORS", "add_matmul"]


def _conv2d(builder: Builder, node: Any, arguments: Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    n, c, h, w = shape_of(node, arguments["input"], rank=4)
    dilation, stride = arguments.pair("dilation"), arguments.pair("stride")
    kernel = (weight.shape[2], weight.shape[3])
    if isinstance(arguments["padding"], str):
        padding = _named_padding(node, arguments["padding"], kernel, dilation)
    else:
        padding = arguments.pair("padding")
    shape = LayerShape(
        n, weight.shape[0], c, h, w, *kernel, stride, padding, dilation, int(arguments["groups"])
    )
    words, view = _images(builder, node, arguments["input"])
    layer = MacLayer(
        builder.name(node),
        "conv2d",
        words.source,
        shape,
        weight,
        _bias(builder, node, arguments["bias"]),
        view=view,
    )
    builder.layers.append(layer)
    builder.put(node, Words.dense(layer.name, layer.output_shape))


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


def _images(builder: Builder, node: Any, value: Any) -> tuple[Words, View | None]:
    """Return the words of (N, C, H, W) and how a layer reads them, None: all in their order."""

    def use(words: Words) -> tuple[Words, View | None]:
        if not words.images_first:
            raise MixedImagesError
        view = words.view(words.dims[1:])
        return words, None if words.in_order else view

    return builder.arranged(node, builder.words(node, value), use)


def _bias(builder: Builder, node: Any, value: Any) -> np.ndarray | None:
    return None if value is None else builder.constant(node, value, "bias")


def _linear(builder: Builder, node: Any, arguments: Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    _add_linear(builder, node, arguments["input"], weight, arguments["bias"])


def _add_linear(
    builder: Builder, node: Any, value: Any, weight: np.ndarray, bias: Any = None
) -> None:
    """Add a linear layer of *weight* (M, C) over the last dimension of the tensor *value*."""

    def use(words: Words) -> tuple[Words, View]:
        return words, words.view([*_rows(words.dims[:-1]), words.dims[-1]])

    words, view = builder.arranged(node, builder.words(node, value), use)
    (n, h, w, c), m = view.shape, len(weight)
    one_row = h == w == 1 and words.in_order
    layer = MacLayer(
        builder.name(node),
        "linear",
        words.source,
        LayerShape(n, m, c, h, w),
        weight.reshape(m, c, 1, 1),
        _bias(builder, node, bias),
        view=None if one_row else view,
    )
    builder.layers.append(layer)
    builder.put(node, words.made_by(layer.name, (*words.dims[:-1], axes(m, 1))))


def _rows(dims: Sequence[tuple[Axis, ...]]) -> tuple[Sequence[Axis], Sequence[Axis]]:
    """Return the axes of all *dims* but the images' as (H, W), of H alone where one is enough."""
    rows = merged(axis for dim in dims for axis in dim if not axis.of_images)
    return (rows, ()) if len(rows) < 2 else (rows[:-1], rows[-1:])


def _matmul(builder: Builder, node: Any, arguments: Arguments) -> None:
    values = arguments.first_two
    ranks = [len(shape_of(node, value)) for value in values]
    if min(ranks) < 2:
        raise TraceError(
            f"{where(node)}: a matmul of tensors of {ranks[0]} and {ranks[1]} dimensions is not "
            "modelled; give both at least 2 with unsqueeze"
        )
    if builder.is_constant(values[1]) and ranks[1] == 2:
        weight = builder.constant(node, values[1], "second operand").T
        _add_linear(builder, node, values[0], np.ascontiguousarray(weight))
        return
    if any(builder.is_constant(value) for value in values):
        raise TraceError(
            f"{where(node)}: of a matmul only the second operand may be a parameter, and of 2 "
            f"dimensions, got ({values[0]}, {values[1]}) of {ranks[0]} and {ranks[1]}; write it as "
            "nn.Linear"
        )
    first, second = (builder.words(node, value) for value in values)
    builder.put(node, add_matmul(builder, node, builder.name(node), first, second))


def _baddbmm(builder: Builder, node: Any, arguments: Arguments) -> None:
    factors = (arguments["beta"], arguments["alpha"])
    if factors != (1, 1):
        raise TraceError(
            f"{where(node)}: beta and alpha of baddbmm must be 1, got {factors}; multiply in "
            "operators of their own"
        )
    first, second = (builder.words(node, arguments[name]) for name in ("batch1", "batch2"))
    products = add_matmul(builder, node, builder.name(node, "_products"), first, second)
    added = builder.operand(node, arguments["self"], products.images)
    builder.put(node, builder.elementwise(node, builder.name(node), "add", products, added))


def add_matmul(builder: Builder, node: Any, name: str, first: Words, second: Words) -> Words:
    """Add a matmul layer of two activations; return its output."""
    first, second = (builder.arranged(node, words, _matrix) for words in (first, second))
    try:
        views = matrices(first, second)
    except NeedsCopyError:
        first, second = builder.copied(node, first), builder.copied(node, second)
        views = matrices(first, second)
    (*batch, m, k), n = views.first.shape, views.second.shape[-1]
    layer = MacLayer(
        name,
        "matmul",
        first.source,
        LayerShape.of_matmul(prod(batch), m, n, k),
        Operand(second.source, views.second),
        None,
        view=views.first,
    )
    builder.layers.append(layer)
    return first.made_by(name, (*views.batch, axes(m, 1), axes(n, 1)))


def _matrix(words: Words) -> Words:
    """Return *words* if each of its last two dimensions is one axis."""
    words.view(words.dims[-2:])
    return words


def _max_pool2d(builder: Builder, node: Any, arguments: Arguments) -> None:
    pooling = Pooling(
        arguments.pair("kernel_size"),
        arguments.pair("stride") if arguments["stride"] else arguments.pair("kernel_size"),
        arguments.pair("padding"),
        arguments.pair("dilation"),
    )
    _add_pooling(builder, node, "max_pool2d", pooling, arguments)


def _avg_pool2d(builder: Builder, node: Any, arguments: Arguments) -> None:
    pooling = Pooling(
        arguments.pair("kernel_size"),
        arguments.pair("stride") if arguments["stride"] else arguments.pair("kernel_size"),
        arguments.pair("padding"),
        count_include_pad=bool(arguments["count_include_pad"]),
        divisor=arguments["divisor_override"],
    )
    _add_pooling(builder, node, "avg_pool2d", pooling, arguments)


def _add_pooling(
    builder: Builder, node: Any, op: str, pooling: Pooling, arguments: Arguments
) -> None:
    before = shape_of(node, arguments["self"], rank=4)
    after = shape_of(node, node, rank=4)
    words, view = _images(builder, node, arguments["self"])
    name = builder.name(node)
    builder.layers.append(VectorLayer(name, op, words.source, before, after, pooling, view))
    builder.put(node, Words.dense(name, after))


OPERATORS = {
    "aten.conv2d.default": _conv2d,
    "aten.conv2d.padding": _conv2d,
    "aten.linear.default": _linear,
    "aten.matmul.default": _matmul,
    "aten.bmm.default": _matmul,
    "aten.mm.default": _matmul,
    "aten.baddbmm.default": _baddbmm,
    "aten.max_pool2d.default": _max_pool2d,
    "aten.avg_pool2d.default": _avg_pool2d,
}
"""Operator -> what adds a node of it to a builder."""
