"""Torch's operators of the vector unit, computed by its functions as the machine computes them.

They are caught below torch's graph, in every spelling and in place or not. The backward pass is
that of torch's operator, at the results of these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from accelsim.errors import TraceError
from accelsim.nn.arithmetic import array_of
from accelsim.nn.windows import WINDOWS
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.vector_operators import VECTOR_OPERATORS
from accelsim.vector_functions import VECTOR_FUNCTIONS
from accelsim.vector_functions.rows import scale_and_shift

__all__ = ["vector_function"]

Float = NDArray[np.float32]
Function = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Any]


def vector_function(operator: Any) -> Function | None:
    """Return what computes an ``aten`` *operator* instead of torch, None where torch's is right.

    It is called with the operator, its arguments and its keyword arguments.
    """
    name = str(operator)
    own = _ROWS.get(name) or WINDOWS.get(name)
    if own is not None:
        return partial(_on_float32, own)
    if name in VECTOR_OPERATORS and not VECTOR_OPERATORS[name].exact:
        return partial(_on_float32, _elementwise)
    return None


def _on_float32(
    function: Function, operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Return what *function* computes, of other tensors than those of the unit what torch does."""
    first = args[0]
    if first.dtype != torch.float32 or first.device.type != "cpu":
        return operator(*args, **kwargs)
    return function(operator, args, kwargs)


def _elementwise(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    entry = VECTOR_OPERATORS[str(operator)]
    try:
        function, settings = entry.call(Arguments(operator, args, kwargs))
    except TraceError:  # No machine computes this one, so that torch's own result is as good.
        return operator(*args, **kwargs)
    tensors = torch.broadcast_tensors(*map(torch.as_tensor, args[: entry.tensors]))
    result = VECTOR_FUNCTIONS[function](*(array_of(one.float()) for one in tensors), *settings)
    if operator._schema.name.endswith("_"):
        return args[0].copy_(torch.from_numpy(result))
    return _like(tensors[0], result)


def _softmax(op: str) -> Function:
    def compute(operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        values, dim = args[0], args[1]
        rows = values.movedim(dim, -1) if values.dim() else values.reshape(1)
        made = torch.from_numpy(VECTOR_FUNCTIONS[op](array_of(rows)))
        return _like(values, made.movedim(-1, dim).reshape(values.shape).numpy())

    return compute


def _layer_norm(
    operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Tensor, ...]:
    values, normalized, weight, bias, epsilon = args
    count = prod(normalized)
    terms = _terms(weight, bias, (count,))
    rows = array_of(values.reshape(-1, count))
    result = VECTOR_FUNCTIONS["layer_norm"](rows, *terms, epsilon)
    # Mean and deviation are for the backward pass alone.
    _, *statistics = operator(*args, **kwargs)
    return (_like(values, result.reshape(values.shape)), *statistics)


def _group_norm(
    operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Tensor, ...]:
    values, weight, bias, images, channels, pixels, groups, epsilon = args
    share = channels // groups
    planes = array_of(values.reshape(images, groups, share, pixels))
    terms = _terms(weight, bias, (groups, share, 1))
    result = VECTOR_FUNCTIONS["group_norm"](planes, *terms, epsilon)
    _, *statistics = operator(*args, **kwargs)
    return (_like(values, result.reshape(values.shape)), *statistics)


def _batch_norm(
    operator: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Tensor, ...]:
    values, *constants, training, _, epsilon = args
    own, *statistics = operator(*args, **kwargs)
    if training:
        return (own, *statistics)
    weight, bias = (None if one is None else array_of(one) for one in constants[:2])
    mean, variance = map(array_of, constants[2:])
    terms = scale_and_shift(weight, bias, mean, variance, epsilon)
    scale, shift = (one.reshape(-1, *(1,) * (values.dim() - 2)) for one in terms)
    result = VECTOR_FUNCTIONS["scale_shift"](array_of(values), scale, shift)
    return (_like(values, result), *statistics)


def _terms(weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]) -> list[Float]:
    """Return weight and bias in *shape*, or 1 and 0 where there is none."""
    return [
        np.full(1, missing, np.float32) if one is None else array_of(one).reshape(shape)
        for one, missing in ((weight, 1.0), (bias, 0.0))
    ]


def _like(tensor: Tensor, values: Float) -> Tensor:
    """Return a tensor of *values* that lies in memory as torch's own result for *tensor* would."""
    return torch.empty_like(tensor).copy_(torch.from_numpy(values))


_ROWS: dict[str, Function] = {
    "aten._softmax.default": _softmax("softmax"),
    "aten._log_softmax.default": _softmax("log_softmax"),
    "aten.native_layer_norm.default": _layer_norm,
    "aten.native_group_norm.default": _group_norm,
    "aten.native_batch_norm.default": _batch_norm,
}
