"""Softmax and normalizations: operators of torch that need whole rows, or a scale per channel."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, shape_of, where
from accelsim.tracing.words import Words
from accelsim.vector_functions.rows import scale_and_shift

__all__ = ["ROWS", "add_softmax"]

Handler = Callable[[Builder, Any, Arguments], None]


def _softmax(op: str) -> Handler:
    def handle(builder: Builder, node: Any, arguments: Arguments) -> None:
        if str(arguments["dtype"]) not in {"None", "torch.float32"}:
            raise TraceError(
                f"{where(node)}: {op} must be float32, got dtype {arguments['dtype']}; leave it out"
            )
        words = builder.words(node, arguments["self"])
        name = builder.name(node)
        builder.put(node, add_softmax(builder, node, name, op, words, arguments["dim"]))

    return handle


def add_softmax(builder: Builder, node: Any, name: str, op: str, words: Words, dim: int) -> Words:
    """Add a layer of *op* along dimension *dim* of *words*; return its output."""
    rank = len(words.dims)
    order = [at for at in range(rank) if at != dim % rank] + [dim % rank]
    made = builder.elementwise(node, name, op, words.permuted(order))
    return made.permuted([order.index(at) for at in range(rank)])


def _layer_norm(builder: Builder, node: Any, arguments: Arguments) -> None:
    shape, normalized = shape_of(node, arguments["input"]), tuple(arguments["normalized_shape"])
    outer = shape[: len(shape) - len(normalized)]
    count = prod(normalized)
    rows = builder.arranged(
        node,
        builder.words(node, arguments["input"]),
        lambda words: words.reshaped((*outer, count)),
    )
    name = builder.name(node)
    terms = _terms(builder, node, arguments, name, (count,), rows.images)
    made = builder.elementwise(
        node, name, "layer_norm", rows, *terms, settings=(float(arguments["eps"]),)
    )
    builder.put(node, made.reshaped(shape))


def _group_norm(builder: Builder, node: Any, arguments: Arguments) -> None:
    shape, groups = shape_of(node, arguments["input"]), int(arguments["num_groups"])
    images, channels, *pixels = shape
    share = channels // groups
    planes = builder.arranged(
        node,
        builder.words(node, arguments["input"]),
        lambda words: words.reshaped((images, groups, share, prod(pixels))),
    )
    name = builder.name(node)
    terms = _terms(builder, node, arguments, name, (groups, share, 1), planes.images)
    made = builder.elementwise(
        node, name, "group_norm", planes, *terms, settings=(float(arguments["eps"]),)
    )
    builder.put(node, made.reshaped(shape))


def _terms(
    builder: Builder,
    node: Any,
    arguments: Arguments,
    name: str,
    shape: tuple[int, ...],
    images: int,
) -> list[Words]:
    """Return weight and bias as parameters of *shape*, or 1 and 0 where there is none."""
    found = []
    for what, missing in (("weight", 1.0), ("bias", 0.0)):
        values = np.full(1, missing, np.float32)
        if arguments[what] is not None:
            values = builder.constant(node, arguments[what], what).reshape(shape)
        found.append(builder.parameter(f"{name}.{what}", values, images))
    return found


def _batch_norm(builder: Builder, node: Any, arguments: Arguments) -> None:
    if arguments["training"]:
        raise TraceError(
            f"{where(node)}: a batch norm in training mode mixes images; call model.eval() first, "
            "and give it running statistics"
        )
    weight, bias = (
        None if arguments[what] is None else builder.constant(node, arguments[what], what)
        for what in ("weight", "bias")
    )
    mean, variance = (
        builder.constant(node, arguments[what], what) for what in ("running_mean", "running_var")
    )
    terms = scale_and_shift(weight, bias, mean, variance, float(arguments["eps"]))
    words, name = builder.words(node, arguments["input"]), builder.name(node)
    missing = (1,) * (len(words.dims) - 2)
    parameters = (
        builder.parameter(f"{name}.{what}", values.reshape(-1, *missing), words.images)
        for what, values in zip(("scale", "shift"), terms, strict=True)
    )
    builder.put(node, builder.elementwise(node, name, "scale_shift", words, *parameters))


ROWS = {
    "aten.softmax.int": _softmax("softmax"),
    "aten.log_softmax.int": _softmax("log_softmax"),
    "aten.layer_norm.default": _layer_norm,
    "aten.group_norm.default": _group_norm,
    "aten.batch_norm.default": _batch_norm,
}
"""Operator -> what adds a node of it to a builder."""
