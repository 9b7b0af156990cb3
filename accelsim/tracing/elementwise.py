"""Operators of torch that become a layer of one vector function, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from accelsim.errors import TraceError
from accelsim.layer import VectorLayer
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.builder import Builder, four, shape_of, where
from accelsim.tracing.vector_operators import VectorOperator
from accelsim.tracing.words import Words

__all__ = ["ELEMENTWISE", "add_binary", "add_unary", "add_vector_operator"]

Handler = Callable[[Builder, Any, Arguments], None]


def add_vector_operator(
    builder: Builder, node: Any, arguments: Arguments, operator: VectorOperator
) -> None:
    """Let *node* stand for the vector function that its *operator* is."""
    try:
        function, settings = operator.call(arguments)
    except TraceError as error:
        raise TraceError(f"{where(node)}: {error}") from None
    if operator.tensors == 1:
        add_unary(builder, node, function, settings)
        return
    first, second = arguments.first_two
    if isinstance(second, int | float):
        add_unary(builder, node, function, (float(second), *settings))
    else:
        add_binary(builder, node, function, first, second, settings)


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


def add_binary(
    builder: Builder,
    node: Any,
    op: str,
    first: Any,
    second: Any,
    settings: tuple[float, ...] = (),
) -> None:
    """Let *node* stand for vector function *op* of two tensors; the second may be a parameter."""
    one = builder.words(node, first)
    other = builder.operand(node, second, one.images)
    name = builder.name(node)
    _add(builder, node, name, op, (one, other), settings)


def _add(
    builder: Builder,
    node: Any,
    name: str,
    op: str,
    operands: tuple[Words, Words],
    settings: tuple[float, ...],
) -> None:
    """Add layer *name* of two *operands*, in place where *node* works in place."""
    first = operands[0]
    made = builder.elementwise(node, name, op, *operands, settings=settings)
    if not first.whole or made != replace(first, source=name):
        _no_part(node)
    _put(builder, node, name, made)


def _prelu(builder: Builder, node: Any, arguments: Arguments) -> None:
    slopes = builder.constant(node, arguments["weight"], "weight")
    words = builder.words(node, arguments["self"])
    missing = (1,) * (len(words.dims) - 2)
    name = builder.name(node)
    slope = builder.parameter(f"{name}.weight", slopes.reshape(-1, *missing), words.images)
    builder.put(node, builder.elementwise(node, name, "prelu", words, slope))


def _masked_fill(builder: Builder, node: Any, arguments: Arguments) -> None:
    mask = arguments["mask"]
    if not builder.is_constant(mask):
        raise TraceError(
            f"{where(node)}: the mask must not depend on the images, got {mask}; write it as "
            "products and sums"
        )
    words, name = builder.words(node, arguments["self"]), builder.name(node)
    masked = builder.constants[mask.name].float().numpy()
    operand = builder.parameter(f"{name}.mask", masked, words.images)
    _add(builder, node, name, "masked_fill", (words, operand), (float(arguments["value"]),))


def _put(builder: Builder, node: Any, name: str, words: Words) -> None:
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
    "add.Tensor add_.Tensor add.Scalar": _binary("add", "add"),
    "sub.Tensor sub_.Tensor sub.Scalar": _binary("sub", "rsub"),
    "rsub.Tensor rsub.Scalar": _binary("rsub", "sub"),
    "mul.Tensor mul_.Tensor mul.Scalar": _binary("mul", "mul"),
    "div.Tensor div_.Tensor div.Scalar": _binary("div", "rdiv"),
    "maximum.default": _binary("maximum", "maximum"),
    "minimum.default": _binary("minimum", "minimum"),
    "prelu.default": _prelu,
    "masked_fill.Scalar masked_fill_.Scalar": _masked_fill,
}

ELEMENTWISE = {
    f"aten.{operator}": handler
    for operators, handler in _KINDS.items()
    for operator in operators.split()
}
"""Operator -> what adds a node of it to a builder."""
