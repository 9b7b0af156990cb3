"""ax_fpm against the released model's results, its 4x4 tiles, and its own special cases."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.multipliers import MULTIPLIERS

UNIT = MULTIPLIERS["ax_fpm"]
GOLDEN = Path(__file__).parents[1] / "golden" / "axfpm_pairs.csv"
EDGE = 0x03AA2425
"""Pattern of float32(1e-36), which is 1.0000000359e-36."""
INFINITY = 0x7F800000


def from_bits(*bits):
    return np.array(bits, np.uint32).view(np.float32)


def bits_of(product):
    return np.asarray(product).view(np.uint32).tolist()


def tiled_sum(activation, weight):
    """The 24x24 array as thirty-six 4x4 tiles, of significands as Python integers."""
    total = 0
    for i in range(6):
        for j in range(6):
            x, y = activation >> 4 * i & 15, weight >> 4 * j & 15
            total += ((x & 1) * y + 16 * (y >> 3) * (x & 14)) << 4 * (i + j)
    return total


def by_tiles(a_bits, w_bits):
    """The product's pattern from the tiles, for finite operands of at least 1e-36."""
    total = tiled_sum(a_bits & 0x7FFFFF | 0x800000, w_bits & 0x7FFFFF | 0x800000)
    fraction = (total >> (total.bit_length() - 24)) & 0x7FFFFF
    exponent = (a_bits >> 23 & 255) + (w_bits >> 23 & 255) - 126
    sign = (a_bits ^ w_bits) & 0x80000000
    if exponent < 1:
        return 0
    return sign | (INFINITY if exponent > 254 else exponent << 23 | fraction)


def test_equals_the_released_model_on_all_stored_pairs():
    with GOLDEN.open() as file:
        rows = [[int(row[key], 16) for key in row] for row in csv.DictReader(file)]
    a, w, expected, _ = np.array(rows, np.uint32).T.copy()
    assert len(a) == 11748
    got = UNIT.product(a.view(np.float32), w.view(np.float32)).view(np.uint32)
    np.testing.assert_array_equal(got, expected)


live = st.integers(EDGE, INFINITY - 1).flatmap(
    lambda size: st.sampled_from([size, size | 0x80000000])
)


@settings(deadline=None)  # the first call compiles
@given(live, live)
def test_equals_the_tiles(a_bits, w_bits):
    assert bits_of(UNIT.product(from_bits(a_bits), from_bits(w_bits))) == [by_tiles(a_bits, w_bits)]


def test_prints_the_authors_example():
    assert float(UNIT.product(0.856, 0.471)) == pytest.approx(0.426080584526062, abs=1e-15)


def test_is_not_commutative():
    assert bits_of(UNIT.product(1.25, 1.9)) != bits_of(UNIT.product(1.9, 1.25))


@pytest.mark.parametrize("sign", [0, 0x80000000])
def test_zero_rule_ends_below_float32_of_1e_36(sign):
    """The edge itself is above 1e-36, in float32 and in float64; the number below it is zero."""
    one = from_bits(0x3F800000)
    assert bits_of(UNIT.product(from_bits(EDGE - 1 | sign), one)) == [0]
    assert bits_of(UNIT.product(one, from_bits(EDGE - 1 | sign))) == [0]
    assert bits_of(UNIT.product(from_bits(EDGE | sign), one)) == [0x042A2424 | sign]
    assert bits_of(UNIT.product(one, from_bits(EDGE | sign))) == [0x04080000 | sign]


def test_zeros_and_subnormals_give_plus_zero():
    zeros = from_bits(0, 0x80000000, 1, 0x80000001, 0x007FFFFF)
    for other in (0x3F800000, 0xBF800000, 0x7F7FFFFF, 0, 0x80000000):
        assert bits_of(UNIT.product(zeros, from_bits(other))) == [0] * 5
        assert bits_of(UNIT.product(from_bits(other), zeros)) == [0] * 5


def test_flushes_exponents_below_one_to_plus_zero():
    """2^-63 * 2^-64 has the exponent field 64 + 63 - 126 = 1; one less is flushed."""
    small = from_bits(64 << 23)
    assert bits_of(UNIT.product(small, from_bits(63 << 23))) == [1 << 23]
    assert bits_of(UNIT.product(-small, from_bits(62 << 23))) == [0]


def test_overflows_above_254_to_infinity_with_the_sign():
    """The fields 190 + 190 - 126 = 254 are the last finite exponent."""
    large = from_bits(190 << 23)
    assert bits_of(UNIT.product(large, large)) == [254 << 23]
    assert bits_of(UNIT.product(-large, from_bits(191 << 23))) == [INFINITY | 0x80000000]
    assert bits_of(UNIT.product(-large, from_bits(0xC0000000 | 191 << 23))) == [INFINITY]


def test_infinities_and_nan_follow_ieee_754():
    inf, nan = np.float32(np.inf), np.float32(np.nan)
    assert UNIT.product(inf, -2.0) == -inf
    assert UNIT.product(-inf, -inf) == inf
    for pair in ((inf, 0.0), (-0.0, inf), (nan, 0.0), (1.0, nan), (nan, inf)):
        assert np.isnan(UNIT.product(*pair))


def test_infinity_times_what_only_this_unit_takes_as_zero_is_infinity():
    """The zero rule is about finite products: IEEE 754 sees 1e-37 and subnormals as they are."""
    for small in (np.float32(1e-37), np.float32(1e-45)):
        assert UNIT.product(np.float32(np.inf), -small) == -np.inf
        assert UNIT.product(small, np.float32(np.inf)) == np.inf


def test_takes_one_cycle_at_200_mhz():
    """4055 ps against a period of 5000 ps."""
    assert UNIT.latency_cycles(200) == 1
    assert UNIT.latency_cycles(1000) == 5
