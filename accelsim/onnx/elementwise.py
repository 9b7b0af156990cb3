"""Operators that compute every element for itself, reductions, and softmax."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from accelsim.onnx.base import Call, Operator, Table, Value

__all__ = ["ELEMENTWISE"]


def _unary(function: Callable[..., Tensor], **settings: str) -> Operator:
    """Return the operator of torch's *function*, whose arguments are these attributes of ONNX."""

    def handle(call: Call, x: Tensor) -> Tensor:
        return function(x, **{name: call[attribute] for name, attribute in settings.items()})

    return Operator(handle)


def _binary(function: Callable[..., Tensor], *numbers: int) -> Operator:
    """Return the operator of *function* of two, of which *numbers* may be numbers."""
    return Operator(lambda call, a, b: function(a, b), numbers=numbers)


def _folded(function: Callable[[Tensor, Value], Tensor]) -> Operator:
    """Return the operator that takes *function* of the first two, of that and the next, ..."""

    def handle(call: Call, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(first, other)
        return first

    return Operator(handle)


def _clip(call: Call, x: Tensor, low: Value = None, high: Value = None) -> Tensor:
    low, high = (
        call.get(name) if value is None else float(np.asarray(value).reshape(()))
        for name, value in (("min", low), ("max", high))
    )
    # Opset 6 has the largest numbers of float32 for none.
    limit = float(np.finfo(np.float32).max)
    low = None if low is None or low <= -limit else low
    high = None if high is None or high >= limit else high
    return x if low is None and high is None else torch.clamp(x, low, high)


def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    alpha, beta = call["alpha"], call["beta"]
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return functional.hardsigmoid(x)
    return torch.clamp(x * alpha + beta, 0.0, 1.0)


def _selu(call: Call, x: Tensor) -> Tensor:
    alpha, gamma = call["alpha"], call["gamma"]
    if abs(alpha - 1.6732632) < 1e-5 and abs(gamma - 1.050701) < 1e-5:
        return functional.selu(x)
    return functional.elu(x, alpha) * gamma


def _gelu(call: Call, x: Tensor) -> Tensor:
    return functional.gelu(x, approximate=call["approximate"])


def _threshold(call: Call, x: Tensor) -> Tensor:
    return functional.threshold(x, call["alpha"], 0.0)


def _prelu(call: Call, x: Tensor, slope: Tensor) -> Tensor:
    if slope.numel() in (1, x.shape[1]) and _along_channels(x, slope):
        return functional.prelu(x, slope.reshape(-1))
    return torch.relu(x) - slope * torch.relu(-x)


def _along_channels(x: Tensor, slope: Tensor) -> bool:
    """Return whether *slope*, broadcast to *x*, differs in nothing but the channels."""
    shape = (1,) * (x.dim() - slope.dim()) + tuple(slope.shape)
    return all(extent == 1 for at, extent in enumerate(shape) if at != 1)


def _softmax(function: Callable[..., Tensor]) -> Operator:
    def handle(call: Call, x: Tensor) -> Tensor:
        axis = call.axis(call["axis"], x.dim())
        if call.version >= 13 or x.shape[axis:].numel() == x.shape[axis]:
            return function(x, axis)
        # Until opset 12 all dimensions from the axis on are one.
        return function(x.flatten(axis), -1).reshape(x.shape)

    return Operator(handle)


def _reduce(function: Callable[..., Any]) -> Operator:
    def handle(call: Call, x: Tensor, axes: Value = None) -> Tensor:
        found = call.given(axes, "axes") or ()
        if not found and call.get("noop_with_empty_axes", 0):
            return x
        over = [call.axis(axis, x.dim()) for axis in found or range(x.dim())]
        reduced: Tensor = function(x, over, bool(call["keepdims"]))
        return reduced

    return Operator(handle, constants=(1,))


def _cast(call: Call, x: Tensor) -> Tensor:
    from onnx import helper

    try:
        wanted = helper.tensor_dtype_to_np_dtype(call["to"])
        made = torch.from_numpy(np.empty(0, wanted)).dtype
    except (KeyError, TypeError) as error:
        raise call.error(f"torch has no type of ONNX's number {call['to']}") from error
    return x if x.dtype == made else x.to(made)


ELEMENTWISE: Table = {
    "Add": _binary(operator.add, 0, 1),
    "Sub": _binary(operator.sub, 0, 1),
    "Mul": _binary(operator.mul, 0, 1),
    "Div": _binary(operator.truediv, 1),
    "Pow": _binary(operator.pow, 1),
    "Sum": _folded(operator.add),
    "Max": _folded(torch.maximum),
    "Min": _folded(torch.minimum),
    "Relu": _unary(torch.relu),
    "LeakyRelu": _unary(functional.leaky_relu, negative_slope="alpha"),
    "PRelu": Operator(_prelu),
    "Elu": _unary(functional.elu, alpha="alpha"),
    "Celu": _unary(functional.celu, alpha="alpha"),
    "Selu": Operator(_selu),
    "Gelu": Operator(_gelu),
    "ThresholdedRelu": Operator(_threshold),
    "Clip": Operator(_clip, constants=(1, 2)),
    "Sigmoid": _unary(torch.sigmoid),
    "HardSigmoid": Operator(_hard_sigmoid),
    "HardSwish": _unary(functional.hardswish),
    "Mish": _unary(functional.mish),
    "Softplus": _unary(functional.softplus),
    "Softsign": _unary(functional.softsign),
    "Tanh": _unary(torch.tanh),
    "Erf": _unary(torch.erf),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Sqrt": _unary(torch.sqrt),
    "Reciprocal": _unary(torch.reciprocal),
    "Abs": _unary(torch.abs),
    "Neg": _unary(torch.neg),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Round": _unary(torch.round),
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMin": _reduce(torch.amin),
    "Cast": Operator(_cast),
}
"""Operator -> how it is computed."""
