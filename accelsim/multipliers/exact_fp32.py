"""exact_fp32: the IEEE 754 binary32 product, rounded once to nearest even.

The unit that the others are compared with. Its kernels add the rounded product: no multiply and
add is ever fused, as a PE with a separate adder does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FastForm, FloatMultiplier

if TYPE_CHECKING:
    from accelsim.circuits import Circuit

__all__ = ["product"]


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return ``fl32(a * w)``.

    >>> float(product(np.float32(1.5), np.float32(-3.0)))
    -4.5
    """
    return np.float32(np.float32(a) * np.float32(w))


@jit
def _split(value):  # type: ignore[no-untyped-def]
    return (value,)


@jit
def _combine(a, w):  # type: ignore[no-untyped-def]
    return a[0] * w[0]


def _circuit() -> Circuit:
    from accelsim.circuits import FloatForm, float_circuit

    return float_circuit(
        FloatForm(),
        name="exact_fp32",
        domain=(
            "operands that are no subnormals, with an exact product that "
            "is zero, NaN or not below 2^-126 in magnitude: subnormals become zeros"
        ),
    )


MULTIPLIERS.register(
    "exact_fp32",
    FloatMultiplier(
        name="exact_fp32",
        title="IEEE 754 fp32 multiplier, round to nearest even",
        description=(
            "Exact 24x24 significand product, normalized and rounded once to nearest even; "
            "subnormals, infinities and NaN as IEEE 754 has them."
        ),
        scalar=product,
        delay_ps=5134,
        delay_source=(
            "24x24 mantissa array composed of nine exact 8x8 arrays, cells kept, 4160 ps by static "
            "timing analysis, + 974 ps to normalize and round to nearest even; NanGate45 typical "
            "corner, 1.1 V. Other exact arrays in the same analysis: ripple-row 5860 ps, "
            "carry-save after synthesis 2420 ps"
        ),
        sources=("IEEE 754-2019, binary32 multiplication, roundTiesToEven",),
        fast=FastForm(
            split_activation=_split,
            split_weight=_split,
            combine=_combine,
            parts=1,
            dtype=np.float32,
        ),
        build_circuit=_circuit,
    ),
)
