"""exact_bfloat16: operands and product rounded to bfloat16, to nearest even each time.

A float32 operand is rounded to 8 significand bits, the product of the two (16 bits, exact) is
rounded once to 8 bits; subnormals are kept, infinities and NaN follow IEEE 754. bfloat16 has
float32's exponents, so a product is a float32 whose low 16 bits are zero. That is what torch gives
for ``(a.bfloat16() * w.bfloat16()).float()``, but for subnormal results, which torch rounds twice.

>>> float(product(1.00390625, 3.0)), float(product(1.01, 1.01))
(3.0, 1.015625)

Sources
-------
bfloat16 as in Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", arXiv 1905.12322;
rounding to nearest even as in IEEE 754.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.float_formats import BFLOAT16
from accelsim.multipliers.rounded import fast_form, scalar_product

if TYPE_CHECKING:
    from accelsim.circuits import Circuit

__all__ = ["product"]

product = scalar_product(BFLOAT16, BFLOAT16)
"""The definition: (activation, weight) -> product, float32."""


def _circuit() -> Circuit:
    from accelsim.circuits import FloatForm, float_circuit

    return float_circuit(
        FloatForm(significand_bits=8, port_bits=16),
        name="exact_bfloat16",
        domain=(
            "operands, rounded to bfloat16 on their way in, that are no subnormals, with an exact "
            "product that is zero, NaN or not below 2^-126 in magnitude: subnormals become zeros"
        ),
    )


MULTIPLIERS.register(
    "exact_bfloat16",
    FloatMultiplier(
        name="exact_bfloat16",
        title="bfloat16 multiplier, operands and product rounded to nearest even",
        description=(
            "The control that an approximate multiplier must beat: plain bfloat16, MRED 0.23 % on "
            "uniform significands."
        ),
        scalar=product,
        delay_ps=2678,
        delay_source=(
            "scaled: exact_fp32's 5134 ps x 0.5215, the ratio of bf16 to fp32 array multipliers "
            "synthesized at 55 nm with full IEEE handling (6.588 / 12.633 ns)"
        ),
        sources=(
            "Kalamkar et al., 'A Study of BFLOAT16 for Deep Learning Training', arXiv 1905.12322",
        ),
        fast=fast_form(BFLOAT16, BFLOAT16),
        build_circuit=_circuit,
    ),
)
