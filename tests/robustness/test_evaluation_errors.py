"""What accelsim.robustness.evaluation does not take."""

from __future__ import annotations

import copy
import math

import pytest
from torch import nn

import accelsim
from accelsim.errors import ConfigError, DataError, MappingError, UnknownNameError
from accelsim.robustness import evaluate
from accelsim.robustness.controls import power_of_two_weights
from accelsim.robustness.pieces import Plan

UNITS = ["exact_fp32", "ax_fpm"]


def test_rejects_a_black_box_without_a_proxy(tiny):
    with pytest.raises(ConfigError, match=r"and there is none; give proxies=Proxies\(build, ima"):
        evaluate(*tiny, attacks=["fgsm"], multipliers=UNITS, scenario="black_box")


def test_rejects_attacks_that_follow_gradients_where_there_are_none(lenet):
    """The attack that asks for logits alone runs on the same network."""
    model, images, labels = lenet
    blind = copy.deepcopy(model)
    blind.register_forward_hook(lambda *call: call[-1].detach())
    settings = {"multipliers": ["exact_fp32"], "epsilon": 0.1}
    with pytest.raises(ConfigError, match="attack Fgsm follows gradients, but the model's logits"):
        evaluate(blind, images[:4], labels[:4], attacks=["fgsm"], **settings)
    square = Plan("square", 0.1, {"queries": 2})
    assert len(evaluate(blind, images[:4], labels[:4], attacks=[square], **settings)) == 4


def test_rejects_an_accelerator_with_units_for_other_layers(tiny):
    machine = accelsim.Accelerator.preset("edge_16x16").replace(layer_multipliers={"2": "ax_fpm"})
    with pytest.raises(ConfigError, match="'2' is none of the network's layers"):
        evaluate(*tiny, attacks=["fgsm"], multipliers=["exact_fp32"], accelerator=machine)


def test_rejects_a_source_that_no_accelerator_can_have(lenet):
    how = {"attacks": ["fgsm"], "multipliers": UNITS, "calibration": lenet[1]}
    with pytest.raises(ConfigError, match="'drum4_s8' has no known delay"):
        evaluate(*lenet, **how, sources=["drum4_s8"], accelerator="edge_16x16")


def test_rejects_an_accelerator_that_cannot_run_the_network(lenet):
    machine = accelsim.Accelerator.preset("eyeriss_168").replace(**{"array.rows": 2})
    with pytest.raises(MappingError, match="layer 'conv1' does not fit the row-stationary array"):
        evaluate(*lenet, attacks=["fgsm"], multipliers=UNITS, accelerator=machine)


def test_rejects_units_of_integers_without_calibration(tiny):
    with pytest.raises(ConfigError, match="'exact_int8' takes int8"):
        evaluate(*tiny, attacks=["fgsm"], multipliers=["exact_fp32", "exact_int8"])


@pytest.mark.parametrize(
    ("controls", "reason"),
    [
        ({"ax_fpm": nn.Flatten()}, "'ax_fpm' is the name of a multiplier; give it another"),
        ({"torch": nn.Flatten()}, "'torch' is the name of the exact model; give it another"),
        ({"proxy of x": nn.Flatten()}, "letters, digits and _, such as .*, got 'proxy of x'"),
        ({"po2": power_of_two_weights}, "'po2' must be a torch.nn.Module, got function; accel"),
    ],
)
def test_rejects_controls(tiny, controls, reason):
    with pytest.raises(ConfigError, match=f"controls.*{reason}"):
        evaluate(*tiny, attacks=["fgsm"], multipliers=UNITS, controls=controls)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"scenario": "whitebox"}, r"scenario must be one of .*, got 'whitebox'.*'white_box'"),
        ({"gradients": ["exakt"]}, r"gradients must be of exact, .*, got 'exakt'.*'exact'"),
        ({"workers": 0}, "workers must be an int >= 1, got 0"),
        ({"attacks": ["fgsm", "fgsm"]}, "attacks must name each once, got fgsm None  twice"),
        ({"attacks": []}, r"attacks must be a list of at least one name, got \[\]"),
        ({"attacks": "fgsm"}, "attacks must be a list of at least one name, got 'fgsm'"),
        ({"multipliers": []}, r"multipliers must be a list of at least one name, got \[\]"),
        ({"multipliers": UNITS * 2}, "multipliers must name each once, got ax_fpm, exact_fp32"),
        ({"epsilon": math.nan}, r"epsilon must be a number in \(0, 1\].*, got nan"),
        ({"epsilon": 2}, r"epsilon must be a number in \(0, 1\].*, got 2"),
        ({"seed": -1}, "seed must be an int"),
        ({"batch_size": 0}, "batch_size must be an int >= 1, got 0"),
    ],
)
def test_rejects_settings(tiny, settings, reason):
    with pytest.raises(ConfigError, match=reason):
        evaluate(*tiny, **{"attacks": ["fgsm"], "multipliers": UNITS, **settings})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"attacks": ["fgms"]}, "no attack named 'fgms'; known: .*fgsm, .*pgd"),
        ({"multipliers": ["ax_fmp"]}, "no multiplier named 'ax_fmp'"),
        ({"accumulator": "float23"}, "no accumulator named 'float23'"),
    ],
)
def test_rejects_unknown_names(tiny, settings, reason):
    with pytest.raises(UnknownNameError, match=reason):
        evaluate(*tiny, **{"attacks": ["fgsm"], "multipliers": UNITS, **settings})


def test_rejects_a_model_that_is_never_right(tiny):
    model, images, labels = tiny
    with pytest.raises(DataError, match="classifies none of the 3 images correctly"):
        evaluate(model, images[:3], 1 - labels[:3], attacks=["fgsm"], multipliers=["exact_fp32"])


def test_rejects_images_and_labels(tiny):
    model, images, labels = tiny
    settings = {"attacks": ["fgsm"], "multipliers": ["exact_fp32"]}
    with pytest.raises(DataError, match="images must be float32, got float64"):
        evaluate(model, images.astype(float), labels, **settings)
    with pytest.raises(DataError, match="labels must be 0 or more, got -1 at index 3"):
        evaluate(model, images, labels - [0, 0, 0, 1], **settings)
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.1, got 2 at index 2"):
        evaluate(model, images, labels * 2, **settings)
    with pytest.raises(DataError, match="got 2 for 4 images"):
        evaluate(model, images, labels[:2], **settings)
