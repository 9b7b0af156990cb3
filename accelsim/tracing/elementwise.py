"""Operators of torch that become a layer of one vector function, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accelsim.errors import TraceError
from accelsim.layer import VectorLayer
from accelsim.tracing.builder import Arguments, Builder, four, shape_of, where

__all__ = ["ELEMENTWISE"]

Handler = Callable[[Builder, Any, Arguments], None]


def unary(op: str, *settings: str) -> Handler:
    """Return the handler of operators of one tensor, whose arguments *settings* are numbers."""

    def handle(builder: Builder, node: Any, arguments: Arguments) -> None:
        add_unary(builder, node, op, tuple(float(arguments[name]) for name in settings))

    return handle


def add_unary(builder: Builder, node: Any, op: str, settings: tuple[float, ...] = ()) -> None:
    """Let *node* stand for vector function *op* of its first argument."""
    value = node.args[0]
    words, name = builder.words(node, value), builder.name(node)
    if not words.whole:
        _no_part(node)
        builder.put(node, builder.elementwise(node, name, op, words, settings=settings))
        return
    # All words of a layer's output: the result has them where the operand has them.
    shape: tuple[int, ...] = (words.images, words.image_words)
    if words.in_order and words.images_first:
        shape = shape_of(node, value)
    builder.layers.append(
        VectorLayer(name, op, words.source, four(shape), four(shape), settings=settings)
    )
    _put(builder, node, name, replace(words, source=name))


def _binary(op: str, swapped: str) -> Handler:
    """Return the handler of operators of two tensors, or of a tensor and a number."""

    def handle(builder: Builder, node: Any, arguments: Arguments) -> None:
        first, second = arguments.first_two
        if arguments.get("alpha", 1) != 1:
            raise TraceError(
                f"{where(node)}: alpha must be 1, got {arguments['alpha']}; multiply the second "
                "operand in an operator of its own"
            )
        if isinstance(second, int | float):
            add_unary(builder, node, op, (float(second),))
            return
        if builder.is_constant(first) and not builder.is_constant(second):
            add_binary(builder, node, swapped, second, first)
        else:
            add_binary(builder, node, op, first, second)

    return handle


def add_binary(builder: Builder, node: Any, op: str, first: Any, second: Any) -> None:
    """Let *node* stand for vector function *op* of two tensors; the second may be a parameter."""
    one = builder.words(node, first)
    other = builder.operand(node, second, one.images)
    name = builder.name(node)
    made = builder.elementwise(node, name, op, one, other)
    if not one.whole or made != replace(one, source=name):
        _no_part(node)
    _put(builder, node, name, made)


def _put(builder: Builder, node: Any, name: str, words: Any) -> None:
    """Let *node* stand for *words*, and what shares its memory too if it works in place."""
    storage = None
    if _in_place(node):
        builder.overwrite(node, node.args[0], name)
        storage = builder.storages[node.args[0].name]
    builder.put(node, words, storage)


def _in_place(node: Any) -> bool:
    return node.target._schema.name.endswith("_")


def _no_part(node: Any) -> None:
    """Refuse to work in place on other words than all of a layer's output, where they lie."""
    if _in_place(node):
        raise TraceError(
            f"{where(node)}: an in-place operator on a part of a tensor is not modelled; call it "
            "out of place"
        )


_KINDS: dict[str, Handler] = {
    "relu.default relu_.default": unary("relu"),
    "add.Tensor add_.Tensor add.Scalar": _binary("add", "add"),
    "sub.Tensor sub_.Tensor sub.Scalar": _binary("sub", "rsub"),
    "rsub.Tensor rsub.Scalar": _binary("rsub", "sub"),
    "mul.Tensor mul_.Tensor mul.Scalar": _binary("mul", "mul"),
    "div.Tensor div_.Tensor div.Scalar": _binary("div", "rdiv"),
}

ELEMENTWISE = {
    f"aten.{operator}": handler
    for operators, handler in _KINDS.items()
    for operator in operators.split()
}
"""Operator -> what adds a node of it to a builder."""
