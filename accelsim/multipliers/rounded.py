"""Exact products of rounded operands: what `exact_float16`, `tf32`, `fp8_e4m3` are made of.

Float32 operands are rounded to the unit's format, to nearest even; the product of the two is exact,
or is rounded once to a format of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.compilation import jit
from accelsim.multipliers.base import FastForm
from accelsim.multipliers.float_formats import FloatFormat, rounding, rounding_float32

__all__ = ["fast_form", "scalar_product"]


def scalar_product(operands: FloatFormat, result: FloatFormat | None) -> Callable[..., Any]:
    """Return the jitted (activation, weight) -> product, float32: the definition.

    Parameters
    ----------
    operands : FloatFormat
        What both operands are rounded to.
    result : FloatFormat or None
        What the exact product is rounded to; None: to float32, which holds all bits of a product of
        significands of up to 12 bits unless it is subnormal or too large.
    """
    operand = rounding(operands)
    nearest = _kept if result is None else rounding(result)

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        return np.float32(nearest(operand(a) * operand(w)))

    return product


def fast_form(operands: FloatFormat, result: FloatFormat | None) -> FastForm:
    """Return the unit's fast form: one float32 product, rounded where the unit rounds it.

    For *operands* of up to 12 significand bits. A product that is rounded to *result* has to be
    exact in float32 before: its last bit must not be below 2^-149.
    """
    sums = None
    if result is not None and operands.smallest**2 < 2.0**-149:
        # With exponent fields e and f the last bit is 2^(e + f - 2 (127 + fraction_bits)).
        sums = (2 * (127 + operands.fraction_bits) - 149, 2 * 254)
    # Within sums there are finite operands only.
    operand = rounding_float32(operands, keep_nan=sums is None)
    nearest = _kept if result is None else rounding_float32(result, keep_nan=False)

    @jit
    def split(value):  # type: ignore[no-untyped-def]
        return (operand(value),)

    @jit
    def combine(a, w):  # type: ignore[no-untyped-def]
        return nearest(a[0] * w[0])

    return FastForm(
        split_activation=split,
        split_weight=split,
        combine=combine,
        parts=1,
        dtype=np.float32,
        exponent_sums=sums,
        zero_below=operands.smallest / 2,
    )


@jit
def _kept(value):  # type: ignore[no-untyped-def]
    return value
