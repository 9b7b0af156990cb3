import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import accelsim
from accelsim.errors import DataError, TraceError
from accelsim.kernels.network import run_trace

IMAGES = np.random.default_rng(0).random((3, 2, 12, 12), dtype=np.float32)


class Functional(nn.Module):
    """Functional calls, in-place ReLU, string padding, groups, dilation, dropout, view."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding="same")
        self.depthwise = nn.Conv2d(
            4, 8, (3, 2), stride=(2, 1), padding=(1, 0), groups=4, bias=False
        )
        self.dilated = nn.Conv2d(8, 3, 2, dilation=2)
        self.drop = nn.Dropout()
        self.fc = nn.LazyLinear(5)

    def forward(self, x):
        x = functional.relu(self.conv(x), inplace=True)
        x = self.depthwise(x)
        x = functional.avg_pool2d(
            torch.relu(x), 2, stride=(1, 2), padding=1, count_include_pad=False
        )
        x = self.drop(self.dilated(x))
        x = functional.max_pool2d(x, 2, stride=1, padding=1, ceil_mode=True)
        return self.fc(x.view(x.shape[0], -1))


class Reused(nn.Module):
    """One module called twice, one tensor read twice (a branch that leads nowhere)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.fc = nn.Linear(2 * 144, 4)

    def forward(self, x):
        x = self.conv(x)
        self.conv(torch.relu(x))
        return self.fc(torch.flatten(torch.relu(self.conv(x)), 1))


class Aliased(nn.Module):
    """An in-place ReLU whose result is read through a view that was made before it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.fc = nn.Linear(2 * 144, 4)

    def forward(self, x):
        x = self.conv(x)
        flat = torch.flatten(x, 1)
        functional.relu_(x)
        return self.fc(flat)


def module(kind, seed=0):
    torch.manual_seed(seed)
    net = kind().eval()
    with torch.no_grad():
        net(torch.from_numpy(IMAGES))  # lets the lazy layer find its size
    return net


@pytest.mark.parametrize("kind", [Functional, Reused, Aliased])
def test_the_traced_graph_computes_what_the_module_does(kind):
    net = module(kind)
    traced = accelsim.trace(net, IMAGES)
    with torch.no_grad():
        expected = net(torch.from_numpy(IMAGES)).numpy()
    outputs = run_trace(traced, "exact_fp32", "float64").reshape(expected.shape)
    # Both round to float32, in other orders: a few units in the last place of the largest term.
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_layers_carry_their_modules_paths_and_repeats_a_number():
    traced = accelsim.trace(module(Reused), IMAGES)
    assert [layer.name for layer in traced.layers if layer.op == "conv2d"] == [
        "conv",
        "conv_2",
        "conv_3",
    ]


def test_shapes_sources_and_the_name():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(300, 2)).eval()
    traced = accelsim.trace(net, IMAGES, name="mine")
    assert traced.name == "mine"
    assert [(layer.op, layer.source, layer.output_shape) for layer in traced.layers] == [
        ("conv2d", "input", (3, 3, 10, 10)),
        ("relu", "0", (3, 3, 10, 10)),
        ("linear", "1", (3, 2, 1, 1)),
    ]
    assert traced.macs == 3 * (100 * 3 * 18 + 600)


def test_tracing_leaves_the_module_and_the_images_alone():
    net = module(Reused)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    images = IMAGES.copy()
    accelsim.trace(net, images)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert np.array_equal(images, IMAGES)


class Calls(nn.Module):
    """A module around one function, for what is rejected."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, x: torch.cumsum(m.conv(x), 1), "operator 'cumsum' in Calls is not modelled"),
        (lambda m, x: (m.conv(x), x), "must return one tensor that depends on the images, got 2"),
        (lambda m, x: x, "returns its input"),
        (lambda m, x: m.conv(m.conv.weight), "its input must come from the images"),
        (lambda m, x: functional.conv2d(x, torch.rand(1, 2, 1, 1)), "operator 'rand'"),
        (lambda m, x: m.conv(x).reshape(-1), "mixes images"),
    ],
)  # fmt: skip
def test_rejects_what_is_not_modelled(function, message):
    with pytest.raises(TraceError, match=message):
        accelsim.trace(Calls(function).eval(), IMAGES)


def test_rejects_control_flow_that_depends_on_the_images(capfd):
    model = Calls(lambda m, x: m.conv(x) if x.mean() > 0 else x).eval()
    message = (
        r"the flow of control of Calls depends on what the images hold "
        r"\(.*test_torch_export\.py, line \d+: .* if x\.mean\(\) > 0 .*\); an accelerator's layers"
    )
    with pytest.raises(TraceError, match=message):
        accelsim.trace(model, IMAGES)
    assert capfd.readouterr() == ("", "")


def test_rejects_training_mode():
    net = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(288, 2)).train()
    with pytest.raises(TraceError, match="dropout in training mode"):
        accelsim.trace(net, IMAGES)


def test_rejects_weights_that_are_not_finite_float32():
    net = nn.Sequential(nn.Flatten(), nn.Linear(288, 2)).eval()
    with torch.no_grad():
        net[1].weight[0, 0] = float("nan")
    with pytest.raises(TraceError, match="1: its weight holds NaN or infinity"):
        accelsim.trace(net, IMAGES)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.astype(np.float64), "float64"),
        (IMAGES[0, 0, 0], r"\(N, \.\.\.\), got \(12,\)"),
        (IMAGES[:0], "empty|no images|0"),
        (np.full_like(IMAGES, np.nan), "NaN"),
    ],
)
def test_rejects_unusable_images(images, message):
    with pytest.raises(DataError, match=message):
        accelsim.trace(module(Reused), images)


def test_rejects_images_that_the_module_cannot_take():
    with pytest.raises(TraceError, match=r"cannot trace Reused for .* \(1, 5, 12, 12\)"):
        accelsim.trace(module(Reused), np.zeros((1, 5, 12, 12), np.float32))


def test_rejects_parameters_that_are_not_float32_on_the_cpu():
    message = r"parameter 'conv.weight' must be float32 on the CPU, got torch.float64 on cpu; call"
    with pytest.raises(TraceError, match=message):
        accelsim.trace(module(Reused).double(), IMAGES)
    with pytest.raises(TraceError, match="got torch.float32 on meta"):
        accelsim.trace(module(Reused).to("meta"), IMAGES)


def test_rejects_what_is_no_module():
    with pytest.raises(TraceError, match="model must be a torch.nn.Module, got function"):
        accelsim.trace(lambda x: x, IMAGES)
