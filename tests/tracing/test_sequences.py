"""Matmuls, linear layers on sequences and views: the traced graph computes what the module does."""

from math import prod

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import TraceError
from accelsim.kernels.network import run_trace
from accelsim.layer import Operand

IMAGES = np.random.default_rng(0).standard_normal((3, 4, 6, 6)).astype(np.float32)


class Calls(nn.Module):
    """A function of images and of some parameters: sequences of 36 tokens of 4 channels."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.qkv = nn.Linear(4, 12)
        self.out = nn.Linear(4, 3)
        self.conv = nn.Conv2d(4, 2, 3)
        self.matrix = nn.Parameter(torch.randn(4, 5))
        self.register_buffer("buffer", torch.randn(2, 4, 5))

    def forward(self, x):
        return self.function(self, x)


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def attention(m, x):
    n, t, c = tokens(x).shape
    q, k, v = m.qkv(tokens(x)).reshape(n, t, 3, 2, 2).permute(2, 0, 3, 1, 4)
    mixed = torch.relu(q @ k.transpose(-2, -1)) @ v
    return m.out(mixed.transpose(1, 2).reshape(n, t, c))


def heads_as_batch(m, x):
    """Heads are merged with the images into one dimension, as nn.MultiheadAttention does it."""
    n, t, c = tokens(x).shape
    q, k, v = (
        one.contiguous().view(t, n * 2, 2).transpose(0, 1)
        for one in m.qkv(tokens(x).transpose(0, 1)).chunk(3, dim=-1)
    )
    mixed = torch.bmm(torch.bmm(q, k.transpose(1, 2)), v)
    return m.out(mixed.transpose(0, 1).reshape(t, n, c)).transpose(0, 1)


def shared_keys(m, x):
    """Two heads of queries for one of keys and values: expanded, read again for each."""
    y = m.qkv(tokens(x))
    q = y[..., :4].unflatten(-1, (2, 2)).movedim(2, 1)
    k, v = (part.unsqueeze(1).expand(-1, 2, -1, -1) for part in (y[..., 4:6], y[..., 6:8]))
    return ((q @ k.mT) @ v).swapaxes(1, 2).flatten(2)


def windows(m, x):
    """Attention within 3x3 windows: dimensions of images, windows, and a copy of five of them."""
    n, c, h, w = x.shape
    y = x.permute(0, 2, 3, 1).reshape(n, h // 3, 3, w // 3, 3, c).permute(0, 1, 3, 2, 4, 5)
    y = m.qkv(y.reshape(-1, 9, c))
    q, k, v = y.split(4, dim=-1)
    y = (q @ k.transpose(-2, -1)) @ v
    y = y.view(n, h // 3, w // 3, 3, 3, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
    return m.out(y).permute(0, 3, 1, 2)


def channels_attend(m, x):
    """The second operand is transposed: its rows lie word by word."""
    y = x.flatten(2)
    return torch.matmul(y @ y.transpose(1, 2), y)


def parts(m, x):
    """Every cut of a tensor, and a layer on each."""
    y = m.qkv(tokens(x))
    first, second = y.narrow(1, 2, 8), y[:, 1::5, :][:, :8]
    a, *_ = torch.tensor_split(first, 3, dim=2)
    b = torch.split(second, [4, 8], dim=2)[0]
    scores = a.bmm(b.transpose(1, 2))
    return scores.unbind(1)[3].unsqueeze(1) @ scores.mT


def strided_images(m, x):
    """Convolution and pooling of a permuted, cut image; a ReLU of a part."""
    y = m.conv(x[..., ::2].transpose(2, 3))
    y = torch.relu(y[:, :, :, 1:])
    return nn.functional.max_pool2d(y.transpose(2, 3), 2, stride=1, padding=1)


def relu_of_a_moved_tensor(m, x):
    """The ReLU behind a convolution can be fused although its input is transposed and flattened."""
    return m.out(torch.relu(tokens(m.conv(x))).reshape(x.shape[0], 8, 4))


def token_of_a_class(m, x):
    y = m.qkv(tokens(x))
    return m.out(y[:, 0, 4:8]).squeeze(-1)


def matrix_of_parameters(m, x):
    """A matmul with a parameter, or a view of one, is a linear layer."""
    y = tokens(x) @ m.matrix
    return torch.mm(y[:, 3], m.matrix.t()) @ m.buffer[1]


MODELS = [
    attention,
    heads_as_batch,
    shared_keys,
    windows,
    channels_attend,
    parts,
    strided_images,
    relu_of_a_moved_tensor,
    token_of_a_class,
    matrix_of_parameters,
]


@pytest.mark.parametrize("images", [3, 1])
@pytest.mark.parametrize("function", MODELS)
def test_the_traced_graph_computes_what_the_module_does(function, images):
    net = Calls(function).eval()
    traced = accelsim.trace(net, IMAGES).batch(images)
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES[:images])).numpy()
    outputs = run_trace(traced, "exact_fp32", "float64").reshape(expected.shape)
    # Both round to float32, in other orders.
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("multiplier", ["ax_fpm", "exact_int8"])
@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize("function", MODELS)
def test_machine_and_module_agree_bit_for_bit(function, dataflow, multiplier):
    net = Calls(function).eval()
    traced = accelsim.trace(net, IMAGES, calibration=IMAGES)
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(
        multiplier=multiplier, **{"array.dataflow": dataflow, "dram.kind": "ddr4_2400"}
    )
    outputs = accelsim.simulate(traced, machine).outputs
    module = accelsim.nn.approximate(net, multiplier=multiplier, calibration=IMAGES)
    with torch.no_grad():
        expected = module(torch.from_numpy(IMAGES)).reshape(3, -1).numpy()
    assert outputs.tobytes() == expected.tobytes()


@pytest.mark.parametrize("function", MODELS)
def test_a_batch_of_a_trace_is_the_trace_of_a_batch(function):
    net = Calls(function).eval()
    cut, own = accelsim.trace(net, IMAGES).batch(2), accelsim.trace(net, IMAGES[:2])
    assert cut.fingerprint == own.fingerprint
    assert cut.macs * 3 == accelsim.trace(net, IMAGES).macs * 2


def test_layers_of_attention():
    traced = accelsim.trace(Calls(attention).eval(), IMAGES)
    described = [(layer.name, layer.op, layer.sources) for layer in traced.layers]
    assert described == [
        ("qkv", "linear", ("input",)),
        ("matmul", "matmul", ("qkv", "qkv")),
        ("relu", "relu", ("matmul",)),
        ("matmul_1", "matmul", ("relu", "qkv")),
        ("out_copy", "copy", ("matmul_1",)),
        ("out", "linear", ("out_copy",)),
    ]
    shapes = [layer.output_shape for layer in traced.layers]
    assert shapes == [
        (3, 36, 1, 12),
        (3, 2, 36, 36),
        (3, 2, 36, 36),
        (3, 2, 36, 2),
        (3, 36, 2, 2),
        (3, 36, 1, 3),
    ]
    scores = traced.layers[1]
    assert scores.shape.gemm == (36, 36, 2)
    assert scores.shape.groups == 3 * 2
    assert isinstance(scores.weight, Operand)
    # Queries and transposed keys are read where they lie, 12 words from token to token.
    assert scores.view == ((3, 2, 36, 2), (432, 2, 12, 1), 0)
    assert scores.weight.view == ((3, 2, 2, 36), (432, 2, 1, 12), 4)


def test_only_what_no_strides_say_is_copied():
    copies = {
        function.__name__: [
            prod(layer.output_shape)
            for layer in accelsim.trace(Calls(function).eval(), IMAGES).layers
            if layer.op == "copy"
        ]
        for function in MODELS
    }
    assert copies == {
        "attention": [3 * 36 * 4],
        "heads_as_batch": [3 * 36 * 4],
        "shared_keys": [3 * 36 * 4],
        "windows": [3 * 36 * 4, 3 * 36 * 4, 3 * 36 * 3],
        "channels_attend": [],
        "parts": [],
        "strided_images": [],
        "relu_of_a_moved_tensor": [3 * 32],
        "token_of_a_class": [],
        "matrix_of_parameters": [],
    }


def test_a_matrix_of_parameters_makes_a_linear_layer():
    layers = accelsim.trace(Calls(matrix_of_parameters).eval(), IMAGES).layers
    assert [layer.op for layer in layers] == ["linear"] * 3
    assert [layer.weight.shape for layer in layers] == [(5, 4, 1, 1), (4, 5, 1, 1), (5, 4, 1, 1)]


class InPlace(nn.Module):
    """A ReLU in place, and a reader of a tensor made before, which shares its memory or not."""

    def __init__(self, copies):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 1)
        self.copies = copies

    def forward(self, x):
        y = self.conv(x)
        before = tokens(y)
        if self.copies:
            before = before.contiguous()
        torch.relu_(y)
        return before @ tokens(y).transpose(1, 2)


@pytest.mark.parametrize("copies", [True, False])
def test_an_in_place_relu_is_seen_by_views_and_not_by_copies(copies):
    net = InPlace(copies).eval()
    traced = accelsim.trace(net, IMAGES)
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES)).numpy()
    outputs = run_trace(traced, "exact_fp32", "float64").reshape(expected.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, x: tokens(x)[1:] @ m.matrix, r"slice of \(3, 36, 4\) mixes images"),
        (lambda m, x: x[:, 0, 0] @ x[:, 0, 0].t(), r"matmul of .* mixes images"),
        (lambda m, x: x.reshape(2, 54, 4) @ m.matrix, r"reshape of .* mixes images"),
        (
            lambda m, x: x.transpose(0, 1).reshape(2, 54, 4) @ m.matrix,
            "shape .2, 54, 5., which mixes",
        ),
        (lambda m, x: m.conv(x.transpose(0, 1).reshape(3, 4, 6, 6)), "mixes images"),
        (lambda m, x: x.unfold(2, 2, 1), "operator 'unfold'"),
        (lambda m, x: (tokens(x) @ m.matrix).transpose(0, 1), "mixes images: its first dimension"),
        (lambda m, x: m.matrix.t() @ x[..., :4, :4], "only the second operand may be a parameter"),
        (lambda m, x: x[:, :2, :, :4] @ m.buffer, "only the second operand may be a parameter"),
        (lambda m, x: tokens(x) @ m.matrix[:, 0], "at least 2 with unsqueeze"),
        (lambda m, x: torch.cumsum(m.qkv(tokens(x)), -1), "operator 'cumsum'"),
        (lambda m, x: torch.relu_(m.conv(x)[:, :1]), "in-place operator on a part"),
        (lambda m, x: torch.tril(x), "operator 'tril'"),
        (
            lambda m, x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2], alpha=2),
            r"must be 1, got \(1, 2\)",
        ),
    ],
)
def test_rejects_what_is_not_modelled(function, message):
    with pytest.raises(TraceError, match=message):
        accelsim.trace(Calls(function).eval(), IMAGES)


def test_names_of_operators_that_are_modelled_are_told():
    with pytest.raises(TraceError, match=r"modelled: .*bmm.*chunk.*matmul.*permute.*unbind"):
        accelsim.trace(Calls(lambda m, x: torch.cumsum(x, 1)).eval(), IMAGES)
