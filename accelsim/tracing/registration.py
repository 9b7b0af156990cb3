"""Operators of one's own: from torch's name and a NumPy function to a layer of the vector unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError
from accelsim.tracing.torch_export import is_modelled
from accelsim.tracing.vector_operators import VECTOR_OPERATORS, VectorOperator, of
from accelsim.vector_functions import VECTOR_FUNCTIONS, VectorFunction

__all__ = ["register_operator"]


def register_operator(
    operator: str,
    function: Callable[..., NDArray[Any]],
    operations: Mapping[str, int],
    *,
    tensors: int = 1,
    settings: tuple[str, ...] = (),
) -> None:
    """Let *operator* be a layer of the vector unit, which computes *function* of each element.

    Traces, machine, kernels and `accelsim.nn.approximate` then compute *function*; gradients of
    `approximate` stay torch's. An in-place form of the operator is registered with it. It holds for
    this process, from now on.

    Parameters
    ----------
    operator : str
        Torch's full name, as the error about it says: ``"aten.sin.default"``.
    function : callable
        Called with a float32 array for each of the *tensors*, the second one broadcast to the
        first, then with the *settings* as floats; returns an array of the first one's shape, which
        is rounded to float32. An element of it must depend on its own operands alone, in all bits,
        wherever it lies: compute in float64 where float32 kernels differ in their last elements.
    operations : mapping
        What the vector unit is counted for each element: how many of ``add``, ``compare``,
        ``multiply`` and ``divide``. A lane does one in a cycle.
    tensors : int
        1 or 2: how many of the first arguments are tensors.
    settings : tuple of str
        Names of arguments, numbers, that *function* takes after them; others are not looked at.

    Raises
    ------
    ConfigError
        Torch has no such operator, it is modelled already or made of others, or an argument is none
        of its own.

    Examples
    --------
    >>> register_operator(
    ...     "aten.cos.default",
    ...     lambda x: np.cos(x.astype(np.float64)),
    ...     {"multiply": 6, "add": 6},
    ... )
    """
    overload = _overload(operator)
    known = [argument.name for argument in overload._schema.arguments]
    if tensors not in (1, 2) or tensors > len(known):
        raise ConfigError(f"tensors must be 1 or 2, as {operator} has them, got {tensors!r}")
    for name in settings:
        if name not in known[tensors:]:
            raise ConfigError(
                f"settings must be arguments of {operator} after its tensors, "
                f"{', '.join(known[tensors:]) or 'of which it has none'}; got {name!r}"
            )
    for action, count in operations.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
            raise ConfigError(f"operations of {operator} must be ints >= 0, got {action}={count!r}")
    namespace, name, form = operator.split(".")
    title = name if name not in VECTOR_FUNCTIONS else operator
    made = VectorFunction(
        title, f"registered for {operator}", function, tensors + len(settings), dict(operations)
    )
    VECTOR_FUNCTIONS.register(title, made)
    for own in (operator, f"{namespace}.{name}_.{form}"):
        VECTOR_OPERATORS[own] = VectorOperator(of(title, *settings), tensors)


def _overload(operator: str) -> Any:
    """Return torch's operator of that name, which is not modelled yet and not made of others."""
    import torch

    namespace, _, rest = operator.partition(".")
    name, _, form = rest.partition(".")
    try:
        packet = getattr(getattr(torch.ops, namespace), name)
        overload = getattr(packet, form)
    except (AttributeError, RuntimeError):
        raise ConfigError(
            f"torch has no operator {operator!r}; give its full name with its namespace and "
            "overload, as accelsim.trace says it ('aten.sin.default')"
        ) from None
    if is_modelled(operator):
        raise ConfigError(f"operator {operator!r} is modelled already, and is not replaced")
    if overload._schema.is_mutable:
        raise ConfigError(
            f"operator {operator!r} works in place; give the one that does not, both are registered"
        )
    qualified = f"{namespace}::{name}" + ("" if form == "default" else f".{form}")
    if torch._C._dispatch_has_kernel_for_dispatch_key(qualified, "CompositeImplicitAutograd"):
        raise ConfigError(
            f"operator {operator!r} is made of others in torch, which a module on a unit calls in "
            "its place; write the module with those, and register what is unknown of them"
        )
    return overload
