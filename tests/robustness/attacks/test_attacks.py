"""Tests that every attack must pass; parametrized over the registry."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from accelsim.robustness.attack import BUDGET_TOLERANCE
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.verdict import judge

every_attack = pytest.mark.parametrize("name", [n for n in ATTACKS if ATTACKS[n].aim == "budget"])

QUICK = {
    "apgd_ce": {"steps": 10},
    "apgd_dlr": {"steps": 10},
    "fab": {"steps": 5, "targets": 1},
    "square": {"queries": 100},
}


def run(name, lenet, **settings):
    if name == "fab":
        pytest.importorskip("pyautoattack", reason="pip install accelsim[fab]")
    model, images, labels = lenet
    attack = ATTACKS[name].replace(**QUICK.get(name, {}))
    return attack.run(model, images, labels, classes=10, **settings)


def success(result, lenet):
    model, images, labels = lenet
    right = judge(model, images, labels, 64).right
    return 1 - judge(model, result.examples, labels, 64).right[right].mean()


@every_attack
def test_attack_declares_itself(name):
    attack = ATTACKS[name]
    assert attack.title
    assert attack.norm == "linf"
    assert 0 < attack.default_epsilon <= 1


@every_attack
def test_known_answer_undefended_network_falls_at_large_epsilon(name, lenet):
    assert success(run(name, lenet, epsilon=0.5), lenet) == 1


@every_attack
def test_known_answer_tiny_budget_fools_nobody(name, lenet):
    assert success(run(name, lenet, epsilon=1e-6), lenet) == 0


@every_attack
@pytest.mark.parametrize("epsilon", [1e-6, 0.07, 1])
def test_budget_and_range_are_kept(name, lenet, epsilon):
    result = run(name, lenet, epsilon=epsilon)
    assert np.abs(result.examples - lenet[1]).max() <= epsilon + BUDGET_TOLERANCE
    assert result.examples.min() >= 0
    assert result.examples.max() <= 1


@every_attack
def test_same_seed_same_bits_and_global_state_untouched(name, lenet):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    results = [run(name, lenet, seed=3).examples for _ in range(2)]
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


@every_attack
def test_model_is_untouched(name, lenet):
    model = lenet[0].train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(name, lenet)
    assert model.training
    model.eval()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@every_attack
def test_nothing_is_printed_or_logged(name, lenet, capfd, caplog):
    with caplog.at_level(logging.WARNING):
        run(name, lenet)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


@every_attack
def test_forwards_are_counted(name, lenet):
    assert run(name, lenet).forwards_per_image >= 1
