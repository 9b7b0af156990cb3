"""Integer layers against three plain loops over the unit's scalar product."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.kernels import conv2d, conv2d_quantized, linear_quantized
from accelsim.multipliers import IntegerMultiplier
from accelsim.quantization import Scheme, quantize_layer

KINDS = st.sampled_from(["affine", "symmetric"])


def random_unit(bits, signed):
    """A unit without any structure: its product does not commute, and is not 0 at 0."""
    size = 1 << bits
    rng = np.random.default_rng(bits)
    return IntegerMultiplier(
        name=f"random_{bits}", title="random", description="random", delay_ps=None,
        delay_source="none", sources=(), operands=IntegerFormat(bits, signed),
        values=rng.integers(-(size**2), size**2, (size, size), np.int32),
    )  # fmt: skip


UNITS = {(bits, signed): random_unit(bits, signed) for bits in (5, 8) for signed in (True, False)}


def by_hand(unit, layer, images, weights, bias, stride, padding, dilation, groups):
    """Loop over every output, its padding made of the zero point and put through the unit."""
    x = layer.activations.quantize(images, "x").astype(np.int64)
    w = layer.weights.quantize(weights, "w").astype(np.int64)
    za = int(layer.activations.zero_point)
    zw = np.broadcast_to(layer.weights.zero_point, len(w))
    sw = np.broadcast_to(layer.weights.scale, len(w))
    sides = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    x = np.pad(x, sides, constant_values=za)
    reach = [d * (size - 1) + 1 for d, size in zip(dilation, w.shape[2:], strict=True)]
    height = (x.shape[2] - reach[0]) // stride[0] + 1
    width = (x.shape[3] - reach[1]) // stride[1] + 1
    out = np.zeros((len(x), len(w), height, width), np.float32)
    share, channels = len(w) // groups, w.shape[1]
    for n, m, p, q in np.ndindex(out.shape):
        first = (m // share) * channels
        top, left = p * stride[0], q * stride[1]
        window = x[
            n,
            first : first + channels,
            top : top + reach[0] : dilation[0],
            left : left + reach[1] : dilation[1],
        ]
        psum = int(unit.product(window, w[m]).sum())
        total = psum - zw[m] * window.sum() - za * w[m].sum() + window.size * za * zw[m]
        out[n, m, p, q] = np.float32(total) * (layer.activations.scale * sw[m]) + bias[m]
    return out


@given(
    unit=st.sampled_from(list(UNITS)),
    scheme=st.builds(Scheme, KINDS, KINDS, st.booleans()),
    size=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(3, 6), st.integers(3, 5)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 1)),
    dilation=st.tuples(st.just(1), st.integers(1, 2)),
    groups=st.integers(1, 2),
    share=st.integers(1, 2),
)
def test_convolution_is_the_plain_loops(
    unit, scheme, size, kernel, stride, padding, dilation, groups, share
):
    unit, rng = UNITS[unit], np.random.default_rng(0)
    count, channels, *rest = size
    images = rng.normal(0.3, 1, (count, channels * groups, *rest)).astype(np.float32)
    weights = rng.normal(0, 1, (share * groups, channels, *kernel)).astype(np.float32)
    bias = rng.normal(0, 1, len(weights)).astype(np.float32)
    layer = quantize_layer((-1, 2), weights, unit.operands, scheme, "conv")
    window = (stride, padding, dilation, groups)
    got = conv2d_quantized(unit, "int32", layer, images, weights, bias, *window)
    np.testing.assert_array_equal(got, by_hand(unit, layer, images, weights, bias, *window))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("kind", ["affine", "symmetric"])
@pytest.mark.parametrize("unit", list(UNITS))
def test_linear_is_a_convolution_of_one_pixel(unit, kind, per_channel):
    unit, rng = UNITS[unit], np.random.default_rng(1)
    inputs = rng.normal(0.3, 1, (4, 9)).astype(np.float32)
    weights, bias = rng.normal(0, 1, (5, 9)).astype(np.float32), np.ones(5, np.float32)
    scheme = Scheme(kind, kind, per_channel)
    layer = quantize_layer((-1, 2), weights, unit.operands, scheme, "fc")
    got = linear_quantized(unit, "int32", layer, inputs, weights, bias)
    images, kernels = inputs[:, :, None, None], weights[:, :, None, None]
    expected = by_hand(unit, layer, images, kernels, bias, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(got, expected[:, :, 0, 0])


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("kind", ["affine", "symmetric"])
def test_signed_and_unsigned_exact_units_agree_bit_for_bit(kind, per_channel):
    """Their integers are 2^(bits - 1) apart, which the corrections take out again."""
    rng = np.random.default_rng(2)
    images = rng.normal(0.3, 1, (2, 4, 7, 7)).astype(np.float32)
    weights = rng.normal(0, 1, (6, 2, 3, 3)).astype(np.float32)
    scheme = Scheme(kind, kind, per_channel)
    outputs = []
    for bits, signed in ((8, True), (8, False), (16, True), (16, False)):
        operands = IntegerFormat(bits, signed)
        layer = quantize_layer((images.min(), images.max()), weights, operands, scheme, "conv")
        outputs.append(
            conv2d_quantized(
                f"exact_{operands.name}", "int64", layer, images, weights, None,
                (1, 1), (1, 1), (1, 1), 2,
            )
        )  # fmt: skip
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[2], outputs[3])
    exact = conv2d("exact_fp32", "float64", images, weights, None, (1, 1), (1, 1), (1, 1), 2)
    errors = [np.abs(one - exact).max() for one in (outputs[0], outputs[2])]
    # Sixteen bits have steps 2^8 times as fine.
    assert 2**7 < errors[0] / errors[1] < 2**9


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("kind", ["affine", "symmetric"])
@pytest.mark.parametrize("name", ["int8", "uint8", "int16"])
def test_an_exact_unit_computes_what_torchs_fake_quantization_does(name, kind, per_channel):
    """torch rounds operands to the same integers and computes with the floats they stand for."""
    operands = IntegerFormat(int(name.removeprefix("u")[3:]), name[0] != "u")
    rng = np.random.default_rng(3)
    images = rng.normal(0.3, 1, (2, 4, 7, 7)).astype(np.float32)
    weights = rng.normal(0, 1, (6, 2, 3, 3)).astype(np.float32)
    bias = rng.normal(0, 1, 6).astype(np.float32)
    scheme = Scheme(kind, kind, per_channel)
    layer = quantize_layer((-2, 2.5), weights, operands, scheme, "conv")
    window = ((2, 1), (1, 1), (1, 1), 2)
    got = conv2d_quantized(f"exact_{name}", "auto", layer, images, weights, bias, *window)
    x, w = (
        fake_quantize(quantizer, torch.from_numpy(values))
        for quantizer, values in ((layer.activations, images), (layer.weights, weights))
    )
    expected = torch.nn.functional.conv2d(x, w, torch.from_numpy(bias), *window)
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4, atol=1e-5)


def fake_quantize(quantizer, values):
    scale, zero_point = (
        torch.from_numpy(np.array(one)) for one in (quantizer.scale, quantizer.zero_point)
    )
    bounds = int(quantizer.least.max()), quantizer.operands.high
    if scale.ndim == 0:
        return torch.fake_quantize_per_tensor_affine(values, float(scale), int(zero_point), *bounds)
    return torch.fake_quantize_per_channel_affine(values, scale, zero_point.int(), 0, *bounds)


def test_rejects_what_does_not_fit():
    weights, images = np.ones((2, 3), np.float32), np.ones((1, 2, 3, 3), np.float32)
    layer = quantize_layer((0, 1), weights, IntegerFormat(8, True), Scheme(), "fc")
    with pytest.raises(DataError, match="differ in K"):
        linear_quantized("exact_int8", "int32", layer, weights[:, :2], weights)
    with pytest.raises(DataError, match="activations hold NaN"):
        linear_quantized("exact_int8", "int32", layer, weights * np.nan, weights)
    with pytest.raises(DataError, match="one value per filter"):
        linear_quantized("exact_int8", "int32", layer, weights, weights, np.ones(3, np.float32))
    with pytest.raises(DataError, match="do not fit images"):
        conv2d_quantized("exact_int8", "int32", layer, images, np.ones((2, 3, 1, 1), np.float32))
    with pytest.raises(DataError, match="inputs must be a float32 ndarray"):
        linear_quantized("exact_int8", "int32", layer, np.ones((1, 3)), weights)
