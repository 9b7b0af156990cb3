"""Operators of torch that move no words: the same tensor with other dimensions, or a part of it.

What they do to dimensions torch itself says, by doing it to a tensor without memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accelsim.errors import TraceError
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, Handler, by_operator, shape_of, where
from accelsim.tracing.words import Words

__all__ = ["VIEWS", "take"]


def _reshape(builder: Builder, node: Any, arguments: Arguments) -> None:
    import torch

    shape, before = shape_of(node, node), node.args[0].meta["val"]
    try:
        torch.empty_strided(before.shape, before.stride(), device="meta").view(shape)
    except RuntimeError:
        shares = False
    else:
        shares = True
    _view(
        builder,
        node,
        lambda words: words.reshaped(shape),
        lambda tensor: tensor.reshape(shape),
        shares=shares,
    )


def _permute(builder: Builder, node: Any, arguments: Arguments) -> None:
    import torch

    # No two dimensions have the same size, so that their sizes name them.
    rank = len(shape_of(node, node.args[0]))
    named = torch.empty(tuple(range(rank)), device="meta")
    order = tuple(node.target(named, *node.args[1:], **node.kwargs).shape)
    _view(builder, node, lambda words: words.permuted(order), lambda tensor: tensor.permute(order))


def _expand(builder: Builder, node: Any, arguments: Arguments) -> None:
    shape = shape_of(node, node)
    _view(builder, node, lambda words: words.expanded(shape), lambda tensor: tensor.expand(shape))


def _pixel_shuffle(builder: Builder, node: Any, arguments: Arguments) -> None:
    n, c, h, w = shape_of(node, node.args[0], rank=4)
    r = int(arguments["upscale_factor"])
    parts, order = (n, c // (r * r), r, r, h, w), (0, 1, 4, 2, 5, 3)
    _shuffle(builder, node, parts, order)


def _pixel_unshuffle(builder: Builder, node: Any, arguments: Arguments) -> None:
    n, c, h, w = shape_of(node, node.args[0], rank=4)
    r = int(arguments["downscale_factor"])
    _shuffle(builder, node, (n, c, h // r, r, w // r, r), (0, 1, 3, 5, 2, 4))


def _channel_shuffle(builder: Builder, node: Any, arguments: Arguments) -> None:
    n, c, *rest = shape_of(node, node.args[0])
    groups = int(arguments["groups"])
    order = (0, 2, 1, *range(3, 3 + len(rest)))
    _shuffle(builder, node, (n, groups, c // groups, *rest), order)


def _shuffle(builder: Builder, node: Any, parts: Sequence[int], order: Sequence[int]) -> None:
    """Let *node* stand for its first argument with dimensions split into *parts*, in *order*."""
    shape = shape_of(node, node)
    _view(
        builder,
        node,
        lambda words: words.reshaped(parts).permuted(order).reshaped(shape),
        lambda tensor: tensor.reshape(parts).permute(order).reshape(shape),
        shares=False,
    )


def _same(builder: Builder, node: Any, arguments: Arguments) -> None:
    _view(builder, node, lambda words: words, lambda tensor: tensor)


def _clone(builder: Builder, node: Any, arguments: Arguments) -> None:
    _view(builder, node, lambda words: words, lambda tensor: tensor, shares=False)


def _dropout(builder: Builder, node: Any, arguments: Arguments) -> None:
    if arguments["train"]:
        raise TraceError(f"{where(node)}: dropout in training mode; call model.eval() first")
    _same(builder, node, arguments)


def _view(
    builder: Builder,
    node: Any,
    of_words: Callable[[Words], Words],
    of_constant: Callable[[Any], Any],
    *,
    shares: bool = True,
) -> None:
    """Let *node* stand for a view of its first argument, words or a constant.

    *shares* says whether it shares its memory in torch.
    """
    value = node.args[0]
    if builder.is_constant(value):
        builder.constants[node.name] = of_constant(builder.constants[value.name])
        return
    words = builder.arranged(node, builder.words(node, value), of_words)
    builder.put(node, words, builder.storages[value.name] if shares else None)


def _cut(builder: Builder, node: Any, arguments: Arguments) -> None:
    import torch

    value, shape = node.args[0], shape_of(node, node.args[0])
    if builder.is_constant(value):
        tensor = builder.constants[value.name]
        builder.constants[node.name] = node.target(tensor, *node.args[1:], **node.kwargs)
        return
    at, whole = arguments["dim"] % len(shape), torch.empty(shape, device="meta")
    stride = whole.stride(at)
    made = node.target(whole, *node.args[1:], **node.kwargs)
    parts = [made] if isinstance(made, torch.Tensor) else list(made)

    def cut(words: Words) -> list[Words]:
        found = []
        for part in parts:
            start = part.storage_offset() // stride
            if part.dim() < len(shape):
                found.append(words.cut(at, start, 1, 1).without(at))
            else:
                found.append(words.cut(at, start, part.shape[at], part.stride(at) // stride))
        return found

    found = builder.arranged(node, builder.words(node, value), cut)
    if isinstance(made, torch.Tensor):
        builder.put(node, found[0], builder.storages[value.name])
    else:
        builder.lists[node.name] = found
        builder.storages[node.name] = builder.storages[value.name]


def take(builder: Builder, node: Any) -> None:
    """Let *node* stand for one of several tensors that another node has made."""
    several, at = node.args
    builder.check_refused(several)
    if builder.is_constant(several):
        builder.constants[node.name] = builder.constants[several.name][at]
    elif at >= len(builder.lists[several.name]):
        builder.refused[node.name] = (
            "the indices of a maximum pooling are not modelled, nor is unpooling; upsample, or use "
            "a transposed convolution"
        )
    else:
        builder.put(node, builder.lists[several.name][at], builder.storages[several.name])


_KINDS: dict[Handler, str] = {
    _reshape: "view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int "
    "view_as.default reshape_as.default unsqueeze.default squeeze.default squeeze.dim squeeze.dims",
    _permute: "transpose.int swapaxes.default swapdims.default permute.default movedim.int "
    "movedim.intlist moveaxis.int moveaxis.intlist t.default numpy_T.default mT.default",
    _expand: "expand.default expand_as.default broadcast_to.default",
    _cut: "select.int slice.Tensor narrow.default split.Tensor split_with_sizes.default "
    "chunk.default tensor_split.sections tensor_split.indices unbind.int",
    _pixel_shuffle: "pixel_shuffle.default",
    _pixel_unshuffle: "pixel_unshuffle.default",
    _channel_shuffle: "channel_shuffle.default native_channel_shuffle.default",
    _clone: "clone.default contiguous.default",
    _same: "detach.default alias.default",
    _dropout: "dropout.default dropout_.default",
}

VIEWS = by_operator(_KINDS)
"""Operator -> what adds a node of it to a builder."""
