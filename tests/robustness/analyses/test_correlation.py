"""Noise against the cosine of patch and filter, on numbers that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from accelsim.errors import ConfigError, DataError
from accelsim.nn import approximate
from accelsim.robustness.analyses import (
    by_correlation,
    correlation_trends,
    layer_gains,
    sample_outputs,
)


class Layers(nn.Module):
    """A layer of each kind: grouped, strided, padded; transposed; linear; a matmul."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2, groups=2)
        self.line = nn.Linear(6, 3)

    def forward(self, x):
        x = self.line(self.up(self.grouped(x)).flatten(2)[..., :6])
        return x @ x.mT


@pytest.fixture(scope="module")
def samples():
    torch.manual_seed(0)
    model = Layers().eval()
    images = np.random.default_rng(0).normal(0, 1, (4, 2, 5, 6)).astype(np.float32)
    net = approximate(model, multiplier="ax_fpm")
    return model, images, sample_outputs(net, images, layer_gains(net, images), batch_size=3)


def cosine(first, second):
    return (first @ second) / (np.linalg.norm(first) * np.linalg.norm(second))


def test_cosines_are_those_of_patch_and_filter(samples):
    """Every convolution output by hand, from a padded image."""
    model, images, table = samples
    weight = model.grouped.weight.detach().numpy()
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = [
        cosine(padded[n, m // 2, 2 * p : 2 * p + 3, 2 * q : 2 * q + 3].ravel(), weight[m].ravel())
        for n, m, p, q in np.ndindex(4, 4, 3, 3)
    ]
    found = table[table["layer"] == "grouped"]["cosine"]
    assert np.sort(found) == pytest.approx(np.sort(expected), abs=1e-5)


def test_cosines_of_a_transposed_layer_are_of_images_with_zeros_between(samples):
    """With stride and kernel 2 each output has one pixel, of the two channels of its group.

    The patch is that pixel among zeros: its length is that of two numbers, the filter's that of
    eight.
    """
    model, images, table = samples
    with torch.no_grad():
        pixels = model.grouped(torch.from_numpy(images)).numpy().reshape(4, 2, 2, 3, 3)
    weight = model.up.weight.detach().numpy().reshape(2, 2, 2, 2)  # group, in, row, column
    expected = [
        pixels[n, g, :, p, q] @ weight[g, :, r, s]
        / (np.linalg.norm(pixels[n, g, :, p, q]) * np.linalg.norm(weight[g]))
        for n, g, p, q, r, s in np.ndindex(4, 2, 3, 3, 2, 2)
    ]  # fmt: skip
    found = table[table["layer"] == "up"]["cosine"]
    assert np.sort(found) == pytest.approx(np.sort(expected), abs=1e-4)


def test_cosines_of_a_matmul_are_those_of_rows_and_columns(samples):
    """Of x @ x.T: every row with itself has 1."""
    table = samples[2]
    found = table[table["operator"] == "matmul"]
    assert len(found) == 4 * 2 * 2
    assert np.isclose(found["cosine"], 1, atol=1e-5).sum() == 4 * 2
    assert table["cosine"].between(-1, 1).all()


def test_errors_are_what_the_columns_say():
    """Weights 1 and 1.5 on the flat array: u = 2, 2 of e = 1, 1.5; gain 5 / 3.25."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 1.5]]))
    net = approximate(layer, multiplier="ax_fpm_flat")
    rows = np.array([[1, 0], [0, 1]], np.float32)
    table = sample_outputs(net, rows, layer_gains(net, rows)).sort_values("exact")
    gain, rms = 5 / 3.25, np.sqrt(3.25 / 2)
    assert table["exact"].tolist() == [1, 1.5]
    assert table["unit"].tolist() == [2, 2]
    assert table["cosine"].tolist() == pytest.approx(np.array([1, 1.5]) / np.sqrt(3.25))
    assert table["noise"].tolist() == pytest.approx(np.array([1, 0.5]) / rms)
    assert table["relative"].tolist() == pytest.approx([1, 1 / 3])
    left = np.array([2 - gain, 1.5 * gain - 2])
    assert table["residual"].tolist() == pytest.approx(left / (gain * rms))
    assert table["residual_relative"].tolist() == pytest.approx(left / (gain * np.array([1, 1.5])))


def test_patches_of_zeros_have_no_cosine():
    layer = nn.Linear(2, 1, bias=False)
    net = approximate(layer, multiplier="exact_bfloat16")
    rows = np.array([[1, 1], [0, 0]], np.float32)
    assert len(sample_outputs(net, rows, layer_gains(net, rows))) == 1


def test_so_many_are_drawn_the_same_ones_for_the_same_seed(samples):
    model, images, _ = samples
    net = approximate(model, multiplier="ax_fpm")
    layers = layer_gains(net, images)
    first, again, other = (
        sample_outputs(net, images, layers, outputs=8, seed=seed, batch_size=2)
        for seed in (0, 0, 1)
    )
    assert first.groupby("call").size().tolist() == [8, 8, 8, 8]
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("outputs", [1, 4, 7])
def test_no_more_are_drawn_than_asked_for_and_a_short_batch_gets_its_share(outputs):
    """The last batch has one image of the three; its sums are the large ones."""
    layer = nn.Linear(1, 9, bias=False)
    nn.init.ones_(layer.weight)
    net = approximate(layer, multiplier="exact_bfloat16")
    rows = np.array([[1], [1], [2]], np.float32)
    table = sample_outputs(net, rows, layer_gains(net, rows), outputs=outputs, batch_size=2)
    assert len(table) == outputs
    assert (table["exact"] == 2).sum() == outputs - outputs * 2 // 3


TABLE = pd.DataFrame(
    {
        "call": 0,
        "layer": "conv",
        "multiplier": "unit",
        "cosine": [-1.0, -0.6, 0.1, 0.2, 1.0],
        "noise": [4.0, 3.0, 1.0, 2.0, 5.0],
        "relative": [1.0, 3.0, 5.0, 4.0, 1.0],
        "residual": 1.0,
        "residual_relative": [0.0, 0.0, 1.0, 1.0, 0.0],
    }
)


def test_bins_hold_every_output_once_the_ends_too():
    table = by_correlation(TABLE, bins=4)
    assert table["cosine_low"].tolist() == [-1, 0, 0.5]
    assert table["cosine_high"].tolist() == [-0.5, 0.5, 1]
    assert table["outputs"].tolist() == [2, 2, 1]
    assert table["noise_median"].tolist() == [3.5, 1.5, 5]
    assert table["noise_q25"].tolist() == [3.25, 1.25, 5]


def test_trends_are_rank_correlations_with_the_magnitude_of_the_cosine():
    """Magnitudes 1, .6, .1, .2, 1 have ranks 4.5, 3, 1, 2, 4.5."""
    row = correlation_trends(TABLE).iloc[0]
    expected = np.corrcoef([4.5, 3, 1, 2, 4.5], [4, 3, 1, 2, 5])[0, 1]
    assert row["noise"] == pytest.approx(expected)
    assert row["relative"] == pytest.approx(-1)
    assert np.isnan(row["residual"])


def test_rejects_bad_numbers_and_layers_of_another_network(samples):
    model, images, table = samples
    net = approximate(model, multiplier="ax_fpm")
    layers = layer_gains(net, images)
    with pytest.raises(ConfigError, match="outputs must be an int >= 1, got 0"):
        sample_outputs(net, images, layers, outputs=0)
    with pytest.raises(ConfigError, match="bins must be an int >= 1, got 1.5"):
        by_correlation(table, bins=1.5)
    with pytest.raises(DataError, match="layers hold 3 rows, but the network called 4"):
        sample_outputs(net, images, layers[:3])
    with pytest.raises(DataError, match="layers lack gain; give the layer_gains"):
        sample_outputs(net, images, layers.drop(columns="gain"))
    with pytest.raises(ConfigError, match="seed must be an int in .*, got -1"):
        sample_outputs(net, images, layers, seed=-1)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_rejects_batches_of_no_image(samples, batch_size):
    model, images, _ = samples
    net = approximate(model, multiplier="ax_fpm")
    layers = layer_gains(net, images)
    message = f"batch_size must be an int >= 1, got {batch_size}"
    with pytest.raises(ConfigError, match=message):
        layer_gains(net, images, batch_size=batch_size)
    with pytest.raises(ConfigError, match=message):
        sample_outputs(net, images, layers, batch_size=batch_size)


def test_rejects_samples_of_a_network_of_zero_weights():
    layer = nn.Linear(2, 3)
    nn.init.zeros_(layer.weight)
    net = approximate(layer, multiplier="ax_fpm")
    rows = np.ones((2, 2), np.float32)
    table = sample_outputs(net, rows, layer_gains(net, rows))
    for function in (by_correlation, correlation_trends):
        with pytest.raises(DataError, match="samples hold no output"):
            function(table)
