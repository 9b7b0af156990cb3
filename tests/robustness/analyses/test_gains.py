"""Gain and noise of layers, on numbers that can be checked by hand.

`ax_fpm_flat` multiplies an activation whose lowest bit is clear by 2^(the weight's exponent + 1):
by 2 where the weight is 1, and by 2 where it is 1.5.
"""

import numpy as np
import pytest
import torch
from torch import nn

from accelsim.errors import DataError
from accelsim.nn import approximate
from accelsim.robustness.analyses import layer_gains
from accelsim.workload import load_workload


def linear(weights, bias=None):
    layer = nn.Linear(len(weights[0]), len(weights), bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights))
        if bias is not None:
            layer.bias.copy_(torch.tensor(bias))
    return nn.Sequential(nn.Flatten(), layer)


def images(*rows):
    return np.array(rows, np.float32).reshape(len(rows), 1, 1, -1)


def test_weights_that_are_powers_of_two_are_doubled_and_nothing_else():
    model = linear([[1.0, -0.5], [4.0, 2.0]], bias=[3.0, 4.0])
    row = layer_gains(approximate(model, multiplier="ax_fpm_flat"), images([0.5, 0.75], [1, 0]))
    assert row["gain"].tolist() == [2.0]
    assert row["noise"].tolist() == [0.0]
    assert row["snr_db"].tolist() == [np.inf]
    assert row["offset"].tolist() == [0.0]
    assert row["bias_rms"].item() == pytest.approx(np.sqrt(12.5))
    assert row[["call", "layer", "operator", "outputs", "not_finite"]].to_numpy().tolist() == [
        [0, "1", "linear", 4, 0]
    ]


def test_what_a_factor_cannot_explain_is_noise():
    """Of (1, 0) and (0, 1) the weights 1 and 1.5 make e = 1, 1.5 and u = 2, 2.

    Then gain = 5 / 3.25 = 1.53846, u - gain e = 0.46154, -0.30769, whose rms over that of gain e,
    2.77350 / sqrt(2), is 0.2.
    """
    net = approximate(linear([[1.0, 1.5]]), multiplier="ax_fpm_flat")
    row = layer_gains(net, images([1, 0], [0, 1])).iloc[0]
    assert row["gain"] == pytest.approx(5 / 3.25)
    assert row["noise"] == pytest.approx(0.2)
    assert row["snr_db"] == pytest.approx(-20 * np.log10(0.2))
    assert row["exact_rms"] == pytest.approx(np.sqrt(3.25 / 2))
    assert row["unit_rms"] == pytest.approx(2)
    assert row["offset"] == pytest.approx((2 - 1.25 * 5 / 3.25) / np.sqrt(3.25 / 2))
    left = np.array([2 - 5 / 3.25, 2 - 1.5 * 5 / 3.25])
    assert row["spread"] == pytest.approx(left.std() / (row["gain"] * row["exact_rms"]))


def test_each_layer_reads_what_the_exact_layers_before_it_made():
    """The second layer of weights 2 sees the exact 1, not the doubled one."""
    model = nn.Sequential(linear([[1.0]]), nn.Linear(1, 1, bias=False))
    nn.init.constant_(model[1].weight, 2.0)
    table = layer_gains(approximate(model, multiplier="ax_fpm_flat"), images([1]))
    assert table["gain"].tolist() == [2.0, 2.0]
    assert table["exact_rms"].tolist() == [1.0, 2.0]
    assert table["unit_rms"].tolist() == [2.0, 4.0]
    assert table["scaled_rms"].tolist() == [1.0, 4.0]


@pytest.mark.parametrize("batch_size", [1, 3, 24])
def test_an_exact_unit_has_gain_one_and_no_noise_however_batched(lenet, batch_size):
    model, some, _ = lenet
    table = layer_gains(approximate(model, multiplier="exact_fp32"), some[:6], batch_size)
    assert (table["gain"] == 1).all()
    assert (table["noise"] == 0).all()
    assert list(table["layer"]) == ["conv1", "conv2", "linear1", "linear2"]


def test_the_papers_unit_inflates_sums_by_its_inflation_of_products(lenet):
    model, some, _ = lenet
    table = layer_gains(approximate(model, multiplier="ax_fpm"), some)
    assert table["gain"].between(1.3, 1.6).all()
    assert table["noise"].between(0.01, 0.5).all()


def test_a_unit_of_integers_is_compared_in_what_its_integers_stand_for(lenet):
    model, some, _ = lenet
    net = approximate(model, multiplier="exact_int16", calibration=some)
    table = layer_gains(net, some)
    assert table["gain"].to_numpy() == pytest.approx(1, abs=1e-4)
    assert table["noise"].between(1e-7, 1e-3).all()


def test_sums_that_overflow_on_the_unit_are_counted_and_left_out():
    """2^127 doubled is no float32; 1 times 1 doubled is."""
    net = approximate(linear([[1.0, 1.0]]), multiplier="ax_fpm_flat")
    row = layer_gains(net, images([2.0**127, 0], [1, 0])).iloc[0]
    assert row[["outputs", "not_finite", "gain"]].tolist() == [1, 1, 2.0]


def test_sums_that_only_the_exact_unit_overflows_are_left_out_too():
    """Mitchell's 1.45 x 1.45 is below 2, the exact product above: 2^127 times it is no float32."""
    net = approximate(linear([[1.45]]), multiplier="mitchell_fp32")
    row = layer_gains(net, images([1.45 * 2.0**127], [1])).iloc[0]
    assert row[["outputs", "not_finite"]].tolist() == [1, 1]
    assert np.isfinite(row[["exact_rms", "gain", "noise"]].astype(float)).all()


def test_nothing_is_known_where_all_sums_are_zero():
    net = approximate(linear([[0.0]]), multiplier="exact_fp32")
    row = layer_gains(net, images([1])).iloc[0]
    assert np.isnan([row["gain"], row["noise"], row["snr_db"], row["offset"]]).all()
    assert row["exact_rms"] == 0


def test_every_kind_of_network_is_measured():
    """Attention: its matmuls are layers too."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    tokens = np.random.default_rng(0).normal(0, 1, (3, 5, 8)).astype(np.float32)
    table = layer_gains(approximate(layer, multiplier="exact_bfloat16"), tokens)
    assert list(table["operator"]) == ["linear", "matmul", "matmul", "linear", "linear", "linear"]
    assert table["gain"].to_numpy() == pytest.approx(1, abs=0.02)


def test_rejects_images_that_are_none(lenet):
    with pytest.raises(DataError, match="images must be float32"):
        layer_gains(approximate(lenet[0]), lenet[1].astype(np.float64))


def test_the_shipped_alexnet_can_be_measured():
    model, some, _ = load_workload("alexnet_cifar10", data="random:3x32x32", limit=1)
    table = layer_gains(approximate(model, multiplier="exact_fp32"), some)
    assert list(table["layer"][:2]) == ["features.0", "features.3"]


def test_each_layer_is_held_against_its_own_unit():
    """Where one layer is exact and the other not: both rows as on the networks of one unit."""
    model, some = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), np.ones((2, 3), np.float32)
    units = ["exact_fp32", "ax_fpm_flat"]
    mixed = layer_gains(approximate(model, multiplier=units), some)
    alone = [layer_gains(approximate(model, multiplier=unit), some) for unit in units]
    assert list(mixed["multiplier"]) == units
    scaled = "scaled_rms"  # What the layers before did is not a layer's own.
    for call, table in enumerate(alone):
        assert mixed.loc[call].drop(scaled).equals(table.loc[call].drop(scaled))
