"""The exact units of narrow formats against rational arithmetic, from the formats' numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.multipliers import MULTIPLIERS

FLOAT32 = (23, -126, 2.0**128 - 2.0**104, math.inf)
FORMATS = {
    "exact_float16": (10, -14, 65504.0, math.inf),
    "exact_bfloat16": (7, -126, 2.0**128 - 2.0**120, math.inf),
    "tf32": (10, -126, 2.0**128 - 2.0**117, math.inf),
    "fp8_e4m3": (3, -6, 448.0, 448.0),
    "fp8_e5m2": (2, -14, 57344.0, math.inf),
}
"""Fraction bits, exponent of the least normal number, greatest number, what is too large."""

RESULTS = {name: FORMATS[name] if name.startswith("exact") else FLOAT32 for name in FORMATS}


def nearest(value, number_format):
    """The number of the format nearest to a float or Fraction; Python rounds halves to even."""
    fraction_bits, least_exponent, greatest, beyond = number_format
    if isinstance(value, float) and not math.isfinite(value):
        return math.copysign(beyond, value) if math.isinf(value) else value
    exact = Fraction(value)
    if exact == 0:
        return value
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > size
    quantum = Fraction(2) ** (max(exponent, least_exponent) - fraction_bits)
    rounded = round(size / quantum) * quantum
    return math.copysign(beyond if rounded > greatest else float(rounded), exact)


def by_definition(name, a, w):
    a, w = nearest(float(a), FORMATS[name]), nearest(float(w), FORMATS[name])
    if a == 0 or w == 0 or not (math.isfinite(a) and math.isfinite(w)):
        return a * w
    return nearest(Fraction(a) * Fraction(w), RESULTS[name])


@st.composite
def operand_near(draw, number_format):
    """A float32 of the format's exponents and some around, often near or at a halfway point."""
    fraction_bits, least_exponent, greatest, _ = number_format
    low, high = least_exponent - fraction_bits - 2, math.ceil(math.log2(greatest)) + 1
    exponent = draw(st.integers(max(low, -126), min(high, 127)))
    kept = draw(st.integers(0, (1 << (fraction_bits + 1)) - 1)) << (23 - fraction_bits - 1)
    fraction = draw(st.sampled_from([kept, kept ^ 1, kept | 1 << 21]) | st.integers(0, 2**23 - 1))
    sign = draw(st.integers(0, 1))
    return sign << 31 | (exponent + 127) << 23 | fraction


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_operands_and_products_are_rounded_to_nearest_even(name, data):
    operands = operand_near(FORMATS[name]) | st.integers(0, 2**32 - 1)
    pairs = data.draw(st.lists(st.tuples(operands, operands), min_size=1, max_size=20))
    a, w = np.array(pairs, np.uint32).T.copy().view(np.float32)
    expected = np.array([by_definition(name, *pair) for pair in zip(a, w, strict=True)])
    got = MULTIPLIERS[name].product(a, w)
    np.testing.assert_array_equal(got, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


@pytest.mark.parametrize("name", FORMATS)
def test_infinities_and_nan_follow_ieee_754_and_zeros_keep_their_sign(name):
    product = MULTIPLIERS[name].product
    infinity = np.float32(FORMATS[name][3])
    assert product(np.inf, -2.0) == -2 * infinity
    assert product(-np.inf, -np.inf) == infinity * infinity
    assert np.isnan(product(np.nan, 0.0))
    assert np.isnan(product(1.0, np.nan))
    assert np.isnan(product(np.inf, 0.0)) == np.isinf(infinity)
    assert np.signbit(product(-0.0, 1.0))
    assert not np.signbit(product(-0.0, -1e-45))
