"""The gradient through effective weights, and the network that has them for its own."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from accelsim.errors import ConfigError, DataError
from accelsim.kernels.slopes import effective_activations, effective_weights
from accelsim.multipliers import MULTIPLIERS
from accelsim.nn import Calibration, Scheme, approximate, calibrate, surrogate
from accelsim.nn import effective as effective_module
from accelsim.nn.samples import SAMPLES, Drawing, sample_of
from accelsim.quantization import quantize_matmul

IMAGES = np.random.default_rng(5).random((3, 2, 5, 5), np.float32)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(100, 3)
    )


def gradients(net, images=IMAGES):
    x = torch.from_numpy(images).requires_grad_()
    outputs = net(x)
    outputs.backward(torch.linspace(-1, 1, outputs.numel()).reshape(outputs.shape))
    return [x.grad, *(parameter.grad for parameter in net.parameters())]


class Product(nn.Module):
    """A product of two activations of different ranges."""

    def forward(self, x):
        return x @ (3 * x.flip(0).mT + 1)


@pytest.fixture
def counted(monkeypatch):
    """How many weights were asked for their slopes, call by call."""
    calls = []

    def counting(unit, sample, weights, layer=None):
        calls.append(weights.size)
        return effective_weights(unit, sample, weights, layer)

    monkeypatch.setattr(effective_module, "effective_weights", counting)
    return calls


@pytest.mark.parametrize("name", ["ax_fpm", "drum5_s8"])
def test_outputs_are_those_of_every_other_gradient(name):
    nets = [
        approximate(network(), multiplier=name, gradient=gradient, calibration=IMAGES)
        for gradient in ("exact", "effective")
    ]
    x = torch.from_numpy(IMAGES)
    assert torch.equal(nets[0](x), nets[1](x))


@pytest.mark.parametrize("model", [network, Product])
def test_gradient_of_the_exact_unit_is_the_exact_one(model):
    net = approximate(model(), multiplier="exact_fp32", gradient="effective")
    for got, exact in zip(gradients(net), gradients(model()), strict=True):
        torch.testing.assert_close(got, exact, rtol=1e-5, atol=1e-5)


def test_gradient_of_an_exact_unit_of_integers_is_nearly_the_exact_one():
    net = approximate(network(), multiplier="exact_int16", gradient="effective", calibration=IMAGES)
    for got, exact in zip(gradients(net), gradients(network()), strict=True):
        assert (got - exact).norm() < 1e-3 * exact.norm()


@pytest.mark.parametrize("calibrated", [True, False])
def test_gradients_go_through_the_slopes_of_the_products(calibrated):
    """Two layers by hand; gradients of weights are the exact layer's, at the unit's activations."""
    unit, calibration = MULTIPLIERS["ax_fpm"], calibrate(network(), IMAGES)
    calibration = calibration if calibrated else None
    net = approximate(network(), multiplier="ax_fpm", gradient="effective", calibration=calibration)
    exact = approximate(network(), multiplier="ax_fpm", gradient="exact")
    got, straight = gradients(net), gradients(exact)
    conv, linear = (
        torch.from_numpy(
            effective_weights(unit, sample_of(calibration, index), layer.weight.detach().numpy())
        )
        for index, layer in enumerate([net.network[0], net.network[3]])
    )
    hidden = approximate(network()[0], multiplier="ax_fpm")(torch.from_numpy(IMAGES)).detach()
    grads = torch.linspace(-1, 1, 9).reshape(3, 3)
    back = (grads @ linear).reshape(hidden.shape) * (hidden > 0)
    expected = F.conv_transpose2d(back, conv, padding=1, groups=2)
    torch.testing.assert_close(got[0], expected, rtol=1e-4, atol=1e-4)
    assert (got[0] - straight[0]).norm() > 0.1 * straight[0].norm()
    # Of the last layer: input times gradient, whatever the unit.
    torch.testing.assert_close(got[3:], straight[3:])


@pytest.mark.parametrize("name", ["ax_fpm", "drum5_s8"])
def test_either_operand_of_a_matmul_goes_through_what_is_applied_of_the_other(name):
    unit, x = MULTIPLIERS[name], np.random.default_rng(1).normal(0, 1, (2, 3, 4)).astype("f4")
    calibration = calibrate(Product(), x)
    net = approximate(Product(), multiplier=name, gradient="effective", calibration=calibration)
    (got,) = gradients(net, x)
    samples = [sample_of(calibration, index) for index in (0, 1)]
    layer = None
    if name == "drum5_s8":
        layer = quantize_matmul(calibration.ranges, unit.operands, Scheme(), "matmul")
    second = np.ascontiguousarray(3 * x[::-1].swapaxes(1, 2) + 1)
    by_first = effective_weights(unit, samples[0], second, layer)
    by_second = effective_activations(unit, x, samples[1], layer)
    grads = np.linspace(-1, 1, 18, dtype="f4").reshape(2, 3, 3)
    to_second = by_second.swapaxes(1, 2) @ grads
    expected = grads @ by_first.swapaxes(1, 2) + 3 * to_second.swapaxes(1, 2)[::-1]
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-4, atol=1e-4)
    # Its own value is not the exact product's gradient.
    to_second = x.swapaxes(1, 2) @ grads
    exact = grads @ second.swapaxes(1, 2) + 3 * to_second.swapaxes(1, 2)[::-1]
    assert np.abs(got.numpy() - exact).max() > 1e-3


def test_a_clipped_activation_has_no_gradient():
    layer = nn.Linear(2, 1, bias=False)
    ranges = Calibration(((-1.0, 1.0),))
    x = torch.tensor([[0.5, 2.0], [-0.5, -2.0]], requires_grad=True)
    approximate(layer, multiplier="drum5_s8", gradient="effective", calibration=ranges)(
        x
    ).sum().backward()
    assert x.grad[:, 0].all()
    assert not x.grad[:, 1].any()


def test_slopes_are_computed_once_and_again_when_weights_change(counted):
    net = approximate(network(), gradient="effective")
    gradients(net)
    assert sorted(counted) == [36, 300]
    gradients(net)
    assert len(counted) == 2
    before = gradients(net)[0]
    with torch.no_grad():
        net.network[3].weight[0, 0] += 1
    after = gradients(net)[0]
    assert counted[2:] == [300]
    assert not torch.equal(before, after)
    # A change that torch's version counter does not see.
    net.network[0].weight.data.mul_(2)
    gradients(net)
    assert counted[3:] == [36]
    net.load_state_dict(network().state_dict())
    assert torch.equal(gradients(net)[0], before)


def test_the_first_layer_is_not_asked_where_images_take_no_gradient(counted):
    net = approximate(network(), gradient="effective")
    net(torch.from_numpy(IMAGES)).sum().backward()
    assert counted == [300]


@pytest.mark.parametrize("make", [approximate, surrogate])
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_have_the_same_gradients_and_their_own_weights(make, clone):
    settings = {"gradient": "effective"} if make is approximate else {}
    net = make(network(), multiplier="drum5_s8", calibration=IMAGES, **settings)
    expected = gradients(net)[0]
    other = clone(net)
    assert torch.equal(gradients(other)[0], expected)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0.5)
    assert torch.equal(gradients(other)[0], expected)
    assert not torch.equal(gradients(net)[0], expected)


def test_copies_know_the_slopes_and_pickles_leave_them_out(counted):
    net = approximate(network(), gradient="effective")
    empty = len(pickle.dumps(net))
    gradients(net)
    for parameter in net.parameters():
        parameter.grad = None
    assert len(pickle.dumps(net)) == empty
    gradients(copy.deepcopy(net))
    assert len(counted) == 2


def test_calibration_of_another_network_is_told():
    calibration = calibrate(network()[0], IMAGES)
    net = approximate(network(), gradient="effective", calibration=calibration)
    with pytest.raises(DataError, match="layer '3' is called as number 2, but calibration has"):
        net(torch.from_numpy(IMAGES))
    net = approximate(network()[0], gradient="effective", calibration=calibrate(network(), IMAGES))
    with pytest.raises(DataError, match="read 1 activations, but calibration has ranges for 2"):
        net(torch.from_numpy(IMAGES))


def test_units_of_integers_cannot_do_without_calibration():
    for make in (
        lambda: surrogate(network(), "drum5_s8"),
        lambda: approximate(network(), multiplier="drum5_s8", gradient="effective"),
    ):
        with pytest.raises(ConfigError, match="'drum5_s8' takes int8, so the ranges of the activ"):
            make()
    with pytest.raises(ConfigError, match=r"scheme must be an accelsim\.nn\.Scheme, got str"):
        surrogate(network(), "ax_fpm", scheme="affine")


# Samples.


def test_a_drawing_is_uniform_over_what_is_not_zero_and_blind_to_the_pieces():
    values = np.arange(-5000, 5000, dtype=np.float32)
    whole, pieces = Drawing(), Drawing()
    whole.add(values.reshape(100, 100))
    for first in range(0, 10000, 77):
        pieces.add(values[first : first + 77])
    assert whole.drawn() == pieces.drawn()
    assert len(set(whole.drawn())) == SAMPLES
    assert abs(np.mean(whole.drawn())) < 600  # standard error 180
    few = Drawing()
    few.add(np.float32([0, 1, 0, 2, 3]))
    assert sorted(few.drawn()) == [1, 2, 3]


def test_samples_are_the_layers_own_activations_else_over_its_range_else_normal():
    calibration = calibrate(network(), IMAGES)
    assert len(calibration.samples) == 2
    assert np.isin(sample_of(calibration, 0), IMAGES).all()
    assert (sample_of(calibration, 1) > 0).all()
    given = sample_of(Calibration(((-1.0, 3.0),)), 0)
    np.testing.assert_allclose([given[0], given[-1], given.mean()], [-1, 3, 1], atol=0.01)
    normal = sample_of(None, 0)
    assert len(given) == len(normal) == SAMPLES
    np.testing.assert_allclose([normal.mean(), normal.std()], [0, 1], atol=0.01)


def test_rejects_samples_that_do_not_fit_the_ranges():
    with pytest.raises(DataError, match="samples must be one for each of the 1 ranges, .* got 2"):
        Calibration(((0.0, 1.0),), samples=((1.0,), (2.0,)))
    with pytest.raises(DataError, match="sample 0 must hold finite numbers only"):
        Calibration(((0.0, 1.0),), samples=((np.inf,),))


# Surrogates.


def test_a_surrogate_is_torch_with_effective_weights():
    net, sample = surrogate(network(), "ax_fpm"), sample_of(None, 0)
    plain = network()
    with torch.no_grad():
        for layer in (plain[0], plain[3]):
            slopes = effective_weights(MULTIPLIERS["ax_fpm"], sample, layer.weight.numpy())
            layer.weight.copy_(torch.from_numpy(slopes))
    x = torch.from_numpy(IMAGES)
    torch.testing.assert_close(net(x), plain(x))
    torch.testing.assert_close(gradients(net)[0], gradients(plain)[0])


@pytest.mark.parametrize("name", ["exact_fp32", "exact_int16"])
def test_a_surrogate_of_an_exact_unit_is_the_network(name):
    x = torch.from_numpy(IMAGES)
    for model in (network(), Product()):
        net = surrogate(model, name, IMAGES)
        torch.testing.assert_close(net(x), model(x), rtol=1e-3, atol=1e-3)
        assert list(net.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("name", ["ax_fpm_flat", "ama5_u8"])
def test_a_surrogate_is_nearer_to_the_unit_than_the_exact_network(name):
    x = torch.from_numpy(IMAGES)
    bits = approximate(network(), multiplier=name, calibration=IMAGES)(x)
    near, exact = surrogate(network(), name, IMAGES)(x), network()(x)
    assert (near - bits).norm() < 0.3 * (exact - bits).norm()


def test_a_surrogate_clips_what_the_unit_clips():
    net = surrogate(nn.Linear(1, 1), "exact_int8", Calibration(((0.0, 1.0),)))
    assert torch.equal(net(torch.tensor([[1.0]])), net(torch.tensor([[5.0]])))


def test_a_surrogate_names_its_unit():
    assert "SurrogateModule(\n  multiplier='ax_fpm'" in repr(surrogate(network(), "ax_fpm"))
