"""Quantizer against torch's own quantization, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.quantization import MinMaxObserver

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.quantizer import Quantizer

INT8, UINT8 = IntegerFormat(8, signed=True), IntegerFormat(8, signed=False)
FORMATS = [IntegerFormat(bits, signed) for bits in (2, 4, 8, 12, 16) for signed in (True, False)]

floats = st.floats(-1e3, 1e3, width=32)
ranges = st.tuples(floats, floats).map(sorted)
formats = st.sampled_from(FORMATS)


def quantizer(low, high, operands, symmetric=False):
    return Quantizer.of_range(np.float32(low), np.float32(high), operands, symmetric=symmetric)


@given(
    values=st.lists(st.floats(width=32, allow_nan=False), min_size=1),
    bounds=ranges,
    operands=formats,
    symmetric=st.booleans(),
)
def test_integers_are_torchs(values, bounds, operands, symmetric):
    """Any finite value or infinity, for the same scale and zero point."""
    one = quantizer(*bounds, operands, symmetric)
    values = np.array(values, np.float32)
    # Beyond 2^63 steps torch overflows where the integers should stay at the end of the format.
    limited = np.clip(values, -1e8 * one.scale, 1e8 * one.scale)
    expected = torch.fake_quantize_per_tensor_affine(
        torch.from_numpy(limited),
        float(one.scale),
        int(one.zero_point),
        int(one.least),
        operands.high,
    )
    codes = one.quantize(values, "x").astype(np.int64)
    np.testing.assert_array_equal(
        (codes - one.zero_point).astype(np.float32) * one.scale, expected.numpy()
    )


@given(bounds=ranges)
def test_affine_parameters_are_torchs(bounds):
    observer = MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    observer(torch.tensor(bounds, dtype=torch.float32))
    scale, zero_point = (value.numpy()[0] for value in observer.calculate_qparams())
    if scale <= observer.eps:
        return  # torch has a least scale of 1.2e-7, which makes zeros of small numbers
    one = quantizer(*bounds, UINT8)
    # torch divides by a scale in float32; half a step apart from ours a zero point may fall over.
    np.testing.assert_allclose(one.scale, scale, rtol=2**-22)
    assert abs(int(one.zero_point) - int(zero_point)) <= 1


@given(bounds=ranges, operands=formats, symmetric=st.booleans())
def test_a_value_in_range_is_at_most_a_step_away_and_zero_is_exact(bounds, operands, symmetric):
    """Half a step of rounding; an affine range is moved by up to another half for its zero."""
    one = quantizer(*bounds, operands, symmetric)
    values = np.linspace(*bounds, 50).astype(np.float32)
    codes = one.quantize(values, "x").astype(np.float64)
    assert operands.low <= codes.min()
    assert codes.max() <= operands.high
    real = np.float64(one.scale) * (codes - one.zero_point)
    steps = 0.5 if symmetric else 1.0
    assert np.abs(real - values).max() <= one.scale * (steps + 1e-2)
    assert one.quantize(np.zeros(1, np.float32), "x") == one.zero_point


@pytest.mark.parametrize(("operands", "zero_point", "least"), [(INT8, 0, -127), (UINT8, 128, 1)])
def test_symmetric_ranges_leave_the_least_integer_out(operands, zero_point, least):
    one = quantizer(-0.25, 1, operands, symmetric=True)
    assert (one.zero_point, one.scale) == (zero_point, np.float32(1 / 127))
    codes = one.quantize(np.float32([-9, -1, 0, 1, 9]), "x").tolist()
    assert codes == [least, least, zero_point, operands.high, operands.high]


def test_halves_go_to_even_and_what_is_outside_is_clipped():
    one = quantizer(0, 255, UINT8)
    values = np.float32([0.5, 1.5, 2.5, -1, 300, np.inf, -np.inf])
    assert one.quantize(values, "x").tolist() == [0, 2, 2, 0, 255, 255, 0]
    assert one.inside(values).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("operands", FORMATS, ids=lambda one: one.name)
def test_a_range_of_zeros_has_the_scale_1(operands, symmetric):
    one = quantizer(0, 0, operands, symmetric)
    assert one.scale == 1
    assert one.quantize(np.zeros(3, np.float32), "x").tolist() == [int(one.zero_point)] * 3


@pytest.mark.parametrize("high", [1e-44, 1e-38, 3e38])
@pytest.mark.parametrize("operands", [INT8, UINT8])
def test_the_ends_of_float32_have_scales_too(operands, high):
    one = quantizer(-high, high, operands)
    assert np.isfinite(one.scale)
    assert np.isfinite(np.float32(1) / one.scale)
    codes = one.quantize(np.float32([-high, 0, high]), "x").astype(int)
    assert codes[0] <= codes[1] == one.zero_point <= codes[2]


def test_rejects_nan():
    one = quantizer(0, 1, INT8)
    with pytest.raises(DataError, match="activations hold NaN, which no int8 stands for"):
        one.quantize(np.float32([0, np.nan]), "activations")


def test_clip_ends_where_the_integers_do_and_rounds_nothing():
    for symmetric in (True, False):
        quantizer = Quantizer.of_range(
            np.float32(-0.5), np.float32(1), IntegerFormat(8, signed=False), symmetric=symmetric
        )
        values = np.float32([-9, -0.3, 0.123456, 9])
        clipped = quantizer.clip(values)
        codes = quantizer.quantize(values, "values")
        ends = (codes[[0, 3]] - quantizer.zero_point) * quantizer.scale
        np.testing.assert_allclose(clipped[[0, 3]], ends, rtol=1e-6)
        np.testing.assert_array_equal(clipped[1:3], values[1:3])
