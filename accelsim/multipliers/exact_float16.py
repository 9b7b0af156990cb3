"""exact_float16: operands and product rounded to IEEE binary16, to nearest even each time.

A float32 operand is rounded to 11 significand bits, the product of the two (22 bits, exact) is
rounded once to 11 bits; subnormals (below 2^-14, down to 2^-24) are kept; what rounds beyond 65504
is infinity, as an operand and as a product; infinities and NaN follow IEEE 754. These are the bits
of torch's ``(a.half() * w.half()).float()`` for all operands, whose float32 product of two float16
numbers is exact.

>>> float(product(1.0 + 2.0**-11, 3.0)), float(product(300.0, 300.0)), float(product(1e-4, 1e-4))
(3.0, inf, 0.0)

Sources
-------
IEEE 754-2019, binary16 multiplication, roundTiesToEven.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.float_formats import FLOAT16
from accelsim.multipliers.rounded import fast_form, scalar_product

__all__ = ["product"]

product = scalar_product(FLOAT16, FLOAT16)
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "exact_float16",
    FloatMultiplier(
        name="exact_float16",
        title="IEEE 754 fp16 multiplier, operands and product rounded to nearest even",
        description=(
            "Half precision: MRED 0.028 % on uniform significands, but products below 2^-24 are "
            "lost and those from 65520 on are infinite."
        ),
        scalar=product,
        delay_ps=2774,
        delay_source=(
            "scaled: exact_fp32's 5134 ps x 0.5404, the ratio of fp16 to fp32 array multipliers "
            "synthesized at 55 nm with full IEEE handling (6.827 / 12.633 ns)"
        ),
        sources=("IEEE 754-2019, binary16 multiplication, roundTiesToEven",),
        fast=fast_form(FLOAT16, FLOAT16),
    ),
)
