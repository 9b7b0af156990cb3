"""Quantization against torch's own, against real arithmetic, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.quantization import PerChannelMinMaxObserver

from accelsim.config import Accelerator
from accelsim.errors import ConfigError, DataError
from accelsim.formats import IntegerFormat
from accelsim.quantization import Calibration, Scheme, quantize_layer, scheme_of

INT8, UINT8 = IntegerFormat(8, signed=True), IntegerFormat(8, signed=False)
FORMATS = [IntegerFormat(bits, signed) for bits in (2, 4, 8, 12, 16) for signed in (True, False)]

formats = st.sampled_from(FORMATS)


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


def test_rejects_weights_that_are_not_finite():
    with pytest.raises(DataError, match="fc: weights hold NaN or infinity"):
        quantize_layer((0, 1), np.float32([[np.nan, 1]]), INT8, Scheme(), "fc")
