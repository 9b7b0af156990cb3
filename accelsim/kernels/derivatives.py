"""Derivatives of a unit's products by their operands, from its table, and sums that use them.

A table of integers has no derivative; its place takes the central difference to the neighboring
operands, one-sided at the ends, of the table itself or of its moving average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.formats import IntegerFormat
from accelsim.multipliers import IntegerMultiplier, Multiplier

__all__ = ["DERIVATIVE_BITS", "difference_tables", "require_table", "sum_over", "weigh_filters"]

DERIVATIVE_BITS = 8
"""Widest operands with tables of differences: 256 KiB each."""


def require_table(unit: Multiplier, smoothing: int = 0) -> IntegerMultiplier:
    """Return *unit* if `difference_tables` can be made of it.

    Raises
    ------
    ConfigError
        It takes floats or wide integers, or *smoothing* is no number of neighbors.
    """
    if not isinstance(unit, IntegerMultiplier) or unit.operands.bits > DERIVATIVE_BITS:
        kind = "float32" if not isinstance(unit, IntegerMultiplier) else unit.operands.name
        raise ConfigError(
            f"gradient 'unit' takes differences of the unit's table of products; multiplier "
            f"{unit.name!r} of {kind} operands has no table of up to {DERIVATIVE_BITS} bits; use "
            "gradient 'effective', 'exact' or 'none'"
        )
    most = (1 << (unit.operands.bits - 1)) - 1
    if isinstance(smoothing, bool) or not isinstance(smoothing, int) or not 0 <= smoothing <= most:
        raise ConfigError(f"smoothing must be an int in 0..{most}, got {smoothing!r}")
    return unit


def difference_tables(
    unit: Multiplier, smoothing: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the differences of the products by activation and by weight.

    ::

        by_activation[w, a] = (P(a + 1, w) - P(a - 1, w)) / 2       one-sided at both ends
        by_weight[w, a]     = (P(a, w + 1) - P(a, w - 1)) / 2
        P(a, w) = mean of product(a + i, w) over |i| <= smoothing   for the first; else of w + i

    Parameters
    ----------
    unit : Multiplier
        Of integers of up to `DERIVATIVE_BITS` bits.
    smoothing : int
        Neighbors on each side that are averaged, fewer at the ends; it evens out the steps of
        units that are constant over stretches.

    Returns
    -------
    two float32 arrays, (2^bits, 2^bits), by the operands' bit patterns: ``table[w, a]``

    Raises
    ------
    ConfigError
        The unit has no such table.

    Sources
    -------
    The difference of a smoothed table as gradient: C. Meng et al., "Gradient Approximation of
    Approximate Multipliers for High-Accuracy Deep Neural Network Retraining", DATE 2025.
    """
    unit = require_table(unit, smoothing)
    values = np.sort(unit.operands.values())
    products = unit.product(values, values[:, None]).astype(np.float64)  # [w, a]
    patterns = values & ((1 << unit.operands.bits) - 1)
    tables = []
    for axis in (1, 0):
        table = np.empty(products.shape, np.float32)
        difference = np.gradient(_moving_average(products, smoothing, axis), axis=axis)
        table[np.ix_(patterns, patterns)] = difference
        tables.append(table)
    return tables[0], tables[1]


def _moving_average(table: NDArray[np.float64], reach: int, axis: int) -> NDArray[np.float64]:
    if reach == 0:
        return table
    table = np.moveaxis(table, axis, 0)
    sums = np.concatenate([np.zeros_like(table[:1]), np.cumsum(table, axis=0)])
    index = np.arange(len(table))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(table))
    return np.moveaxis((sums[last] - sums[first]) / (last - first)[:, None], 0, axis)


def weigh_filters(
    table: NDArray[np.float32],
    operands: IntegerFormat,
    activations: NDArray[Any],
    weights: NDArray[Any],
    grads: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return ``sum over j of grads[j, i] * table[weights[j, k], activations[k, i]]``, (k, m).

    Parameters
    ----------
    table : ndarray of float32, (2^bits, 2^bits)
    operands : IntegerFormat
    activations : ndarray of integers, (k, m)
    weights : ndarray of integers, (n, k)
    grads : ndarray of float32, (n, m)
    """
    out = np.zeros(activations.shape, np.float32)
    a, w = _patterns(activations, operands), _patterns(weights, operands)
    _weigh(table, a, w, np.ascontiguousarray(grads), out)
    return out


def sum_over(
    table: NDArray[np.float32],
    operands: IntegerFormat,
    activations: NDArray[Any],
    weights: NDArray[Any],
    grads: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return ``sum over i of grads[j, i] * table[weights[j, k], activations[k, i]]``, (n, k).

    Parameters
    ----------
    table, operands, activations, weights, grads
        As for `weigh_filters`.
    """
    out = np.zeros(weights.shape, np.float32)
    a, w = _patterns(activations, operands), _patterns(weights, operands)
    _sum(table, a, w, np.ascontiguousarray(grads), out)
    return out


def _patterns(codes: NDArray[Any], operands: IntegerFormat) -> NDArray[np.uint8]:
    mask = np.uint8((1 << operands.bits) - 1)
    return np.ascontiguousarray(codes).view(np.uint8) & mask


@jit
def _weigh(table, activations, weights, grads, out):  # type: ignore[no-untyped-def]
    for k in range(out.shape[0]):
        row, codes = out[k], activations[k]
        for j in range(weights.shape[0]):
            slopes, grad = table[weights[j, k]], grads[j]
            for i in range(row.size):
                row[i] += grad[i] * slopes[codes[i]]


@jit
def _sum(table, activations, weights, grads, out):  # type: ignore[no-untyped-def]
    for j in range(weights.shape[0]):
        grad = grads[j]
        for k in range(activations.shape[0]):
            slopes, codes = table[weights[j, k]], activations[k]
            total = 0.0
            for i in range(codes.size):
                total += grad[i] * slopes[codes[i]]
            out[j, k] = total
