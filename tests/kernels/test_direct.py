"""Direct convolution against im2col and the matrix product, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import accelsim
from accelsim.accumulators import ACCUMULATORS, accumulator_of
from accelsim.kernels import accumulate, convolve, direct, im2col
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

UNITS = ["ax_fpm", "ax_fpm_carry", "exact_fp32", "drum4_s8", "ama5_u8"]
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def operands(unit, shape, seed, scale=0):
    rng = np.random.default_rng(seed)
    if isinstance(unit, IntegerMultiplier):
        kind = unit.operands
        return rng.integers(kind.low, kind.high + 1, shape, kind.dtype)
    values = np.ldexp(rng.standard_normal(shape), rng.integers(-scale, scale + 1, shape))
    return values.astype(np.float32)


def by_columns(unit, adder, images, weights, stride, padding, dilation, fill):
    """One matrix product for each image and channel."""
    share = len(weights) // images.shape[1]
    outputs = []
    for image in images:
        psums = []
        for c, channel in enumerate(image):
            columns = im2col(channel[None], weights.shape[2:], stride, padding, dilation, fill=fill)
            own = weights[c * share : (c + 1) * share].reshape(share, -1)
            sums = np.zeros((share, columns.shape[1]), adder.dtype)
            accumulate(unit, adder, columns, own, sums)
            psums.append(sums)
        outputs.append(np.concatenate(psums))
    return np.stack(outputs)


@given(
    name=st.sampled_from(UNITS),
    images=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(7, 12), st.integers(7, 12)),
    share=st.integers(1, 2),
    kernel=pairs,
    stride=pairs,
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    dilation=pairs,
    scale=st.sampled_from([0, 60]),
)
def test_has_the_bits_of_the_matrix_product(
    name, images, share, kernel, stride, padding, dilation, scale
):
    """Magnitudes inside of the fast range and outside, zero points in the padding."""
    unit = MULTIPLIERS[name]
    adder = accumulator_of(unit)
    x = operands(unit, images, 0, scale)
    w = operands(unit, (share * images[1], 1, *kernel), 1, scale)
    fill = 3 if isinstance(unit, IntegerMultiplier) else 0
    got = convolve(unit, adder, x, w, stride, padding, dilation, images[1], fill)
    expected = by_columns(unit, adder, x, w, stride, padding, dilation, fill)
    assert got.tobytes() == expected.reshape(got.shape).tobytes()


@pytest.mark.parametrize("accumulator", [n for n, a in ACCUMULATORS.items() if a.integer])
def test_integers_add_one_by_one(accumulator):
    """Near the ends of an int32, where saturating sums depend on the order."""
    unit = MULTIPLIERS["exact_int8"]
    adder = ACCUMULATORS[accumulator]
    x, w = operands(unit, (1, 2, 9, 9), 0), operands(unit, (2, 1, 3, 3), 1)
    got = convolve(unit, adder, x, w, groups=2)
    np.testing.assert_array_equal(
        got.reshape(1, 2, -1), by_columns(unit, adder, x, w, (1, 1), (0, 0), (1, 1), 0)
    )


def test_special_values_take_the_scalar_product():
    unit, adder = MULTIPLIERS["ax_fpm"], ACCUMULATORS["float32"]
    x, w = operands(unit, (2, 3, 8, 8), 0), operands(unit, (3, 1, 3, 3), 1)
    x[0, 1, 2, 3], x[1, 0, 0, 0], w[2, 0, 1, 1] = np.inf, np.nan, 1e38
    got = convolve(unit, adder, x, w, padding=(1, 1), groups=3)
    expected = by_columns(unit, adder, x, w, (1, 1), (1, 1), (1, 1), 0).reshape(got.shape)
    assert np.isnan(got).any()
    np.testing.assert_array_equal(got, expected)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(direct, "GRAIN", 1)
    results = []
    for threads in (1, 3):
        accelsim.set_threads(threads)
        try:
            unit = MULTIPLIERS["ax_fpm"]
            x, w = operands(unit, (2, 5, 9, 9), 0), operands(unit, (10, 1, 3, 3), 1)
            results.append(convolve(unit, ACCUMULATORS["float64"], x, w, groups=5).tobytes())
        finally:
            accelsim.set_threads(None)
    assert results[0] == results[1]


def test_a_unit_of_neither_kind_goes_by_columns():
    assert not direct.has_direct_form(MULTIPLIERS["heap_ama1_cut48"])
    assert not direct.has_direct_form(MULTIPLIERS["exact_int16"])
    assert direct.has_direct_form(MULTIPLIERS["ax_fpm"])
