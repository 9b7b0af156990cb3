"""`accumulate` against the three plain loops, bit for bit; `finish`; what they reject."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.accumulators import ACCUMULATORS
from accelsim.errors import DataError
from accelsim.kernels import accumulate, finish
from accelsim.kernels.gemm import accumulate_groups, entries
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier

FLOAT_UNITS = [name for name, unit in MULTIPLIERS.items() if isinstance(unit, FloatMultiplier)]
FLOAT_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if not entry.integer]

SHAPES = [
    (1, 1, 1), (3, 5, 2), (1, 17, 11), (9, 513, 3), (2, 1, 12), (5, 16, 13), (4, 17, 128),
    (6, 25, 129), (7, 33, 300), (5, 17, 520), (66, 40, 20), (130, 257, 12), (1, 300, 130),
    (67, 3, 257),
]  # fmt: skip
"""(n, k, m): one side and the other of every block size of the kernels."""


def plain(unit, accumulator, activations, weights, psums):
    """The definition: products of the scalar, added one k after the other."""
    dtype = ACCUMULATORS[accumulator].dtype
    with np.errstate(all="ignore"):
        for kk in range(activations.shape[0]):
            product = MULTIPLIERS[unit].product(activations[kk], weights[:, kk, None])
            psums = (psums + product.astype(dtype)).astype(dtype)
    return psums


def assert_same_bits(got, expected):
    __tracebackhide__ = True
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), nan)
    kind = f"u{expected.dtype.itemsize}"
    np.testing.assert_array_equal(got.view(kind)[~nan], expected.view(kind)[~nan])


def check(unit, accumulator, activations, weights, start=0.0):
    __tracebackhide__ = True
    shape = weights.shape[0], activations.shape[1]
    psums = np.full(shape, start, ACCUMULATORS[accumulator].dtype)
    expected = plain(unit, accumulator, activations, weights, psums.copy())
    accumulate(unit, accumulator, activations, weights, psums)
    assert_same_bits(psums, expected)


def operands(shape, seed=0, exponents=(0, 0)):
    """Normal numbers times random powers of two out of *exponents*, some of them zeros."""
    n, k, m = shape
    rng = np.random.default_rng(seed)
    for size in ((k, m), (n, k)):
        scale = rng.integers(exponents[0], exponents[1] + 1, size)
        values = np.ldexp(rng.standard_normal(size), scale).astype(np.float32)
        values[rng.random(size) < 0.2] = rng.choice([0.0, -0.0])
        yield values


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("unit", FLOAT_UNITS)
class TestBitsOfThePlainLoops:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_all_block_sizes(self, unit, accumulator, shape):
        check(unit, accumulator, *operands(shape))

    @pytest.mark.parametrize("shape", [(70, 40, 150), (20, 600, 5)])
    def test_magnitudes_beyond_the_fast_range(self, unit, accumulator, shape):
        check(unit, accumulator, *operands(shape, exponents=(-70, 60)))

    @pytest.mark.parametrize("shape", [(9, 40, 150), (9, 600, 5)])
    def test_a_few_filters_beyond_the_fast_range(self, unit, accumulator, shape):
        activations, weights = operands(shape, exponents=(-30, 0))
        weights[[0, 4]] *= np.float32(1e-30)
        weights[7] *= np.float32(1e36)
        check(unit, accumulator, activations, weights)

    @pytest.mark.parametrize("shape", [(6, 20, 40), (6, 20, 4)])
    @pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, 3e38, 1e-37, 1e-45])
    def test_special_operands(self, unit, accumulator, shape, special):
        for side in (0, 1):
            pair = list(operands(shape))
            pair[side].flat[::7] = special
            check(unit, accumulator, *pair)

    @pytest.mark.parametrize("shape", [(5, 3, 40), (5, 3, 4)])
    @pytest.mark.parametrize("start", [-0.0, 1.5, 1e-42, 3e38, -np.inf, np.nan])
    @pytest.mark.parametrize("factor", [1.0, 0.0, -0.0, 2.0**-149])
    def test_any_psum_to_start_from(self, unit, accumulator, shape, start, factor):
        activations, weights = operands(shape)
        check(unit, accumulator, activations, weights * np.float32(factor), start)

    def test_strided_operands_and_psums(self, unit, accumulator):
        activations, weights = operands((6, 20, 40))
        psums = np.zeros((40, 6), ACCUMULATORS[accumulator].dtype)
        accumulate(unit, accumulator, activations[::2, ::2], weights[:, ::2], psums.T[:, ::2])
        zeros = np.zeros((6, 20), psums.dtype)
        expected = plain(unit, accumulator, activations[::2, ::2], weights[:, ::2], zeros)
        assert_same_bits(psums.T[:, ::2].copy(), expected)
        assert not psums.T[:, 1::2].any()

    @pytest.mark.parametrize("columns", [3, 40])
    def test_takes_part_of_a_weight_matrix_where_it_lies(self, unit, accumulator, columns):
        activations, weights = operands((14, 20, columns))
        unit, adder = entries(unit, accumulator)
        psums = np.zeros((2, 3, columns), adder.dtype)
        parts = weights.reshape(2, 7, 20)[:, 2:5, 4:15]
        both = np.stack([activations[4:15], activations[7:18]])
        accumulate_groups(unit, adder, both, parts, psums)
        for own, part, sums in zip(both, parts, psums, strict=True):
            zeros = np.zeros((3, columns), adder.dtype)
            assert_same_bits(sums, plain(unit.name, adder.name, own, part.copy(), zeros))

    def test_two_calls_add_up_like_one(self, unit, accumulator):
        activations, weights = operands((6, 20, 40))
        psums = np.zeros((6, 40), ACCUMULATORS[accumulator].dtype)
        expected = plain(unit, accumulator, activations, weights, psums.copy())
        accumulate(unit, accumulator, activations[:7], weights[:, :7], psums)
        accumulate(unit, accumulator, activations[7:], weights[:, 7:], psums)
        assert_same_bits(psums, expected)

    @pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 40), (2, 3, 0)])
    def test_nothing_to_add_changes_nothing(self, unit, accumulator, shape):
        psums = np.full((shape[0], shape[2]), -0.0, ACCUMULATORS[accumulator].dtype)
        accumulate(unit, accumulator, *operands(shape), psums)
        assert np.signbit(psums).all()


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 40)),
    unit=st.sampled_from(FLOAT_UNITS),
    accumulator=st.sampled_from(FLOAT_ACCUMULATORS),
    low=st.integers(-120, 0),
    high=st.integers(0, 120),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_small_product_has_the_bits_of_the_plain_loops(
    shape, unit, accumulator, low, high, seed
):
    check(unit, accumulator, *operands(shape, seed, (low, high)))


def test_exact_float32_sums_are_not_fused():
    """(1 + 2^-12)^2 = 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11: less that, fused leaves 2^-24."""
    a = np.full((1, 40), 1 + 2.0**-12, np.float32)
    psums = np.full((1, 40), -(1 + 2.0**-11), np.float32)
    accumulate("exact_fp32", "float32", a, a[:, :1], psums)
    assert (psums == 0).all()


@pytest.mark.parametrize("unit", ["ax_fpm", "ax_fpm_carry", "ax_bfloat16"])
@pytest.mark.parametrize("scales", [(2.0**-10, 2.0**127), (2.0**127, 2.0**-10), (0.0, 2.0**127)])
def test_the_greatest_exponent_of_an_operand_beside_small_ones(unit, scales):
    """Their sum is inside the range of the fast form; twice the power of one is no float32."""
    for shape in ((6, 20, 40), (6, 20, 4)):
        activations, weights = (np.full(size, 1.25, np.float32) for size in (shape[1:], shape[:2]))
        check(unit, "float32", activations * np.float32(scales[0]), weights * np.float32(scales[1]))


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
def test_a_unit_without_a_fast_form_gets_kernels(accumulator):
    slow = dataclasses.replace(MULTIPLIERS["ax_fpm"], fast=None)
    for shape in ((3, 5, 2), (6, 25, 40)):
        activations, weights = operands(shape)
        psums = np.zeros((shape[0], shape[2]), ACCUMULATORS[accumulator].dtype)
        expected = plain("ax_fpm", accumulator, activations, weights, psums.copy())
        accumulate(slow, ACCUMULATORS[accumulator], activations, weights, psums)
        assert_same_bits(psums, expected)


def test_finish_rounds_once_from_float64():
    """1 + 2^-24 + 2^-40 is above the tie and rounds up; rounded before the bias it would not."""
    psums = np.array([[1 + 2.0**-24]])
    bias = np.array([2.0**-40], np.float32)
    assert finish(psums, bias)[0, 0] == np.float32(1 + 2.0**-23)
    assert finish(psums.astype(np.float32), bias)[0, 0] == 1.0


def test_finish_without_bias_and_beyond_float32():
    assert finish(np.array([[1e300, -2.0]]), None).tolist() == [[np.inf, -2.0]]
    psums = np.ones((1, 1), np.float32)
    assert finish(psums, None) is not psums
    assert finish(psums, np.ones(1, np.float32)) == 2
    assert psums == 1


F32 = np.zeros((3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((F32.astype(np.float64), F32, F32), r"activations must be a float32 ndarray \(k, m\), got "
         r"\(3, 3\) of float64; convert"),
        ((F32, [[1.0]], F32), r"weights must be a float32 ndarray \(n, k\), got list"),
        ((F32, F32[0], F32), r"weights .* got \(3,\) of float32"),
        ((F32, F32, F32.astype(np.float64)), "psums must be an ndarray of float32.* got float64"),
        ((F32[:2], F32, F32), r"do not fit: got \(2, 3\), \(3, 3\), \(3, 3\)"),
        ((F32, F32, F32[:2]), r"do not fit: got \(3, 3\), \(3, 3\), \(2, 3\)"),
        ((F32, F32, np.broadcast_to(np.float32(0), (3, 3))), "psums are read-only"),
    ],
)  # fmt: skip
def test_rejects_operands_that_do_not_fit(arguments, message):
    with pytest.raises(DataError, match=message):
        accumulate("exact_fp32", "float32", *arguments)


def test_finish_rejects_a_bias_of_another_length():
    with pytest.raises(DataError, match=r"expected shape \(3,\), got \(2,\)"):
        finish(F32, np.zeros(2, np.float32))


def test_finish_rejects_integer_psums():
    with pytest.raises(DataError, match=r"got .* of int64"):
        finish(np.zeros((2, 2), np.int64), None)
