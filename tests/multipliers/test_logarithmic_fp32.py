"""mitchell_fp32 and mbm_fp32 against their papers' formulas in rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.logarithmic_fp32 import fast_form, scalar_product

CORRECTIONS = {"mitchell_fp32": Fraction(0), "mbm_fp32": Fraction(5, 64)}
names = pytest.mark.parametrize("name", CORRECTIONS)


def operand(exponent, fraction, sign=0):
    return np.uint32(sign << 31 | exponent << 23 | fraction).view(np.float32)


def by_formula(correction, fields_a, fields_w):
    """The magnitude as the papers have it, cut to 24 bits, from (exponent field, fraction)."""
    (ea, x), (ew, y) = (
        (field, Fraction(fraction, 1 << 23)) for field, fraction in (fields_a, fields_w)
    )
    power = Fraction(2) ** (ea + ew - 254)
    if x + y < 1:
        product = power * (1 + x + y + correction)
    else:
        product = 2 * power * (x + y + correction / 2)
    exponent = product.numerator.bit_length() - product.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > product
    if exponent < -126:
        return 0.0
    last_place = Fraction(2) ** (exponent - 23)
    return float(product // last_place * last_place) if exponent <= 127 else np.inf


fractions = st.integers(0, 2**23 - 1) | st.sampled_from([0, 1, 2**22, 2**23 - 1])
fields = st.tuples(st.integers(1, 254) | st.integers(60, 70) | st.integers(187, 195), fractions)


@names
@given(st.lists(st.tuples(fields, fields, st.integers(0, 3)), min_size=1, max_size=20))
def test_is_the_papers_formula_truncated(name, cases):
    a = np.array([operand(*a, sign >> 1) for a, _, sign in cases])
    w = np.array([operand(*w, sign & 1) for _, w, sign in cases])
    sizes = np.array([by_formula(CORRECTIONS[name], a, w) for a, w, _ in cases])
    negative = (np.signbit(a) ^ np.signbit(w)) & (sizes > 0)
    got = MULTIPLIERS[name].product(a, w)
    np.testing.assert_array_equal(got, np.where(negative, -sizes, sizes))
    np.testing.assert_array_equal(np.signbit(got), negative)


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=20))
def test_mitchells_product_is_the_sum_of_the_patterns(cases):
    cases = [(a, w) for a, w in cases if 128 <= a[0] + w[0] <= 380]
    a, w = (np.array([operand(*case[side]) for case in cases], np.float32) for side in (0, 1))
    got = MULTIPLIERS["mitchell_fp32"].product(a, w)
    expected = a.view(np.uint32) + w.view(np.uint32) - np.float32(1).view(np.uint32)
    np.testing.assert_array_equal(got.view(np.uint32), expected)


@pytest.mark.parametrize("correction", [2.0**-22, 0.0625, 0.5 - 2.0**-22])
def test_any_correction_has_a_fast_form(correction, rng):
    """Sums that lie halfway between two float32 numbers are cut off, not rounded to even."""
    scalar, fast = scalar_product(correction), fast_form(correction)
    split_activation, split_weight, combine = fast.split_activation, fast.split_weight, fast.combine

    @jit
    def differences(a, w):
        count = 0
        for i in range(a.size):
            product = combine(split_activation(a[i]), split_weight(w[i]))
            count += product != scalar(a[i], w[i])
        return count

    a, w = rng.uniform(1, 2, (2, 300_000)).astype(np.float32)
    w[::3] = 3 - a[::3] - rng.integers(0, 3, w[::3].size) * np.float32(2.0**-23)  # x + y near 1
    assert differences(a, -w) == 0


@names
def test_zeros_and_subnormals_give_plus_zero(name):
    zeros = np.array([0, 0x80000000, 1, 0x80000001, 0x007FFFFF], np.uint32).view(np.float32)
    for other in (1.0, -1.0, 3e38, 0.0, -0.0, 1e-45):
        for product in (
            MULTIPLIERS[name].product(zeros, other),
            MULTIPLIERS[name].product(other, zeros),
        ):
            np.testing.assert_array_equal(product.view(np.uint32), 0)


@names
def test_flush_and_overflow(name):
    unit, most = MULTIPLIERS[name], 2**23 - 1
    # 2^-63 * 2^-63 is the least normal number, half of it is flushed, to +0.
    assert float(unit.product(operand(64, 0), operand(64, 0))) >= 2.0**-126
    assert not np.signbit(unit.product(-operand(64, 0), operand(63, 0)))
    assert unit.product(-operand(64, 0), operand(63, 0)) == 0
    # The fractions' carry saves a product from the flush and makes another infinite.
    assert unit.product(operand(64, most), operand(63, most)) > 2.0**-126
    assert unit.product(operand(254, 0), operand(127, 0)) < np.inf
    assert unit.product(operand(254, most, sign=1), operand(127, most)) == -np.inf


@names
def test_infinities_and_nan_follow_ieee_754(name):
    product = MULTIPLIERS[name].product
    assert product(np.inf, -2.0) == -np.inf
    assert product(-1e-45, np.inf) == -np.inf  # the zero rule is about finite products
    for pair in ((np.inf, 0.0), (np.nan, 0.0), (1.0, np.nan)):
        assert np.isnan(product(*pair))


@names
def test_is_commutative(name, rng):
    a, w = rng.integers(0, 2**32, (2, 100_000), np.uint32).view(np.float32)
    np.testing.assert_array_equal(MULTIPLIERS[name].product(a, w), MULTIPLIERS[name].product(w, a))
