"""Controls: what each does to a network, and that it can be attacked like any other."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate
from accelsim.robustness.analyses import layer_gains
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.controls import (
    exact_times_gain,
    gaussian_noise,
    power_of_two_weights,
    quantized_weights,
    unit_over_gain,
)


def table(**columns):
    rows = pd.DataFrame(columns)
    return rows.assign(call=range(len(rows)), layer=[f"layer{k}" for k in range(len(rows))])


@pytest.fixture
def network():
    """A convolution with a bias, ReLU, a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)).eval()


@pytest.fixture
def images():
    return torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_gains_multiply_each_layers_sums_but_not_its_biases(network, images):
    net = exact_times_gain(network, table(gain=[2.0, 0.5]))
    convolution, _, _, linear = copy.deepcopy(network)
    with torch.no_grad():
        convolution.weight *= 2
        linear.weight *= 0.5
        expected = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear)(images)
    torch.testing.assert_close(net(images), expected)


def test_a_gain_that_is_divided_out_gives_the_exact_network_back(network, images):
    """The flat array doubles products with powers of two, which these weights are."""
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for layer in (rounded[0], rounded[3]):
            layer.weight.copy_(torch.sign(layer.weight) * 0.25)
    unit = approximate(rounded, multiplier="ax_fpm_flat")
    layers = layer_gains(unit, images.numpy())
    assert layers["gain"].to_numpy() == pytest.approx(2, abs=1e-5)
    torch.testing.assert_close(unit_over_gain(unit, layers)(images), rounded(images))
    assert not torch.allclose(unit(images), rounded(images))


def test_noise_is_as_strong_as_the_table_says():
    model = nn.Linear(4, 40_000, bias=False)
    nn.init.constant_(model.weight, 0.5)
    layers = table(gain=[3.0], noise=[0.2], exact_rms=[5.0], scaled_rms=[5.0])
    x = torch.ones(1, 4)
    noise = gaussian_noise(model, layers)(x).detach().numpy() - 2
    assert noise.std() == pytest.approx(1, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    with_gain = gaussian_noise(model, layers, gain=True)(x).detach().numpy()
    assert with_gain == pytest.approx(3 * (2 + noise), rel=1e-5, abs=1e-5)


def test_behind_a_gain_noise_is_as_strong_beside_the_sums_that_it_made_larger():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 300, bias=False), nn.ReLU(), nn.Linear(300, 400, bias=False))
    x = torch.rand(50, 4)
    layers = layer_gains(approximate(model, multiplier="ax_fpm"), x.numpy())
    layers["noise"] = [0.0, 0.2]
    gain = layers["gain"].to_numpy()
    assert layers["scaled_rms"][1] == pytest.approx(gain[0] * layers["exact_rms"][1], rel=1e-5)
    alone = exact_times_gain(model, layers)(x)
    noise = gaussian_noise(model, layers, gain=True)(x) - alone
    assert (noise.std() / alone.square().mean().sqrt()).item() == pytest.approx(0.2, rel=0.05)


@pytest.fixture
def noisy(network):
    return gaussian_noise(network, table(gain=[1.0, 1.0], noise=[0.1, 0.1], exact_rms=[1.0, 1.0]))


def test_noise_is_a_function_of_seed_and_image_alone(network, noisy, images):
    whole = noisy(images)
    assert torch.equal(whole, noisy(images))
    assert torch.equal(whole, torch.cat([noisy(images[k : k + 1]) for k in range(5)]))
    assert torch.equal(whole.flip(0), noisy(images.flip(0)))
    layers = table(gain=[1.0, 1.0], noise=[0.1, 0.1], exact_rms=[1.0, 1.0])
    assert not torch.equal(whole, gaussian_noise(network, layers, seed=1)(images))


def test_an_image_that_differs_in_one_pixel_gets_other_noise(network, noisy, images):
    """The change of the pixel alone is far smaller than that of the noise."""
    other = images.clone()
    other[:, 0, 0, 0] += 1e-6
    assert (noisy(other) - noisy(images)).abs().median() > 1e-2
    assert (network(other) - network(images)).abs().max() < 1e-5


def test_noise_of_attention_does_not_depend_on_the_batch():
    """nn.MultiheadAttention has tokens, not images, along the first axis of some layers."""
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    tokens = torch.rand(3, 5, 8)
    layers = layer_gains(approximate(model, multiplier="ax_fpm"), tokens.numpy())
    net = gaussian_noise(model, layers)
    assert torch.equal(net(tokens)[1:2], net(tokens[1:2]))


def test_noise_is_a_constant_to_gradients():
    model = nn.Linear(3, 4)
    layers = table(gain=[2.0], noise=[5.0], exact_rms=[1.0], scaled_rms=[1.0])
    for gain, slope in ((False, 1), (True, 2)):
        x = torch.rand(1, 3, requires_grad=True)
        gaussian_noise(model, layers, gain=gain)(x).sum().backward()
        torch.testing.assert_close(x.grad, slope * model.weight.sum(0, keepdim=True))


def test_weights_are_rounded_to_so_many_bits_for_each_filter():
    """Of 3 bits -3 to 3: the scale of (3, -1.6, 0.4) is 1, that of (0.3, 0.1, -0.06) is 0.1."""
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3, -1.6, 0.4], [0.3, 0.1, -0.06]]))
        model.bias.copy_(torch.tensor([0.123, 0.456]))
    found = quantized_weights(model, 3)(torch.eye(3)) - model.bias
    expected = torch.tensor([[3.0, -2.0, 0.0], [0.3, 0.1, -0.1]]).T
    torch.testing.assert_close(found, expected)


def test_filters_of_a_transposed_layer_are_along_its_second_axis():
    """Two outputs whose largest weights are 3 and 0.3, as above."""
    model = nn.ConvTranspose2d(2, 2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3, 0.3], [-1.6, 0.1]]).reshape(2, 2, 1, 1))
    found = quantized_weights(model, 3)(torch.eye(2).reshape(2, 2, 1, 1)).flatten(1)
    torch.testing.assert_close(found, torch.tensor([[3.0, 0.3], [-2.0, 0.1]]))


def test_weights_become_the_nearest_powers_of_two():
    weights = [1.0, 1.49, 1.5, -2.99, -3.0, 0.0, 0.09]
    model = nn.Linear(7, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))
    found = power_of_two_weights(model)(torch.eye(7)).flatten().tolist()
    assert found == [1.0, 1.0, 2.0, -2.0, -4.0, 0.0, 0.0625]


@pytest.mark.parametrize(
    "control",
    [
        lambda model, layers: exact_times_gain(model, layers),
        lambda model, layers: gaussian_noise(model, layers),
        lambda model, layers: quantized_weights(model, 4),
        lambda model, layers: power_of_two_weights(model),
        lambda model, layers: unit_over_gain(approximate(model, multiplier="ax_fpm"), layers),
    ],
)
def test_every_control_can_be_attacked(control, tiny):
    """Two pixels, of which the brighter one wins: FGSM changes the winner where it is close."""
    model, images, labels = tiny
    layers = layer_gains(approximate(model, multiplier="exact_bfloat16"), images)
    net = control(model, layers)
    found = ATTACKS["fgsm"].run(net, images, labels, classes=2, epsilon=0.1).examples
    assert found[0].ravel() == pytest.approx([0.5, 0.6], abs=1e-6)
    assert net(torch.from_numpy(found[:1])).argmax() == 1


def test_rejects_tables_that_are_not_of_this_network(network, images):
    with pytest.raises(DataError, match="gain missing"):
        exact_times_gain(network, table(noise=[1.0]))
    twice = pd.concat([table(gain=[1.0, 1.0])] * 2)
    with pytest.raises(DataError, match="one row for each call.*got 0, 1, 0, 1"):
        exact_times_gain(network, twice)
    with pytest.raises(DataError, match="'layer1': its gain must be a finite number, got nan"):
        exact_times_gain(network, table(gain=[1.0, np.nan]))
    with pytest.raises(DataError, match="called 2 convolutions.*numbers for 3"):
        exact_times_gain(network, table(gain=[1.0, 1.0, 1.0]))(images)
    with pytest.raises(DataError, match="3 is called as number 2, but there are numbers for 1"):
        exact_times_gain(network, table(gain=[1.0]))(images)
    with pytest.raises(DataError, match="'layer0' has gain 0"):
        unit_over_gain(approximate(network), table(gain=[0.0, 1.0]))


def test_rejects_bits_and_seeds_that_are_none(network):
    with pytest.raises(ConfigError, match=r"bits must lie in 2..16, got 1"):
        quantized_weights(network, 1)
    layers = table(gain=[1.0], noise=[0.1], exact_rms=[1.0])
    with pytest.raises(ConfigError, match="seed must be an int"):
        gaussian_noise(network, layers, seed=-1)
