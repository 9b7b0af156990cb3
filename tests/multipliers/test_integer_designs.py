"""Each family against its definition, written once more in plain Python numbers and slowly."""

from __future__ import annotations

import functools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.circuits import FULL_ADDERS
from accelsim.multipliers import MULTIPLIERS


def mitchell(a, w, correction=Fraction(0)):
    if a == 0 or w == 0:
        return 0
    k1, k2 = a.bit_length() - 1, w.bit_length() - 1
    x = Fraction(a, 2**k1) - 1 + Fraction(w, 2**k2) - 1
    if x < 1:
        return int(2 ** (k1 + k2) * (1 + x + correction))
    return int(2 ** (k1 + k2 + 1) * (x + correction / 2))


def mbm(a, w):
    return mitchell(a, w, Fraction(78125, 1000000))


def window(value, k):
    digits = f"{value:b}"
    if len(digits) <= k:
        return value
    return int(digits[: k - 1] + "1" + "0" * (len(digits) - k), 2)


def drum(a, w, k):
    return window(a, k) * window(w, k)


def nearest_power(value):
    powers = [2**p for p in range(value.bit_length() + 1)]
    return 2 if value == 3 else min(powers, key=lambda power: (abs(power - value), -power))


def roba(a, w):
    if a == 0 or w == 0:
        return 0
    a_power, w_power = nearest_power(a), nearest_power(w)
    return a * w - (a_power - a) * (w_power - w)


def kulkarni(a, w, bits=16):
    if bits == 2:
        return 7 if a == w == 3 else a * w
    half = bits // 2
    low = (1 << half) - 1
    ll = kulkarni(a & low, w & low, half)
    lh = kulkarni(a & low, w >> half, half)
    hl = kulkarni(a >> half, w & low, half)
    hh = kulkarni(a >> half, w >> half, half)
    return ll + ((lh + hl) << half) + (hh << bits)


def bam(a, w, h, v):
    return sum(
        (a >> j & 1) * (w >> i & 1) << (i + j)
        for i in range(16)
        for j in range(16)
        if i >= h and i + j >= v
    )


def truncated(a, w, t):
    return (a - a % 2**t) * (w - w % 2**t)


def perforated(a, w, j, k):
    return sum(a * (w >> i & 1) << i for i in range(16) if not j <= i < j + k)


def cell_rows(a, w, bits, cell_at):
    """The array with its bits in lists: a row takes the sums of the row above, shifted by one."""
    above = [a & 1 & w >> j for j in range(bits)] + [0]
    result = [above.pop(0)]
    for r in range(1, bits):
        carry, row = 0, []
        for j in range(bits):
            inputs = (a >> r & 1) & (w >> j & 1), above[j], carry
            cell = FULL_ADDERS[cell_at(r, j)]
            row.append(cell.sum(*inputs))
            carry = cell.carry(*inputs)
        above = [*row, carry]
        result.append(above.pop(0))
    return sum(bit << i for i, bit in enumerate(result + above))


def ama(a, w, bits, cell, cut=99):
    return cell_rows(a, w, bits, lambda r, j: cell if r + j < cut else "exact")


DESIGNS = {
    "mitchell_u{}": lambda a, w, bits: mitchell(a, w),
    "mbm_u{}": lambda a, w, bits: mbm(a, w),
    "drum3_u{}": lambda a, w, bits: drum(a, w, 3),
    "drum5_u{}": lambda a, w, bits: drum(a, w, 5),
    "roba_u{}": lambda a, w, bits: roba(a, w),
    "kulkarni_u{}": lambda a, w, bits: kulkarni(a, w),
    "bam_h0v6_u{}": lambda a, w, bits: bam(a, w, 0, 6),
    "bam_h3v5_u{}": lambda a, w, bits: bam(a, w, 3, 5),
    "truncated3_u{}": lambda a, w, bits: truncated(a, w, 3),
    "perforated_j2k3_u{}": lambda a, w, bits: perforated(a, w, 2, 3),
    **{f"ama{i}_u{{}}": functools.partial(ama, cell=f"ama{i}") for i in range(1, 6)},
    **{f"ama{i}_cut6_u{{}}": functools.partial(ama, cell=f"ama{i}", cut=6) for i in range(1, 6)},
}


@pytest.mark.parametrize("form", DESIGNS)
def test_rows_and_columns_of_the_8_bit_table(form):
    """Some activations with all weights, some weights with all activations."""
    table, slow = MULTIPLIERS[form.format(8)].table, DESIGNS[form]
    for operand in (0, 1, 2, 3, 85, 128, 182, 255):
        assert table[operand].tolist() == [slow(operand, w, 8) for w in range(256)]
        assert table[:, operand].tolist() == [slow(a, operand, 8) for a in range(256)]


@pytest.mark.parametrize("form", DESIGNS)
@given(pairs=st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=20))
def test_products_of_16_bits(form, pairs):
    product = MULTIPLIERS[form.format(16)].scalar
    assert [product(a, w) for a, w in pairs] == [DESIGNS[form](a, w, 16) for a, w in pairs]


def test_exact_cells_multiply_exactly():
    np.testing.assert_array_equal(
        MULTIPLIERS["ama3_cut0_u8"].table, np.arange(256)[:, None] * np.arange(256)
    )


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_the_closed_form_of_ama5_in_all_places(a, w):
    """Of every row but the lowest, AMA5 passes only the carries of the weight's top bit on."""
    expected = (a & 1) * w + ((a & ~1) << 16) * (w >> 15)
    assert MULTIPLIERS["ama5_u16"].scalar(a, w) == expected


def test_drum_with_all_bits_in_its_window_is_exact():
    np.testing.assert_array_equal(
        MULTIPLIERS["drum8_u8"].table, np.arange(256)[:, None] * np.arange(256)
    )


@pytest.mark.parametrize("name", ["ama1_cut8_u8", "ama2_cut8_u8", "ama3_cut8_u8"])
def test_some_arrays_make_something_of_two_zeros_or_one(name):
    """AMA2 and AMA3 turn 0 + 0 + 0 into 1; AMA1 carries B on, but nothing comes of nothing."""
    table = MULTIPLIERS[name].table
    assert (table[0, 0] > 0) == (name != "ama1_cut8_u8")
    assert table[:, 0].any() == (name != "ama1_cut8_u8")
