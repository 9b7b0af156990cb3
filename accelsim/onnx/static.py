"""What does not depend on the images, computed by ONNX's own reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, prod
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.onnx.base import MAX_ELEMENTS

__all__ = ["STATIC", "evaluate"]

Arrays = Sequence[np.ndarray]


def evaluate(
    proto: Any, name: str, opset: int, values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the outputs of node *proto*, called *name*, by their names.

    Parameters
    ----------
    proto : onnx.NodeProto
    name : str
    opset : int
    values : mapping
        Name -> array, of all its inputs at least.

    Raises
    ------
    TraceError
        The node does not take these arrays, or would make one that is too large.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    inputs = {one: values[one] for one in proto.input if one}
    owner = f"node {name!r} ({proto.op_type})"
    try:
        elements = STATIC[proto.op_type](list(inputs.values()))
        if elements > MAX_ELEMENTS:
            raise TraceError(
                f"{owner}: it makes a constant of {elements} elements; at most {MAX_ELEMENTS} are "
                "made"
            )
        # A node by itself would be taken for one of the newest opset.
        empty = helper.make_empty_tensor_value_info
        graph = helper.make_graph(
            [proto], "node", [empty(one) for one in inputs], [empty(one) for one in proto.output]
        )
        made = ReferenceEvaluator(graph, opsets={"": opset}).run(None, inputs)
    except TraceError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{key} {value.dtype} {value.shape}" for key, value in inputs.items())
        raise TraceError(
            f"{owner}: cannot be computed of {shapes or 'nothing'}: {type(error).__name__}: {error}"
        ) from error
    return dict(zip(proto.output, map(np.asarray, made), strict=False))


def _broadcast(values: Arrays) -> int:
    return prod(np.broadcast_shapes(*(value.shape for value in values)))


def _expand(values: Arrays) -> int:
    return prod(np.broadcast_shapes(values[0].shape, tuple(map(int, values[1]))))


def _fill(values: Arrays) -> int:
    return prod(map(int, values[0]))


def _range(values: Arrays) -> int:
    start, limit, delta = (value.item() for value in values)
    return max(0, ceil((limit - start) / delta))


def _tile(values: Arrays) -> int:
    return values[0].size * prod(map(int, values[1]))


def _gather(values: Arrays) -> int:
    return values[0].size * values[1].size


def _together(values: Arrays) -> int:
    return sum(value.size for value in values)


_SIZES: dict[Callable[[Arrays], int], str] = {
    _broadcast: "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Or Pow "
    "Sub Sum Where",
    _expand: "Expand",
    _fill: "ConstantOfShape",
    _range: "Range",
    _tile: "Tile",
    _gather: "Gather",
    _together: "Abs Cast Ceil Clip Concat Constant Exp Flatten Floor Identity Log Neg Not "
    "Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round Shape Sign Size "
    "Slice Split Sqrt Squeeze Transpose Trilu Unsqueeze",
}

STATIC: dict[str, Callable[[Arrays], int]] = {
    operator: size for size, operators in _SIZES.items() for operator in operators.split()
}
"""Operators that can be computed so -> at most how many elements they make of their inputs."""
