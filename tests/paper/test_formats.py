"""Relative errors of the narrow formats: operands and product rounded, significands uniform.

The formats' papers print no such figures. The rows were computed once from the definitions by other
code, on random pairs; their maxima are those of that sample, so that they lie below the least upper
bound, which is derived here.
"""

import numpy as np
import pytest

from accelsim.compilation import jit
from accelsim.multipliers.float_formats import E4M3, E5M2, TF32, rounding

ROUNDED = {"tf32": TF32, "fp8_e4m3": E4M3, "fp8_e5m2": E5M2}
"""Units that keep the product exact, and the format that it is rounded to here."""


def rounded_to(target):
    nearest = rounding(target)

    @jit
    def loop(values, out):
        for i in range(values.size):
            out[i] = nearest(values[i])

    def over(values):
        out = np.empty_like(values)
        loop(values, out)
        return out

    return over


def least_upper_bound(fraction_bits):
    """The greatest relative error: at a corner of the pairs that round to the same two operands."""
    step = 2.0**-fraction_bits
    numbers = 1 + step * np.arange(2**fraction_bits + 1)
    products = np.outer(numbers, numbers)
    steps = np.where(products < 2, step, 2 * step)
    products = np.rint(products / steps) * steps
    corners = np.maximum(numbers - step / 2, 1), np.minimum(numbers + step / 2, 2)
    return max(np.abs(products / np.outer(corner, corner) - 1).max() for corner in corners)


def third_digit(figure):
    return 10.0 ** (np.floor(np.log10(figure)) - 2)


@pytest.fixture
def check(relative_errors, assert_mean):
    def check(name, fraction_bits, mred_percent, maximum_percent):
        """Rows have three digits; a sample's maximum may differ from another's by 5 %."""
        round_product = rounded_to(ROUNDED[name]) if name in ROUNDED else None
        errors = 100 * np.abs(relative_errors(name, 1, 2, round_product))
        assert_mean(errors, mred_percent, third_digit(mred_percent))
        bound = 100 * least_upper_bound(fraction_bits)
        assert maximum_percent - third_digit(maximum_percent) / 2 < bound
        assert 0.95 * maximum_percent < errors.max() <= bound

    return check


def test_ieee2019_float16_errors(check):
    check("exact_float16", 10, 0.0283, 0.133)


def test_nvidia2020_tf32_errors(check):
    check("tf32", 10, 0.0283, 0.133)


def test_arxiv2019_bfloat16_errors(check):
    check("exact_bfloat16", 7, 0.226, 1.04)


def test_ocp2023_fp8_e4m3_errors(check):
    check("fp8_e4m3", 3, 3.52, 14.5)


def test_ocp2023_fp8_e5m2_errors(check):
    check("fp8_e5m2", 2, 7.04, 29.3)
