"""ax_fpm_flat: one flat 24x24 array of AMA5 adders instead of `ax_fpm`'s thirty-six 4x4 ones.

Ripple rows over the activation's bits, in every cell A = the new partial product and B = the
running sum, all cells AMA5 (sum output = B, carry output = A). That collapses to::

    S = (A & 1) * W + 2^24 * (A & ~1) * (W >> 23)                2^47 <= S < 2^48

of significands A (activation) and W (weight). ``W >> 23`` is the implicit one, and the first term
never reaches the bits that are kept: the product is the activation, its lowest bit cleared, times
the weight replaced by ``2^(its exponent + 1)``. The weight's fraction does not matter at all. Zero
rule, flush, overflow, NaN and infinity are as in `ax_fpm`.

>>> float(product(1.5, 1.0)), float(product(1.5, 1.9))
(3.0, 3.0)

Sources
-------
The cells of Guesmi et al., "Defensive Approximation", ASPLOS 2021, in the flat arrangement that its
figures for energy and delay suggest; the closed form is proven against the array by this project.
"""

from __future__ import annotations

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import MAGNITUDE_FIELD, float32_bits, float32_from_bits
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FastForm, FloatMultiplier
from accelsim.multipliers.tiled import (
    EXPONENT_OFFSET,
    SMALLEST,
    ZERO_BELOW,
    TiledArray,
    array_circuit,
    scalar_product,
    signed_power,
)

__all__ = ["ARRAY", "product"]


@jit
def _flat_sum(activation, weight):  # type: ignore[no-untyped-def]
    """Return S of the flat array for two 24-bit significands (int64)."""
    return (activation & 1) * weight + ((activation & ~1) << 24) * (weight >> 23)


ARRAY = TiledArray(bits=24, carry=False, least_sum=127)

product = scalar_product(ARRAY, _flat_sum)
"""The definition: (activation, weight) -> product, float32."""


@jit
def _split_activation(a):  # type: ignore[no-untyped-def]
    bits = float32_bits(a)
    live = (bits & MAGNITUDE_FIELD) >= SMALLEST
    return (float32_from_bits((bits & ~1) if live else 0),)


@jit
def _split_weight(w):  # type: ignore[no-untyped-def]
    # Not doubled before combine: twice the greatest power of two is no float32.
    return (np.float32(signed_power(w)),)


@jit
def _combine(a, w):  # type: ignore[no-untyped-def]
    # Powers of two times a float32, in range: exact.
    return (a[0] * w[0]) * np.float32(2.0)


MULTIPLIERS.register(
    "ax_fpm_flat",
    FloatMultiplier(
        name="ax_fpm_flat",
        title="fp32 multiplier with one flat 24x24 array of AMA5 adders",
        description=(
            "The product is the activation (its lowest bit cleared) times the weight replaced by "
            "2^(its exponent + 1). Products are never smaller than exact ones but for that bit; "
            "relative to them they are too large by 38.6 % in the mean (2 ln 2 - 1) for weights "
            "uniform in a binade."
        ),
        scalar=product,
        delay_ps=1279,
        delay_source=(
            "0.29 of an exact carry-save multiplier with truncating normalizer, 4075 + 335 ps, "
            "both carry-save, buffers kept; NanGate45 typical corner, 1.1 V, sum of nominal cell "
            "delays. Another analysis, static timing of the ripple-row array with cells kept, "
            "gives 580 + 335 ps"
        ),
        sources=(
            'the cells of Guesmi et al., "Defensive Approximation: Securing CNNs using '
            'Approximate Computing", ASPLOS 2021, in a flat array',
        ),
        fast=FastForm(
            split_activation=_split_activation,
            split_weight=_split_weight,
            combine=_combine,
            parts=1,
            dtype=np.float32,
            # One more than the flush asks for: the undoubled product must be normal, too.
            exponent_sums=(2 + EXPONENT_OFFSET, 254 + EXPONENT_OFFSET),
            zero_below=ZERO_BELOW,
            neutral=0.0,
        ),
        build_circuit=lambda: array_circuit("ax_fpm_flat", ARRAY, style="ripple_row"),
    ),
)
