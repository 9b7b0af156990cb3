"""Tests that every attack must pass; parametrized over the registry."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError
from accelsim.robustness.attack import ACCESSES, AIMS, BUDGET_TOLERANCE, LOSSES, NORMS
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.distances import distances

QUICK = {"queries": 150, "searches": 5, "steps": 40, "rounds": 3, "candidates": 20, "draws": 20}
"""What makes an attack that has such a setting quick; enough to fool LeNet-5 where it is used."""

OWN = {
    "apgd_ce": {"steps": 10},
    "apgd_dlr": {"steps": 10},
    "apgd_t": {"steps": 10, "targets": 3},
    "fab": {"steps": 5, "targets": 1},
}

every_attack = pytest.mark.parametrize("name", ATTACKS)
budget_attack = pytest.mark.parametrize(
    "name", [name for name, attack in ATTACKS.items() if attack.aim == "budget"]
)
minimum_attack = pytest.mark.parametrize(
    "name", [name for name, attack in ATTACKS.items() if attack.aim == "minimum"]
)
asking_attack = pytest.mark.parametrize(
    "name", [name for name, attack in ATTACKS.items() if "queries" in attack.settings]
)


def quick(name):
    if name == "fab":
        pytest.importorskip("pyautoattack", reason="pip install accelsim[fab]")
    attack = ATTACKS[name]
    settings = QUICK | OWN.get(name, {})
    return attack.replace(**{key: settings[key] for key in settings if key in attack.settings})


def run(name, lenet, *, limit=8, **settings):
    model, images, labels = lenet
    return quick(name).run(model, images[:limit], labels[:limit], classes=10, **settings)


@every_attack
def test_attack_declares_itself(name):
    attack = ATTACKS[name]
    assert attack.title
    assert attack.norm in NORMS
    assert attack.aim in AIMS
    assert attack.access in ACCESSES
    assert attack.loss in LOSSES
    assert attack.many_steps is None or attack.many_steps in ATTACKS
    if attack.aim == "budget":
        assert 0 < attack.default_epsilon <= 1
    else:
        assert attack.default_epsilon is None
        assert attack.skips_wrong


@budget_attack
def test_known_answer_undefended_network_falls_at_large_epsilon(name, lenet):
    """To random noise, the control, at least now and then."""
    result = run(name, lenet, epsilon=1 if ATTACKS[name].access == "none" else 0.5)
    share = result.success[result.right].mean()
    assert share > 0 if ATTACKS[name].access == "none" else share == 1


@minimum_attack
def test_known_answer_undefended_network_falls(name, lenet):
    """Few pixels need not suffice: searches for them have known answers of their own."""
    result = run(name, lenet)
    assert result.success[result.right].all() or ATTACKS[name].norm == "l0"


@budget_attack
def test_known_answer_tiny_budget_fools_nobody(name, lenet):
    result = run(name, lenet, epsilon=1e-6)
    assert not result.success.any()
    assert (result.cause[result.right] != "").all()


@budget_attack
@pytest.mark.parametrize("epsilon", [1e-6, 0.07, 1])
def test_budget_and_range_are_kept(name, lenet, epsilon):
    result = run(name, lenet, epsilon=epsilon)
    measured = distances(lenet[1][:8], result.examples)[ATTACKS[name].norm]
    assert measured.max() <= epsilon + BUDGET_TOLERANCE
    assert result.examples.min() >= 0
    assert result.examples.max() <= 1


@minimum_attack
def test_range_is_kept_and_what_does_not_fool_is_the_image(name, lenet):
    result = run(name, lenet)
    assert result.examples.min() >= 0
    assert result.examples.max() <= 1
    np.testing.assert_array_equal(result.examples[~result.success], lenet[1][:8][~result.success])
    with pytest.raises(ConfigError, match="takes no epsilon"):
        run(name, lenet, epsilon=0.1)


@every_attack
def test_what_is_wrong_already_is_left_alone_where_that_is_said(name, lenet):
    model, images, labels = lenet
    labels = np.append(labels[:1], (labels[1] + 1) % 10)
    attack = quick(name)
    result = attack.run(model, images[:2], labels, classes=10)
    assert result.right.tolist() == [True, False]
    assert not result.success[1]
    if attack.skips_wrong:
        np.testing.assert_array_equal(result.examples[1], images[1])
        alone = attack.run(model, images[:1], labels[:1], classes=10)
        assert result.forwards_per_image == alone.forwards_per_image / 2


@asking_attack
@pytest.mark.parametrize("queries", [100, 150])
def test_number_of_queries_is_kept(name, lenet, queries):
    """For one image alone, and so for each."""
    model, images, labels = lenet
    attack = ATTACKS[name].replace(queries=queries)
    for limit in (1, 3):
        result = attack.run(model, images[:limit], labels[:limit], classes=10)
        assert 1 < result.forwards_per_image <= queries


@every_attack
def test_same_seed_same_bits_and_global_state_untouched(name, lenet):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    results = [run(name, lenet, limit=3, seed=3).examples for _ in range(2)]
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


@every_attack
def test_model_is_untouched(name, lenet):
    model = lenet[0].train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(name, lenet, limit=3)
    assert model.training
    model.eval()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@every_attack
def test_nothing_is_printed_or_logged(name, lenet, capfd, caplog, monkeypatch):
    with caplog.at_level(logging.WARNING):
        run(name, lenet, limit=3)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""
    monkeypatch.setattr(logging.root, "handlers", [])
    run(name, lenet, limit=3)
    assert logging.root.handlers == []


@every_attack
def test_forwards_and_gradients_are_counted(name, lenet):
    result = run(name, lenet)
    assert result.forwards_per_image >= 1
    assert (result.gradients_per_image >= 1) == (ATTACKS[name].access == "gradient")
