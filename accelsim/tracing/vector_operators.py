"""Torch's operators of one tensor, and the vector functions that they are.

One table for the traced graph and for the module on a unit, so that both mean the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from accelsim.errors import TraceError
from accelsim.tracing.arguments import Arguments

__all__ = ["VECTOR_OPERATORS", "Call", "VectorOperator"]


class Call(NamedTuple):
    """A vector function and the numbers that it takes after its operands."""

    function: str
    settings: tuple[float, ...] = ()


class VectorOperator(NamedTuple):
    """An operator of torch as a vector function of its first *tensors* arguments."""

    call: Callable[[Arguments], Call]
    """Returns what a call with these arguments is."""
    tensors: int = 1
    exact: bool = False
    """Whether torch's own kernel gives the function's bits, so that the module can call it."""


def of(function: str, *names: str) -> Callable[[Arguments], Call]:
    """Return what makes a call of *function*, whose settings are the arguments of these names."""

    def call(arguments: Arguments) -> Call:
        settings = []
        for name in names:
            if not isinstance(arguments[name], int | float):
                raise TraceError(f"{function}: {name} must be a number, got {arguments[name]!r}")
            settings.append(float(arguments[name]))
        return Call(function, tuple(settings))

    return call


def _gelu(arguments: Arguments) -> Call:
    return Call("gelu_tanh" if arguments["approximate"] == "tanh" else "gelu")


def _clamp(arguments: Arguments) -> Call:
    low, high = (arguments.get(name, None) for name in ("min", "max"))
    return Call(
        "clamp", (-inf if low is None else float(low), inf if high is None else float(high))
    )


def _power(arguments: Arguments) -> Call:
    known = {2.0: "square", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    exponent = float(arguments["exponent"])
    if exponent not in known:
        raise TraceError(
            f"pow with an exponent of {exponent:g} is not modelled; modelled: "
            f"{', '.join(f'{one:g}' for one in known)}. Write it as products"
        )
    return Call(known[exponent])


_OWN = {
    "sigmoid": of("sigmoid"),
    "tanh": of("tanh"),
    "silu": of("silu"),
    "gelu": _gelu,
    "hardsigmoid": of("hardsigmoid"),
    "hardswish": of("hardswish"),
    "softplus": of("softplus", "beta", "threshold"),
    "mish": of("mish"),
    "elu": of("elu", "alpha", "scale", "input_scale"),
    "exp": of("exp"),
    "log": of("log"),
    "erf": of("erf"),
    "sqrt": of("sqrt"),
    "rsqrt": of("rsqrt"),
    "pow": _power,
}
_TORCHS = {
    "relu": of("relu"),
    "leaky_relu": of("leaky_relu", "negative_slope"),
    "relu6": lambda arguments: Call("clamp", (0.0, 6.0)),
    "hardtanh": of("clamp", "min_val", "max_val"),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "reciprocal": of("reciprocal"),
    "square": of("square"),
    "neg": of("neg"),
    "abs": of("abs"),
}

VECTOR_OPERATORS = {
    f"aten.{name}{suffix}.{'Tensor_Scalar' if name == 'pow' and not suffix else form}": (
        VectorOperator(call, exact=name in _TORCHS)
    )
    for name, call in (_OWN | _TORCHS).items()
    for suffix in ("", "_")
    for form in (("Scalar",) if name == "pow" else ("default",))
}
"""Operator -> vector function, in place or not."""
