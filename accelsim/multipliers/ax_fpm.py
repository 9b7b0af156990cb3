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

>>> round(float(product(0.856, 0.471)), 15)
0.426080584526062

Sources
-------
Guesmi et al., "Defensive Approximation: Securing CNNs using Approximate Computing", ASPLOS 2021,
and the multiplier model released with it, whose results this matches on all stored pairs.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.tiled import (
    TiledArray,
    array_circuit,
    fast_form,
    scalar_product,
    tiled_sum,
)

__all__ = ["ARRAY", "product"]

ARRAY = TiledArray(bits=24, carry=False, least_sum=127)

product = scalar_product(ARRAY, tiled_sum(ARRAY))
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "ax_fpm",
    FloatMultiplier(
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
        fast=fast_form(ARRAY),
        build_circuit=lambda: array_circuit("ax_fpm", ARRAY),
    ),
)
