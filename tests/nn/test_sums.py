"""Tests of accelsim.nn.sums: what is seen of each layer, and what is put in its place."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from accelsim.errors import DataError
from accelsim.nn import approximate, calibrate
from accelsim.nn.operators import Unit
from accelsim.nn.sums import AdjustedModule


class Everything(nn.Module):
    """A layer of each kind, one of them called twice, one functional, one a constant matrix."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding="same")
        self.shared = nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=2)
        self.up = nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2)
        self.kernel = nn.Parameter(torch.randn(6, 6, 2, 3))
        self.line = nn.Conv1d(6, 3, 3, bias=False)
        self.matrix = nn.Parameter(torch.randn(3, 4))

    def forward(self, x):
        x = self.shared(self.shared(self.stem(x)).relu())
        x = F.conv2d(self.up(x), weight=self.kernel, padding=1, stride=2).relu()
        x = self.line(x.flatten(2)).mT
        return torch.softmax(x @ x.mT, -1) @ x @ self.matrix


NAMES = ["stem", "shared", "shared", "up", "Everything", "line", "matmul", "matmul"]
NAMES += ["Everything"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Everything().eval()


@pytest.fixture
def images():
    return torch.rand(3, 2, 6, 5, generator=torch.Generator().manual_seed(0))


def test_every_call_is_seen_once_in_order(model, images):
    seen = []

    def see(call):
        seen.append(call)
        return call.sums

    AdjustedModule(approximate(model), adjust=see, calls=9)(images)
    assert [call.name for call in seen] == NAMES
    assert [call.index for call in seen] == list(range(9))
    operators = ["convolution"] * 3 + ["transposed"] + ["convolution"] * 2
    operators += ["matmul", "matmul", "linear"]
    assert [call.operator for call in seen] == operators


@pytest.mark.parametrize("multiplier", ["exact_fp32", "ax_fpm", "exact_int8"])
def test_what_is_not_changed_has_the_bits_of_the_unit(model, images, multiplier):
    net = approximate(model, multiplier=multiplier, calibration=calibrate(model, images.numpy()))
    assert torch.equal(AdjustedModule(net)(images), net(images))


def test_a_call_can_be_made_again_on_another_unit(model, images):
    other = approximate(model, multiplier="ax_fpm", gradient="none")
    expected, again = [], []

    def first(call):
        expected.append(call.sums)
        return call.sums

    def second(call):
        unit = Unit(other.network, other.units)
        return again.append(call.compute(unit, call.first, call.second)) or again[-1]

    with torch.no_grad():
        AdjustedModule(other, adjust=first)(images)
        AdjustedModule(approximate(model, multiplier="exact_fp32"), adjust=second)(images)
    assert all(torch.equal(one, two) for one, two in zip(expected, again, strict=True))


def test_sums_are_changed_before_the_bias():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
        layer.bias.fill_(10)
    net = AdjustedModule(
        approximate(layer, multiplier="exact_fp32"), adjust=lambda call: 3 * call.sums
    )
    x = torch.tensor([[1.0, 1.0]], requires_grad=True)
    output = net(x)
    assert output.item() == 3 * 3 + 10
    output.backward()
    assert x.grad.tolist() == [[3.0, 6.0]]


def test_weights_are_changed_with_the_axis_of_their_outputs(model, images):
    axes = []

    def zero(weight, axis):
        axes.append((weight.shape[axis], axis))
        return torch.zeros_like(weight)

    outputs = AdjustedModule(approximate(model, multiplier="exact_fp32"), weights=zero)(images)
    # Of the transposed one three outputs a group; the matmuls of activations have no weight.
    assert axes == [(4, 0), (4, 0), (4, 0), (3, 1), (6, 0), (3, 0), (4, 0)]
    assert not outputs.any()


def test_gradient_none_stays_none_and_copies_are_equal(model, images):
    net = AdjustedModule(approximate(model, gradient="none"))
    assert not net(images.requires_grad_()).requires_grad
    assert torch.equal(copy.deepcopy(net)(images), net(images))


def test_rejects_another_number_of_layers(model, images):
    net = AdjustedModule(approximate(model, multiplier="exact_fp32"), calls=3)
    with pytest.raises(DataError, match="called 9 convolutions.*numbers for 3"):
        net(images)
