"""exact_bfloat16 against torch, which rounds twice only where results are subnormal."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accelsim.multipliers import MULTIPLIERS

UNIT = MULTIPLIERS["exact_bfloat16"]
patterns = st.integers(0, 0x7F7F).map(lambda bits: np.uint32(bits << 16).view(np.float32))


def by_torch(a, w):
    a, w = (torch.from_numpy(side).bfloat16() for side in (a, w))
    return (a * w).float().numpy()


def test_is_torchs_product_where_that_is_not_subnormal(rng):
    a, w = rng.integers(0, 2**32, (2, 200_000), np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        expected = by_torch(a, w)
    got = UNIT.product(a, w)
    usual = ~(np.abs(expected) < 2.0**-125)
    np.testing.assert_array_equal(got[usual], expected[usual])
    assert usual.sum() > 100_000


@given(patterns, patterns)
def test_every_product_is_rounded_once_to_nearest_even(a, w):
    """Among the bfloat16 neighbors of the exact product it is the nearest, or the even one."""
    product = UNIT.product(a, w)
    bits = int(product.view(np.uint32))
    assert bits & 0xFFFF == 0
    exact = Fraction(float(a)) * Fraction(float(w))
    if bits >> 16 >= 0x7F80:
        assert exact >= Fraction(2) ** 128 - Fraction(2) ** 119
        return
    for neighbor in (bits - 0x10000, bits + 0x10000):
        if 0 <= neighbor < 0x7F800000:
            other = Fraction(float(np.uint32(neighbor).view(np.float32)))
            here, there = abs(exact - Fraction(float(product))), abs(exact - other)
            assert here < there or (here == there and bits >> 16 & 1 == 0)


def test_published_error_on_uniform_significands(rng):
    """MRED 0.226 %, at most 1.04 %: both operands and the product rounded."""
    a, w = rng.uniform(1, 2, (2, 200_000)).astype(np.float32)
    exact = a.astype(np.float64) * w
    errors = np.abs(UNIT.product(a, w) - exact) / exact
    assert errors.mean() == pytest.approx(0.00226, rel=0.01)
    assert errors.max() < 0.0117  # (1 + 2^-8)^3 - 1


def test_special_values():
    infinity, nan = np.float32(np.inf), np.float32(np.nan)
    assert UNIT.product(infinity, -2.0) == -np.inf
    assert np.isnan(UNIT.product(infinity, 0.0))
    assert np.isnan(UNIT.product(nan, 1.0))
    assert np.signbit(UNIT.product(-0.0, 1.0))
    # The largest float32 rounds to infinity, as an operand and as a product.
    assert UNIT.product(np.finfo(np.float32).max, 1.0) == np.inf
