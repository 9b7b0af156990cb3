"""Quantization against torch's own, against real arithmetic, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

from accelsim.config import Accelerator
from accelsim.errors import ConfigError, DataError
from accelsim.formats import IntegerFormat
from accelsim.quantization import (
    Calibration,
    Quantizer,
    Scheme,
    quantize_layer,
    scheme_of,
)

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


def test_scales_per_filter_are_torchs():
    weights = np.random.default_rng(0).normal(0, 0.1, (6, 4, 3, 3)).astype(np.float32)
    observer = PerChannelMinMaxObserver(
        dtype=torch.qint8, qscheme=torch.per_channel_symmetric, quant_min=-127, quant_max=127
    )
    observer(torch.from_numpy(weights))
    scale, _ = observer.calculate_qparams()
    layer = quantize_layer((0, 1), weights, INT8, Scheme(), "conv")
    np.testing.assert_allclose(layer.weights.scale, scale.numpy(), rtol=2**-22)
    assert not layer.weights.zero_point.any()


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


@given(data=st.data(), operands=formats, per_channel=st.booleans())
def test_corrections_give_the_sum_of_the_dequantized_products(data, operands, per_channel):
    """With exact products: sum((qa - za) (qw - zw)) in integers, then the stated roundings."""
    kinds = st.sampled_from(["affine", "symmetric"])
    scheme = Scheme(data.draw(kinds), data.draw(kinds), per_channel)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = rng.normal(0.1, 1, (3, 7)).astype(np.float32)
    activations = rng.normal(0.5, 1, (7, 5)).astype(np.float32)
    bias = rng.normal(0, 1, 3).astype(np.float32)
    layer = quantize_layer((activations.min(), activations.max()), weights, operands, scheme, "l")
    a = layer.activations.quantize(activations, "a").astype(np.int64)
    w = layer.weights.quantize(weights, "w").astype(np.int64)
    got = layer.dequantize(w @ a, a.sum(axis=0), w.sum(axis=1), 7, bias)
    zw = layer.weights.zero_point if per_channel else np.full(3, layer.weights.zero_point)
    sw = layer.weights.scale if per_channel else np.full(3, layer.weights.scale)
    total = (w - zw[:, None]) @ (a - layer.activations.zero_point)
    scaled = total.astype(np.float32) * (layer.activations.scale * sw)[:, None]
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, scaled + bias[:, None])


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


def test_weights_of_zeros_give_the_bias():
    weights = np.zeros((2, 3), np.float32)
    layer = quantize_layer((0, 1), weights, INT8, Scheme(), "fc")
    codes = layer.weights.quantize(weights, "w").astype(np.int64)
    outputs = layer.dequantize(
        codes @ np.ones((3, 1), np.int64), 3, codes.sum(axis=1), 3, np.float32([1, 2])
    )
    assert outputs.tolist() == [[1], [2]]


def test_filters_take_their_own_scales():
    weights = np.float32([[1, 1], [2, 2], [4, 4]])
    layer = quantize_layer((0, 1), weights, INT8, Scheme(), "fc")
    part = layer.filters(slice(1, 3))
    np.testing.assert_array_equal(part.weights.scale, layer.weights.scale[1:])
    assert part.weights.quantize(weights[1:], "w").tolist() == [[127, 127]] * 2
    whole = quantize_layer((0, 1), weights, INT8, Scheme(per_channel=False), "fc")
    assert whole.filters(slice(1, 3)).weights.quantize(weights[1:], "w").tolist() == [
        [64, 64],
        [127, 127],
    ]


def test_auto_is_symmetric_for_signed_units_only():
    for role in ("activations", "weights"):
        assert Scheme().symmetric(role, INT8)
        assert not Scheme().symmetric(role, UINT8)
        assert not Scheme().offset(role, INT8)
        assert Scheme(**{role: "symmetric"}).offset(role, UINT8)
        assert Scheme(**{role: "affine"}).offset(role, INT8)


def test_the_scheme_of_a_machine_is_a_section_of_its_configuration():
    machine = Accelerator.preset("tiny_4x4")
    assert scheme_of(machine) == Scheme()
    other = machine.replace(**{"quantization.weights": "affine", "quantization.per_channel": False})
    assert scheme_of(other) == Scheme("auto", "affine", False)
    assert other.config_hash != machine.config_hash
    with pytest.raises(ConfigError, match=r"quantization\.weights: .* got 'afine'"):
        machine.replace(**{"quantization.weights": "afine"})


def test_rejects_unknown_schemes():
    with pytest.raises(ConfigError, match=r"Scheme\.weights must be one of .* got 'afine'\. Did"):
        Scheme(weights="afine")
    with pytest.raises(ConfigError, match=r"Scheme\.activations must be one of .* got None"):
        Scheme(activations=None)
    with pytest.raises(ConfigError, match=r"Scheme\.per_channel must be True or False, got 1"):
        Scheme(per_channel=1)


@pytest.mark.parametrize("one", [(1, 0), (np.nan, 1), (0, np.inf), (0,), 3, "ab", (0, 1e39)])
def test_rejects_ranges_that_are_none(one):
    with pytest.raises(DataError, match=r"calibration: range 1 must be \(least, greatest\)"):
        Calibration(((0, 1), one))
    with pytest.raises(DataError, match="fc: activation_range must be"):
        quantize_layer(one, np.ones((1, 1), np.float32), INT8, Scheme(), "fc")


def test_rejects_nan():
    one = quantizer(0, 1, INT8)
    with pytest.raises(DataError, match="activations hold NaN, which no int8 stands for"):
        one.quantize(np.float32([0, np.nan]), "activations")
    with pytest.raises(DataError, match="fc: weights hold NaN or infinity"):
        quantize_layer((0, 1), np.float32([[np.nan, 1]]), INT8, Scheme(), "fc")
