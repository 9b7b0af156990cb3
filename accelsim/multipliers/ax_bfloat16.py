"""ax_bfloat16: the bfloat16 sibling of `ax_fpm`, as released.

Operands keep the top 7 fraction bits (the others are cut off), so that significands have 8 bits;
the array is tiled with four 4x4 arrays of AMA5 adders, and the product has 7 fraction bits::

    S = (A & 0x11) * W + 2 * (A & 0xEE) * (W & 0x88)            2^15 <= S < 2^17

The zero rule is that of `ax_fpm`, on the operands before they are cut. Other than there the
released model itself flushes, and earlier: where ``ea + ew - 127 < 1``, before the exponent is
raised by one, the product is +0. Overflow, NaN and infinity are as in `ax_fpm`.

>>> float(product(1.0, 1.0))
2.0

Sources
-------
The multiplier model released with Guesmi et al., "Defensive Approximation: Securing CNNs using
Approximate Computing", ASPLOS 2021, whose results this matches on all stored pairs.
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

ARRAY = TiledArray(bits=8, carry=False, least_sum=128)

product = scalar_product(ARRAY, tiled_sum(ARRAY))
"""The definition: (activation, weight) -> product, float32 whose low 16 bits are zero."""

MULTIPLIERS.register(
    "ax_bfloat16",
    FloatMultiplier(
        name="ax_bfloat16",
        title="approximate bfloat16 multiplier of Defensive Approximation (tiled AMA5 array)",
        description=(
            "Operands cut to bfloat16, 8x8 mantissa array tiled by four 4x4 arrays of AMA5 cells, "
            "exponent always one above the sum, 7 fraction bits, truncated. Not commutative."
        ),
        scalar=product,
        delay_ps=2116,
        delay_source=(
            "assumed: exact_bfloat16's 2678 ps x 0.79, the ratio of ax_fpm to exact_fp32"
        ),
        sources=(
            'Guesmi et al., "Defensive Approximation: Securing CNNs using Approximate Computing", '
            "ASPLOS 2021",
            "the multiplier model released by its authors, matched bit for bit",
        ),
        fast=fast_form(ARRAY),
        build_circuit=lambda: array_circuit("ax_bfloat16", ARRAY),
    ),
)
