"""Tests of accelsim.training."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
import torch

from accelsim import training
from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.training import train
from accelsim.workload import WORKLOADS, Recipe, load_workload

NAME = "lenet5_digits"


@pytest.fixture
def tiny(monkeypatch):
    """The shipped workload with a few images and a short recipe."""
    load = training.workload_split
    monkeypatch.setattr(training, "workload_split", lambda *args: load(*args).first(64))
    recipe = Recipe(epochs=2, batch_size=16, learning_rate=1e-3)
    return dataclasses.replace(WORKLOADS[NAME], recipe=recipe)


def test_one_epoch_is_deterministic_and_learns(tmp_path):
    """Twice one epoch: the same bits, better than chance, and torch's global state untouched."""
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    cards = [train(NAME, epochs=1, out=tmp_path / f"{run}.safetensors") for run in range(2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert cards[0] == cards[1]
    assert cards[0]["test_accuracy"] > 0.8
    assert cards[0]["recipe"]["epochs"] == 1
    content = (tmp_path / "0.safetensors").read_bytes()
    assert content == (tmp_path / "1.safetensors").read_bytes()
    assert cards[0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert json.loads((tmp_path / "0.json").read_text()) == cards[0]
    load_workload(NAME, limit=1, weights=tmp_path / "0.safetensors")


def test_another_seed_gives_other_weights(tmp_path, tiny):
    cards = [train(tiny, seed=seed, out=tmp_path / f"{seed}.safetensors") for seed in (0, 1)]
    assert cards[0]["sha256"] != cards[1]["sha256"]


def test_progress_is_told_after_each_epoch(tmp_path, tiny):
    seen = []
    train(tiny, out=tmp_path / "w.safetensors", progress=lambda *args: seen.append(args))
    assert [args[:2] for args in seen] == [(1, 2), (2, 2)]
    assert seen[1][2] < seen[0][2]


def test_an_interrupted_training_writes_nothing(tmp_path, tiny):
    def interrupt(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny, out=tmp_path / "w.safetensors", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_rejects_divergence(tmp_path, tiny):
    recipe = dataclasses.replace(tiny.recipe, learning_rate=1e30)
    with pytest.raises(DataError, match="training of 'lenet5_digits' diverged in epoch 1"):
        train(dataclasses.replace(tiny, recipe=recipe), out=tmp_path / "w.safetensors")


def test_rejects_an_unknown_workload(tmp_path):
    with pytest.raises(UnknownNameError, match="no workload named 'nothing'"):
        train("nothing", out=tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"epochs": 0}, "epochs must be an int in 1..1000000000, got 0"),
        ({"epochs": 1.5}, "epochs must be an int in 1..1000000000, got 1.5"),
        ({"seed": -1}, "seed must be an int in 0..9223372036854775807, got -1"),
        ({"seed": True}, "seed must be an int in 0..9223372036854775807, got True"),
        ({"out": "w.pt"}, r"out must be a file name ending in \.safetensors, got 'w\.pt'"),
    ],
)
def test_rejects_settings(tmp_path, settings, reason):
    with pytest.raises(ConfigError, match=reason):
        train(NAME, **{"out": tmp_path / "w.safetensors", **settings})
