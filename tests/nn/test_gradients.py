"""Gradients through the table of a unit, against differences of what the unit really computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError
from accelsim.formats import IntegerFormat
from accelsim.kernels import conv2d_quantized, linear_quantized, matmul_quantized
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.nn import Scheme, approximate, calibrate
from accelsim.nn.gradients import UnitGradient
from accelsim.quantization import quantize_layer, quantize_matmul

TABLE_UNITS = [
    name
    for name, unit in MULTIPLIERS.items()
    if isinstance(unit, IntegerMultiplier) and unit.operands.bits <= 8
]

# A smooth table, so that differences over one step and over two are alike; it does not commute.
OPERANDS = {signed: IntegerFormat(6, signed) for signed in (True, False)}
BENT = {
    signed: IntegerMultiplier(
        name="bent", title="bent", description="bent", delay_ps=None, delay_source="none",
        sources=(), operands=operands,
        values=(
            operands.values()[:, None] * operands.values()
            + np.random.default_rng(0).integers(-20, 20, (64, 64))
            + 3 * operands.values()[:, None] ** 2
        ).astype(np.int32),
    )
    for signed, operands in OPERANDS.items()
}  # fmt: skip


def differences(loss, values, quantizer):
    """Return (loss(v + step) - loss(v - step)) / 2 step for each value, step one integer."""
    scale = np.broadcast_to(
        quantizer.scale.reshape(quantizer.scale.shape + (1,) * (values.ndim - 1))
        if quantizer.scale.ndim
        else quantizer.scale,
        values.shape,
    )
    found = np.zeros(values.shape)
    for index in np.ndindex(values.shape):
        sides = []
        for sign in (1, -1):
            moved = values.copy()
            moved[index] += sign * scale[index]
            sides.append(loss(moved))
        found[index] = (sides[0] - sides[1]) / (2 * scale[index])
    return found


def on_grid(rng, quantizer, shape):
    """Values in the middle of an integer's interval, some steps away from where clipping starts."""
    low = quantizer.least + 3
    codes = rng.integers(low.max(), quantizer.operands.high - 3, shape)
    extra = (1,) * (len(shape) - 1)
    scale, zero = (
        one.reshape(one.shape + extra) if one.ndim else one
        for one in (quantizer.scale, quantizer.zero_point)
    )
    return ((codes - zero) * scale).astype(np.float32)


@pytest.mark.parametrize(
    "scheme", [Scheme("affine", "affine"), Scheme("symmetric", "symmetric", False)]
)
@pytest.mark.parametrize("signed", [True, False])
def test_convolution_gradients_are_the_differences_of_its_outputs(signed, scheme):
    unit, rng = BENT[signed], np.random.default_rng(3)
    own = rng.normal(0.1, 1, (4, 2, 3, 2)).astype(np.float32)
    layer = quantize_layer((-1, 1.5), own, unit.operands, scheme, "conv")
    images = on_grid(rng, layer.activations, (2, 4, 5, 4))
    weights = on_grid(rng, layer.weights, (4, 2, 3, 2))
    window = ((2, 1), (1, 1), (1, 2), 2)

    def outputs(x, w):
        return conv2d_quantized(unit, "int32", layer, x, w, None, *window).astype(np.float64)

    grads = rng.normal(0, 1, outputs(images, weights).shape).astype(np.float32)
    got = UnitGradient.of(unit, 0).conv2d(
        layer, *(torch.from_numpy(one) for one in (grads, images, weights)), *window
    )
    by_image = differences(lambda x: (grads * outputs(x, weights)).sum(), images, layer.activations)
    by_weight = differences(lambda w: (grads * outputs(images, w)).sum(), weights, layer.weights)
    # Both are the same differences of the same table; outputs are rounded to float32.
    np.testing.assert_allclose(got[0].numpy(), by_image, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(got[1].numpy(), by_weight, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("signed", [True, False])
def test_linear_gradients_are_the_differences_of_its_outputs(signed):
    unit, rng = BENT[signed], np.random.default_rng(4)
    own = rng.normal(0.1, 1, (3, 6)).astype(np.float32)
    layer = quantize_layer((-1, 1.5), own, unit.operands, Scheme("affine", "affine"), "fc")
    rows = on_grid(rng, layer.activations, (5, 6))
    weights = on_grid(rng, layer.weights, (3, 6))

    def outputs(x, w):
        return linear_quantized(unit, "int32", layer, x, w).astype(np.float64)

    grads = rng.normal(0, 1, (5, 3)).astype(np.float32)
    got = UnitGradient.of(unit, 0).linear(
        layer, *(torch.from_numpy(one) for one in (grads, rows, weights))
    )
    by_row = differences(lambda x: (grads * outputs(x, weights)).sum(), rows, layer.activations)
    by_weight = differences(lambda w: (grads * outputs(rows, w)).sum(), weights, layer.weights)
    np.testing.assert_allclose(got[0].numpy(), by_row, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(got[1].numpy(), by_weight, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("signed", [True, False])
def test_matmul_gradients_are_the_differences_of_its_outputs(signed):
    unit, rng = BENT[signed], np.random.default_rng(4)
    ranges = ((-1, 1.5), (-2, 1))
    layer = quantize_matmul(ranges, unit.operands, Scheme("affine", "affine"), "mul")
    first = on_grid(rng, layer.activations, (2, 3, 5))
    second = on_grid(rng, layer.weights, (2, 5, 4))

    def outputs(a, b):
        return matmul_quantized(unit, "int32", layer, a, b).astype(np.float64)

    grads = rng.normal(0, 1, (2, 3, 4)).astype(np.float32)
    got = UnitGradient.of(unit, 0).matmul(
        layer, *(torch.from_numpy(one) for one in (grads, first, second))
    )
    by_first = differences(lambda a: (grads * outputs(a, second)).sum(), first, layer.activations)
    by_second = differences(lambda b: (grads * outputs(first, b)).sum(), second, layer.weights)
    np.testing.assert_allclose(got[0].numpy(), by_first, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(got[1].numpy(), by_second, rtol=1e-3, atol=1e-3)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.Flatten(), nn.Linear(100, 3))


IMAGES = np.random.default_rng(5).random((3, 2, 5, 5), np.float32)


def gradients(net, images=IMAGES):
    x = torch.from_numpy(images).requires_grad_()
    # A loss whose gradient does not depend on the outputs, which are rounded.
    net(x).backward(torch.linspace(-1, 1, 9).reshape(3, 3))
    return [x.grad, *(parameter.grad for parameter in net.parameters())]


@pytest.mark.parametrize("scheme", [Scheme(), Scheme("affine", "affine", False)])
@pytest.mark.parametrize("name", ["exact_int8", "exact_uint8"])
def test_gradients_of_an_exact_unit_are_near_the_exact_layers(name, scheme):
    """They are the exact ones at the dequantized operands: a few steps of 1/127 away."""
    net = approximate(
        network(), multiplier=name, gradient="unit", calibration=IMAGES, scheme=scheme
    )
    for got, exact in zip(gradients(net), gradients(network()), strict=True):
        assert (got - exact).norm() < 0.02 * exact.norm(), (got - exact).norm() / exact.norm()


@pytest.mark.parametrize("name", TABLE_UNITS)
def test_every_unit_with_a_table_has_gradients(name):
    net = approximate(network(), multiplier=name, gradient="unit", calibration=IMAGES)
    assert all(torch.isfinite(one).all() and one.any() for one in gradients(net))


def test_gradients_are_zero_where_an_operand_is_clipped():
    layer = nn.Linear(2, 1, bias=False)
    net = approximate(
        layer, multiplier="exact_int8", gradient="unit", calibration=calibrate_to(1.0)
    )
    x = torch.tensor([[0.5, 2.0], [-0.5, -2.0]], requires_grad=True)
    net(x).sum().backward()
    assert x.grad[:, 0].all()
    assert not x.grad[:, 1].any()


def calibrate_to(high):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    return calibrate(flat, np.array([[[[-high, high]]]], np.float32))


def test_smoothing_changes_the_gradients_and_not_the_outputs():
    nets = [
        approximate(
            network(), multiplier="exact_int8", gradient="unit", calibration=IMAGES, smoothing=reach
        )
        for reach in (0, 30)
    ]
    x = torch.from_numpy(IMAGES)
    assert torch.equal(nets[0](x), nets[1](x))
    # Of an exact unit the mean differs from the table near the ends only.
    assert not torch.equal(gradients(nets[0])[0], gradients(nets[1])[0])


def test_exact_gradients_ignore_the_integers():
    net = approximate(network(), multiplier="exact_int8", gradient="exact", calibration=IMAGES)
    outputs = net(torch.from_numpy(IMAGES))
    x = torch.from_numpy(IMAGES).requires_grad_()
    exact = network()(x)
    exact.backward(torch.ones_like(exact))
    y = torch.from_numpy(IMAGES).requires_grad_()
    hidden = net(y)
    hidden.backward(torch.ones_like(outputs))
    # There is no ReLU that could open or close: the same weights give the same gradient.
    torch.testing.assert_close(y.grad, x.grad, rtol=1e-5, atol=1e-6)


def test_rejects_units_without_a_table():
    for name in ("ax_fpm", "exact_int16"):
        with pytest.raises(ConfigError, match=f"'{name}' .* has no table .* 'exact' or 'none'"):
            approximate(network(), multiplier=name, gradient="unit", calibration=IMAGES)
    with pytest.raises(ConfigError, match=r"smoothing must be an int in 0\.\.127, got -1"):
        approximate(
            network(), multiplier="exact_int8", gradient="unit", calibration=IMAGES, smoothing=-1
        )
