"""The float32 fields and casts, against NumPy's views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import formats
from accelsim.errors import DataError


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1))
def test_float32_bits_survive_the_round_trip(bits):
    value = np.array(bits, np.uint32).view(np.float32)[()]
    if np.isnan(value):
        return
    assert formats.float32_bits(value) == bits
    assert np.float32(formats.float32_from_bits(bits)).view(np.uint32) == bits


@settings(deadline=None)  # the first call compiles
@given(st.floats(allow_nan=False))
def test_float64_bits_survive_the_round_trip(value):
    bits = formats.float64_bits(value)
    assert bits == np.float64(value).view(np.int64)
    assert np.float64(formats.float64_from_bits(bits)).view(np.int64) == bits


def test_fields_cover_the_word_without_overlap():
    fields = (formats.SIGN_FIELD, formats.EXPONENT_FIELD, formats.FRACTION_FIELD)
    assert sum(fields) == 2**32 - 1
    assert formats.MAGNITUDE_FIELD == 2**32 - 1 - formats.SIGN_FIELD
    assert formats.IMPLICIT_ONE == 1 << formats.FRACTION_BITS == formats.FRACTION_FIELD + 1


@pytest.mark.parametrize(
    "values", [1.5, np.float32(1.5), np.float16(1.5), np.array([1.5, 1.5], np.float32)]
)
def test_as_float32_takes_what_widens_exactly(values):
    array = formats.as_float32(values, "x")
    assert array.dtype == np.float32
    assert (array == 1.5).all()


@pytest.mark.parametrize(
    "values", [np.float64(1.5), np.array([1.5]), 1, np.array([1]), [1.5], True, "1.5", 1.5 + 0j]
)
def test_rejects_what_float32_would_round_or_is_no_number(values):
    with pytest.raises(DataError, match=r"must be float32, got .* round it first"):
        formats.as_float32(values, "unit: activation")
