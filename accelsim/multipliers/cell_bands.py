"""A cell array of 24x24 in closed form: AMA5 below place c, AMA4 below d, exact cells above.

In both approximate cells the carry is A, the partial product; the sum is B in AMA5 and
``Cin (A' + B)`` in AMA4. So no carry of theirs depends on the rows above, and the output S of
`cell_array` for the significands A (activation) and W (weight) is, from c = 36 on:

- below c, where AMA5 leaves all bits alone, what row 0 and the last carries of the others put
  there: ``a_0 W``, then 0 in place 24, then ``a_(p - 24)`` in place p;
- from c to d, in place p = 24 + q, what rows r = p - 23 .. 23 make of ``B = a_(p - 24)`` by
  ``B = a_r w_(p - r - 1) (w_(p - r)' + B)``. Back from the last row, that is ``w_q``, where for
  every bit of W that is one, from q + 1 up to the first zero, one more bit at the top of A must be
  one, too. So of each run of ones in W as many bits at its top stay as A has leading ones;
- from d on the sum of the exact rows with the carries into them, ``a_r w_(d - 1 - r)``, and of
  ``a_(d - 24)``, the last carry of the row before: every row rounded half up at d, that is ``a_r
  u_r`` with ``u_r = (W + 2^(d - r - 1)) >> (d - r)``, r = d - 24 .. 23.

The fast form computes ``S >> 22`` in 32 bits::

    (spread * u) & field  +  (word >> s) & m  +  (word >> t) & n  +  word & low  +  constant

- *spread* holds the bits of A from d - 24 on, *u* their u_r, both five bits apart but in opposite
  order: in *field*, where each meets its own, is the sum of products. It fits without ``u_23``,
  whose bit of A is the implicit one: that is in *constant*;
- *word* is the part of S below c, and from there on A's leading ones. Shifted right by 23 - h, and
  masked, they are what stays of the run of W with its top in bit h. Between c and d, six places at
  most, only two runs have bits below their tops; the tops themselves are in *constant*.

Where S has 48 bits its float32 has no room for ``a_0``, which is then half of the last bit. The bit
above it is 0: rounding to the even number truncates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.formats import FRACTION_BITS, IMPLICIT_ONE, float32_bits
from accelsim.lanes import as_int32, bits_of, float32_of
from accelsim.multipliers.base import FastForm
from accelsim.multipliers.cell_array import CellMap, cells_below
from accelsim.multipliers.tiled import EXPONENT_OFFSET, ZERO_BELOW, signed_power

__all__ = ["fast_form_of"]

BITS = FRACTION_BITS + 1
"""Of a significand."""
LEAST_EXACT = 42
"""Least d: then all u_r but u_23 add up to less than 2^FIELD_BITS."""
FIELD_BITS = 5
MOST_AMA4 = 6
"""Greatest d - c: then two runs of W at most have bits below their tops there."""
TOP_BITS = 2 * BITS - LEAST_EXACT + MOST_AMA4
"""Leading bits of W, the implicit one included, that are looked at."""
DROPPED = BITS - 2
"""Low bits of S that are not computed."""


def fast_form_of(cells: CellMap) -> FastForm | None:
    """Return the fast form of the fp32 unit with this 24x24 array, None where there is none.

    The unit is one of `accelsim.multipliers.heap`. Its array must have its cells by place as above,
    d >= 42 and d - c <= 6.
    """
    # The last row has cells of all kinds, its places are those from BITS - 1 on.
    c = BITS - 1 + cells[-1].count("ama5")
    d = c + cells[-1].count("ama4")
    fits = d >= LEAST_EXACT and d - c <= MOST_AMA4
    if not fits or cells != cells_below(BITS, [(c, "ama5"), (d, "ama4")]):
        return None
    return FastForm(
        split_activation=_activation_splitter(c, d),
        split_weight=_weight_splitter(c, d),
        combine=_combiner(c, d),
        parts=3,
        dtype=np.int32,
        # The product of the operands' powers, one scaled by 2^-BITS, must be a float32: >= 2^-149.
        exponent_sums=(2 * 127 + BITS - 149, 254 + EXPONENT_OFFSET),
        zero_below=ZERO_BELOW,
        # A zero operand gives -0 where the signs differ; the unit gives +0.
        neutral=0.0,
    )


def _activation_splitter(c: int, d: int) -> Callable[..., Any]:
    """Return the jitted activation -> (spread, word, pattern of its signed power of two)."""
    least = d - BITS
    passed_on = (1 << (c - BITS)) - 2
    ones = (1 << (BITS + 2)) - (1 << (c - DROPPED))

    @jit
    def split_activation(a):  # type: ignore[no-untyped-def]
        bits = as_int32(bits_of(a))
        spread = as_int32(0)
        for r in range(least, FRACTION_BITS):
            spread = as_int32(spread | ((bits >> r) & 1) << FIELD_BITS * (r - least))
        # The implicit one as the sign: a shift to the right goes on with ones.
        leading = as_int32((bits | IMPLICIT_ONE) << (32 - BITS))
        for distance in (1, 2, 4, 8):
            leading = as_int32(leading & (leading >> distance))
        word = (leading >> (30 - BITS)) & ones | (bits & 1) << 1 | (bits & passed_on) << 2
        power = float32_bits(np.float32(signed_power(a)))
        return spread, as_int32(word), as_int32(power)

    return split_activation


def _weight_splitter(c: int, d: int) -> Callable[..., Any]:
    """Return the jitted weight -> (u, settings, pattern of its scaled signed power of two)."""
    tops = np.arange(1 << (TOP_BITS - 1), 1 << TOP_BITS) << (BITS - TOP_BITS)
    factors, settings = _factors(tops, d).astype(np.int32), _settings(tops, c, d).astype(np.int32)
    last, scale = tops.size - 1, 2.0**-BITS

    @jit
    def split_weight(w):  # type: ignore[no-untyped-def]
        top = (bits_of(w) >> (BITS - TOP_BITS)) & last
        power = float32_bits(np.float32(signed_power(w) * scale))
        return factors[top], settings[top], as_int32(power)

    return split_weight


def _combiner(c: int, d: int) -> Callable[..., Any]:
    """Return the jitted (activation's parts, weight's parts) -> product."""
    first, field = c - DROPPED, ((1 << FIELD_BITS) - 1) << (d - DROPPED)
    low = (1 << first) - 1

    @jit(contract=True)  # the product is exact, so that fusing it with a sum changes no bit
    def combine(a, w):  # type: ignore[no-untyped-def]
        (spread, word, a_power), (u, settings, w_power) = a, w
        constant = as_int32((settings & 0xFFF) << first)
        m = as_int32(((settings >> 12) & 63) << first)
        n = as_int32(((settings >> 18) & 63) << first)
        s, t = as_int32((settings >> 24) & 15), as_int32((settings >> 28) & 15)
        kept = as_int32(as_int32((word >> s) & m) | as_int32((word >> t) & n))
        passed = as_int32(as_int32(word & low) + constant)
        upper = as_int32((np.int64(spread) * u) & field)
        total = as_int32(upper + as_int32(kept + passed))
        return np.float32(total) * (float32_of(a_power) * float32_of(w_power))

    return combine


def _rounded(weights: NDArray[Any], row: int, d: int) -> NDArray[Any]:
    """Return u_r of significands."""
    return (weights + (1 << (d - row - 1))) >> (d - row)


def _factors(weights: NDArray[Any], d: int) -> NDArray[Any]:
    """Return *u* of significands, int64: in ``spread * u`` the sum of all u_r but u_23 is at d."""
    rows, u = range(d - BITS, BITS - 1), np.zeros_like(weights)
    for r in rows:
        u |= _rounded(weights, r, d) << FIELD_BITS * (BITS - 2 - r)
    return u << (d - DROPPED - FIELD_BITS * (len(rows) - 1))


def _settings(weights: NDArray[Any], c: int, d: int) -> NDArray[Any]:
    """Return what else the product needs of significands, int64.

    From the lowest bit on: 12 bits of *constant*, 6 of m, 6 of n, 4 of s, 4 of t.
    """
    last, index = c - BITS, np.arange(weights.size)
    constant = _rounded(weights, BITS - 1, d) << (d - c)
    masks, shifts = np.zeros((2, 2, weights.size), np.int64)
    shift = np.zeros_like(weights)
    for place in range(BITS - 1, last - 1, -1):
        bit, above = weights >> place & 1, weights >> (place + 1) & 1
        shift = np.where(above, shift, BITS - 1 - place)
        if place >= d - BITS:
            continue
        constant |= (bit & ~above) << (place - last)
        below_top = bit & above
        # The second run is the one with another top than the first.
        run = np.where((masks[0] != 0) & (shifts[0] != shift), 1, 0)
        masks[run, index] |= below_top << (place - last)
        shifts[run, index] = np.where(below_top, shift, shifts[run, index])
    return constant | masks[0] << 12 | masks[1] << 18 | shifts[0] << 24 | shifts[1] << 28
