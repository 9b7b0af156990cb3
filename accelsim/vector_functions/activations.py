"""Activation functions and transcendental ones: computed in float64, rounded to float32 once.

Each element is computed by itself with the C library's functions. Kernels that take several lanes
at a time give other bits in a vector's tail, and a tile's words would depend on where it was cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.vector_functions.base import VECTOR_FUNCTIONS, VectorFunction, together
from accelsim.vector_functions.costs import ERF, EXP, LOG, RSQRT, SIGMOID, SQRT, TANH

__all__: list[str] = []

HALF_ROOT = math.sqrt(0.5)
TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


@jit
def _sigmoid(x):  # type: ignore[no-untyped-def]
    return 1.0 / (1.0 + math.exp(-x))


@jit
def _tanh(x):  # type: ignore[no-untyped-def]
    return math.tanh(x)


@jit
def _silu(x):  # type: ignore[no-untyped-def]
    return x / (1.0 + math.exp(-x))


@jit
def _gelu(x):  # type: ignore[no-untyped-def]
    return x * (0.5 * math.erfc(-x * HALF_ROOT))


@jit
def _gelu_tanh(x):  # type: ignore[no-untyped-def]
    return 0.5 * x * (1.0 + math.tanh(TANH_SCALE * (x + TANH_CUBE * x * x * x)))


@jit
def _hardsigmoid(x):  # type: ignore[no-untyped-def]
    if x <= -3.0:
        return 0.0
    if x >= 3.0:
        return 1.0
    return (x + 3.0) / 6.0


@jit
def _hardswish(x):  # type: ignore[no-untyped-def]
    return x * _hardsigmoid(x)


@jit
def _softplus(x, beta, threshold):  # type: ignore[no-untyped-def]
    if x * beta > threshold:
        return x
    return math.log1p(math.exp(x * beta)) / beta


@jit
def _mish(x):  # type: ignore[no-untyped-def]
    return x * math.tanh(max(x, 0.0) + math.log1p(math.exp(-abs(x))))


@jit
def _elu(x, alpha, scale, input_scale):  # type: ignore[no-untyped-def]
    if x > 0.0:
        return x * scale
    return math.expm1(x * input_scale) * alpha * scale


@jit
def _exp(x):  # type: ignore[no-untyped-def]
    return math.exp(x)


@jit
def _log(x):  # type: ignore[no-untyped-def]
    if x == 0.0:
        return -np.inf
    if x < 0.0:
        return np.nan
    return math.log(x)


@jit
def _erf(x):  # type: ignore[no-untyped-def]
    return math.erf(x)


@jit
def _rsqrt(x):  # type: ignore[no-untyped-def]
    if x == 0.0:
        return np.copysign(np.inf, x)
    if x < 0.0:
        return np.nan
    return 1.0 / math.sqrt(x)


def _each(function: Any) -> Callable[..., NDArray[np.float32]]:
    """Return jitted *function* of float64 numbers as one of float32 arrays."""

    @jit
    def loop(values, out, settings):  # type: ignore[no-untyped-def]
        for at in range(values.size):
            out[at] = np.float32(function(np.float64(values[at]), *settings))

    def compute(values: NDArray[np.float32], *settings: float) -> NDArray[np.float32]:
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        out = np.empty_like(flat)
        loop(flat, out, settings)
        return out.reshape(values.shape)

    return compute


def _leaky_relu(x: NDArray[np.float32], slope: float) -> NDArray[np.float32]:
    return np.where(x > 0, x, x * np.float32(slope))


for _function in (
    VectorFunction("sigmoid", "1 / (1 + exp(-x))", _each(_sigmoid), 1, SIGMOID),
    VectorFunction("tanh", "tanh(x)", _each(_tanh), 1, TANH),
    VectorFunction("silu", "x sigmoid(x)", _each(_silu), 1, together(SIGMOID, {"multiply": 1})),
    VectorFunction(
        "gelu",
        "x (1 + erf(x / sqrt(2))) / 2",
        _each(_gelu),
        1,
        together(ERF, {"multiply": 3, "add": 1}),
    ),
    VectorFunction(
        "gelu_tanh",
        "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
        _each(_gelu_tanh),
        1,
        together(TANH, {"multiply": 6, "add": 2}),
    ),
    VectorFunction(
        "hardsigmoid",
        "min(max(x + 3, 0), 6) / 6",
        _each(_hardsigmoid),
        1,
        {"add": 1, "compare": 2, "multiply": 1},
    ),
    VectorFunction(
        "hardswish",
        "x min(max(x + 3, 0), 6) / 6",
        _each(_hardswish),
        1,
        {"add": 1, "compare": 2, "multiply": 2},
    ),
    VectorFunction(
        "softplus",
        "log(1 + exp(b x)) / b; x itself above a threshold",
        _each(_softplus),
        3,
        together(EXP, LOG, {"add": 1, "multiply": 2, "compare": 1}),
    ),
    VectorFunction(
        "mish",
        "x tanh(log(1 + exp(x)))",
        _each(_mish),
        1,
        together(EXP, LOG, TANH, {"add": 1, "multiply": 1}),
    ),
    VectorFunction(
        "elu",
        "scale x above 0, else scale alpha (exp(s x) - 1)",
        _each(_elu),
        4,
        together(EXP, {"add": 1, "multiply": 2, "compare": 1}),
    ),
    VectorFunction(
        "leaky_relu",
        "x above 0, else slope x",
        _leaky_relu,
        2,
        {"compare": 1, "multiply": 1},
    ),
    VectorFunction("clamp", "min(max(x, low), high)", np.clip, 3, {"compare": 2}),
    VectorFunction("exp", "exp(x)", _each(_exp), 1, EXP),
    VectorFunction("log", "log(x)", _each(_log), 1, LOG),
    VectorFunction("erf", "erf(x)", _each(_erf), 1, ERF),
    VectorFunction("sqrt", "sqrt(x)", np.sqrt, 1, SQRT),
    VectorFunction("rsqrt", "1 / sqrt(x)", _each(_rsqrt), 1, RSQRT),
):
    VECTOR_FUNCTIONS.register(_function.name, _function)
