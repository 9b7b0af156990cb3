"""ax_fpm_carry: `ax_fpm` with the carry of its 49-bit sums kept in the exponent.

The released model always raises the exponent by one, so that the 4.2 % of products whose sum S has
49 bits come out half as large as S says. Here the exponent rises by two for those: every product is
S, truncated, and at least as large in magnitude as the exact one but for the truncation.

    biased exponent = ea + ew - 127 + (1, or 2 where S >= 2^48)

Everything else, zero rule, flush, overflow, NaN and infinity, is as in `ax_fpm`.

>>> float(product(1.9999999, 1.9999999)) == 2 * 2.124444007873535
True

Sources
-------
The array of Guesmi et al., "Defensive Approximation", ASPLOS 2021; the exponent is this project's.
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

# 126: a sum of exponents one lower than ax_fpm's least still gives 1 where the carry adds one.
ARRAY = TiledArray(bits=24, carry=True, least_sum=126)

product = scalar_product(ARRAY, tiled_sum(ARRAY))
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "ax_fpm_carry",
    FloatMultiplier(
        name="ax_fpm_carry",
        title="ax_fpm with the carry of its longest sums kept",
        description=(
            "The tiled AMA5 mantissa array of ax_fpm; where its sum has 49 bits the exponent rises "
            "by two, not one, so that products are never too small but for the truncation."
        ),
        scalar=product,
        delay_ps=4434,
        delay_source=(
            "derived: ax_fpm's 4055 ps x 1.0936, the ratio of the circuits' delays: the exponent "
            "waits for the sum's last carry"
        ),
        sources=(
            'the array of Guesmi et al., "Defensive Approximation: Securing CNNs using '
            "Approximate Computing\", ASPLOS 2021; the exponent is this project's",
        ),
        fast=fast_form(ARRAY),
        build_circuit=lambda: array_circuit("ax_fpm_carry", ARRAY),
    ),
)
