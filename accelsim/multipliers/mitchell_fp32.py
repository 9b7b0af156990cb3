"""mitchell_fp32: Mitchell's logarithmic multiplier on fp32 operands.

The pattern of the product is the sum of the operands' patterns less that of 1.0: one integer
addition. Never larger than the exact product; exact where an operand is a power of two; too small
by 1/9 (11.1 %) at most, where both significands are 1.5, and by 3.85 % in the mean.

>>> float(product(1.5, 1.5)), float(product(4.0, 1.25))
(2.0, 5.0)

Zeros, overflow and special values: see `accelsim.multipliers.logarithmic_fp32`.

Sources
-------
Mitchell, "Computer Multiplication and Division Using Binary Logarithms", IRE Transactions on
Electronic Computers EC-11, 1962.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.logarithmic_fp32 import fast_form, scalar_product

__all__ = ["product"]

product = scalar_product()
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "mitchell_fp32",
    FloatMultiplier(
        name="mitchell_fp32",
        title="Mitchell's logarithmic fp32 multiplier: the fractions are added",
        description=(
            "One integer addition in place of the mantissa array. MRED 3.85 %, always towards "
            "zero, at most 11.1 %, on uniform significands; subnormals count as zero."
        ),
        scalar=product,
        delay_ps=500,
        delay_source=(
            "assumed: one 31-bit addition, the fastest 32-bit adder of the Accelergy Aladdin "
            "tables (40 nm), 0.5 ns; flush and overflow beside it not counted"
        ),
        sources=(
            'Mitchell, "Computer Multiplication and Division Using Binary Logarithms", IRE '
            "Transactions on Electronic Computers EC-11, 1962",
        ),
        fast=fast_form(),
    ),
)
