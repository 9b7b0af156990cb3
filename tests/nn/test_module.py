"""Tests of accelsim.nn: the module, and through it the operators below."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from accelsim import kernels
from accelsim.accumulators import ACCUMULATORS
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import ConfigError, DataError, TraceError, UnknownNameError
from accelsim.importing import import_multiplier
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier
from accelsim.nn import Scheme, approximate, calibrate
from accelsim.quantization import quantize_layer

FLOAT_UNITS = [name for name, unit in MULTIPLIERS.items() if isinstance(unit, FloatMultiplier)]
INTEGER_UNITS = [name for name in MULTIPLIERS if name not in FLOAT_UNITS]
SCHEMES = [Scheme(), Scheme("affine", "affine", False), Scheme("symmetric", "symmetric")]
FLOAT_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if not entry.integer]

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


class Call(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class DoubledLinear(nn.Linear):
    """A subclass with a forward of its own."""

    def forward(self, x):
        return 2 * super().forward(x)


class Everything(nn.Module):
    """Nested, shared, subclassed and functional layers; groups, stride, dilation, 'same'."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding="same"), nn.ReLU())
        self.shared = nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=2, bias=False)
        self.dilated = nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2)
        self.kernel = nn.Parameter(torch.randn(6, 6, 2, 3))
        self.head = DoubledLinear(6 * 5 * 4, 5)

    def forward(self, x):
        x = self.shared(self.shared(self.stem(x)))
        x = F.conv2d(self.dilated(x), self.kernel, padding="same").relu()
        return self.head(x.flatten(1))


@pytest.fixture
def everything():
    torch.manual_seed(0)
    return Everything().eval()


@pytest.fixture
def images():
    return torch.rand(4, 2, 10, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_exact_unit_computes_what_torch_does(everything, images):
    torch.testing.assert_close(
        approximate(everything, multiplier="exact_fp32")(images), everything(images), **TOLERANCE
    )


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("multiplier", FLOAT_UNITS)
def test_outputs_are_the_kernels_bits(multiplier, accumulator):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=(2, 1), padding=(0, 1), groups=2), nn.Flatten(), nn.Linear(72, 3)
    )
    x = np.random.default_rng(0).random((2, 2, 7, 6), np.float32)
    unit = MULTIPLIERS[multiplier], ACCUMULATORS[accumulator]
    conv, _, linear = (module.state_dict() for module in model)
    hidden = kernels.conv2d(
        *unit,
        x,
        conv["weight"].numpy(),
        conv["bias"].numpy(),
        stride=(2, 1),
        padding=(0, 1),
        groups=2,
    )
    expected = kernels.linear(
        *unit, hidden.reshape(2, -1), linear["weight"].numpy(), linear["bias"].numpy()
    )
    net = approximate(model, multiplier=multiplier, accumulator=accumulator)
    np.testing.assert_array_equal(net(torch.from_numpy(x)).detach().numpy(), expected)


@pytest.mark.parametrize("multiplier", INTEGER_UNITS)
def test_outputs_of_integer_units_are_the_kernels_bits(multiplier):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=(2, 1), padding=(0, 1), groups=2), nn.Flatten(), nn.Linear(72, 3)
    )
    x, others = np.random.default_rng(0).normal(0, 1, (2, 2, 2, 7, 6)).astype(np.float32)
    unit, calibration = MULTIPLIERS[multiplier], calibrate(model, others)
    conv, _, linear = (module.state_dict() for module in model)
    weights = [one["weight"].numpy() for one in (conv, linear)]
    for scheme in SCHEMES:
        layers = [
            quantize_layer(one, weight, unit.operands, scheme, "layer")
            for one, weight in zip(calibration.ranges, weights, strict=True)
        ]
        bias, window = conv["bias"].numpy(), ((2, 1), (0, 1), (1, 1), 2)
        hidden = kernels.conv2d_quantized(unit, "auto", layers[0], x, weights[0], bias, *window)
        rows, bias = hidden.reshape(2, -1), linear["bias"].numpy()
        expected = kernels.linear_quantized(unit, "auto", layers[1], rows, weights[1], bias)
        net = approximate(model, multiplier=multiplier, calibration=calibration, scheme=scheme)
        np.testing.assert_array_equal(net(torch.from_numpy(x)).detach().numpy(), expected)


@pytest.mark.parametrize("multiplier", list(MULTIPLIERS))
def test_outputs_depend_neither_on_the_batch_nor_on_threads(everything, images, multiplier):
    net = approximate(everything, multiplier=multiplier, calibration=images)
    outputs, threads = net(images), torch.get_num_threads()
    assert torch.equal(torch.cat([net(image[None]) for image in images]), outputs)
    assert torch.equal(net(images.flip(0)).flip(0), outputs)
    try:
        torch.set_num_threads(3)
        assert torch.equal(net(images), outputs)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_an_integer_unit_computes_nearly_what_torch_does(everything, images):
    """Nested, shared and functional layers, each with its own range; sixteen bits are near."""
    exact = everything(images)
    for scheme in SCHEMES:
        eight, sixteen = (
            approximate(everything, multiplier=name, calibration=images, scheme=scheme)(images)
            for name in ("exact_int8", "exact_int16")
        )
        torch.testing.assert_close(sixteen, exact, rtol=1e-3, atol=1e-3)
        assert 1e-4 < (eight - exact).norm() / exact.norm() < 0.05


def test_layers_are_found_whatever_their_order_and_nesting(images):
    """Defined last, called first; inside lists and dicts; called twice, once through F."""

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(2)
            self.heads = nn.ModuleDict({"out": nn.Linear(320, 2)})
            self.convs = nn.ModuleList([nn.Sequential(nn.Conv2d(2, 4, 1)), nn.Conv2d(2, 2, 1)])

        def forward(self, x):
            first = self.convs[1]
            x = F.conv2d(first(first(x)), first.weight, first.bias)
            return self.heads["out"](self.convs[0](x).flatten(1))

    net = Odd().eval()
    before = copy.deepcopy(net.state_dict())
    calibration = calibrate(net, images)
    assert len(calibration.ranges) == 5
    for name, tolerance in (("exact_fp32", 1e-5), ("exact_int16", 1e-3)):
        outputs = approximate(net, multiplier=name, calibration=calibration)(images)
        torch.testing.assert_close(outputs, net(images), rtol=tolerance, atol=tolerance)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_the_scheme_is_told():
    net = approximate(
        nn.Conv2d(1, 1, 1), multiplier="exact_int8", calibration=np.ones((1, 1, 1, 1), np.float32)
    )
    assert "scheme=Scheme(activations='auto', weights='auto', per_channel=True)" in repr(net)
    assert "scheme" not in repr(approximate(nn.Linear(1, 1)))


def test_weights_are_quantized_as_they_are_at_the_call(everything, images):
    """Ranges of activations stay; a state dict that is loaded later is what is computed."""
    net = approximate(everything, multiplier="exact_int8", calibration=images)
    other = copy.deepcopy(everything)
    with torch.no_grad():
        other.head.weight.mul_(0.5)
        other.head.bias.zero_()
    net.load_state_dict(other.state_dict())
    ranges = calibrate(everything, images)
    expected = approximate(other, multiplier="exact_int8", calibration=ranges)(images)
    assert torch.equal(net(images), expected)


def test_ax_fpm_differs_from_exact(everything, images):
    assert not torch.allclose(approximate(everything)(images), everything(images), rtol=1e-2)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_exact_gradient_is_the_exact_layers(everything, images):
    """With the exact unit every gradient is torch's, for inputs, weights and biases."""
    net = approximate(everything, multiplier="exact_fp32", gradient="exact")
    inputs = [images.clone().requires_grad_() for _ in range(2)]
    for module, x in zip((everything, net), inputs, strict=True):
        module(x).square().sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-4, atol=1e-4)
    pairs = zip(everything.named_parameters(), net.parameters(), strict=True)
    for (name, exact), approximated in pairs:
        torch.testing.assert_close(
            approximated.grad, exact.grad, rtol=1e-4, atol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_exact_gradient_of_an_approximate_layer_ignores_the_unit():
    layer = nn.Linear(3, 2)
    x = torch.rand(4, 3, requires_grad=True)
    approximate(layer, multiplier="ax_fpm")(x).sum().backward()
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(4, 3))


def test_gradient_none_carries_no_gradient(everything, images):
    net = approximate(everything, gradient="none")
    assert not net(images.requires_grad_()).requires_grad
    assert torch.is_grad_enabled()


def orders_of(*ks):
    """Return orders of sums of *ks* products, backwards and three at a time."""
    return [
        AccumulationOrder(np.arange(k)[::-1].copy(), np.full(k // 3, 3)) for k in ks
    ]  # fmt: skip


def test_products_are_added_in_the_orders_given(images):
    """One order a call; the gradient is that of the exact layer, as without."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(192, 3))
    orders = orders_of(18, 192)
    for unit in ("ax_fpm", "exact_int16"):
        how = {"multiplier": unit, "calibration": images, "orders": orders}
        plain, ordered = approximate(model, **{**how, "orders": None}), approximate(model, **how)
        same = torch.equal(ordered(images), plain(images))
        # 64-bit sums of integers wrap around: they are the same in any order.
        assert same == (unit == "exact_int16")
        torch.testing.assert_close(ordered(images), plain(images), **TOLERANCE)
        assert torch.equal(copy.deepcopy(ordered)(images), ordered(images))
        gradients = []
        for net in (plain, ordered):
            net(images).sum().backward()
            gradients.append([p.grad.clone() for p in net.parameters()])
        assert [g.shape for g in gradients[0]] == [g.shape for g in gradients[1]]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("ks", "reason"),
    [
        ((18,), r"layer '3': called as number 2, but there are 1 orders .*accumulation_orders\("),
        ((18, 192, 9), "called 2 convolutions, linear layers and matmuls, but there are 3 orders"),
        ((21, 192), "layer '0': the order of additions is that of 21 products, .* has k=18"),
    ],
)
def test_rejects_orders_of_another_network(images, ks, reason):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(192, 3))
    net = approximate(model, multiplier="exact_fp32", orders=orders_of(*ks))
    with pytest.raises(DataError, match=reason):
        net(images)


def test_original_is_untouched(everything, images):
    before = copy.deepcopy(everything.state_dict())
    net = approximate(everything, multiplier="exact_int8", calibration=images)
    net(images)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert all(torch.equal(before[name], value) for name, value in everything.state_dict().items())
    assert type(everything.stem[0]).forward is nn.Conv2d.forward


def test_state_dict_is_exchangeable_with_the_original(everything, images):
    other = approximate(Everything().eval())
    assert list(other.state_dict()) == list(everything.state_dict())
    other.load_state_dict(everything.state_dict())
    assert torch.equal(other(images), approximate(everything)(images))
    Everything().load_state_dict(other.state_dict())
    outer, outer_exact = nn.Sequential(other), nn.Sequential(everything)
    outer.load_state_dict(outer_exact.state_dict())
    outer_exact.load_state_dict(outer.state_dict())


def saved_and_loaded(net):
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


CLONES = [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), saved_and_loaded]


@pytest.mark.parametrize("multiplier", ["ax_fpm", "exact_int8", "drum5_s8"])
@pytest.mark.parametrize("clone", CLONES)
def test_copies_are_approximate_too(everything, images, clone, multiplier):
    net = approximate(everything, multiplier=multiplier, calibration=images)
    assert torch.equal(clone(net)(images), net(images))


@pytest.mark.parametrize("clone", [lambda net: net, *CLONES])
@pytest.mark.parametrize("becomes", ["changed", "removed"])
def test_a_unit_file_may_change_once_it_was_read(everything, images, tmp_path, clone, becomes):
    def unit(dropped):
        return import_multiplier(
            lambda a, w: a * w & ~dropped,
            name="mine",
            bits=6,
            signed=True,
            operand_order="activation,weight",
            out=tmp_path / "mine.npz",
        )

    unit(3)
    net = approximate(everything, multiplier=str(tmp_path / "mine.npz"), calibration=images)
    expected = net(images)
    kept = clone(net)
    if becomes == "changed":
        unit(63)
    else:
        (tmp_path / "mine.npz").unlink()
    assert torch.equal(kept(images), expected)
    assert torch.equal(clone(kept)(images), expected)


def test_an_inner_unit_wins():
    """An approximated part of an approximated network keeps its own unit."""
    layer = nn.Linear(8, 2)
    x = torch.rand(3, 8)
    inner = approximate(layer, multiplier="ax_fpm")
    outer = approximate(nn.Sequential(inner), multiplier="exact_fp32")
    assert torch.equal(outer(x), inner(x))


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning")
def test_exported_graph_is_approximated(images):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
    graph = torch.export.export(model, (images,)).module()
    net = approximate(graph)
    assert torch.equal(net(images), approximate(model)(images))


def test_unbatched_and_many_dimensional_inputs():
    conv, linear = nn.Conv2d(2, 3, 3), nn.Linear(5, 2)
    x, y = torch.rand(2, 6, 5), torch.rand(2, 3, 4, 5)
    for layer, inputs in ((conv, x), (linear, y), (linear, y[0, 0, 0])):
        output = approximate(layer, multiplier="exact_fp32")(inputs)
        torch.testing.assert_close(output, layer(inputs), **TOLERANCE)


def test_channels_last_and_transposed_inputs(everything, images):
    net = approximate(everything)
    strided = images.to(memory_format=torch.channels_last)
    assert torch.equal(net(strided), net(images))


@hypothesis_settings(deadline=None, max_examples=40, derandomize=True)
@given(data=st.data())
def test_convolution_agrees_with_torch(data):
    """Any stride, dilation, groups, kernel and padding, 'same' with even kernels included."""
    groups, per_group, filters = (data.draw(st.integers(1, 2)) for _ in range(3))
    kernel, dilation, stride = (
        data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) for _ in range(3)
    )
    paddings = [st.tuples(st.integers(0, 2), st.integers(0, 2)), st.just("valid")]
    if stride == (1, 1):
        paddings.append(st.just("same"))
    torch.manual_seed(0)
    layer = nn.Conv2d(
        groups * per_group,
        groups * filters,
        kernel,
        stride=stride,
        padding=data.draw(st.one_of(paddings)),
        dilation=dilation,
        groups=groups,
        bias=data.draw(st.booleans()),
    )
    x = torch.rand(2, groups * per_group, 8, 9)
    output = approximate(layer, multiplier="exact_fp32")(x)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        torch.testing.assert_close(output, layer(x), **TOLERANCE)


@pytest.mark.parametrize(
    "model",
    [
        Call(lambda x: torch.einsum("nchw,wk->nchk", x, torch.ones(8, 3))),
        Call(lambda x: torch.addmm(x[0, 0, :8, :], x[0, 0, :8], x[0, 0, :8])),
        Call(lambda x: torch.mv(x[0, 0], torch.ones(8))),
        Call(lambda x: F.bilinear(x, x, torch.ones(2, 8, 8))),
        nn.Conv3d(1, 1, 2),
        nn.ConvTranspose3d(1, 1, 2),
        nn.Sequential(nn.Flatten(1, 2), nn.LSTM(8, 2)),
        nn.Sequential(nn.Flatten(1, 2), nn.GRU(8, 2)),
        Call(lambda x: torch.addbmm(x[0, 0], x[:, 0], x[:, 0])),
    ],
)
@pytest.mark.parametrize("with_gradient", [True, False])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rejects_products_that_nobody_has_modeled(model, images, with_gradient):
    x = images[:, None, 0] if isinstance(model, nn.Conv3d | nn.ConvTranspose3d) else images
    net = approximate(model.eval())
    with (
        torch.set_grad_enabled(with_gradient),
        pytest.raises(TraceError, match=r"operator torch\..* multiplies and accumulates"),
    ):
        net(x)
    torch.ones(2, 2) @ torch.ones(2, 2)  # nothing is refused outside the forward pass


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_rejects_products_inside_scripted_functions(images, monkeypatch):
    scripted = torch.jit.script(_square)
    monkeypatch.setattr(f"{__name__}.SCRIPTED", scripted, raising=False)
    with pytest.raises(TraceError, match=r"operator .* multiplies and accumulates"):
        approximate(Call(_call_scripted))(images[0, 0, :8])


def _square(x: torch.Tensor) -> torch.Tensor:
    return torch.mm(x, x)


def _call_scripted(x):
    return SCRIPTED(x)  # noqa: F821


def test_rejects_damaged_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        net[1].weight[0, 0] = torch.nan
    with pytest.raises(DataError, match="parameter '1.weight' holds NaN or infinity"):
        approximate(net)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_rejects_compiled_modules(images):
    traced = torch.jit.trace(nn.Linear(8, 2), images)
    with pytest.raises(ConfigError, match=r"module '0' .* is compiled; give the module"):
        approximate(nn.Sequential(traced))
    with pytest.raises(ConfigError, match=r"is compiled; give .* torch\.compile was given"):
        approximate(torch.compile(nn.Linear(8, 2)))


def test_rejects_shapes_that_do_not_fit(everything, images):
    net = approximate(everything)
    with pytest.raises(DataError, match=r"layer 'stem\.0': .* do not fit images \(4, 1, 10, 8\)"):
        net(images[:, :1])
    with pytest.raises(DataError, match=r"layer 'head': inputs .* differ in K"):
        net(images[..., :4])
    with pytest.raises(DataError, match=r"layer 'stem\.0': input must be \(N, C, H, W\) or"):
        net(images[0, 0])


def test_empty_batch_gives_no_logits(everything, images):
    assert approximate(everything)(images[:0]).shape == (0, 5)


def test_rejects_float64_inputs(everything, images):
    with pytest.raises(
        DataError, match=r"layer 'stem\.0': input must be float32 .* got torch\.float64"
    ):
        approximate(everything)(images.double())


def test_rejects_float64_weights(everything, images):
    with pytest.raises(DataError, match=r"layer 'stem\.0': weight must be float32"):
        approximate(everything.double())(images)


def test_rejects_half_and_integer_inputs():
    net = approximate(nn.Linear(2, 2))
    for x in (torch.ones(1, 2).half(), torch.ones(1, 2).int()):
        with pytest.raises(DataError, match="layer 'Linear': input must be float32"):
            net(x)


def test_rejects_inputs_of_another_device():
    with pytest.raises(DataError, match=r"must be float32 on the CPU, got torch\.float32 on meta"):
        approximate(nn.Linear(2, 2))(torch.ones(1, 2, device="meta"))


def test_rejects_unknown_gradient():
    known = "exact, effective, unit, none"
    with pytest.raises(
        ConfigError, match=rf"gradient must be one of {known}, got 'exakt'.*'exact'"
    ):
        approximate(nn.Linear(2, 2), gradient="exakt")


def test_rejects_unknown_units():
    with pytest.raises(UnknownNameError, match="no multiplier named 'ax_fmp'"):
        approximate(nn.Linear(2, 2), multiplier="ax_fmp")
    with pytest.raises(UnknownNameError, match="no accumulator named 'float23'"):
        approximate(nn.Linear(2, 2), accumulator="float23")


def test_rejects_what_is_no_module():
    with pytest.raises(ConfigError, match=r"model must be a torch\.nn\.Module, got function"):
        approximate(_square)


def test_rejects_what_cannot_be_copied():
    model = nn.Linear(2, 2)
    model.cached = model(torch.ones(1, 2))
    with pytest.raises(ConfigError, match="model 'Linear' must be copied to be approximated"):
        approximate(model)
