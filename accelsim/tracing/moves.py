"""Operators of torch that move whole rows and columns, or interpolate between them; concatenations.

Where a row, or a column, goes torch itself says, by doing it to their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.layer import Operand, Parameter, VectorLayer, View
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import (
    Builder,
    Handler,
    as_images,
    by_operator,
    four,
    shape_of,
    where,
)
from accelsim.tracing.words import MixedImagesError, Words, axes, side_by_side
from accelsim.windows import Blend, Gather, linear_taps

__all__ = ["MOVES", "add_gather"]

Map = tuple[int, ...]
"""Where each element of a dimension comes from, -1 for a constant."""


def add_gather(
    builder: Builder,
    node: Any,
    name: str,
    words: Words,
    maps: Mapping[int, Map],
    *,
    op: str = "pad",
    fill: float = 0.0,
) -> Words:
    """Add layers that gather *words* along the dimensions of *maps*; return the last one's output.

    A layer gathers along two dimensions at most: its rows and its columns.
    """
    several = list(maps.items())
    for first in range(0, len(several), 2):
        part = dict(several[first : first + 2])
        words = _gather(builder, node, name, words, part, op=op, fill=fill)
        name = builder.name(node, f"_{op}")
    return words


def _gather(
    builder: Builder, node: Any, name: str, words: Words, maps: Mapping[int, Map], **how: Any
) -> Words:
    moved = sorted(maps)
    rank = len(words.dims)
    if len(moved) == 1:
        # Its rows are those of the dimension, and what lies within them are the columns.
        (at,) = moved
        outer, rows, columns = [*range(at)], [at], [*range(at + 1, rank)]
        window = Gather(maps[at], None, how["fill"])
    else:
        outer = [at for at in range(rank) if at not in moved]
        rows, columns = [moved[0]], [moved[1]]
        window = Gather(maps[moved[0]], maps[moved[1]], how["fill"])
    order = [*outer, *rows, *columns]

    def use(words: Words) -> tuple[Words, View]:
        before, inner = words.dims[: len(outer)], words.dims[len(outer) + 1 :]
        if any(axis.of_images for dim in words.dims[len(outer) :] for axis in dim):
            raise MixedImagesError
        kept = [[axis] for dim in before for axis in dim if not axis.of_images]
        within = [axis for dim in inner for axis in dim]
        return words, words.view([*kept, *([()] * (not kept)), words.dims[len(outer)], within])

    words, view = builder.arranged(node, words.permuted(order), use)
    height = len(window.rows)
    width = view.shape[-1] if window.columns is None else len(window.columns)
    whole = (*view.shape[:-2], height, width)
    builder.layers.append(
        VectorLayer(name, how["op"], words.source, view.shape, whole, window, view)
    )
    within = words.dims[len(outer) + 1 :] if window.columns is None else [axes(width, 1)]
    made = words.made_by(name, [*words.dims[: len(outer)], axes(height, 1), *within])
    return made.permuted([order.index(at) for at in range(rank)])


def _move(builder: Builder, node: Any, arguments: Arguments) -> None:
    if builder.is_constant(node.args[0]):
        tensor = builder.constants[node.args[0].name]
        builder.constants[node.name] = node.target(tensor, *node.args[1:], **node.kwargs)
        return
    words, rank = builder.words(node, node.args[0]), len(shape_of(node, node))
    words = words.expanded((*(1,) * (rank - len(words.shape)), *words.shape))
    maps = {}
    for at, where_from in enumerate(_maps(node, arguments, words.shape)):
        first, count = where_from[0], len(where_from)
        if where_from != tuple(range(first, first + count)) or first < 0:
            maps[at] = where_from
        else:
            words = builder.arranged(node, words, methodcaller("cut", at, first, count, 1))
    if maps:
        op = node.target._schema.name.removeprefix("aten::").strip("_")
        fill = _fill(node, arguments)
        words = add_gather(builder, node, builder.name(node), words, maps, op=op, fill=fill)
    builder.put(node, words)


def _fill(node: Any, arguments: Arguments) -> float:
    """Return the constant that *node* pads with."""
    value = arguments.get("value", None)
    return 0.0 if value is None else float(value)


def _maps(node: Any, arguments: Arguments, shape: tuple[int, ...]) -> list[Map]:
    """Return of each dimension of what *node* makes of a tensor of *shape* where it comes from."""
    import torch

    given = {one.name: arguments[one.name] for one in node.target._schema.arguments[1:]}
    if "value" in given and given.get("mode", "constant") == "constant":
        given["value"] = -1.0
    found, rank = [], len(shape)
    for at, size in enumerate(shape):
        numbers = torch.arange(size, dtype=torch.float64)
        alone = numbers.reshape([size if axis == at else 1 for axis in range(rank)])
        made = node.target(alone.expand(shape).contiguous(), **given)
        places = made.amax([axis for axis in range(rank) if axis != at])
        found.append(tuple(int(place) for place in places.tolist()))
    return found


def _flat(name: str) -> Handler:
    """Return the handler of operators that take all elements as one row without *name*."""

    def handle(builder: Builder, node: Any, arguments: Arguments) -> None:
        if arguments[name] in (None, []):
            raise TraceError(
                f"{where(node)}: {node.target._schema.name.removeprefix('aten::')} of all elements "
                f"mixes images; give {name}"
            )
        _move(builder, node, arguments)

    return handle


def _linear(builder: Builder, node: Any, arguments: Arguments) -> None:
    words, view = builder.images(node, as_images(builder.words(node, node.args[0])))
    after = shape_of(node, node)
    scales: Sequence[float | None] = arguments["scale_factors"] or [None] * (len(after) - 2)
    corners = bool(arguments["align_corners"])
    one_column = linear_taps(1, 1, align_corners=corners)
    taps = [
        linear_taps(size, outputs, align_corners=corners, scale=scale)
        for size, outputs, scale in zip(
            shape_of(node, node.args[0])[2:], after[2:], scales, strict=True
        )
    ]
    rows, columns = (*taps, one_column)[:2]
    window = Blend(rows, columns)
    whole = (*after[:2], len(rows), len(columns))
    name, op = builder.name(node), "upsample_bilinear2d"
    builder.layers.append(VectorLayer(name, op, words.source, words.shape, whole, window, view))
    builder.put(node, Words.dense(name, after))


def _concat(builder: Builder, node: Any, arguments: Arguments) -> None:
    # hstack has no such argument.
    _add_concat(builder, node, node.args[0], arguments.get("dim", 1))


def _stack(builder: Builder, node: Any, arguments: Arguments) -> None:
    _add_concat(builder, node, node.args[0], arguments["dim"], new=True)


def _add_concat(
    builder: Builder, node: Any, values: Sequence[Any], dim: int, *, new: bool = False
) -> None:
    """Add a layer that writes tensors one behind the other, along a *new* dimension or not."""
    after = shape_of(node, node)
    at = dim % len(after)
    if all(builder.is_constant(value) for value in values):
        tensors = [builder.constants[value.name] for value in values]
        builder.constants[node.name] = node.target(tensors, dim)
        return
    if at == 0:
        raise MixedImagesError
    name, strides = builder.name(node), View.dense(after).strides
    made, constant = list[tuple[Operand, View]](), list[tuple[Parameter, View]]()
    first = 0
    for value in values:
        operand = _operand(builder, node, value, at if new else None)
        shape = operand.view.shape
        place = View(shape, strides, first * strides[at])
        first += shape[at]
        view, place = side_by_side(operand.view, place)
        if isinstance(operand, Operand):
            made.append((operand._replace(view=view), place))
        else:
            constant.append((replace(operand, view=view), place))
    # The ifmap is the output of a layer.
    (ifmap, _), *others = made
    layer = VectorLayer(
        name,
        "concat",
        ifmap.source,
        ifmap.view.shape,
        four(after),
        view=ifmap.view,
        others=(*(one for one, _ in others), *(one for one, _ in constant)),
        places=tuple(place for _, place in (*made, *constant)),
    )
    builder.layers.append(layer)
    builder.put(node, Words.dense(name, after))


def _operand(builder: Builder, node: Any, value: Any, new: int | None) -> Operand | Parameter:
    """Return tensor *value* as what *node* reads, with a dimension of size 1 more at *new*."""
    images = shape_of(node, node)[0]
    if builder.is_constant(value):
        values = builder.constant(node, value, "operand")
        if new is not None:
            values = np.expand_dims(values, new)
        if values.shape[0] != images or not (values == values[:1]).all():
            raise MixedImagesError
        one = np.ascontiguousarray(values[:1])
        inner = View.dense(one.shape).strides[1:]
        return Parameter(one, View((images, *one.shape[1:]), (0, *inner)))

    def use(words: Words) -> Operand:
        if not words.images_first:
            raise MixedImagesError
        return Operand(words.source, words.view(words.dims[1:]))

    words = builder.words(node, value)
    return builder.arranged(node, words if new is None else words.within(new), use)


_KINDS: dict[Handler, str] = {
    _move: "pad.default constant_pad_nd.default flip.default repeat.default tile.default "
    "upsample_nearest1d.vec upsample_nearest2d.vec _upsample_nearest_exact1d.vec "
    "_upsample_nearest_exact2d.vec",
    _flat("dims"): "roll.default",
    _flat("dim"): "repeat_interleave.self_int",
    _linear: "upsample_linear1d.vec upsample_bilinear2d.vec",
    _concat: "cat.default concat.default concatenate.default hstack.default",
    _stack: "stack.default",
}

MOVES = by_operator(_KINDS)
"""Operator -> what adds a node of it to a builder."""
