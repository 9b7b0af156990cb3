"""Operators that a user adds: trace, machine, kernels and module compute what was registered."""

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import ConfigError, DataError, TraceError
from accelsim.machine import run_machine
from accelsim.tracing.vector_operators import VECTOR_OPERATORS
from accelsim.vector_functions import VECTOR_FUNCTIONS

IMAGES = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def registered_again(monkeypatch):
    """Forget what a test registers."""
    list(VECTOR_FUNCTIONS)
    monkeypatch.setattr(VECTOR_FUNCTIONS, "_entries", {**VECTOR_FUNCTIONS._entries})
    before = dict(VECTOR_OPERATORS)
    yield
    VECTOR_OPERATORS.clear()
    VECTOR_OPERATORS.update(before)


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 1)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x), x)


def test_an_operator_of_one_tensor(agree, small, beside_torch):
    net = Calls(lambda y, x: torch.sin(y) + y.sin_()).eval()
    with pytest.raises(TraceError, match=r"accelsim.register_operator\('aten.sin.default', func"):
        accelsim.trace(net, IMAGES)
    accelsim.register_operator(
        "aten.sin.default", lambda x: np.sin(x.astype(float)), {"multiply": 6, "add": 5}
    )
    traced = agree(net, IMAGES)
    assert [layer.op for layer in traced.layers] == ["conv2d", "sin", "sin", "add"]
    record = run_machine(traced, small).layers[1]
    assert record.counts["vector_unit", "multiply"] == 6 * record.outputs
    assert record.counts["vector_unit", "add"] == 5 * record.outputs
    (_, expected), (_, got) = beside_torch(Calls(lambda y, x: torch.sin(y)).eval(), IMAGES)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_the_function_that_is_given_counts_everywhere(agree):
    """A rough sine, of the machine's own: the module on a unit computes it too."""
    accelsim.register_operator("aten.sin.default", lambda x: x - x * x * x / 6, {"multiply": 3})
    net = Calls(lambda y, x: torch.sin(y)).eval()
    agree(net, IMAGES)
    with torch.no_grad():
        got = accelsim.nn.approximate(net)(torch.from_numpy(IMAGES))
        assert (got - net(torch.from_numpy(IMAGES))).abs().max() > 0.01


def test_operators_of_two_tensors_and_of_numbers(agree):
    accelsim.register_operator("aten.atan2.default", np.arctan2, {"divide": 1}, tensors=2)
    accelsim.register_operator(
        "aten.threshold.default",
        lambda x, threshold, value: np.where(x > threshold, x, np.float32(value)),
        {"compare": 1},
        settings=("threshold", "value"),
    )
    agree(Calls(lambda y, x: torch.atan2(y, x[:, :1])).eval(), IMAGES)
    agree(Calls(lambda y, x: nn.functional.threshold(y, 0.25, -1.5)).eval(), IMAGES)


def test_rejects_a_function_of_another_shape():
    accelsim.register_operator("aten.sin.default", lambda x: x.sum(axis=-1), {})
    net = Calls(lambda y, x: torch.sin(y)).eval()
    with pytest.raises(DataError, match="vector function 'sin' must return an array of its first"):
        accelsim.nn.approximate(net)(torch.from_numpy(IMAGES))


@pytest.mark.parametrize(
    ("operator", "operations", "options", "message"),
    [
        ("sine", {}, {}, "torch has no operator 'sine'; give its full name"),
        ("aten.sine.default", {}, {}, "torch has no operator 'aten.sine.default'"),
        ("aten.relu.default", {}, {}, "'aten.relu.default' is modelled already"),
        ("aten.conv2d.default", {}, {}, "'aten.conv2d.default' is modelled already"),
        ("aten.selu.default", {}, {}, "'aten.selu.default' is made of others in torch"),
        ("aten.sin_.default", {}, {}, "'aten.sin_.default' works in place; give the one that"),
        ("aten.sin.default", {"sine": 1}, {}, "operations must be among add, .* got 'sine'"),
        ("aten.sin.default", {"add": 0.5}, {}, "must be ints >= 0, got add=0.5"),
        ("aten.sin.default", {}, {"tensors": 3}, "tensors must be 1 or 2, .* got 3"),
        ("aten.sin.default", {}, {"settings": ("x",)}, "of which it has none; got 'x'"),
    ],
)
def test_rejects_what_cannot_be_registered(operator, operations, options, message):
    with pytest.raises(ConfigError, match=message):
        accelsim.register_operator(operator, np.sin, operations, **options)


def test_rejects_an_operator_that_is_registered():
    accelsim.register_operator("aten.sin.default", np.sin, {})
    with pytest.raises(ConfigError, match="'aten.sin.default' is modelled already"):
        accelsim.register_operator("aten.sin.default", np.sin, {})
