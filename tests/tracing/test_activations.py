"""Activation functions and transcendental ones: bits, bounds to torch, gradients."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import accelsim
from accelsim.errors import TraceError

IMAGES = 2 * np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)

FUNCTIONS = {
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-0.5, 1.5),
    "clamp": lambda x: x.clamp(-0.3, 2),
    "clamp_min": lambda x: x.clamp(min=0.1),
    "leaky_relu": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(4),
    "sigmoid": torch.sigmoid,
    "tanh": nn.Tanh(),
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU("tanh"),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "softplus": nn.Softplus(2, 3),
    "mish": nn.Mish(),
    "elu": nn.ELU(0.7),
    "exp": torch.exp,
    "log": lambda x: torch.log(x * x + 0.1),
    "erf": torch.erf,
    "sqrt": lambda x: torch.sqrt(x.abs()),
    "rsqrt": lambda x: (x * x + 0.1).rsqrt(),
    "square": lambda x: x**2,
    "reciprocal": lambda x: 2 / x,
    "neg": lambda x: -x,
    "maximum": lambda x: torch.maximum(x, x.transpose(1, 2)[:, :4, :4].mul(2)[:, :, :1]),
}


class Activated(nn.Module):
    """A convolution, a function of its output, a linear layer."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 1)
        self.function = function
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.function(self.conv(x)))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_machine_trace_and_module_agree_bit_for_bit(function, agree):
    agree(Activated(function).eval(), IMAGES)


@pytest.fixture
def own_kernels(monkeypatch):
    """Have torch use its own kernels: oneDNN's GELU, which it takes on some processors, is coarser.

    And of infinity it is NaN.
    """
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)


@pytest.mark.usefixtures("own_kernels")
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_results_are_torchs_within_the_bound(function):
    """2 ulp, or 2^-22 of the larger of 1 and the operand where torch's own result loses bits."""
    values = torch.linspace(-12, 12, 4096).reshape(1, 4, 32, 32)
    with torch.no_grad():
        expected = function(values)
        got = accelsim.nn.approximate(Bare(function), multiplier="exact_fp32")(values)
    ulp = torch.from_numpy(np.spacing(expected.abs().numpy()))
    bound = torch.maximum(2 * ulp, 2.0**-22 * values.abs().clamp(min=1))
    assert ((got - expected).abs() <= bound).all()


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_torchs(function, beside_torch):
    (_, expected), (_, got) = beside_torch(Activated(function).eval(), IMAGES)
    torch.testing.assert_close(got, expected, rtol=2e-5, atol=2e-5)


class Bare(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


IN_PLACE = {
    "silu": nn.SiLU(inplace=True),
    "hardswish": nn.Hardswish(inplace=True),
    "relu6": nn.ReLU6(inplace=True),
    "sigmoid": torch.sigmoid_,
    "elu": nn.ELU(inplace=True),
}


@pytest.mark.parametrize("function", IN_PLACE.values(), ids=IN_PLACE)
def test_in_place_is_seen_by_whoever_shares_the_memory(function, agree):
    class Shared(Activated):
        def forward(self, x):
            y = self.conv(x)
            before = y.flatten(2)
            self.function(y)
            return before + y.flatten(2)

    agree(Shared(function).eval(), IMAGES)


@pytest.mark.usefixtures("own_kernels")
def test_special_values_are_torchs():
    values = torch.tensor([0.0, -0.0, np.inf, -np.inf, np.nan, 90.0, -110.0])
    for name in ("sigmoid", "tanh", "exp", "erf", "sqrt", "rsqrt", "log"):
        function = getattr(torch, name)
        got = accelsim.nn.approximate(Bare(function), multiplier="exact_fp32")(values)
        np.testing.assert_array_equal(got.numpy(), function(values).numpy(), err_msg=name)
    for function in (functional.gelu, functional.silu, functional.hardswish, functional.mish):
        got = accelsim.nn.approximate(Bare(function), multiplier="exact_fp32")(values)
        np.testing.assert_allclose(got.numpy(), function(values).numpy(), atol=1e-30)


def test_rejects_powers_that_are_not_modelled():
    with pytest.raises(TraceError, match=r"pow with an exponent of 3 is not modelled; modelled: 2"):
        accelsim.trace(Activated(lambda x: x**3), IMAGES)
