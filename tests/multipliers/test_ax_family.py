"""ax_fpm's siblings against the released model, cell-level arrays and their closed-form errors."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.multipliers import MULTIPLIERS

GOLDEN = Path(__file__).parents[1] / "golden" / "axfpm_pairs.csv"
significands = st.integers(1 << 23, (1 << 24) - 1)


def operand(significand, exponent=127):
    return np.uint32(exponent << 23 | significand & 0x7FFFFF).view(np.float32)


def uniform(count):
    return np.random.default_rng(5).uniform(-1, 1, (2, count)).astype(np.float32)


def relative_errors(name, count=200_000):
    a, w = uniform(count)
    exact = a.astype(np.float64) * w
    return (MULTIPLIERS[name].product(a, w) - exact) / exact


def ama5_array(activation, weight, width):
    """Ripple rows over the activation's bits, cell by cell: sum output = B, carry output = A.

    Row i adds the partial product a_i * w at weight 2^i to the running sum: A is the partial
    product's bit, B the running sum's. An AMA5 cell hands B on as the sum and A as the carry, which
    the next cell of the row ignores; the row's last carry is the sum's next bit.
    """
    total = [0] * (2 * width)
    for j in range(width):
        total[j] = activation & weight >> j & 1
    for i in range(1, width):
        carry = 0
        for j in range(width):
            carry = (activation >> i & 1) & (weight >> j & 1)  # A; the sum stays B
        total[i + width] = carry
    return sum(bit << place for place, bit in enumerate(total))


def test_ax_bfloat16_equals_the_released_model_on_all_stored_pairs():
    with GOLDEN.open() as file:
        rows = [[int(row[key], 16) for key in row] for row in csv.DictReader(file)]
    a, w, _, expected = np.array(rows, np.uint32).T.copy()
    assert len(a) == 11748
    got = MULTIPLIERS["ax_bfloat16"].product(a.view(np.float32), w.view(np.float32))
    np.testing.assert_array_equal(got.view(np.uint32), expected)


@given(significands, significands)
def test_ax_fpm_carry_is_the_sum_truncated(activation, weight):
    total = (activation & 0x111111) * weight + 2 * (activation & 0xEEEEEE) * (weight & 0x888888)
    kept = total >> (total.bit_length() - 24) << (total.bit_length() - 24)
    product = MULTIPLIERS["ax_fpm_carry"].product(operand(activation), operand(weight))
    assert float(product) == kept * 2.0**-46


@given(significands, significands)
def test_carry_and_released_differ_by_two_where_the_sum_is_long(activation, weight):
    a, w = operand(activation), operand(weight)
    with_carry, released = (MULTIPLIERS[n].product(a, w) for n in ("ax_fpm_carry", "ax_fpm"))
    total = (activation & 0x111111) * weight + 2 * (activation & 0xEEEEEE) * (weight & 0x888888)
    assert with_carry / released == (2 if total >> 48 else 1)


@given(significands, significands)
def test_ax_fpm_flat_is_the_array_of_ama5_cells(activation, weight):
    total = ama5_array(activation, weight, 24)
    assert total == (activation & 1) * weight + ((activation & ~1) << 24) * (weight >> 23)
    assert total.bit_length() == 48
    product = MULTIPLIERS["ax_fpm_flat"].product(operand(activation), operand(weight))
    assert float(product) == (total >> 24 << 24) * 2.0**-46


@pytest.mark.parametrize("width", [2, 4])
def test_the_flat_closed_form_on_every_pair(width):
    for a in range(1 << width):
        for w in range(1 << width):
            expected = (a & 1) * w + ((a & ~1) << width) * (w >> (width - 1))
            assert ama5_array(a, w, width) == expected


def test_ax_fpm_carry_products_are_never_too_small():
    """But for the truncation: 2^-22 of the product."""
    assert (relative_errors("ax_fpm_carry") > -(2.0**-22)).all()


@pytest.mark.parametrize(
    ("name", "exponents", "bits"),
    [
        # Sums of exponents at the edges: 126 + 1 is the least of ax_fpm, 128 of ax_bfloat16.
        ("ax_fpm_carry", (64, 62), 0),
        ("ax_fpm_carry", (64, 63), 0x00800000),
        ("ax_fpm_flat", (64, 62), 0),
        ("ax_fpm_flat", (64, 63), 0x00800000),
        ("ax_bfloat16", (64, 63), 0),
        ("ax_bfloat16", (64, 64), 0x01000000),
        ("ax_fpm_flat", (254, 126), 0x7F000000),
        ("ax_fpm_flat", (254, 127), 0x7F800000),
        ("ax_bfloat16", (254, 127), 0x7F800000),
    ],
)
def test_flush_and_overflow(name, exponents, bits):
    a, w = (operand(0, exponent) for exponent in exponents)
    assert MULTIPLIERS[name].product(a, w).view(np.uint32) == bits


def test_a_carry_can_save_a_product_from_the_flush_and_overflow_another():
    longest = 0xFFFFFF
    low = MULTIPLIERS["ax_fpm_carry"].product(operand(longest, 64), operand(longest, 62))
    assert low.view(np.uint32) >> 23 == 1
    high = MULTIPLIERS["ax_fpm_carry"].product(operand(longest, 254), operand(longest, 126))
    assert np.isposinf(high)
    assert MULTIPLIERS["ax_fpm"].product(operand(longest, 254), operand(longest, 126)) < np.inf
