"""ax_fpm: the approximate fp32 multiplier of "Defensive Approximation", bit by bit.

`A` and `W` are the 24-bit significands of activation and weight, implicit one included. The
released model tiles the 24x24 mantissa array with thirty-six 4x4 arrays of AMA5 approximate mirror
adders (sum output = B, carry output = A) and adds their results exactly. One tile of nibbles gives
``S4(x, y) = (x & 1) * y + 16 * (y >> 3) * (x & 14)``; summed over all pairs of nibbles at their
weights ``16^(i + j)`` that is two exact products::

    S = (A & 0x111111) * W + 2 * (A & 0xEEEEEE) * (W & 0x888888)        2^47 <= S < 2^49

The sign is the xor of the signs, the biased exponent always ``ea + ew - 127 + 1``, the fraction the
23 bits below the leading one of S, truncated. Where S has 49 bits the released model does not
raise the exponent once more, and neither does this: there the product is too small.

What the released model leaves open is settled so: magnitudes below 1e-36 count as +0 and give +0
(float32(1e-36), 0x03aa2425, is above 1e-36 and counts as itself); an exponent below 1 gives +0, one
above 254 infinity with the sign; with a NaN or an infinity among the operands the result is the
IEEE 754 product of the operands as they are (so infinity times a true zero is NaN, infinity times
1e-37 infinity).

Sources
-------
Guesmi et al., "Defensive Approximation: Securing CNNs using Approximate Computing", ASPLOS 2021,
and the multiplier model released with it, whose results this matches on all stored pairs.
"""

from __future__ import annotations

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import (
    EXPONENT_FIELD,
    FRACTION_BITS,
    FRACTION_FIELD,
    IMPLICIT_ONE,
    MAGNITUDE_FIELD,
    SIGN_FIELD,
    float32_bits,
    float32_from_bits,
    float64_bits,
    float64_from_bits,
)
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FastForm, Multiplier

__all__ = ["product"]

ZERO_BELOW = 1e-36
SMALLEST = int(np.float32(ZERO_BELOW).view(np.uint32))
"""Pattern of the least magnitude that is not taken as zero."""

NIBBLE_LOW = 0x111111
NIBBLE_HIGH = 0xEEEEEE
NIBBLE_TOP = 0x888888
EXPONENT_OFFSET = 126
"""The biased exponent of a product is the sum of the operands' less this: ``- 127 + 1``."""

FLOAT64_FRACTION = 0x000FFFFFE0000000
"""Of a float64, the 23 fraction bits that a float32 keeps."""


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return the unit's product of activation *a* and weight *w* (float32): the definition.

    >>> round(float(product(np.float32(0.856), np.float32(0.471))), 15)
    0.426080584526062
    """
    a_bits, w_bits = float32_bits(a), float32_bits(w)
    a_size, w_size = a_bits & MAGNITUDE_FIELD, w_bits & MAGNITUDE_FIELD
    if a_size >= EXPONENT_FIELD or w_size >= EXPONENT_FIELD:
        return np.float32(np.float32(a) * np.float32(w))
    if a_size < SMALLEST or w_size < SMALLEST:
        return np.float32(0.0)
    sign = (a_bits ^ w_bits) & SIGN_FIELD
    exponent = (a_size >> FRACTION_BITS) + (w_size >> FRACTION_BITS) - EXPONENT_OFFSET
    if exponent < 1:
        return np.float32(0.0)
    if exponent > 254:
        return float32_from_bits(sign | EXPONENT_FIELD)
    activation = (a_bits & FRACTION_FIELD) | IMPLICIT_ONE
    weight = (w_bits & FRACTION_FIELD) | IMPLICIT_ONE
    significand = (activation & NIBBLE_LOW) * weight
    significand += 2 * (activation & NIBBLE_HIGH) * (weight & NIBBLE_TOP)
    # The 23 bits below the leading one, which is bit 47, or 48 in a 49-bit sum.
    fraction = (significand >> (24 + (significand >> 48))) & FRACTION_FIELD
    return float32_from_bits(sign | (exponent << FRACTION_BITS) | fraction)


# The fast form computes S in float64, where both products and their sum are exact (49 bits), and
# which keeps S normalized: its leading 23 fraction bits are the truncated fraction. Sign and
# exponent are those of the product of two signed powers of two. One AND-OR puts them together.


@jit
def _significand(value):  # type: ignore[no-untyped-def]
    """Return the 24-bit significand of a float32, 0 where the unit takes it as zero."""
    bits = float32_bits(value)
    live = (bits & MAGNITUDE_FIELD) >= SMALLEST
    return ((bits & FRACTION_FIELD) | IMPLICIT_ONE) if live else 0


@jit
def _signed_power(value):  # type: ignore[no-untyped-def]
    """Return the float32's sign times 2^(its exponent), 0 where the unit takes it as zero."""
    bits = float32_bits(value)
    live = (bits & MAGNITUDE_FIELD) >= SMALLEST
    return np.float64(float32_from_bits(bits & (SIGN_FIELD | EXPONENT_FIELD) if live else 0))


@jit
def _split_activation(a):  # type: ignore[no-untyped-def]
    significand = np.int32(_significand(a))
    low, high = significand & NIBBLE_LOW, significand & NIBBLE_HIGH
    return np.float64(low), 2.0 * np.float64(high), _signed_power(a)


@jit
def _split_weight(w):  # type: ignore[no-untyped-def]
    significand = np.int32(_significand(w))
    # Twice the power of two: the exponent of the product is always one above the sum.
    return np.float64(significand), np.float64(significand & NIBBLE_TOP), 2.0 * _signed_power(w)


@jit(contract=True)  # both products are exact, so that fusing one with the sum changes no bit
def _combine(a, w):  # type: ignore[no-untyped-def]
    significand = a[0] * w[0] + a[1] * w[1]
    power = a[2] * w[2]
    fraction = float64_bits(significand) & FLOAT64_FRACTION
    return float64_from_bits(fraction | float64_bits(power))


MULTIPLIERS.register(
    "ax_fpm",
    Multiplier(
        name="ax_fpm",
        title="approximate fp32 multiplier of Defensive Approximation (tiled AMA5 mantissa array)",
        description=(
            "Mantissa array tiled by 4x4 arrays of AMA5 cells, exponent always one above the sum, "
            "fraction truncated, magnitudes below 1e-36 taken as zero. On uniform operands in "
            "(-1, 1) products are 38 % too large in the mean (bias), MRED 41 %, and larger in "
            "magnitude than the exact ones in 96 % of the cases. Not commutative."
        ),
        scalar=product,
        delay_ps=4055,
        delay_source=(
            "the released tiled function with its cells kept, 3720 ps by static timing analysis, "
            "+ 335 ps to normalize and truncate; NanGate45 typical corner, 1.1 V. By the exact "
            "baseline the ratio is 0.79 (composed of 8x8 arrays, as exact_fp32 here), 0.59 "
            "(ripple-row) or, both synthesized, 0.54 (carry-save)"
        ),
        sources=(
            'Guesmi et al., "Defensive Approximation: Securing CNNs using Approximate Computing", '
            "ASPLOS 2021",
            "the multiplier model released by its authors, matched bit for bit",
        ),
        fast=FastForm(
            split_activation=_split_activation,
            split_weight=_split_weight,
            combine=_combine,
            parts=3,
            dtype=np.float64,
            exponent_sums=(1 + EXPONENT_OFFSET, 254 + EXPONENT_OFFSET),
            zero_below=ZERO_BELOW,
            # A zero operand gives -0 where the signs differ; the unit gives +0.
            neutral=0.0,
        ),
    ),
)
