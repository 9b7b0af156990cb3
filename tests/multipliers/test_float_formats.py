"""Formats and roundings against torch's dtypes, over all of their patterns and any float32."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.multipliers.float_formats import (
    BFLOAT16,
    E4M3,
    E5M2,
    FLOAT16,
    TF32,
    FloatFormat,
    rounding,
    rounding_float32,
)

DTYPES = {
    FLOAT16: torch.float16,
    BFLOAT16: torch.bfloat16,
    E4M3: torch.float8_e4m3fn,
    E5M2: torch.float8_e5m2,
}
FORMATS = [*DTYPES, TF32]
TOO_LARGE_IN_TORCH = 464.0
"""From where on E4M3 saturates here; some releases of torch make it NaN."""


def loop(scalar):
    @jit
    def over(values, out):
        for i in range(values.size):
            out[i] = scalar(values[i])

    return over


ROUNDINGS = {
    (target, form): loop(form(target))
    for target in FORMATS
    for form in (rounding, rounding_float32)
}
either = pytest.mark.parametrize("form", [rounding, rounding_float32])
every = pytest.mark.parametrize("target", FORMATS, ids=lambda target: target.name)
torchs = pytest.mark.parametrize("target", DTYPES, ids=lambda target: target.name)


def rounded(target, form, values):
    values = np.atleast_1d(np.asarray(values, np.float32))
    out = np.empty_like(values)
    ROUNDINGS[target, form](values, out)
    return out


def assert_same(got, expected):
    __tracebackhide__ = True
    np.testing.assert_array_equal(got, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


def by_torch(target, values):
    return torch.from_numpy(values).to(DTYPES[target]).float().numpy()


@torchs
def test_values_are_those_of_torchs_patterns(target):
    patterns = np.arange(1 << target.bits, dtype=f"uint{target.bits}")
    assert_same(target.values(), torch.from_numpy(patterns).view(DTYPES[target]).float().numpy())


@torchs
def test_limits_are_those_of_torch(target):
    limits = torch.finfo(DTYPES[target])
    assert (target.greatest, target.least_normal) == (limits.max, limits.smallest_normal)
    assert target.smallest == limits.smallest_normal * limits.eps
    assert target.smallest == np.min(target.values(), where=target.values() > 0, initial=1)


def test_limits_of_tf32():
    assert TF32.bits == 19
    assert (TF32.greatest, TF32.smallest) == (2.0**128 - 2.0**117, 2.0**-136)


@either
@every
def test_every_number_of_a_format_rounds_to_itself(target, form):
    values = target.values()
    expected = np.where(np.isinf(values), np.copysign(target.beyond, values), values)
    assert_same(rounded(target, form, values), expected)


@either
@every
def test_halfway_rounds_to_the_even_pattern_and_either_side_to_the_nearest(target, form):
    numbers = target.values()[: 1 << (target.bits - 1)]
    numbers = numbers[np.isfinite(numbers)]
    low, high = numbers[:-1], numbers[1:]
    middle = low + (high - low) / 2  # exact: at least a fraction bit is to spare
    assert_same(rounded(target, form, middle), np.where(np.arange(middle.size) % 2, high, low))
    for sign in (1, -1):
        below, above = np.nextafter(middle, low), np.nextafter(middle, high)
        assert_same(rounded(target, form, sign * below), sign * low)
        assert_same(rounded(target, form, sign * above), sign * high)


@either
@torchs
@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_any_float32_rounds_as_in_torch(target, form, words):
    values = np.array(words, np.uint32).view(np.float32)
    if target is E4M3:
        values = values[~(np.abs(values) > TOO_LARGE_IN_TORCH)]
    assert_same(rounded(target, form, values), by_torch(target, values))


@either
@torchs
def test_a_million_numbers_of_the_formats_range_round_as_in_torch(target, form, rng):
    top = np.log2(min(target.greatest, TOO_LARGE_IN_TORCH if target is E4M3 else np.inf))
    exponents = rng.uniform(np.log2(target.smallest) - 3, top + (target is not E4M3), 1_000_000)
    values = (
        rng.choice([-1.0, 1.0], exponents.size) * 2.0 ** np.minimum(exponents, 127.99)
    ).astype(np.float32)
    assert_same(rounded(target, form, values), by_torch(target, values))


@every
def test_both_forms_are_the_same_on_any_bits(target, rng):
    values = rng.integers(0, 2**32, 1_000_000, np.uint32).view(np.float32)
    assert_same(rounded(target, rounding_float32, values), rounded(target, rounding, values))


@either
@pytest.mark.parametrize(
    ("target", "edge", "becomes"),
    [
        (FLOAT16, 65520.0, np.inf),
        (BFLOAT16, 2.0**128 - 2.0**119, np.inf),
        (TF32, 2.0**128 - 2.0**116, np.inf),
        (E4M3, 464.0, 448.0),
        (E5M2, 61440.0, np.inf),
    ],
)
def test_too_large_is_from_halfway_to_the_next_number_on(target, form, edge, becomes):
    edge = np.float32(edge)
    large = np.array(
        [edge, np.nextafter(edge, np.inf, dtype=np.float32), np.finfo("f").max, np.inf]
    )
    assert_same(rounded(target, form, large), np.full(4, becomes, np.float32))
    assert_same(rounded(target, form, -large), np.full(4, -becomes, np.float32))
    below = np.nextafter(edge, np.float32(0))
    assert_same(rounded(target, form, below), np.array([target.greatest], np.float32))


def test_without_infinity_and_saturation_too_large_is_nan():
    target = FloatFormat("E4M3", 4, 3, bias=7, has_infinity=False)
    for form in (rounding, rounding_float32):
        nearest = form(target)
        assert nearest(np.float32(464.0)) == 448
        assert all(np.isnan(nearest(np.float32(value))) for value in (465, -np.inf, np.nan))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((9, 3, 127), "exponent_bits must lie in 2..8 .* got 9 and 3"),
        ((5, 0, 15), "fraction_bits in 1..22, got 5 and 0"),
        ((8, 23, 127), "got 8 and 23"),
        ((8, 7, 128), "'mine': its numbers must lie in .*; choose another bias than 128"),
        ((4, 3, 200), "choose another bias than 200"),
    ],
)
def test_rejects_formats_that_float32_does_not_hold(fields, message):
    with pytest.raises(ConfigError, match=message):
        FloatFormat("mine", *fields)
