"""Pooling of torch becomes layers of the vector unit: along one dimension or two, or over all.

What has one dimension is an image of one column, so that a long one can be cut into tiles.
"""

from __future__ import annotations

from typing import Any

from accelsim.errors import TraceError
from accelsim.layer import VectorLayer, View
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
from accelsim.tracing.words import MixedImagesError, Words, rows_of
from accelsim.windows import AdaptivePooling, Pooling, Window

__all__ = ["POOLING"]

Pair = tuple[int, int]


def _max_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    rank = len(shape_of(node, arguments["self"])) - 2
    pooling = Pooling(*_window(arguments, rank), arguments.pair("dilation", rank))
    _add(builder, node, "max_pool2d", pooling)


def _avg_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    rank = len(shape_of(node, arguments["self"])) - 2
    pooling = Pooling(
        *_window(arguments, rank),
        count_include_pad=bool(arguments["count_include_pad"]),
        divisor=arguments.get("divisor_override", None),
    )
    _add(builder, node, "avg_pool2d", pooling)


def _window(arguments: Arguments, rank: int) -> tuple[Pair, Pair, Pair]:
    """Return kernel, stride and padding."""
    stride = "stride" if arguments["stride"] else "kernel_size"
    return (
        arguments.pair("kernel_size", rank),
        arguments.pair(stride, rank),
        arguments.pair("padding", rank, 0),
    )


def _max_pool_with_indices(builder: Builder, node: Any, arguments: Arguments) -> None:
    _max_pool(builder, node, arguments)
    _first_of_two(builder, node)


def _adaptive_avg_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    if max(_adaptive(node).ofmap) > 1:
        _add(builder, node, "avg_pool2d", _adaptive(node))
    else:
        # As in torch it is the mean of all pixels, divided once.
        rank = len(shape_of(node, node)) - 2
        _reduce(builder, node, "avg_pool2d", range(2, 2 + rank), keepdim=True)


def _adaptive_max_pool(builder: Builder, node: Any, arguments: Arguments) -> None:
    _add(builder, node, "max_pool2d", _adaptive(node))
    _first_of_two(builder, node)


def _adaptive(node: Any) -> AdaptivePooling:
    return AdaptivePooling(plane_of(shape_of(node, node.args[0])), plane_of(_made(node)))


def _made(node: Any) -> tuple[int, ...]:
    """Return the shape of the (first) tensor that *node* makes."""
    made = node.meta["val"]
    return tuple(int(extent) for extent in (made[0] if isinstance(made, tuple) else made).shape)


def _add(builder: Builder, node: Any, op: str, window: Window) -> None:
    after = _made(node)
    if len(after) not in (3, 4):
        raise TraceError(
            f"{where(node)}: its input must be (N, C, H, W) or (N, C, L), got one of "
            f"{len(after)} dimensions"
        )
    words, view = builder.images(node, as_images(builder.words(node, node.args[0])))
    name = builder.name(node)
    whole = (*after[:2], *plane_of(after))
    builder.layers.append(VectorLayer(name, op, words.source, words.shape, whole, window, view))
    builder.put(node, Words.dense(name, after))


def _first_of_two(builder: Builder, node: Any) -> None:
    """Let *node* stand for a list of what it makes, without the indices."""
    builder.lists[node.name] = [builder.tensors.pop(node.name)]


def _mean(builder: Builder, node: Any, arguments: Arguments) -> None:
    if arguments.get("dtype", None) is not None:
        raise TraceError(f"{where(node)}: mean in another type is not modelled; leave dtype out")
    _reduced(builder, node, "avg_pool2d", arguments)


def _amax(builder: Builder, node: Any, arguments: Arguments) -> None:
    _reduced(builder, node, "max_pool2d", arguments)


def _reduced(builder: Builder, node: Any, op: str, arguments: Arguments) -> None:
    dims, rank = arguments.get("dim", None), len(shape_of(node, node.args[0]))
    several = [dims] if isinstance(dims, int) else list(dims or range(rank))
    keepdim = bool(arguments.get("keepdim", False))
    _reduce(builder, node, op, sorted(dim % rank for dim in several), keepdim)


def _reduce(builder: Builder, node: Any, op: str, dims: Any, keepdim: bool) -> None:
    """Let *node* stand for its first argument with some dimensions made one value each.

    Rows and columns of the one window are these dimensions, outermost first.
    """
    rank, gone = len(shape_of(node, node.args[0])), sorted(dims)
    kept = [at for at in range(rank) if at not in gone]

    def use(words: Words) -> tuple[Words, View]:
        before, reduced = words.dims[: len(kept)], words.dims[len(kept) :]
        if any(axis.of_images for dim in reduced for axis in dim):
            raise MixedImagesError
        outer = [[axis] for dim in before for axis in dim if not axis.of_images]
        return words, words.view([*outer, *([()] * (not outer)), *rows_of(reduced)])

    # Should it need a copy, what is reduced becomes one axis.
    words = builder.words(node, node.args[0]).permuted([*kept, *gone])
    words, view = builder.arranged(node, words, use)
    name, (*outer, height, width) = builder.name(node), view.shape
    window = Pooling((height, width), (1, 1))
    whole = (*outer, 1, 1)
    builder.layers.append(VectorLayer(name, op, words.source, view.shape, whole, window, view))
    made = words.made_by(name, words.dims[: len(kept)])
    for at in gone if keepdim else ():
        made = made.within(at)
    builder.put(node, made)


_KINDS: dict[Handler, str] = {
    _max_pool: "max_pool1d.default max_pool2d.default",
    _max_pool_with_indices: "max_pool1d_with_indices.default max_pool2d_with_indices.default",
    _avg_pool: "avg_pool1d.default avg_pool2d.default",
    _adaptive_avg_pool: "adaptive_avg_pool1d.default adaptive_avg_pool2d.default",
    _adaptive_max_pool: "adaptive_max_pool1d.default adaptive_max_pool2d.default",
    _mean: "mean.default mean.dim",
    _amax: "amax.default",
}

POOLING = by_operator(_KINDS)
"""Operator -> what adds a node of it to a builder."""
