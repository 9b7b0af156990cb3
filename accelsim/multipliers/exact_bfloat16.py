"""exact_bfloat16: operands and product rounded to bfloat16, to nearest even each time.

A float32 operand is rounded to 8 significand bits, the product of the two (16 bits, exact) is
rounded once to 8 bits; subnormals are kept, infinities and NaN follow IEEE 754. bfloat16 has
float32's exponents, so a product is a float32 whose low 16 bits are zero. That is what torch gives
for ``(a.bfloat16() * w.bfloat16()).float()``, but for subnormal results, which torch rounds twice.

Sources
-------
bfloat16 as in Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", arXiv 1905.12322;
rounding to nearest even as in IEEE 754.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import (
    float32_bits,
    float32_from_bits,
)
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import FastForm, FloatMultiplier

if TYPE_CHECKING:
    from accelsim.circuits import Circuit

__all__ = ["product"]

LEAST_NORMAL = 2.0**-126
QUANTUM = 2.0**-133
"""The least positive bfloat16."""
ROUNDER = 1.5 * 2.0**52
"""Added to and taken from a small float64 it rounds it to an integer, to nearest even."""


@jit
def _rounded(value):  # type: ignore[no-untyped-def]
    """Return a float32 that is finite, or infinite, rounded to bfloat16, to nearest even."""
    bits = float32_bits(value)
    return float32_from_bits((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000)


@jit
def _operand(value):  # type: ignore[no-untyped-def]
    """Return any float32 rounded to bfloat16; a NaN stays one."""
    return value if np.isnan(value) else _rounded(value)


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return the rounded product of *a* and *w* (float32): the definition.

    >>> float(product(1.00390625, 3.0)), float(product(1.01, 1.01))
    (3.0, 1.015625)
    """
    activation, weight = _operand(np.float32(a)), _operand(np.float32(w))
    exact = np.float64(activation) * np.float64(weight)
    if abs(exact) < LEAST_NORMAL:
        # Subnormal: rounded once, to a multiple of the quantum. The sign of a zero is kept.
        steps = (abs(exact) / QUANTUM + ROUNDER) - ROUNDER
        return np.float32(np.copysign(steps * QUANTUM, exact))
    return _operand(np.float32(exact))


@jit
def _split(value):  # type: ignore[no-untyped-def]
    return (_rounded(value),)


@jit
def _combine(a, w):  # type: ignore[no-untyped-def]
    return _rounded(a[0] * w[0])


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
        fast=FastForm(
            split_activation=_split,
            split_weight=_split,
            combine=_combine,
            parts=1,
            dtype=np.float32,
            # Rounding an operand can raise its exponent, rounding a product too; a product of
            # significands may have one more, or none.
            exponent_sums=(1 + 127, 254 + 127 - 4),
            zero_below=0.0,
        ),
        build_circuit=_circuit,
    ),
)
