"""Softmax and normalizations: bits, bounds to torch, gradients, tiles of whole rows."""

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import MappingError, TraceError
from accelsim.machine import run_machine
from accelsim.vector_functions import VECTOR_FUNCTIONS

IMAGES = 2 * np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)


class Normed(nn.Module):
    """A convolution, layers of rows, and a ReLU; parameters are drawn at random."""

    def __init__(self, *layers):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 1)
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
                if tensor.dtype == torch.float32:
                    tensor.data.normal_() if name != "running_var" else tensor.data.uniform_(0.5, 2)

    def forward(self, x):
        x = self.conv(x)
        for layer in self.layers:
            x = layer(x)
        return x.flatten(1)


class Sequence(nn.Module):
    """A layer on the pixels as a sequence (N, L, C)."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (5, 3))


class One(nn.Module):
    """A layer by itself."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


LAYERS = {
    "softmax_channels": [nn.Softmax(1)],
    "softmax_rows": [nn.Softmax(-1)],
    "softmax_heights": [nn.Softmax(2)],
    "log_softmax": [nn.LogSoftmax(1)],
    "layer_norm_last": [nn.LayerNorm(3)],
    "layer_norm_planes": [nn.LayerNorm((5, 3), bias=False)],
    "layer_norm_bare": [nn.LayerNorm(3, elementwise_affine=False)],
    "layer_norm_of_channels": [Sequence(nn.LayerNorm(4))],
    "group_norm": [nn.GroupNorm(2, 4), nn.ReLU()],
    "group_norm_of_one": [nn.GroupNorm(1, 4, affine=False)],
    "batch_norm": [nn.BatchNorm2d(4), nn.ReLU()],
    "batch_norm_bare": [nn.BatchNorm2d(4, affine=False)],
    "batch_norm_1d": [nn.Flatten(2), nn.BatchNorm1d(4)],
}


def normed(name):
    return Normed(*LAYERS[name]).eval()


@pytest.mark.parametrize("name", LAYERS)
def test_machine_trace_and_module_agree_bit_for_bit(name, agree, roomy):
    agree(normed(name), IMAGES, roomy)


@pytest.mark.parametrize("name", LAYERS)
def test_results_and_gradients_are_torchs_within_float_rounding(name, beside_torch):
    """Results within 4 rounding errors of float32 at their scale, which is 1 to 10 here."""
    (expected, gradient), (got, own) = beside_torch(normed(name), IMAGES)
    bound = 4 * 2.0**-23 * max(1, expected.abs().max().item())
    assert (got - expected).abs().max() <= bound
    torch.testing.assert_close(own, gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_inference_mode_has_the_same_bits(name):
    """There torch hands on softmax and norms as they are called, not what they are made of."""
    net, images = accelsim.nn.approximate(normed(name)), torch.from_numpy(IMAGES)
    with torch.no_grad():
        expected = net(images)
    with torch.inference_mode():
        assert torch.equal(net(images), expected)


def test_a_tile_holds_whole_rows(small, roomy):
    """Two groups of 2 x 15 pixels in 64 words; two rows of 15 in 32."""
    record = run_machine(accelsim.trace(normed("group_norm"), IMAGES), roomy).layers[1]
    assert (record.op, record.tiling) == ("group_norm", "n1 p2 c2")
    record = run_machine(accelsim.trace(normed("layer_norm_planes"), IMAGES), small).layers[1]
    assert (record.op, record.tiling) == ("layer_norm", "n1 p1 c2")


def test_rejects_rows_and_planes_that_fit_no_tile(small):
    tiny = small.replace(**{f"glb.{name}_kib": 0.1 for name in ("ifmap", "weight", "ofmap")})
    for name, what in (
        (
            "group_norm",
            "layers.0' fits no tiling: one channel needs 30 ifmap words, 4 words of oth",
        ),
        ("layer_norm_planes", "layers.0' fits no tiling: one ofmap row needs 15 ifmap words, 16 "),
    ):
        with pytest.raises(MappingError, match=what):
            run_machine(accelsim.trace(normed(name), IMAGES), tiny)


def test_operations_of_a_row_worked_by_hand():
    """Three values: 2 comparisons and 2 additions for maximum and sum, 1 division by the sum."""
    exp = VECTOR_FUNCTIONS["exp"].operations
    assert VECTOR_FUNCTIONS["softmax"].count(3, rows=1) == {
        "compare": 3 * exp["compare"] + 2,
        "add": 3 * exp["add"] + 3 + 2,
        "multiply": 3 * exp["multiply"] + 3,
        "divide": 1,
    }


def test_softmax_of_many_is_the_softmax_of_each():
    rows = np.random.default_rng(0).standard_normal((7, 33)).astype(np.float32)
    softmax = VECTOR_FUNCTIONS["softmax"]
    assert np.array_equal(softmax(rows), np.stack([softmax(row[None])[0] for row in rows]))
    np.testing.assert_allclose(softmax(rows).sum(axis=1), 1, rtol=1e-6)
    masked = np.array([[0, -np.inf, 0]], np.float32)
    assert softmax(masked).tolist() == [[0.5, 0, 0.5]]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.BatchNorm2d(4).train(), "changes a parameter or buffer.*num_batches.* call model.eval"),
        (nn.BatchNorm2d(4, track_running_stats=False), "batch norm in training mode"),
        (lambda x: torch.softmax(x, 1, dtype=torch.float64), "softmax must be float32, got"),
        (nn.Softmax(0), "softmax of .* mixes images"),
    ],
)
def test_rejects_what_is_not_modelled(layer, message):
    net = One(layer)
    with pytest.raises(TraceError, match=message):
        accelsim.trace(net, IMAGES)
