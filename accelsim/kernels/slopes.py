"""Slopes of a unit's products by one operand: the factor that it effectively multiplies by.

A unit with weight w makes products m(a, w) of activations a. The weight that it effectively applies
is the slope of the line through the origin that fits them best, by least squares::

    w_eff = sum over a of m(a, w) a / sum over a of a^2

An exact unit has w_eff = w. The same with the roles exchanged is the activation that it applies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import ACCUMULATORS
from accelsim.kernels.gemm import accumulate
from accelsim.multipliers import Multiplier
from accelsim.quantization import LayerQuantization

__all__ = ["effective_activations", "effective_weights"]

PRODUCTS = 1 << 18
"""Products that are kept at a time: 1 MiB of float32."""

Float = NDArray[np.float32]


def effective_weights(
    unit: Multiplier,
    activations: Float,
    weights: Float,
    layer: LayerQuantization | None = None,
) -> Float:
    """Return the weights that *unit* effectively applies, the slopes of its products by activation.

    Parameters
    ----------
    unit : Multiplier
    activations : ndarray of float32, (n,)
        A sample of the first operand. Zeros in it have no say.
    weights : ndarray of float32, of any shape
    layer : LayerQuantization, optional
        How both become the operands of a unit of integers; needed by those. Then the slope is that
        of the dequantized product by the dequantized activation.

    Returns
    -------
    ndarray of float32, of the shape of *weights*
        Where the whole sample is zero there is no slope, and they are the (dequantized) weights.

    Examples
    --------
    >>> from accelsim.multipliers import MULTIPLIERS
    >>> sample, weights = np.float32([0.3, 0.7, 1.1]), np.float32([0.5, -2])
    >>> effective_weights(MULTIPLIERS["exact_fp32"], sample, weights).tolist()
    [0.5, -2.0]
    """
    if layer is not None:
        codes = layer.quantize_activations(activations), layer.quantize_weights(weights)
        return _of_integers(unit, layer, *codes, by_activation=True)
    return _of_floats(unit, activations, weights, by_activation=True)


def effective_activations(
    unit: Multiplier,
    activations: Float,
    weights: Float,
    layer: LayerQuantization | None = None,
) -> Float:
    """Return the activations that *unit* effectively applies, the slopes of its products by weight.

    Parameters
    ----------
    unit, layer
        As for `effective_weights`; here the weights of *layer* have one scale.
    activations : ndarray of float32, of any shape
    weights : ndarray of float32, (n,)
        A sample of the second operand.

    Returns
    -------
    ndarray of float32, of the shape of *activations*
    """
    if layer is not None:
        codes = layer.quantize_weights(weights), layer.quantize_activations(activations)
        return _of_integers(unit, layer, *codes, by_activation=False)
    return _of_floats(unit, weights, activations, by_activation=False)


def _of_floats(unit: Multiplier, sample: Float, values: Float, *, by_activation: bool) -> Float:
    """Return the slopes of the products of *values* by the other operand, of which is *sample*."""
    squares = np.square(sample, dtype=np.float64).sum()
    if squares == 0:
        return values.copy()
    shares = (sample / squares).astype(np.float32)
    flat = np.ascontiguousarray(values).reshape(-1)
    found = np.empty(flat.size, np.float32)
    step = max(1, PRODUCTS // sample.size)
    for first in range(0, flat.size, step):
        own = flat[first : first + step]
        activations, weights = (sample, own) if by_activation else (own, sample)
        products = np.zeros((weights.size, activations.size), np.float32)
        accumulate(unit, ACCUMULATORS["float32"], activations[None], weights[:, None], products)
        # Too large for float32 is infinity, and infinity times zero NaN: results, not events.
        with np.errstate(over="ignore", invalid="ignore"):
            found[first : first + step] = products @ shares if by_activation else shares @ products
    return found.reshape(values.shape)


def _of_integers(
    unit: Multiplier,
    layer: LayerQuantization,
    sample: NDArray[Any],
    codes: NDArray[Any],
    *,
    by_activation: bool,
) -> Float:
    """Return the slopes for *codes* of one operand, of dequantized products.

    With a zero point z and a scale s of *codes*, z' of *sample* and d = sample - z'::

        s sum(d (P - z sample - z' codes + z z')) / sum(d d)
    """
    own, other = layer.weights, layer.activations
    if not by_activation:
        own, other = other, own
    extra = (1,) * (codes.ndim - 1)
    scale, zero_point = (
        one.reshape(one.shape + extra) if one.ndim else one for one in (own.scale, own.zero_point)
    )
    other_zero = int(other.zero_point)
    distances = sample.astype(np.float64) - other_zero
    squares = distances @ distances
    if squares == 0 or codes.size == 0:
        return ((codes - zero_point) * scale).astype(np.float32)
    shares = distances / squares
    least, greatest = int(codes.min()), int(codes.max())
    occurring = np.arange(least, greatest + 1)
    slopes = _weighed_products(unit, sample, shares, occurring, by_activation)
    slopes -= other_zero * shares.sum() * occurring
    offset = other_zero * shares.sum() - shares @ sample
    return (scale * (slopes[codes.astype(np.intp) - least] + zero_point * offset)).astype(
        np.float32
    )


def _weighed_products(
    unit: Multiplier,
    sample: NDArray[Any],
    shares: NDArray[np.float64],
    codes: NDArray[np.int64],
    by_activation: bool,
) -> NDArray[np.float64]:
    """Return the sums over i of shares[i] * product(sample[i], codes[j]), (j,), or the reverse."""
    found = np.empty(codes.size)
    step = max(1, PRODUCTS // sample.size)
    for first in range(0, codes.size, step):
        own = codes[first : first + step, None]
        products = unit.product(sample, own) if by_activation else unit.product(own, sample)
        found[first : first + step] = products @ shares
    return found
