"""What every multiplier promises, whatever its arithmetic: complete facts, one set of bits."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.accumulators import ACCUMULATORS, DEPTH, accumulator_of
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier, IntegerMultiplier

UNITS = [name for name, unit in MULTIPLIERS.items() if isinstance(unit, FloatMultiplier)]
FLOAT_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if not entry.integer]
SPECIAL = np.array(
    [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x3FFFFFFF, 0x7F7FFFFF, 0x7F800000, 0x7FC00000,
     0x03AA2424, 0x03AA2425, 0x1F000000, 0x5F000000],
    np.uint32,
)  # fmt: skip
SPECIAL = np.concatenate([SPECIAL, SPECIAL | np.uint32(0x80000000)]).view(np.float32)


def assert_same_bits(got, expected):
    __tracebackhide__ = True
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), nan)
    kind = f"u{expected.dtype.itemsize}"
    np.testing.assert_array_equal(got.view(kind)[~nan], expected.view(kind)[~nan])


def one_by_one(unit, accumulator, activation, weights):
    """The kernel with k = 1 and one column per activation: psum = 0 + product."""
    psums = np.zeros((len(weights), len(activation)), ACCUMULATORS[accumulator].dtype)
    accumulate(unit, accumulator, activation[None], weights[:, None], psums)
    return psums


def added_to_zero(products, accumulator):
    with np.errstate(all="ignore"):
        return (np.float32(0.0) + products).astype(ACCUMULATORS[accumulator].dtype)


@pytest.mark.parametrize("name", list(MULTIPLIERS))
def test_entry_is_complete(name):
    unit = MULTIPLIERS[name]
    assert unit.name == name
    assert unit.title
    assert "\n" not in unit.title
    assert repr(unit) == f"<{type(unit).__name__} {name}: {unit.title}>"
    assert unit.description
    assert unit.delay_source
    assert unit.sources
    if unit.delay_ps is None:
        with pytest.raises(ConfigError, match=f"{name}.* has no known delay"):
            unit.latency_cycles(100)
        return
    assert unit.delay_ps > 0
    assert unit.latency_cycles(1e-3) == 1
    assert unit.latency_cycles(2.5e6 / unit.delay_ps) == 3


@pytest.mark.parametrize("name", list(MULTIPLIERS))
def test_pickles_and_copies_are_the_unit_itself(name):
    unit = MULTIPLIERS[name]
    assert pickle.loads(pickle.dumps(unit)) is copy.deepcopy(unit) is unit
    with pytest.raises(pickle.PicklingError, match=f"'{name}' is pickled by its name, but is not"):
        pickle.dumps(dataclasses.replace(unit))


@pytest.mark.parametrize("name", UNITS)
def test_product_is_the_scalar_one_broadcast(name):
    unit = MULTIPLIERS[name]
    got = unit.product(SPECIAL[:, None], SPECIAL)
    assert got.dtype == np.float32
    expected = [[np.float32(unit.scalar(a, w)) for w in SPECIAL] for a in SPECIAL]
    assert_same_bits(got, np.array(expected, np.float32))
    assert unit.product(1.0, 1.0).shape == ()
    assert unit.product(SPECIAL[:1], SPECIAL[:1, None]).shape == (1, 1)  # a contiguous broadcast
    assert unit.product(np.zeros((0, 3), np.float32), 1.0).shape == (0, 3)


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("columns", [1, 40])
def test_kernels_do_special_values_like_the_scalar(name, accumulator, columns):
    for start in range(0, len(SPECIAL), columns):
        some = SPECIAL[start : start + columns]
        expected = MULTIPLIERS[name].product(some, SPECIAL[:, None])
        got = one_by_one(name, accumulator, some, SPECIAL)
        assert_same_bits(got, added_to_zero(expected, accumulator))


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize(("rows", "columns"), [(1000, 1000), (100_000, 10)])
def test_a_million_products_of_the_kernels_are_the_scalar_ones(name, rows, columns):
    rng = np.random.default_rng(2021)
    activations = rng.standard_normal(columns).astype(np.float32)
    weights = rng.standard_normal(rows).astype(np.float32)
    expected = MULTIPLIERS[name].product(activations, weights[:, None])
    got = one_by_one(name, "float32", activations, weights)
    assert_same_bits(got, added_to_zero(expected, "float32"))


@pytest.mark.parametrize("name", UNITS)
def test_a_million_products_of_any_bits_are_the_scalar_ones(name):
    """Whole range of exponents, NaN and infinities: mostly what the fast form leaves alone."""
    bits = np.random.default_rng(7).integers(0, 2**32, (2, 1000), np.uint32)
    activations, weights = bits.view(np.float32)
    expected = MULTIPLIERS[name].product(activations, weights[:, None])
    got = one_by_one(name, "float32", activations, weights)
    assert_same_bits(got, added_to_zero(expected, "float32"))


@pytest.mark.parametrize("name", [name for name in UNITS if MULTIPLIERS[name].fast is not None])
@pytest.mark.parametrize("columns", [5, 40])
def test_kernels_at_the_edges_of_the_fast_range_are_the_scalar_ones(name, columns):
    """Sums of exponent fields that are the last the fast form takes, and the first it does not."""
    rng, unit = np.random.default_rng(3), MULTIPLIERS[name]
    for edge in unit.fast.exponent_sums or ():
        for total in (edge - 1, edge, edge + 1):
            for first in {max(total - 254, 0), total // 2, min(total, 254)}:
                fields = np.array([[first], [total - first]], np.uint32)
                if fields.max() > 254:
                    continue
                fractions = rng.integers(0, 1 << 23, (2, columns), np.uint32)
                fractions[:, :2] = [0, (1 << 23) - 1]
                a, w = (fields << 23 | fractions).view(np.float32)
                expected = unit.product(a, w[:, None])
                assert_same_bits(one_by_one(name, "float32", a, w), np.float32(0.0) + expected)


words = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30)


@pytest.mark.parametrize("name", UNITS)
@given(activations=words, weights=words, accumulator=st.sampled_from(FLOAT_ACCUMULATORS))
def test_kernels_equal_the_scalar_on_any_bits(name, activations, weights, accumulator):
    a, w = (np.array(side, np.uint32).view(np.float32) for side in (activations, weights))
    expected = MULTIPLIERS[name].product(a, w[:, None])
    assert_same_bits(one_by_one(name, accumulator, a, w), added_to_zero(expected, accumulator))


@pytest.mark.parametrize("name", UNITS)
def test_rejects_dtypes_that_float32_would_round(name):
    ones = np.ones(2, np.float32)
    with pytest.raises(DataError, match=f"{name}: activation must be float32, got float64"):
        MULTIPLIERS[name].product(np.ones(2), ones)
    with pytest.raises(DataError, match=f"{name}: weight must be float32, got int64"):
        MULTIPLIERS[name].product(ones, np.ones(2, np.int64))


@pytest.mark.parametrize("name", UNITS)
def test_rejects_shapes_that_do_not_broadcast(name):
    with pytest.raises(DataError, match=r"\(2,\) do not broadcast with weights of shape \(3,\)"):
        MULTIPLIERS[name].product(np.ones(2, np.float32), np.ones(3, np.float32))


@pytest.mark.parametrize("name", UNITS)
def test_rejects_a_clock_that_does_not_tick(name):
    with pytest.raises(ConfigError, match="clock_mhz"):
        MULTIPLIERS[name].latency_cycles(0)


INTEGER_UNITS = [name for name, unit in MULTIPLIERS.items() if isinstance(unit, IntegerMultiplier)]
INTEGER_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if entry.integer]


def integers(unit, shape, seed):
    """Random operands of a unit, its extremes among them."""
    kind = MULTIPLIERS[unit].operands
    values = np.random.default_rng(seed).integers(kind.low, kind.high + 1, shape, kind.dtype)
    values.flat[: min(values.size, 3)] = [kind.low, kind.high, 0][: values.size]
    return values


@pytest.mark.parametrize("name", INTEGER_UNITS)
def test_integer_product_is_the_scalar_one_or_the_table_broadcast(name):
    unit = MULTIPLIERS[name]
    a, w = integers(name, 40, 0), integers(name, 30, 1)
    got = unit.product(a[:, None], w)
    assert got.dtype == np.int64
    assert got.shape == (40, 30)
    if unit.scalar is not None:
        assert got.tolist() == [[unit.scalar(int(x), int(y)) for y in w] for x in a]
    if unit.operands.bits <= 8:
        mask = (1 << unit.operands.bits) - 1
        rows, columns = a.astype(int)[:, None] & mask, w.astype(int) & mask
        np.testing.assert_array_equal(unit.table[rows, columns], got)


@pytest.mark.parametrize("name", [n for n in INTEGER_UNITS if MULTIPLIERS[n].operands.bits <= 8])
def test_int32_has_room_for_the_products_of_a_formula(name):
    """What `accumulator_of` takes for granted, since it does not make all products."""
    assert accumulator_of(MULTIPLIERS[name]).name == "int32"
    assert MULTIPLIERS[name].greatest_product * DEPTH < 2**31


@pytest.mark.parametrize("name", INTEGER_UNITS)
@pytest.mark.parametrize("accumulator", INTEGER_ACCUMULATORS)
@pytest.mark.parametrize("shape", [(5, 30, 40), (5, 30, 3), (1, 1, 1), (70, 300, 130)])
def test_integer_kernels_add_the_products(name, accumulator, shape):
    n, k, m = shape
    unit, dtype = MULTIPLIERS[name], ACCUMULATORS[accumulator].dtype
    activations, weights = integers(name, (k, m), 2), integers(name, (n, k), 3)
    start = np.random.default_rng(4).integers(-1000, 1000, (n, m), dtype)
    psums, expected = start.copy(), start.astype(np.int64)
    accumulate(name, accumulator, activations, weights, psums)
    limits = np.iinfo(dtype)
    for kk in range(k):
        expected = expected + unit.product(activations[kk], weights[:, kk, None])
        if accumulator == "int32_saturating":
            expected = np.clip(expected, limits.min, limits.max)
    np.testing.assert_array_equal(psums, expected.astype(dtype))


@pytest.mark.parametrize("name", INTEGER_UNITS)
def test_rejects_what_is_no_operand_of_an_integer_unit(name):
    unit = MULTIPLIERS[name]
    with pytest.raises(DataError, match=f"{name}: activation must be of an integer dtype"):
        unit.product(1.5, 1)
    with pytest.raises(DataError, match=rf"{name}: weight must lie in .*\({unit.operands.name}\)"):
        unit.product(1, unit.operands.high + 1)
    with pytest.raises(DataError, match="do not broadcast"):
        unit.product(np.ones(2, int), np.ones(3, int))
    psums = np.zeros((1, 1), np.int64)
    with pytest.raises(DataError, match=f"activations must be a {unit.operands.dtype} ndarray"):
        accumulate(name, "int64", np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), psums)
    with pytest.raises(ConfigError, match="adds floats, but multiplier .* makes integers"):
        accumulate(name, "float32", np.ones((1, 1)), np.ones((1, 1)), psums)


def test_rejects_an_unknown_name():
    with pytest.raises(UnknownNameError, match=f"Did you mean '{UNITS[0]}'"):
        MULTIPLIERS[UNITS[0] + "x"]
