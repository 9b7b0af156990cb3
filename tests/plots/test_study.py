"""Tests of plots/study.py: the controls that the robustness study takes by name."""

from __future__ import annotations

import pytest
import torch

import accelsim
from accelsim.errors import ConfigError
from accelsim.nn import approximate, calibrate_workload
from accelsim.robustness.analyses import layer_gains
from accelsim.robustness.controls import exact_times_gain, gaussian_noise, quantized_weights
from accelsim.workload import WORKLOADS, workload_split

NAME = "lenet5_digits"
NAMES = ["ax_fpm_gain", "ax_fpm_noise", "ax_fpm_noise_gain", "weights_int3"]


def test_controls_are_made_from_training_images_by_their_names(script, monkeypatch):
    study = script("study", NAME)
    monkeypatch.setattr(study, "GAIN_IMAGES", 4)
    model, images, _ = accelsim.load_workload(NAME, limit=2)
    made = study.controls(NAMES, model, NAME, calibrate_workload(NAME, model))
    training = workload_split(WORKLOADS[NAME], "train").first(4).images
    layers = layer_gains(approximate(model, multiplier="ax_fpm"), training)
    expected = [
        exact_times_gain(model, layers), gaussian_noise(model, layers),
        gaussian_noise(model, layers, gain=True), quantized_weights(model, 3),
    ]  # fmt: skip
    assert list(made) == NAMES
    pixels = torch.from_numpy(images)
    for control, other in zip(made.values(), expected, strict=True):
        assert torch.equal(control(pixels), other(pixels))


@pytest.mark.parametrize("name", ["ax_fpm", "ax_fmp_gain", "_gain", "weights_int1", "noise"])
def test_rejects_names_of_no_control(script, name):
    study = script("study", NAME)
    with pytest.raises(ConfigError, match=f"no control named '{name}'; there are weights_po2, .*"):
        study.controls([name], None, NAME, None)
