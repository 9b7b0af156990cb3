"""Slopes of products against least squares done product by product."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.kernels import slopes
from accelsim.kernels.slopes import effective_activations, effective_weights
from accelsim.multipliers import MULTIPLIERS
from accelsim.quantization import Scheme, quantize_layer, quantize_matmul

SAMPLE = np.random.default_rng(0).normal(0, 1, 31).astype(np.float32)
VALUES = np.random.default_rng(1).normal(0, 0.1, (5, 2, 3)).astype(np.float32)


def least_squares(x, y):
    """Return the slope of the line through the origin, by NumPy's solver."""
    return np.linalg.lstsq(x[:, None].astype(float), y.astype(float), rcond=None)[0][0]


@pytest.mark.parametrize("name", ["ax_fpm", "ax_fpm_flat", "mitchell_fp32", "heap"])
def test_slopes_of_floats_are_least_squares(name, monkeypatch):
    # Several pieces, the last one shorter.
    monkeypatch.setattr(slopes, "PRODUCTS", 31 * 7)
    unit = MULTIPLIERS[name]
    weights = effective_weights(unit, SAMPLE, VALUES)
    activations = effective_activations(unit, VALUES, SAMPLE)
    assert weights.shape == activations.shape == VALUES.shape
    for index, value in np.ndenumerate(VALUES):
        by_activation = least_squares(SAMPLE, unit.product(SAMPLE, value))
        by_weight = least_squares(SAMPLE, unit.product(value, SAMPLE))
        assert weights[index] == pytest.approx(by_activation, rel=1e-5)
        assert activations[index] == pytest.approx(by_weight, rel=1e-5)
    assert np.abs(weights / VALUES - 1).max() > 0.01


def test_an_exact_unit_applies_the_operands_themselves():
    unit = MULTIPLIERS["exact_fp32"]
    np.testing.assert_allclose(effective_weights(unit, SAMPLE, VALUES), VALUES, rtol=1e-6)
    np.testing.assert_allclose(effective_activations(unit, VALUES, SAMPLE), VALUES, rtol=1e-6)


@pytest.mark.parametrize(
    "scheme", [Scheme(), Scheme("affine", "affine"), Scheme("symmetric", "symmetric", False)]
)
@pytest.mark.parametrize("name", ["ama5_u8", "drum5_s8", "mitchell_u8", "exact_int16"])
def test_slopes_of_integers_are_least_squares_of_dequantized_products(name, scheme, monkeypatch):
    monkeypatch.setattr(slopes, "PRODUCTS", 31 * 7)
    unit = MULTIPLIERS[name]
    layer = quantize_layer((-1.5, 2), VALUES, unit.operands, scheme, "layer")
    qa, qw = layer.quantize_activations(SAMPLE), layer.quantize_weights(VALUES)
    a, za = layer.activations.scale, int(layer.activations.zero_point)
    found = effective_weights(unit, SAMPLE, VALUES, layer)
    for index, code in np.ndenumerate(qw):
        s, zw = (
            np.broadcast_to(one, len(VALUES))[index[0]]
            for one in (layer.weights.scale, layer.weights.zero_point)
        )
        products = unit.product(qa, code) - zw * qa.astype(int) - za * int(code) + za * zw
        expected = least_squares(a * (qa.astype(int) - za), a * s * products)
        assert found[index] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    if name == "exact_int16":
        np.testing.assert_allclose(found, VALUES, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", ["ama5_u8", "drum5_s8"])
def test_slopes_by_the_second_of_two_integers(name):
    unit = MULTIPLIERS[name]
    layer = quantize_matmul(((-0.3, 0.4), (-1.5, 2)), unit.operands, Scheme("affine"), "matmul")
    qa, qw = layer.quantize_activations(VALUES), layer.quantize_weights(SAMPLE)
    (a, za), (s, zw) = (
        (float(one.scale), int(one.zero_point)) for one in (layer.activations, layer.weights)
    )
    found = effective_activations(unit, VALUES, SAMPLE, layer)
    for index, code in np.ndenumerate(qa):
        products = unit.product(code, qw) - zw * int(code) - za * qw.astype(int) + za * zw
        expected = least_squares(s * (qw.astype(int) - zw), a * s * products)
        assert found[index] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_nothing_but_zeros_leaves_the_weights_as_they_are():
    nothing = np.zeros(4, np.float32)
    found = effective_weights(MULTIPLIERS["ax_fpm"], nothing, VALUES)
    np.testing.assert_array_equal(found, VALUES)
    assert not np.shares_memory(found, VALUES)
    unit = MULTIPLIERS["exact_int8"]
    layer = quantize_layer((0, 0), VALUES, unit.operands, Scheme(), "layer")
    found = effective_weights(unit, nothing, VALUES, layer)
    np.testing.assert_allclose(found, VALUES, atol=0.002)
