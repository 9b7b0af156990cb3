"""Convolutions along one dimension, and transposed ones: torch's values, the unit's bits."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from accelsim import kernels
from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate, calibrate

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
KINDS = {
    1: (nn.Conv1d, nn.ConvTranspose1d),
    2: (nn.Conv2d, nn.ConvTranspose2d),
}


@st.composite
def layers(draw, transposed):
    """A layer of one or two dimensions with any window, and images for it."""
    rank = draw(st.integers(1, 2))

    def numbers(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    groups, per_group, filters = (draw(st.integers(1, 2)) for _ in range(3))
    stride, dilation = numbers(1, 3), numbers(1, 3)
    window = {"stride": stride, "dilation": dilation, "groups": groups}
    window["bias"] = draw(st.booleans())
    if transposed:
        window["padding"] = numbers(0, 3)
        most = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
        window["output_padding"] = tuple(draw(st.integers(0, more)) for more in most)
    else:
        window["padding"] = draw(st.sampled_from([(0,) * rank, (2,) * rank, "valid"]))
        if max(stride) == 1 and draw(st.booleans()):
            window["padding"] = "same"
    torch.manual_seed(draw(st.integers(0, 9)))
    kind = KINDS[rank][transposed]
    layer = kind(groups * per_group, groups * filters, numbers(1, 3), **window)
    images = torch.randn(2, groups * per_group, *numbers(8, 9))
    return layer, images


@pytest.mark.parametrize("transposed", [False, True])
def test_the_exact_unit_gives_torchs_values_and_gradients(transposed):
    @settings(max_examples=40)
    @given(layers(transposed))
    def check(case):
        layer, images = case
        net = approximate(layer, multiplier="exact_fp32")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
            inputs = [images.clone().requires_grad_() for _ in range(2)]
            expected, got = (module(x) for module, x in zip((layer, net), inputs, strict=True))
        torch.testing.assert_close(got, expected, **TOLERANCE)
        for output in (expected, got):
            output.square().sum().backward()
        found = (
            [x.grad, *(p.grad for p in m.parameters())]
            for m, x in zip((layer, net), inputs, strict=True)
        )
        for exact, own in zip(*found, strict=True):
            torch.testing.assert_close(own, exact, rtol=1e-4, atol=1e-3)

    check()


def test_a_signal_is_an_image_of_one_column():
    torch.manual_seed(0)
    layer, x = nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), torch.randn(2, 4, 9)
    weight, bias = (one.detach().numpy() for one in (layer.weight, layer.bias))
    expected = kernels.conv2d(
        "ax_fpm", "float32", x.numpy()[..., None], weight[..., None], bias, (2, 1), (1, 0),
        groups=2,
    )  # fmt: skip
    output = approximate(layer)(x)
    assert output.detach().numpy().tobytes() == expected.tobytes()
    assert torch.equal(approximate(layer)(x[0]), output[0])


def test_a_transposed_convolution_has_products_with_the_zeros_between_pixels():
    """2 x 2 pixels at stride 2, kernel 2, padding 1: what is left are the middle 2 x 2 of 4 x 4.

    The unit sees the convolution of 3 x 3 images, four pixels and five zeros, with the kernel
    turned; of the padding 1 nothing is left, as the kernel reaches just 1.
    """
    layer = nn.ConvTranspose2d(1, 1, 2, stride=2, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    x = np.zeros((1, 1, 3, 3), np.float32)
    x[0, 0, ::2, ::2] = [[5, 6], [7, 8]]
    turned = np.float32([[[[4, 3], [2, 1]]]])
    for unit in ("exact_fp32", "ax_fpm"):
        expected = kernels.conv2d(unit, "float32", x, turned, None)
        output = approximate(layer, multiplier=unit)(torch.from_numpy(x[:, :, ::2, ::2].copy()))
        assert output.detach().numpy().tobytes() == expected.tobytes()
    assert approximate(layer, multiplier="exact_fp32")(
        torch.tensor([[[[5.0, 6.0], [7.0, 8.0]]]])
    ).flatten().tolist() == [20, 18, 14, 8]


@pytest.mark.parametrize("gradient", ["exact", "unit"])
def test_units_of_integers_take_them_too(gradient):
    """Eight bits are near, in the values and, through the unit's table, in the gradients."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(2, 4, 3, padding=1), nn.ConvTranspose1d(4, 2, 3, stride=2, output_padding=1)
    )
    x = torch.randn(8, 2, 16)
    assert len(calibrate(model, x).ranges) == 2
    net = approximate(model, multiplier="exact_int8", calibration=x, gradient=gradient)
    grads = []
    for module in (model, net):
        own = x.clone().requires_grad_()
        output = module(own)
        output.square().sum().backward()
        grads.append((output.detach(), own.grad, *(p.grad for p in module.parameters())))
    for exact, approximated in zip(*grads, strict=True):
        assert (approximated - exact).norm() / exact.norm() < 0.1


def test_rejects_signals_and_windows_that_do_not_fit():
    signal = nn.Sequential(nn.Conv1d(2, 2, 3))
    with pytest.raises(DataError, match=r"layer '0': input must be \(N, C, L\) or \(C, L\), got"):
        approximate(signal)(torch.ones(1, 2, 8, 8))
    with pytest.raises(DataError, match=r"layer '0': .* do not fit images \(1, 3, 8, 1\)"):
        approximate(signal)(torch.ones(1, 3, 8))
    transposed = nn.Sequential(nn.ConvTranspose1d(2, 2, 3, stride=2, output_padding=2))
    with pytest.raises(DataError, match=r"layer '0': output_padding \(2, 0\) must be smaller than"):
        approximate(transposed)(torch.ones(1, 2, 8))

    class Odd(nn.Module):
        def forward(self, x):
            return nn.functional.conv1d(x, x[:, :, :2], stride=(1, 2))

    with pytest.raises(
        ConfigError, match=r"conv1d: stride, .* take one or 1 numbers, got \(1, 2\)"
    ):
        approximate(Odd())(torch.ones(1, 1, 8))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_move_words_and_change_none(mode):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode), torch.randn(2, 2, 5, 6)
    torch.testing.assert_close(
        approximate(layer, multiplier="exact_fp32")(x), layer(x), **TOLERANCE
    )
