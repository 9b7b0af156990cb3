"""Pooling of torch becomes layers of the vector unit, along one dimension or two.

What has one dimension is an image of one row.
"""

from __future__ import annotations

from typing import Any

from accelsim.layer import VectorLayer
from accelsim.tracing.builder import Arguments, Builder, shape_of
from accelsim.tracing.words import Words
from accelsim.windows import Pooling

__all__ = ["POOLING"]


Pair = tuple[int, int]


def _max_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    rank = len(shape_of(node, arguments["self"])) - 2
    pooling = Pooling(*_window(arguments, rank), arguments.pair("dilation", rank))
    _add_pooling(builder, node, "max_pool2d", pooling, arguments)


def _avg_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    rank = len(shape_of(node, arguments["self"])) - 2
    pooling = Pooling(
        *_window(arguments, rank),
        count_include_pad=bool(arguments["count_include_pad"]),
        divisor=arguments["divisor_override"] if rank == 2 else None,
    )
    _add_pooling(builder, node, "avg_pool2d", pooling, arguments)


def _window(arguments: Arguments, rank: int) -> tuple[Pair, Pair, Pair]:
    """Return kernel, stride and padding."""
    stride = "stride" if arguments["stride"] else "kernel_size"
    return (
        arguments.pair("kernel_size", rank),
        arguments.pair(stride, rank),
        arguments.pair("padding", rank, 0),
    )


def _add_pooling(
    builder: Builder, node: Any, op: str, pooling: Pooling, arguments: Arguments
) -> None:
    words, view, after = builder.images(node, arguments["self"])
    name = builder.name(node)
    before = words.shape
    builder.layers.append(VectorLayer(name, op, words.source, before, after, pooling, view))
    builder.put(node, Words.dense(name, shape_of(node, node)))


POOLING = {
    "aten.max_pool1d.default": _max_pool,
    "aten.max_pool2d.default": _max_pool,
    "aten.avg_pool1d.default": _avg_pool,
    "aten.avg_pool2d.default": _avg_pool,
}
"""Operator -> what adds a node of it to a builder."""
