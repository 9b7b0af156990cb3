"""Reader of Python: a vectorized function of two integer arrays, called over all operands."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.importing.reading import Reading, edge_of

__all__ = ["function_name", "function_sha256", "read_function"]

_CHUNK = 4093
"""Pairs per call of the second pass: a prime, so that no chunk starts where a row does."""


def read_function(function: Callable[..., Any], operands: IntegerFormat, owner: str) -> Reading:
    """Return the products of *function*, asked for twice: at once, and in another order in parts.

    Parameters
    ----------
    function : callable (ndarray of int64, ndarray of int64) -> ndarray of integers
        Gets operand values, one-dimensional arrays of equal length, and returns as many products.
    operands : IntegerFormat
    owner : str
        For messages.

    Raises
    ------
    DataError
        It raises, returns something other than as many integers, or answers differently the second
        time: it is then not vectorized, or not a function of its operands alone.
    """
    values, edge = operands.values(), edge_of(operands)
    first, second = np.repeat(values, edge), np.tile(values, edge)
    products = _call(function, first, second, owner)
    order = np.random.default_rng(0).permutation(len(first))
    for start in range(0, len(order), _CHUNK):
        part = order[start : start + _CHUNK]
        again = _call(function, first[part], second[part], owner)
        if not np.array_equal(again, products[part]):
            at = part[int(np.flatnonzero(again != products[part])[0])]
            raise DataError(
                f"{owner}: {function_name(function)} gave another product for "
                f"({first[at]}, {second[at]}) when it was called in another order; it must be "
                "vectorized, and depend on the two operands alone"
            )
    return Reading(
        "python",
        products.reshape(edge, edge),
        _parameters(function),
        f"Python function {function_name(function)}",
    )


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of *function*, or that of its class."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def function_sha256(function: Callable[..., Any]) -> str:
    """Return the sha256 of the source text of *function*, or "" where there is none."""
    try:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


def _call(
    function: Callable[..., Any], first: NDArray[np.int64], second: NDArray[np.int64], owner: str
) -> NDArray[np.integer]:
    name = function_name(function)
    try:
        products = function(first.copy(), second.copy())
    except Exception as error:
        # Whatever a stranger's function raises is bad input.
        raise DataError(
            f"{owner}: {name} raised {type(error).__name__} for arrays of operands ({error}); it "
            "must be vectorized, such as lambda a, w: a * w"
        ) from error
    if not isinstance(products, np.ndarray) or products.shape != first.shape:
        got = getattr(products, "shape", type(products).__name__)
        raise DataError(
            f"{owner}: {name} must return an array of {first.shape} products for as many operands, "
            f"got {got}; is it vectorized?"
        )
    if products.dtype.kind not in "iu":
        raise DataError(f"{owner}: {name} must return integers, got {products.dtype}")
    return products


def _parameters(function: Callable[..., Any]) -> tuple[str, str]:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    return (names[0], names[1]) if len(names) >= 2 else ("first", "second")
