"""fp8_e4m3, fp8_e5m2: operands rounded to an 8-bit format, to nearest even; their product is exact.

The product of two 4-bit (E4M3) or 3-bit (E5M2) significands is a normal float32 number whatever
their exponents, so it is never rounded: what an fp8 matrix unit with a float32 accumulator does.
Operands are taken as they are: scaling a tensor into the format's range is the user's.

E4M3 has no infinity and one NaN pattern, and saturates: what rounds beyond 448, infinity included,
is 448 with its sign. E5M2 is like IEEE 754: what rounds beyond 57344 is infinity. NaN stays NaN and
subnormals are kept in both.

>>> e4m3, e5m2 = MULTIPLIERS["fp8_e4m3"], MULTIPLIERS["fp8_e5m2"]
>>> float(e4m3.product(1.1, 1.1)), float(e5m2.product(1.1, 1.1))
(1.265625, 1.0)
>>> float(e4m3.product(1e6, 2.0)), float(e5m2.product(1e6, 2.0))
(896.0, inf)

Sources
-------
OCP 8-bit Floating Point Specification (OFP8), revision 1.0, 2023, its saturating conversion for
E4M3 and its non-saturating one for E5M2; Micikevicius et al., "FP8 Formats for Deep Learning",
arXiv 2209.05433.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FloatMultiplier
from accelsim.multipliers.float_formats import E4M3, E5M2
from accelsim.multipliers.rounded import fast_form, scalar_product

for _format, _range, _delay_ps, _ratio in (
    (E4M3, "saturates at 448", 1855, "4.565 / 12.633 ns"),
    (E5M2, "infinite beyond 57344", 1693, "4.167 / 12.633 ns"),
):
    _name = f"fp8_{_format.name.lower()}"
    MULTIPLIERS.register(
        _name,
        FloatMultiplier(
            name=_name,
            title=f"FP8 {_format.name} multiplier ({_range}), product exact",
            description=(
                f"Operands rounded to {_format.fraction_bits + 1}-bit significands, to nearest "
                "even; all bits of the product handed to a float32 accumulator."
            ),
            scalar=scalar_product(_format, None),
            delay_ps=_delay_ps,
            delay_source=(
                f"assumed: exact_fp32's 5134 ps x {_ratio}, on the straight line through the "
                "delays of bf16, fp16 and fp32 array multipliers (6.588, 6.827, 12.633 ns for "
                "significands of 8, 11, 24 bits) synthesized at 55 nm with full IEEE handling"
            ),
            sources=(
                "OCP 8-bit Floating Point Specification (OFP8), revision 1.0, 2023",
                "Micikevicius et al., 'FP8 Formats for Deep Learning', arXiv 2209.05433",
            ),
            fast=fast_form(_format, None),
        ),
    )
