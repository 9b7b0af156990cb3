"""Windows in a module on a unit: the vector unit's bits, torch's values and gradients."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from accelsim.kernels import windowed
from accelsim.nn import approximate
from accelsim.windows import Pooling


class Calls(nn.Module):
    """A module around one function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


FUNCTIONS = [
    lambda x: x.mean((1, -1)),
    lambda x: x.mean(2, keepdim=True),
    lambda x: functional.adaptive_avg_pool2d(x, 1),
    lambda x: functional.adaptive_avg_pool2d(x, (3, 5)),
    lambda x: functional.adaptive_avg_pool1d(x.flatten(2), 4),
    lambda x: functional.interpolate(x, scale_factor=(1.7, 2.2), mode="bilinear"),
    lambda x: functional.interpolate(x, (4, 20), mode="bilinear", align_corners=True),
    lambda x: functional.interpolate(x.flatten(2), scale_factor=1.3, mode="linear"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_are_torchs_but_for_rounding_and_gradients_are_torchs(function, layout):
    x = torch.randn(2, 3, 7, 8, generator=torch.Generator().manual_seed(0))
    inputs = [x.clone(memory_format=layout).requires_grad_() for _ in range(2)]
    net = approximate(Calls(function), multiplier="exact_fp32")
    expected, got = function(inputs[0]), net(inputs[1])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    for output in (expected, got):
        (output * torch.arange(output.numel()).reshape(output.shape)).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    # Neither the layout nor what else is in the batch changes a bit.
    with torch.no_grad():
        assert torch.equal(net(x), got)
        assert torch.equal(net(x[:1]), got[:1])


def test_a_mean_is_added_row_by_row_and_divided_once():
    x = np.random.default_rng(0).standard_normal((1, 3, 9, 11)).astype(np.float32)
    expected = windowed("avg_pool2d", x[0], Pooling((9, 11), (1, 1)), (0, 1), 1)
    mean = approximate(Calls(lambda x: x.mean((2, 3))))(torch.from_numpy(x))
    assert mean.numpy().tobytes() == expected.tobytes()


def test_images_without_a_batch_are_planes_too():
    x = torch.randn(3, 7, 8)
    net = approximate(Calls(lambda x: functional.adaptive_avg_pool2d(x, (3, 5))))
    assert torch.equal(net(x), net(x[None])[0])


def test_other_types_and_sums_of_all_are_torchs():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    for function in (
        lambda x: x.mean((2, 3)),
        lambda x: x.float().mean(),
        lambda x: x.float().mean(1, dtype=torch.float64),
    ):
        assert torch.equal(approximate(Calls(function))(x), function(x))
