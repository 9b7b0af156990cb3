"""The matrix product of a unit: `accumulate` adds products to psums, `finish` makes outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator, accumulator_of
from accelsim.compilation import jit
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.kernels.batches import batch_kernel
from accelsim.kernels.division import run_divided
from accelsim.kernels.few import FEW_COLUMNS, row_kernel
from accelsim.kernels.integers import accumulate_by_table, has_table, scalar_kernel
from accelsim.kernels.panels import COLUMNS, panel_kernel
from accelsim.kernels.parts import plain_kernel, within_bounds
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier, IntegerMultiplier, Multiplier

__all__ = [
    "accumulate",
    "accumulate_groups",
    "entries",
    "finish",
    "order_is_free",
    "require_convolution",
    "require_float32",
    "require_linear",
    "require_operands",
    "rounded",
]


SEGMENT_SUMS = 1 << 20
"""Sums of segments that are kept at a time."""


def accumulate(
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    activations: NDArray[np.float32],
    weights: NDArray[np.float32],
    psums: NDArray[Any],
    order: AccumulationOrder | None = None,
) -> None:
    """Add the products of *activations* and *weights* to *psums*, in place.

    ::

        for j in range(n):
            for i in range(m):
                for kk in range(k):                                # ascending, one after the other
                    psums[j, i] = add(psums[j, i], product(activations[kk, i], weights[j, kk]))

    Parameters
    ----------
    multiplier, accumulator : entry or its registered name
    activations : ndarray, (k, m)
        float32; for an integer unit its format's dtype (`IntegerFormat.dtype`) and range.
    weights : ndarray, (n, k)
        As *activations*.
    psums : ndarray of the accumulator's dtype, (n, m)
    order : AccumulationOrder, optional
        Of the additions, instead of the above; of a sum of k products.

    Raises
    ------
    DataError
        For a wrong dtype or shape, or psums that cannot be written.

    Examples
    --------
    >>> psums = np.zeros((1, 1), np.float32)
    >>> accumulate("exact_fp32", "float32", np.full((3, 1), 2.0, np.float32),
    ...            np.full((1, 3), 0.5, np.float32), psums)
    >>> float(psums[0, 0])
    3.0
    """
    unit, adder = entries(multiplier, accumulator)
    activations = require_operands(unit, activations, "activations", "(k, m)")
    weights = require_operands(unit, weights, "weights", "(n, k)")
    if not isinstance(psums, np.ndarray) or psums.dtype != adder.dtype:
        kind = getattr(psums, "dtype", type(psums).__name__)
        raise DataError(
            f"psums must be an ndarray of {adder.dtype}, as accumulator {adder.name!r} keeps them, "
            f"got {kind}; make them with numpy.zeros((n, m), {adder.dtype})"
        )
    expected = (weights.shape[0], activations.shape[1])
    if weights.shape[1] != activations.shape[0] or psums.shape != expected:
        raise DataError(
            f"activations (k, m), weights (n, k), psums (n, m) do not fit: got "
            f"{activations.shape}, {weights.shape}, {psums.shape}; transpose or reshape one"
        )
    if not psums.flags.writeable:
        raise DataError("psums are read-only, expected to be written in place; pass a copy")
    # One layout only, since Numba compiles again for every other.
    work = np.ascontiguousarray(psums)
    accumulate_groups(unit, adder, activations[None], weights[None], work[None], order)
    if work is not psums:
        psums[...] = work


def accumulate_groups(
    unit: Multiplier,
    adder: Accumulator,
    activations: NDArray[Any],
    weights: NDArray[Any],
    psums: NDArray[Any],
    order: AccumulationOrder | None = None,
) -> None:
    """Do what `accumulate` does for each of some groups, with operands that it has checked.

    Parameters
    ----------
    activations, weights, psums : ndarray, (groups, k, m), (groups, n, k) and (groups, n, m)
        C-contiguous, but for the weights.
    order : AccumulationOrder, optional
        The same for all groups.
    """
    groups, n, m = psums.shape
    k = weights.shape[2]
    if order is not None and len(order.permutation) != k:
        raise DataError(
            f"the order of additions is that of {len(order.permutation)} products, but here a sum "
            f"has k={k}; give the order of this very layer"
        )
    if psums.size == 0 or k == 0:
        return
    if order is not None and not order_is_free(adder):
        _accumulate_by_segments(unit, adder, activations, weights, psums, order)
        return
    if isinstance(unit, IntegerMultiplier) and has_table(unit):
        accumulate_by_table(unit, adder, activations, np.ascontiguousarray(weights), psums)
        return
    few = m < FEW_COLUMNS and isinstance(unit, FloatMultiplier) and unit.fast is not None
    kernel = _kernel(unit, adder, few)
    if not few or weights.strides[2] != weights.itemsize:
        weights = np.ascontiguousarray(weights)
    part = functools.partial(kernel, activations, weights, psums)
    # Some columns for all filters split the weights again, some filters for all columns the
    # activations.
    run_divided(part, groups, (n, k, m), m >= 2 * COLUMNS)


def order_is_free(adder: Accumulator) -> bool:
    """Return whether sums are the same in any order: where they wrap around."""
    return adder.overflow == "wraps"


def _accumulate_by_segments(
    unit: Multiplier,
    adder: Accumulator,
    activations: NDArray[Any],
    weights: NDArray[Any],
    psums: NDArray[Any],
    order: AccumulationOrder,
) -> None:
    """Add the products of each segment up from zero, then the sums to *psums* one by one.

    Segments of one size are groups of one matrix product, as many at a time as `SEGMENT_SUMS`
    allows.
    """
    groups, n, m = psums.shape
    together, start, segment = max(1, SEGMENT_SUMS // psums.size), 0, 0
    while segment < len(order.sizes):
        size = int(order.sizes[segment])
        alike = order.sizes[segment : segment + together] == size
        count = len(alike) if alike.all() else int(alike.argmin())
        taken = order.permutation[start : start + count * size].reshape(count, size)
        own = np.zeros((groups * count, n, m), adder.dtype)
        # Copies: NumPy lays out what it picks as it likes.
        columns = np.ascontiguousarray(activations[:, taken])
        filters = np.ascontiguousarray(weights[:, :, taken].swapaxes(1, 2))
        operands = columns.reshape(-1, size, m), filters.reshape(-1, n, size)
        accumulate_groups(unit, adder, *operands, own)
        _adding(adder)(own.reshape(groups, count, n, m), psums)
        start, segment = start + count * size, segment + count


@functools.cache
def _adding(adder: Accumulator) -> Callable[..., None]:
    """Return the jitted loop that adds own sums (groups, segments, n, m) to psums, in turn."""
    add = adder.add

    @jit
    def adding(own, psums):  # type: ignore[no-untyped-def]
        groups, segments, n, m = own.shape
        for g in range(groups):
            for segment in range(segments):
                for j in range(n):
                    for i in range(m):
                        psums[g, j, i] = add(psums[g, j, i], own[g, segment, j, i])

    return adding


@functools.cache
def _kernel(multiplier: Multiplier, accumulator: Accumulator, few: bool) -> Callable[..., None]:
    """Return the jitted kernel for few or for many columns.

    ``(activations, weights, psums, (first group, last), (filter, last, column, last)) -> None``
    """
    if isinstance(multiplier, IntegerMultiplier) and multiplier.scalar is not None:
        return scalar_kernel(multiplier.scalar, accumulator.add)
    if not isinstance(multiplier, FloatMultiplier):
        raise TypeError(f"multiplier {multiplier.name!r} has neither a scalar product nor a table")
    if multiplier.fast is None and multiplier.batch is not None:
        return within_bounds(batch_kernel(multiplier.batch, accumulator.add))
    if multiplier.fast is None:
        return within_bounds(plain_kernel(multiplier.scalar, accumulator.add))
    if few:
        return row_kernel(multiplier.scalar, multiplier.fast, accumulator.add)
    lanes = multiplier.fast.lanes and accumulator.lanes
    return panel_kernel(multiplier.scalar, multiplier.fast, accumulator.add, lanes)


def finish(psums: NDArray[Any], bias: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return float32 outputs: psums plus bias, rounded once to float32.

    Parameters
    ----------
    psums : ndarray of float32 or float64, (n, m)
        float64 psums take the bias in float64 and are rounded at the end, as in the model released
        with Defensive Approximation; float32 psums take one more float32 addition.
    bias : ndarray of float32, (n,), or None

    Raises
    ------
    DataError
        For a bias or psums of a wrong dtype or shape.
    """
    if psums.ndim != 2 or psums.dtype not in (np.float32, np.float64):
        raise DataError(
            f"psums must be (n, m) of float32 or float64, got {psums.shape} of {psums.dtype}; "
            "pass those that accumulate() has filled"
        )
    bias = require_bias(bias, psums.shape[0])
    return rounded(psums.copy(), None if bias is None else bias[:, None])


def rounded(psums: NDArray[Any], bias: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return what `finish` does, of psums and a bias that broadcast; *psums* are lost."""
    # Too large for float32 is infinity, inf - inf is NaN: results, not events to warn of.
    with np.errstate(over="ignore", invalid="ignore"):
        if bias is not None:
            psums += bias
        return psums.astype(np.float32, copy=False)


def entries(
    multiplier: Multiplier | str, accumulator: Accumulator | str
) -> tuple[Multiplier, Accumulator]:
    """Return the entries that the arguments are or name; they must fit each other."""
    if not isinstance(multiplier, Multiplier):
        multiplier = MULTIPLIERS[multiplier]
    name = accumulator.name if isinstance(accumulator, Accumulator) else accumulator
    return multiplier, accumulator_of(multiplier, name)


def require_operands(unit: Multiplier, array: NDArray[Any], name: str, layout: str) -> NDArray[Any]:
    """Return *array* C-contiguous; raise unless *unit* takes it as an operand.

    Parameters
    ----------
    layout : str
        As for `require_float32`.
    """
    if not isinstance(unit, IntegerMultiplier):
        return require_float32(array, name, layout)
    operands = unit.operands
    array = _require(array, name, layout, operands.dtype, "quantize with accelsim.quantization")
    operands.check_range(array, f"{unit.name}: {name}")
    return array


def require_float32(array: NDArray[Any], name: str, layout: str) -> NDArray[np.float32]:
    """Return *array* C-contiguous; raise unless it is a float32 ndarray laid out like *layout*.

    Parameters
    ----------
    layout : str
        For counting the dimensions and for the message: ``"(k, m)"``.
    """
    return _require(
        array, name, layout, np.dtype(np.float32), "convert with numpy.asarray(x, numpy.float32)"
    )


def _require(
    array: NDArray[Any], name: str, layout: str, dtype: np.dtype[Any], way_out: str
) -> NDArray[Any]:
    dimensions = layout.count(",") + (not layout.endswith(",)"))
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != dimensions:
        got = (
            f"{array.shape} of {array.dtype}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        raise DataError(
            f"{name} must be a {dtype} ndarray {layout}, got {got}; {way_out} and reshape"
        )
    return np.ascontiguousarray(array)


def require_bias(bias: NDArray[Any] | None, filters: int) -> NDArray[np.float32] | None:
    """Return *bias*; raise unless it is float32 with one value per filter, or None."""
    if bias is None:
        return None
    bias = require_float32(bias, "bias", "(n,)")
    if bias.size != filters:
        raise DataError(
            f"bias must have one value per filter, expected shape {(filters,)}, got {bias.shape}; "
            "pass the bias of this layer, or None"
        )
    return bias


FloatOperands = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]


def require_convolution(
    images: NDArray[Any], weights: NDArray[Any], bias: NDArray[Any] | None
) -> FloatOperands:
    """Return the operands of a convolution; raise unless they are float32 of as many axes."""
    images = require_float32(images, "images", "(N, C, H, W)")
    weights = require_float32(weights, "weights", "(M, C / groups, R, S)")
    return images, weights, require_bias(bias, len(weights))


def require_linear(
    inputs: NDArray[Any], weights: NDArray[Any], bias: NDArray[Any] | None
) -> FloatOperands:
    """Return the operands of a linear layer; raise unless they are float32 and agree in K."""
    inputs = require_float32(inputs, "inputs", "(N, K)")
    weights = require_float32(weights, "weights", "(M, K)")
    if inputs.shape[1] != weights.shape[1]:
        raise DataError(
            f"inputs (N, K) {inputs.shape} and weights (M, K) {weights.shape} differ in K; "
            "flatten the inputs to (N, K) or transpose the weights"
        )
    return inputs, weights, require_bias(bias, len(weights))
