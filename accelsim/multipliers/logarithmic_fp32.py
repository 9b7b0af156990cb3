"""Logarithmic fp32 multipliers: what `mitchell_fp32` and `mbm_fp32` are made of.

Mitchell takes ``log2(1 + x)`` for x, so that a product needs one addition. With the activation
``2^ea (1 + x)``, the weight ``2^ew (1 + y)``, x and y in [0, 1)::

    x + y < 1:    2^(ea + ew) (1 + x + y)
    x + y >= 1:   2^(ea + ew + 1) (x + y)

A float32 pattern, read as an integer, is that logarithm already (its characteristic the exponent
field, its mantissa the fraction): the pattern of the product is the sum of the operands' patterns
less that of 1.0, all 23 fraction bits kept, the fractions' carry counted up in the exponent.

MBM ("minimally biased multiplier") adds c to the significand in the first case and c / 2 in the
second. That is ``2^(ea + ew) c`` in both: what Mitchell leaves out, x y or (1 - x)(1 - y) of that
power, is 1/12 in the mean. Where the corrected significand reaches 2 the exponent rises by one and
the lowest bit is cut off.

Operands below the least normal number count as zero, and zero times a finite number is +0; a
product whose exponent field would be below 1 is +0, one above 254 is infinity with the sign; NaN
and infinity follow IEEE 754, which sees subnormal operands as they are.

Sources
-------
Mitchell, "Computer Multiplication and Division Using Binary Logarithms", IRE Transactions on
Electronic Computers EC-11, 1962. Saadat, Bokhari and Parameswaran, "Minimally Biased Multipliers
for Approximate Integer and Floating-Point Multiplication", IEEE TCAD 37(11), 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    float32_of_fields,
)
from accelsim.multipliers.base import FastForm

__all__ = ["fast_form", "scalar_product"]

BIAS = 127
ONE = BIAS << FRACTION_BITS
"""Pattern of 1.0."""
LEAST_NORMAL = 2.0**-126


def scalar_product(correction: float = 0.0) -> Callable[..., Any]:
    """Return the jitted (activation, weight) -> product, float32: the definition.

    Parameters
    ----------
    correction : float
        c, a multiple of 2^-22 in [0, 1/2).
    """
    added = int(correction * IMPLICIT_ONE)

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        a_bits, w_bits = float32_bits(a), float32_bits(w)
        a_size, w_size = a_bits & MAGNITUDE_FIELD, w_bits & MAGNITUDE_FIELD
        if a_size >= EXPONENT_FIELD or w_size >= EXPONENT_FIELD:
            return np.float32(np.float32(a) * np.float32(w))
        if a_size < IMPLICIT_ONE or w_size < IMPLICIT_ONE:
            return np.float32(0.0)
        exponent = (a_size >> FRACTION_BITS) + (w_size >> FRACTION_BITS) - BIAS
        fractions = (a_bits & FRACTION_FIELD) + (w_bits & FRACTION_FIELD)
        carry = fractions >> FRACTION_BITS
        # In units of 2^-23, the implicit one included; after a carry the sum has it already.
        significand = fractions + (added >> 1) if carry else IMPLICIT_ONE + fractions + added
        overlong = significand >> (FRACTION_BITS + 1)
        exponent += carry + overlong
        fraction = (significand >> overlong) & FRACTION_FIELD
        return float32_of_fields((a_bits ^ w_bits) & SIGN_FIELD, exponent, fraction)

    return product


def fast_form(correction: float = 0.0) -> FastForm:
    """Return the unit's fast form: one integer addition and a mask, for c > 0 a multiply-add.

    The low 32 bits of the sum of two patterns hold the sign, too: its bits add up to their xor,
    since in range no carry of the magnitudes reaches them.
    """
    return _corrected(correction) if correction else _uncorrected()


@jit
def _is_live(bits):  # type: ignore[no-untyped-def]
    """Return whether the operand with the pattern *bits* does not count as zero."""
    return (bits & MAGNITUDE_FIELD) >= IMPLICIT_ONE


def _uncorrected() -> FastForm:
    @jit
    def split_activation(a):  # type: ignore[no-untyped-def]
        bits = float32_bits(a)
        return np.int32(bits), np.int32(-1 if _is_live(bits) else 0)

    @jit
    def split_weight(w):  # type: ignore[no-untyped-def]
        bits = float32_bits(w)
        return np.int32(bits - ONE), np.int32(-1 if _is_live(bits) else 0)

    @jit
    def combine(a, w):  # type: ignore[no-untyped-def]
        return float32_from_bits((a[0] + w[0]) & (a[1] & w[1]))

    return FastForm(
        split_activation=split_activation,
        split_weight=split_weight,
        combine=combine,
        parts=2,
        dtype=np.int32,
        # The carry of the fractions may add one to the exponent.
        exponent_sums=(1 + BIAS, 254 + BIAS - 1),
        zero_below=LEAST_NORMAL,
    )


def _corrected(correction: float) -> FastForm:
    """Return the fast form that adds ``2^(ea + ew) c`` to Mitchell's product, in float32.

    Where the exponent rises, the exact sum may lie halfway between two float32 numbers, and the
    unit takes the lower one. With the float32 number below c, rounding to nearest does that; and as
    the difference is a quarter of the sum's last place or less, it changes no other sum.
    """
    # The weight's power times c is not subnormal with this scale: c has to keep all of its bits.
    shift = int(np.floor(-np.log2(correction))) + 1
    scale = 2.0**shift
    factor = np.nextafter(np.float32(correction), np.float32(0.0)) * np.float32(scale)
    unscale = np.float32(1.0 / scale)

    @jit
    def signed_power(bits):  # type: ignore[no-untyped-def]
        return float32_from_bits(bits & (SIGN_FIELD | EXPONENT_FIELD) if _is_live(bits) else 0)

    @jit
    def split_activation(a):  # type: ignore[no-untyped-def]
        bits = float32_bits(a)
        return np.int32(bits), np.int32(float32_bits(signed_power(bits) * unscale))

    @jit
    def split_weight(w):  # type: ignore[no-untyped-def]
        bits = float32_bits(w)
        return np.int32(bits - ONE), np.int32(float32_bits(signed_power(bits) * factor))

    @jit(contract=True)  # the product of the powers is exact, so that fusing changes no bit
    def combine(a, w):  # type: ignore[no-untyped-def]
        added = float32_from_bits(a[1]) * float32_from_bits(w[1])
        mitchell = float32_from_bits(a[0] + w[0])
        return mitchell + added if added != np.float32(0.0) else np.float32(0.0)

    return FastForm(
        split_activation=split_activation,
        split_weight=split_weight,
        combine=combine,
        parts=2,
        dtype=np.int32,
        # The correction must be normal; both carries may add one to the exponent.
        exponent_sums=(1 + BIAS + shift, 254 + BIAS - 2),
        zero_below=LEAST_NORMAL,
    )
