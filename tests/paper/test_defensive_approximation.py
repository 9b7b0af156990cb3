"""Figures of "Defensive Approximation", ASPLOS 2021, and of its released multiplier model.

The paper's 96 % and the more precise figures, which were measured on its released model with
2*10^6 pairs uniform in (-1, 1).
"""

import numpy as np
import pytest


def test_asplos2021_products_larger_than_exact(relative_errors, assert_mean):
    larger = relative_errors("ax_fpm", -1, 1) > 0
    assert_mean(larger, 0.96, 0.01)
    assert_mean(larger, 0.9575, 0.0001)


def test_asplos2021_errors_of_the_released_model(relative_errors, assert_mean):
    """MRED 41.1 %, mean +38.4 %, from -48.3 % to +100.0 %."""
    errors = relative_errors("ax_fpm", -1, 1)
    assert_mean(np.abs(errors), 0.411, 0.001)
    assert_mean(errors, 0.384, 0.001)
    assert -0.484 < errors.min() < -0.47
    assert 0.999 < errors.max() <= 1.0


def test_asplos2021_errors_of_the_flat_array(relative_errors, assert_mean):
    """MRED 38.6 %: the weight's significand s, uniform in (1, 2), becomes 2; E[2 / s] - 1.

    But for the activation's lowest bit no error is negative, so that the bias is as large.
    """
    errors = relative_errors("ax_fpm_flat", -1, 1)
    assert 2 * np.log(2) - 1 == pytest.approx(0.386, abs=0.0005)
    assert_mean(np.abs(errors), 0.386, 0.001)
    assert_mean(errors, 2 * np.log(2) - 1, 0.0)
    assert errors.min() > -(2.0**-22)
