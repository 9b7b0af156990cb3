"""Operators of the vector unit, element by element: the module, the trace and the machine agree."""

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import MappingError, TraceError
from accelsim.kernels.network import run_trace
from accelsim.layer import Operand, Parameter
from accelsim.machine import run_machine

IMAGES = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)


class Calls(nn.Module):
    """A function of images and of some parameters."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(6, 6)
        self.per_channel = nn.Parameter(torch.randn(4, 1, 1))
        self.per_place = nn.Parameter(torch.randn(1, 4, 6, 6))
        self.number = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return self.function(self, x)


def residual(m, x):
    out = torch.relu(m.conv1(x))
    out = m.conv2(out)
    out += x
    return torch.relu(out)


def residual_of_a_branch(m, x):
    """The ReLU's input is read twice: it must not be fused into the convolution."""
    y = m.conv1(x)
    return m.conv2(torch.relu(y)) + y


MODELS = {
    "residual": residual,
    "residual_of_a_branch": residual_of_a_branch,
    "itself": lambda m, x: m.conv1(x) * x + x * x,
    "numbers": lambda m, x: (1 - m.conv1(x) * 0.1) / 3 + 2 - 0.7,
    "parameters": lambda m, x: (x * m.per_channel + m.per_place) / m.number,
    "parameters_first": lambda m, x: m.per_place - (m.per_channel / (m.number + x)),
    "transposed": lambda m, x: x + m.conv1(x).transpose(2, 3),
    "transposed_first": lambda m, x: x.transpose(2, 3) - m.conv1(x),
    "parts": lambda m, x: x[:, 1:3] * m.conv1(x)[:, ::2],
    "outer": lambda m, x: x[:, :, :, :1] - m.conv1(x)[:, :1, :1, :],
    "broadcast_first": lambda m, x: x[:, :1] - m.conv1(x),
    "sequence": lambda m, x: m.fc(x.flatten(1, 2)) + x.flatten(1, 2),
    "heads": lambda m, x: (
        (x.flatten(2).reshape(-1, 4, 6, 6).transpose(1, 2).reshape(-1, 24, 6))
        + m.conv2(x).flatten(1, 2)
    ),
    "in_place": lambda m, x: m.conv1(x).mul_(2).sub_(x).div_(m.per_channel).add_(m.per_place),
    "shared": lambda m, x: m.conv1(m.conv1(x)) + m.conv1(x),
}


@pytest.mark.parametrize("function", MODELS.values(), ids=MODELS)
def test_machine_trace_and_module_agree_bit_for_bit(function, agree):
    agree(Calls(function).eval(), IMAGES)


def test_one_image_is_a_batch_too(agree):
    agree(Calls(residual).eval(), IMAGES[:1])


@pytest.mark.parametrize(
    "changes",
    [
        {"glb.unified": True, "glb.forwarding": True},
        {"glb.double_buffered": False},
        {"dram.kind": "ddr4_2400"},
        {"array.dataflow": "rs", "array.rows": 4},
        {"multiplier": "ax_fpm"},
    ],
)
def test_whatever_the_machine(changes, small):
    machine = small.replace(**changes)
    net = Calls(residual).eval()
    traced = accelsim.trace(net, IMAGES)
    orders = accelsim.accumulation_orders(traced, machine)
    expected = run_trace(traced, machine.multiplier, machine.accumulator, orders=orders)
    outputs = run_machine(traced, machine).outputs
    assert outputs.tobytes() == expected.tobytes()


def test_layers_of_a_residual_block(small):
    traced = accelsim.trace(Calls(residual).eval(), IMAGES)
    described = [(layer.name, layer.op, layer.sources) for layer in traced.layers]
    assert described == [
        ("conv1", "conv2d", ("input",)),
        ("relu", "relu", ("conv1",)),
        ("conv2", "conv2d", ("relu",)),
        ("add_", "add", ("conv2", "input")),
        ("relu_1", "relu", ("add_",)),
    ]
    records = run_machine(traced, small).layers
    assert [record.op for record in records] == ["conv2d+relu", "conv2d", "add", "relu"]


def test_a_relu_of_what_others_read_is_a_layer_of_its_own(small):
    traced = accelsim.trace(Calls(residual_of_a_branch).eval(), IMAGES)
    records = run_machine(traced, small).layers
    assert [record.op for record in records] == ["conv2d", "relu", "conv2d", "add"]


def test_words_and_operations_of_an_addition():
    """2 images of 144 words: each operand is read once, a word per channel with its first tile."""
    net = Calls(lambda m, x: x.mul(m.per_channel)).eval()
    traced = accelsim.trace(net, IMAGES)
    (layer,) = traced.layers
    assert isinstance(layer.others[0], Parameter)
    assert layer.others[0].view == ((2, 4, 36, 1), (0, 1, 0, 1), 0)
    roomy = accelsim.Accelerator.preset("tiny_4x4")
    (row,) = accelsim.simulate(traced, roomy).layers.to_dict("records")
    # 4 channels fit a tile, and it is the same words for the second image.
    assert row["dram_read_bytes"] == (288 + 4) * 4
    assert row["dram_write_bytes"] == 288 * 4
    assert row["compute_cycles"] == 288 // roomy.vector_unit.lanes
    both = accelsim.trace(Calls(lambda m, x: x + m.conv1(x)).eval(), IMAGES)
    assert [type(one) for one in both.layers[1].others] == [Operand]
    row = accelsim.simulate(both, roomy).layers.to_dict("records")[1]
    assert row["dram_read_bytes"] == 2 * 288 * 4
    assert row["compute_cycles"] == 288 // roomy.vector_unit.lanes


def test_forwarding_leaves_the_first_operand_in_the_glb():
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(
        **{"glb.unified": True, "glb.forwarding": True}
    )
    net = Calls(lambda m, x: m.conv1(x) + x).eval()
    run = accelsim.simulate(accelsim.trace(net, IMAGES), machine)
    row = run.layers.to_dict("records")[1]
    assert row["dram_read_bytes"] == 288 * 4


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, x: torch.add(x, m.conv1(x), alpha=2), "alpha must be 1, got 2"),
        (lambda m, x: m.conv1(x)[:, :2].mul_(2), "in-place operator on a part"),
        (lambda m, x: m.conv1(x)[:, :2].add_(x[:, :2]), "in-place operator on a part"),
        (lambda m, x: x[:, 0, 0] + x[:, 0, 0, :2].t().reshape(2, 2)[:, :1], "mixes images"),
    ],
)
def test_rejects_what_is_not_modelled(function, message):
    with pytest.raises(TraceError, match=message):
        accelsim.trace(Calls(function).eval(), IMAGES)


def test_rejects_operands_that_fit_no_tile(small):
    tiny = small.replace(**{"glb.weight_kib": 0.0078125})
    traced = accelsim.trace(Calls(lambda m, x: x + x.transpose(2, 3)).eval(), IMAGES)
    with pytest.raises(MappingError, match="layer 'add' fits no tiling.* words of other operands"):
        run_machine(traced, tiny)
