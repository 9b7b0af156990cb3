"""exact_fp32 is the IEEE 754 product, in all its forms."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.multipliers import MULTIPLIERS

UNIT = MULTIPLIERS["exact_fp32"]


def from_bits(bits):
    return np.asarray(bits, np.uint32).view(np.float32)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(*[st.integers(0, 2**32 - 1)] * 2), min_size=1, max_size=50))
def test_is_numpys_float32_product_bit_for_bit(pairs):
    a, w = (from_bits(side) for side in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        expected = a * w
    got = UNIT.product(a, w)
    nan = np.isnan(expected)
    assert (np.isnan(got) == nan).all()
    assert (got.view(np.uint32) == expected.view(np.uint32))[~nan].all()


def test_keeps_subnormals_and_the_sign_of_zero():
    tiny = np.float32(1e-45)
    assert UNIT.product(tiny, 1.0) == tiny
    assert np.signbit(UNIT.product(np.float32(-0.0), 1.0))


def test_takes_two_cycles_at_200_mhz():
    """5134 ps against a period of 5000 ps."""
    assert UNIT.latency_cycles(200) == 2
    assert UNIT.latency_cycles(194) == 1
