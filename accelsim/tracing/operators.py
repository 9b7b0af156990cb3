"""Operators of torch that become layers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.layer import LayerShape, MacLayer, Operand, View
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, shape_of, where
from accelsim.tracing.convolutions import CONVOLUTIONS
from accelsim.tracing.moves import MOVES
from accelsim.tracing.pooling import POOLING
from accelsim.tracing.words import (
    NeedsCopyError,
    Words,
    axes,
    matrices,
    rows_of,
)

__all__ = ["OPERATORS", "add_matmul"]


def _linear(builder: Builder, node: Any, arguments: Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    _add_linear(builder, node, arguments["input"], weight, arguments["bias"])


def _add_linear(
    builder: Builder, node: Any, value: Any, weight: np.ndarray, bias: Any = None
) -> None:
    """Add a linear layer of *weight* (M, C) over the last dimension of the tensor *value*."""

    def use(words: Words) -> tuple[Words, View]:
        return words, words.view([*rows_of(words.dims[:-1]), words.dims[-1]])

    words, view = builder.arranged(node, builder.words(node, value), use)
    (n, h, w, c), m = view.shape, len(weight)
    one_row = h == w == 1 and words.in_order
    layer = MacLayer(
        builder.name(node),
        "linear",
        words.source,
        LayerShape(n, m, c, h, w),
        weight.reshape(m, c, 1, 1),
        builder.bias(node, bias),
        view=None if one_row else view,
    )
    builder.layers.append(layer)
    builder.put(node, words.made_by(layer.name, (*words.dims[:-1], axes(m, 1))))


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


OPERATORS = {
    **CONVOLUTIONS,
    "aten.linear.default": _linear,
    "aten.matmul.default": _matmul,
    "aten.bmm.default": _matmul,
    "aten.mm.default": _matmul,
    "aten.baddbmm.default": _baddbmm,
    **MOVES,
    **POOLING,
}
"""Operator -> what adds a node of it to a builder."""
