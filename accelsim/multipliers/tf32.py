"""tf32: operands rounded to TF32, to nearest even; their product is exact.

TF32 has float32's eight exponent bits and float16's ten fraction bits. The product of two 11-bit
significands has 22 bits, which float32 holds: it is rounded, once and to nearest even, only where
it is subnormal in float32. As on tensor cores the sum is then float32.

Operands are rounded to nearest even, as PTX's ``cvt.rn.tf32.f32`` (sm_90) does it. Its older
``cvt.rna`` rounds ties away from zero, and an unconverted float32 operand of a matrix instruction
loses its low bits: both give other bits than this unit. Subnormals are kept; what rounds beyond
the greatest TF32 number is infinity; infinities and NaN follow IEEE 754.

>>> float(product(1.0 + 2.0**-11, 1.0)), float(product(1.0 + 2.0**-10, 1.0 + 2.0**-10))
(1.0, 1.0019540786743164)

Sources
-------
NVIDIA A100 Tensor Core GPU Architecture, whitepaper, 2020; PTX ISA, instruction cvt.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.float_formats import TF32
from accelsim.multipliers.rounded import fast_form, scalar_product

__all__ = ["product"]

product = scalar_product(TF32, None)
"""The definition: (activation, weight) -> product, float32."""

MULTIPLIERS.register(
    "tf32",
    FloatMultiplier(
        name="tf32",
        title="TF32 multiplier: operands rounded to nearest even to 8e10m, product exact",
        description=(
            "As in tensor cores: 11-bit significands, float32's exponents, all 22 bits of the "
            "product handed to a float32 accumulator."
        ),
        scalar=product,
        delay_ps=2774,
        delay_source=(
            "assumed: as exact_float16, whose significands are as wide; the wider exponents and "
            "the rounder that is not needed are not counted"
        ),
        sources=(
            "NVIDIA A100 Tensor Core GPU Architecture, whitepaper, 2020",
            "IEEE 754-2019, roundTiesToEven",
        ),
        fast=fast_form(TF32, None),
    ),
)
