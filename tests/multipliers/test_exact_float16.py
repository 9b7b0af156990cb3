"""exact_float16 is torch's float16 product, bit for bit."""

import numpy as np
import torch

from accelsim.multipliers import MULTIPLIERS

UNIT = MULTIPLIERS["exact_float16"]


def assert_is_torchs(a, w):
    __tracebackhide__ = True
    left, right = (torch.from_numpy(side).half() for side in (a, w))
    expected = (left * right).float().numpy()
    got = UNIT.product(a, w)
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(got.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])


def test_is_torchs_product_of_all_patterns_with_some(rng):
    """Normal, subnormal, infinite and NaN: no exception."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    assert_is_torchs(every[:, None], rng.choice(every, 40))


def test_is_torchs_product_of_any_float32(rng):
    a, w = rng.integers(0, 2**32, (2, 500_000), np.uint32).view(np.float32)
    assert_is_torchs(a, w)
    # Products of all exponents that float16 has, and of some it has not.
    a, w = rng.standard_normal((2, 500_000)) * 2.0 ** rng.integers(-14, 9, (2, 500_000))
    assert_is_torchs(a.astype(np.float32), w.astype(np.float32))


def test_overflows_where_an_operand_does_though_the_product_would_not():
    assert UNIT.product(1e6, 1e-6) == np.inf
    assert np.isnan(UNIT.product(1e6, 1e-9))  # infinity times zero


def test_small_products_lose_bits_and_vanish():
    assert UNIT.product(2.0**-12, 2.0**-12) == 2.0**-24
    assert UNIT.product(2.0**-12, 2.0**-13) == 0
    assert UNIT.product(1.5 * 2.0**-12, 2.0**-12) == 2.0**-23
