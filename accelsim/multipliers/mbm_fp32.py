"""mbm_fp32: the minimally biased multiplier on fp32 operands: Mitchell's plus a constant.

To Mitchell's product of significands, 1 + x + y or twice x + y, c = 5/64 = 0.078125 is added, near
the 1/12 that it lacks in the mean. Errors lie between -7.8 % and +7.8 %; the bias is -0.1 %.

>>> float(product(1.0, 1.0)), float(product(1.5, 1.5))
(1.078125, 2.078125)

Zeros, overflow and special values: see `accelsim.multipliers.logarithmic_fp32`.

Sources
-------
Saadat, Bokhari and Parameswaran, "Minimally Biased Multipliers for Approximate Integer and
Floating-Point Multiplication", IEEE TCAD 37(11), 2018.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.logarithmic_fp32 import fast_form, scalar_product

__all__ = ["CORRECTION", "product"]

CORRECTION = 0.078125

product = scalar_product(CORRECTION)
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "mbm_fp32",
    FloatMultiplier(
        name="mbm_fp32",
        title="minimally biased logarithmic fp32 multiplier: Mitchell's plus 5/64",
        description=(
            "Mitchell's product with a constant added that takes its bias away: MRED 2.58 %, "
            "bias -0.10 %, at most 7.81 %, on uniform significands; subnormals count as zero."
        ),
        scalar=product,
        delay_ps=1000,
        delay_source=(
            "assumed: mitchell_fp32's 500 ps twice, as the constant is added behind the sum of "
            "the fractions"
        ),
        sources=(
            'Saadat, Bokhari and Parameswaran, "Minimally Biased Multipliers for Approximate '
            'Integer and Floating-Point Multiplication", IEEE TCAD 37(11), 2018',
        ),
        fast=fast_form(CORRECTION),
    ),
)
