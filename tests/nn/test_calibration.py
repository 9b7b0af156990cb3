"""Calibration: ranges by hand, independent of threads and batches, and what cannot be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import accelsim
from accelsim.errors import ConfigError, DataError, TraceError
from accelsim.formats import IntegerFormat
from accelsim.kernels.network import run_trace
from accelsim.nn import OBSERVERS, Calibration, approximate, calibrate
from accelsim.nn import calibration as module
from accelsim.quantizer import Quantizer

IMAGES = np.random.default_rng(0).normal(0.2, 1, (70, 2, 6, 6)).astype(np.float32)


class Twice(nn.Module):
    """A layer called twice and a nested one, in an order that is not that of definition."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(72, 3)
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x):
        return self.head(torch.flatten(self.conv(torch.relu(self.conv(x))), 1))


def test_ranges_are_those_of_the_activations_in_the_order_of_calls():
    net = Twice()
    with torch.no_grad():
        hidden = torch.relu(net.conv(torch.from_numpy(IMAGES)))
        last = net.conv(hidden)
    ranges = calibrate(net, IMAGES).ranges
    assert ranges[0] == (IMAGES.min(), IMAGES.max())
    for got, tensor in zip(ranges[1:], (hidden, last), strict=True):
        np.testing.assert_allclose(got, (tensor.min(), tensor.max()), rtol=1e-5, atol=1e-6)


def test_ranges_are_the_same_for_any_number_of_threads_and_batch(monkeypatch):
    net, threads = Twice(), torch.get_num_threads()
    expected = calibrate(net, IMAGES)
    try:
        torch.set_num_threads(3)
        assert calibrate(net, IMAGES) == expected
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(module, "BATCH", 7)
    assert calibrate(net, torch.from_numpy(IMAGES)) == expected


def test_the_model_is_calibrated_in_evaluation_mode_and_left_as_it_is():
    net = nn.Sequential(Twice(), nn.Dropout(0.9), nn.Linear(3, 2)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert calibrate(net, IMAGES) == calibrate(net, IMAGES)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_a_histogram_leaves_an_outlier_out_where_that_lessens_the_error():
    """One value of 30 among 460,800 normal ones."""
    images = np.random.default_rng(1).normal(0, 1, (64, 2, 60, 60)).astype(np.float32)
    images[0, 0, 0, 0] = 30
    operands, errors, highs = IntegerFormat(8, signed=False), [], []
    for observer in OBSERVERS:
        low, high = calibrate(nn.Conv2d(2, 1, 1), images, observer=observer).ranges[0]
        one = Quantizer.of_range(np.float32(low), np.float32(high), operands, symmetric=False)
        codes = one.quantize(images, "images").astype(np.float64)
        errors.append(((one.scale * (codes - one.zero_point) - images) ** 2).mean())
        highs.append(high)
    assert highs[0] == 30
    assert 3 < highs[1] < 29
    assert errors[1] < errors[0]


@pytest.mark.parametrize("observer", list(OBSERVERS))
def test_images_of_zeros_can_be_calibrated_on_and_computed(observer):
    zeros = np.zeros((1, 2, 6, 6), np.float32)
    net = Twice()
    ranges = calibrate(net, zeros, observer=observer)
    outputs = approximate(net, multiplier="exact_int8", calibration=ranges)(torch.from_numpy(zeros))
    # The bias of the first layer is computed exactly, what comes after it in steps.
    torch.testing.assert_close(outputs, net(torch.from_numpy(zeros)), rtol=0.05, atol=0.02)


def test_images_and_ranges_are_the_same_calibration_to_module_and_trace():
    net, ranges = Twice(), calibrate(Twice(), IMAGES[:9])
    x = torch.from_numpy(IMAGES[10:13])
    outputs = [
        approximate(net, multiplier="exact_int8", calibration=one)(x).detach().numpy()
        for one in (IMAGES[:9], ranges)
    ]
    np.testing.assert_array_equal(*outputs)
    for one in (IMAGES[:9], ranges):
        trace = accelsim.trace(net, IMAGES[10:13], calibration=one)
        assert trace.calibration == "minmax over 9 images"
        got = run_trace(trace, "exact_int8", "auto")
        np.testing.assert_array_equal(got.reshape(3, -1), outputs[0])


def test_ranges_are_part_of_a_traces_fingerprint():
    net = Twice()
    plain = accelsim.trace(net, IMAGES[:2])
    traces = [accelsim.trace(net, IMAGES[:2], calibration=IMAGES[:count]) for count in (1, 9)]
    assert len({one.fingerprint for one in (plain, *traces)}) == 3
    assert traces[0].batch(1).layers[0].activation_range is not None


def test_rejects_images_that_are_none():
    with pytest.raises(DataError, match="must hold at least one image"):
        calibrate(Twice(), IMAGES[:0])
    with pytest.raises(DataError, match="images must be finite, got NaN or infinity"):
        calibrate(Twice(), np.full_like(IMAGES, np.nan))
    with pytest.raises(DataError, match="images must be float32"):
        calibrate(Twice(), IMAGES.astype(float))
    with pytest.raises(DataError, match=r"calibration must be float32 images .* got list"):
        approximate(Twice(), multiplier="exact_int8", calibration=[(0, 1)])


def test_rejects_activations_that_have_no_range():
    net = Twice()
    with torch.no_grad():
        net.conv.weight[0] = 3e38  # Their sums are infinite.
    with pytest.raises(DataError, match="layer 'conv': its activations hold NaN or infinity"):
        calibrate(net, IMAGES[:2])


def test_rejects_unknown_observers():
    with pytest.raises(ConfigError, match=r"observer must be one of .* got 'minmix'\. Did"):
        calibrate(Twice(), IMAGES, observer="minmix")


def test_rejects_a_unit_of_integers_without_calibration():
    with pytest.raises(ConfigError, match=r"'exact_int8' takes int8, .* give calibration=images"):
        approximate(Twice(), multiplier="exact_int8")
    trace = accelsim.trace(Twice(), IMAGES[:1])
    with pytest.raises(DataError, match=r"layer 'conv': .* the trace has none; calibrate it"):
        run_trace(trace, "exact_int8", "auto")


def test_activations_that_become_nan_are_told_with_their_layer():
    """By the module, the kernels and the machine."""

    class Sane(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(2, 1, 1), nn.Linear(36, 2)

        def forward(self, x):
            return self.fc(torch.flatten(self.conv(x), 1))

    net = Sane()
    calibration = calibrate(net, IMAGES)
    damaged = approximate(net, multiplier="exact_int8", calibration=calibration)
    with torch.no_grad():
        damaged.network.conv.bias.fill_(torch.nan)
    message = "layer 'fc': activations hold NaN, which no int8 stands for"
    with pytest.raises(DataError, match=message):
        damaged(torch.from_numpy(IMAGES[:1]))
    trace = accelsim.trace(Sane(), IMAGES[:1], calibration=calibration)
    conv = replace(trace.layers[0], bias=np.float32([np.nan]))
    trace = replace(trace, layers=(conv, *trace.layers[1:]))
    with pytest.raises(DataError, match=message):
        run_trace(trace, "exact_int8", "auto")
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(multiplier="exact_int8")
    with pytest.raises(DataError, match=message):
        accelsim.simulate(trace, machine)


def test_rejects_calibrations_of_other_networks():
    x = torch.from_numpy(IMAGES[:1])
    few, many = Calibration(((0, 1),) * 2), Calibration(((0, 1),) * 4)
    with pytest.raises(DataError, match="layer 'head' is called as number 3, but calibration has"):
        approximate(Twice(), multiplier="exact_int8", calibration=few)(x)
    with pytest.raises(DataError, match=r"called 3 .* calibration has ranges for 4"):
        approximate(Twice(), multiplier="exact_int8", calibration=many)(x)
    with pytest.raises(TraceError, match=r"calibration has 2 ranges, but Twice has 3 .*conv_2"):
        accelsim.trace(Twice(), IMAGES[:1], calibration=few)


def test_rejects_what_is_no_scheme():
    with pytest.raises(ConfigError, match=r"scheme must be an accelsim\.nn\.Scheme, got str"):
        approximate(Twice(), multiplier="exact_int8", calibration=IMAGES, scheme="affine")
