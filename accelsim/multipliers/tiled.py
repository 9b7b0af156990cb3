"""The tiled AMA5 mantissa array in all its widths: what `ax_fpm` and its siblings are built from.

`A` and `W` are significands of *bits* bits (24 for float32, 8 for bfloat16), implicit one included,
lower bits of the operands cut off. The array is tiled with 4x4 arrays of AMA5 approximate mirror
adders (sum output = B, carry output = A), whose results are added exactly. One tile of nibbles
gives ``S4(x, y) = (x & 1) * y + 16 * (y >> 3) * (x & 14)``; summed over all pairs of nibbles at
their weights ``16^(i + j)`` that is two exact products::

    S = (A & 0x11..1) * W + 2 * (A & 0xEE..E) * (W & 0x88..8)      2^(2 bits - 1) <= S

The fraction is what follows the leading one of S, truncated. S may have one bit more than a product
of normalized significands; whether the exponent then rises by one more is the unit's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from accelsim.compilation import jit
from accelsim.formats import (
    EXPONENT_FIELD,
    FRACTION_BITS,
    FRACTION_FIELD,
    IMPLICIT_ONE,
    MAGNITUDE_FIELD,
    SIGN_FIELD,
    float32_bits,
    float32_from_bits,
)
from accelsim.lanes import as_float32, as_float64, as_int32, bits_of, float32_of, word_at
from accelsim.multipliers.base import FastForm

if TYPE_CHECKING:
    from accelsim.circuits import Circuit
    from accelsim.circuits.arrays import Buffers, Style
    from accelsim.circuits.integers import Cleanup

__all__ = [
    "EXPONENT_OFFSET",
    "SMALLEST",
    "ZERO_BELOW",
    "TiledArray",
    "array_circuit",
    "fast_form",
    "scalar_product",
    "signed_power",
    "tiled_sum",
]

ZERO_BELOW = 1e-36
SMALLEST = int(np.float32(ZERO_BELOW).view(np.uint32))
"""Pattern of the least magnitude that is not taken as zero."""

EXPONENT_OFFSET = 126
"""The biased exponent of a product is the sum of the operands' less this: ``- 127 + 1``."""


class TiledArray(NamedTuple):
    """One member of the family.

    Attributes
    ----------
    bits : int
        Width of a significand, a multiple of 4.
    carry : bool
        Whether the exponent rises once more where S has ``2 bits + 1`` bits.
    least_sum : int
        Least sum of the operands' biased exponents whose product is not flushed to +0.
    """

    bits: int
    carry: bool
    least_sum: int

    @property
    def dropped(self) -> int:
        """Low bits of a float32 significand that the unit does not look at."""
        return FRACTION_BITS + 1 - self.bits

    def mask(self, nibble: int) -> int:
        """Return the pattern of one nibble repeated over a significand."""
        return nibble * (0x111111 & ((1 << self.bits) - 1))


def array_circuit(
    name: str,
    array: TiledArray,
    style: Style = "tiled",
    buffers: Buffers = "kept",
    cleanup: Cleanup = "constants",
) -> Circuit:
    """Return the gates of the unit *name*: AMA5 cells in *array*, its exponent, zero rule, flush.

    Parameters
    ----------
    style : str
        ``tiled``; ``ripple_row`` or ``carry_save`` for the flat array.
    buffers, cleanup : str
        Whether AMA5 cells keep their two buffers, and what becomes of superfluous gates: see
        `accelsim.circuits.float_circuit`.
    """
    from accelsim.circuits import FloatForm, float_circuit

    form = FloatForm(
        significand_bits=array.bits,
        exponent="carry" if array.carry else "released",
        rounding="truncate",
        zero_below=SMALLEST,
        # A carry that lifts an exponent to 1 saves the product: there the sum is 1 lower.
        least_exponent=array.least_sum - EXPONENT_OFFSET + int(array.carry),
        signed_zeros=False,
    )
    return float_circuit(form, "ama5", style, buffers, cleanup, name=name)


def tiled_sum(array: TiledArray) -> Callable[..., Any]:
    """Return the jitted (activation, weight) significands -> S of the tiled array, int64."""
    low, high, top = array.mask(1), array.mask(14), array.mask(8)

    @jit
    def total(activation, weight):  # type: ignore[no-untyped-def]
        return (activation & low) * weight + 2 * (activation & high) * (weight & top)

    return total


def scalar_product(array: TiledArray, mantissa: Callable[..., Any]) -> Callable[..., Any]:
    """Return the jitted (activation, weight) -> product, float32: the definition.

    Parameters
    ----------
    array : TiledArray
        Width, carry and flush.
    mantissa : jitted (int64, int64) -> int64
        What the mantissa array makes of two significands: `tiled_sum`, or another arrangement.
    """
    bits, carry, least_sum, dropped = array.bits, int(array.carry), array.least_sum, array.dropped
    fraction_field = (1 << (bits - 1)) - 1

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        a_bits, w_bits = float32_bits(a), float32_bits(w)
        a_size, w_size = a_bits & MAGNITUDE_FIELD, w_bits & MAGNITUDE_FIELD
        if a_size >= EXPONENT_FIELD or w_size >= EXPONENT_FIELD:
            return np.float32(np.float32(a) * np.float32(w))
        if a_size < SMALLEST or w_size < SMALLEST:
            return np.float32(0.0)
        exponents = (a_size >> FRACTION_BITS) + (w_size >> FRACTION_BITS)
        activation = ((a_bits & FRACTION_FIELD) | IMPLICIT_ONE) >> dropped
        weight = ((w_bits & FRACTION_FIELD) | IMPLICIT_ONE) >> dropped
        total = mantissa(activation, weight)
        overlong = total >> (2 * bits)  # 1 where S has a bit more
        exponent = exponents - EXPONENT_OFFSET + carry * overlong
        if exponents < least_sum or exponent < 1:
            return np.float32(0.0)
        sign = (a_bits ^ w_bits) & SIGN_FIELD
        if exponent > 254:
            return float32_from_bits(sign | EXPONENT_FIELD)
        fraction = (total >> (bits + overlong)) & fraction_field
        return float32_from_bits(sign | (exponent << FRACTION_BITS) | (fraction << dropped))

    return product


# The fast forms compute S in float64, where both products and their sum are exact (49 bits), and
# which keeps S normalized: the leading fraction bits are the truncated fraction.


@jit
def significand(value):  # type: ignore[no-untyped-def]
    """Return the 24-bit significand of a float32, 0 where the unit takes it as zero."""
    bits = float32_bits(value)
    live = (bits & MAGNITUDE_FIELD) >= SMALLEST
    return ((bits & FRACTION_FIELD) | IMPLICIT_ONE) if live else 0


@jit
def signed_power(value):  # type: ignore[no-untyped-def]
    """Return the float32's sign times 2^(its exponent), 0 where the unit takes it as zero."""
    bits = float32_bits(value)
    live = (bits & MAGNITUDE_FIELD) >= SMALLEST
    return np.float64(float32_from_bits(bits & (SIGN_FIELD | EXPONENT_FIELD) if live else 0))


@jit
def _taken_apart(value, dropped):  # type: ignore[no-untyped-def]
    """Return `significand` without its *dropped* low bits, and the pattern, 0 where it is zero.

    Of a float32, or of Lanes of them: int32 throughout.
    """
    bits = bits_of(as_float32(value))
    live = as_int32(as_int32(SMALLEST - 1 - as_int32(bits & MAGNITUDE_FIELD)) >> 31)
    size = as_int32(as_int32(bits & FRACTION_FIELD) | IMPLICIT_ONE) & live
    return as_int32(size >> dropped), bits & live


def fast_form(array: TiledArray) -> FastForm:
    """Return the unit's fast form: two float64 products, their sum, the word that it holds."""
    greatest = 254 + EXPONENT_OFFSET - int(array.carry)
    make = _carry_parts if array.carry else _released_parts
    split_activation, split_weight, combine = make(array)
    return FastForm(
        split_activation=split_activation,
        split_weight=split_weight,
        combine=combine,
        parts=2 if array.carry else 3,
        dtype=np.float64,
        lanes=True,
        # Twice the greatest power of two is no float32.
        greatest_exponent=254 if array.carry else 253,
        exponent_sums=(max(array.least_sum, 1 + EXPONENT_OFFSET), greatest),
        zero_below=ZERO_BELOW,
        # A zero operand gives -0 where the signs differ; the unit gives +0.
        neutral=0.0,
    )


def _released_parts(array: TiledArray) -> tuple[Callable[..., Any], ...]:
    """Return (split_activation, split_weight, combine) with the exponent always one up.

    S is scaled so that its exponent, in the place of a float32's, is 126 or 127: setting the lowest
    bit makes it 127. That significand in [1, 2) times the signed powers of two is the product.
    """
    dropped, low, high, top = array.dropped, array.mask(1), array.mask(14), array.mask(8)
    scale = 2.0 ** (_WORD_EXPONENT + 126 - _DOUBLE_BIAS - (2 * array.bits - 1))
    kept = -1 << dropped

    @jit
    def split_activation(a):  # type: ignore[no-untyped-def]
        size, bits = _taken_apart(a, dropped)
        power = float32_of(as_int32(bits & -IMPLICIT_ONE))
        return as_float64(as_int32(size & low)), as_float64(as_int32(size & high)), power

    @jit
    def split_weight(w):  # type: ignore[no-untyped-def]
        size, bits = _taken_apart(w, dropped)
        # Twice the power of two: the exponent of the product is always one above the sum.
        power = np.float32(2.0) * float32_of(as_int32(bits & -IMPLICIT_ONE))
        return scale * as_float64(size), (2.0 * scale) * as_float64(as_int32(size & top)), power

    @jit(contract=True)  # all products are exact, so that fusing them with a sum changes no bit
    def combine(a, w):  # type: ignore[no-untyped-def]
        word = _word(a[0] * w[0] + a[1] * w[1]) & kept
        return float32_of(as_int32(word | IMPLICIT_ONE)) * (a[2] * w[2])

    return split_activation, split_weight, combine


def _carry_parts(array: TiledArray) -> tuple[Callable[..., Any], ...]:
    """Return (split_activation, split_weight, combine) with the exponent of S itself.

    The powers of two go into the parts, scaled so that the word of the sum is the product as a
    float32. Its sign is bit 8 of the sum's exponent: a negative operand is 2^256 times as large.
    """
    dropped, low, high, top = array.dropped, array.mask(1), array.mask(14), array.mask(8)
    scale = 2.0 ** (_WORD_EXPONENT + 127 - _DOUBLE_BIAS - (2 * array.bits - 2))
    kept = -1 << dropped

    @jit
    def power_of(bits):  # type: ignore[no-untyped-def]
        power = as_float64(float32_of(as_int32(bits & EXPONENT_FIELD)))
        # 1 + 2^256 is 2^256 in float64.
        return power * (1.0 - 2.0**256 * as_float64(as_int32(bits >> 31)))

    @jit
    def split_activation(a):  # type: ignore[no-untyped-def]
        size, bits = _taken_apart(a, dropped)
        power = power_of(bits)
        low_part, high_part = as_float64(as_int32(size & low)), as_float64(as_int32(size & high))
        return low_part * power, high_part * power

    @jit
    def split_weight(w):  # type: ignore[no-untyped-def]
        size, bits = _taken_apart(w, dropped)
        power = scale * power_of(bits)
        return as_float64(size) * power, 2.0 * as_float64(as_int32(size & top)) * power

    @jit(contract=True)  # both products are exact, so that fusing one with the sum changes no bit
    def combine(a, w):  # type: ignore[no-untyped-def]
        return float32_of(as_int32(_word(a[0] * w[0] + a[1] * w[1]) & kept))

    return split_activation, split_weight, combine


_DOUBLE_BIAS = 1023
"""Of the exponent field of a float64."""
_WORD_EXPONENT = 1024
"""Exponent field of a float64 that is 0 in a `_word`, which keeps the 9 lowest bits of it."""


@jit
def _word(total):  # type: ignore[no-untyped-def]
    """Return the 23 highest fraction bits of float64 and the 9 lowest of its exponent, int32."""
    return word_at(bits_of(total), 52 - FRACTION_BITS)
