"""fp8_e4m3 and fp8_e5m2 against torch's dtypes, on all pairs of their numbers."""

import numpy as np
import pytest
import torch

from accelsim.multipliers import MULTIPLIERS

DTYPES = {"fp8_e4m3": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}
names = pytest.mark.parametrize("name", DTYPES)


def numbers(name):
    return torch.arange(256, dtype=torch.uint8).view(DTYPES[name]).float().numpy()


@names
def test_all_pairs_of_numbers_have_their_exact_product(name):
    values = numbers(name)
    with np.errstate(invalid="ignore"):
        expected = values[:, None].astype(np.float64) * values
    np.testing.assert_array_equal(MULTIPLIERS[name].product(values[:, None], values), expected)


@names
def test_operands_are_rounded_as_in_torch(name, rng):
    a, w = rng.standard_normal((2, 200_000), np.float32) * np.float32(64)
    left, right = (torch.from_numpy(side).to(DTYPES[name]).float().numpy() for side in (a, w))
    np.testing.assert_array_equal(MULTIPLIERS[name].product(a, w), left * right)


def test_e4m3_saturates_and_e5m2_becomes_infinite():
    e4m3, e5m2 = (MULTIPLIERS[name].product for name in DTYPES)
    assert [float(e4m3(x, 1.0)) for x in (464.0, 465.0, -1e9, np.inf)] == [448, 448, -448, 448]
    assert [float(e5m2(x, 1.0)) for x in (61439.0, 61440.0, -1e9)] == [57344, np.inf, -np.inf]
    assert np.isnan(e5m2(1e9, 0.0))
    assert e4m3(1e9, 0.0) == 0


def test_small_operands_vanish():
    assert MULTIPLIERS["fp8_e4m3"].product(2.0**-10, 1.0) == 0
    assert MULTIPLIERS["fp8_e4m3"].product(1.5 * 2.0**-10, 1.0) == 2.0**-9
    assert MULTIPLIERS["fp8_e5m2"].product(2.0**-16, 1.0) == np.float32(2.0**-16)
