"""Tests of accelsim.training.trainer and accelsim.training.checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
import torch

from accelsim.errors import ConfigError, DataError, UnknownNameError
from accelsim.training import checkpoint_path, fitting, train, trainer
from accelsim.workload import WORKLOADS, Recipe, load_workload

NAME = "lenet5_digits"


@pytest.fixture
def tiny(monkeypatch):
    """The shipped workload with a few images and a short recipe."""
    load = trainer.workload_split
    monkeypatch.setattr(trainer, "workload_split", lambda *args: load(*args).first(60))
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


def test_progress_is_told_after_each_batch(tmp_path, tiny):
    seen = []
    train(tiny, out=tmp_path / "w.safetensors", progress=lambda *args: seen.append(args))
    assert [args[:2] for args in seen] == [(done, 8) for done in range(1, 9)]
    words = [args[2].split(", loss ") for args in seen]
    assert [text for text, _ in words] == ["epoch 1 of 2"] * 4 + ["epoch 2 of 2"] * 4
    assert float(words[7][1]) < float(words[3][1])


def test_a_part_of_an_epoch_is_a_part_of_its_batches(tmp_path, tiny):
    """2.25 epochs of 4 batches are 9."""
    seen = []
    longer = dataclasses.replace(tiny, recipe=dataclasses.replace(tiny.recipe, epochs=2.25))
    card = train(longer, out=tmp_path / "w.safetensors", progress=lambda *args: seen.append(args))
    assert seen[-1][:2] == (9, 9)
    assert seen[-1][2].startswith("epoch 3 of 2.25, loss ")
    assert card["recipe"]["epochs"] == 2.25


FULL = {
    "optimizer": "sgd",
    "schedule": "triangle",
    "learning_rate": 0.02,
    "weight_decay": 5e-4,
    "label_smoothing": 0.05,
    "flip": True,
    "crop_padding": 2,
    "batch_norm": True,
}
"""All that a recipe can ask for, beside what it must say."""


class Killed(BaseException):
    """What ends a training here."""


def train_and_kill(workload, out, after, **settings):
    def kill(done, total, text):
        if done == after:
            raise Killed

    with pytest.raises(Killed):
        train(workload, out=out, progress=kill, **settings)


@pytest.mark.parametrize("recipe", [{}, FULL], ids=["plain", "full"])
@pytest.mark.parametrize(("after", "kept"), [(4, 4), (6, 4), (6, 6)])
def test_a_killed_training_goes_on_to_the_same_bits(
    tmp_path, tiny, monkeypatch, recipe, after, kept
):
    """Killed after an epoch and within the second one, with the last checkpoint older or not."""
    if kept % 4:
        monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    tiny = dataclasses.replace(tiny, recipe=dataclasses.replace(tiny.recipe, **recipe))
    whole = train(tiny, out=tmp_path / "whole.safetensors")
    out = tmp_path / "w.safetensors"
    train_and_kill(tiny, out, after)
    assert [file.name for file in tmp_path.glob("w.*")] == ["w.checkpoint"]
    seen = []
    card = train(tiny, out=out, progress=lambda *args: seen.append(args))
    assert seen[0][0] == kept + 1
    assert card == whole
    assert out.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert sorted(file.name for file in tmp_path.glob("w.*")) == ["w.json", "w.safetensors"]


def test_restart_begins_anew(tmp_path, tiny):
    out, seen = tmp_path / "w.safetensors", []
    train_and_kill(tiny, out, 4)
    train(tiny, out=out, restart=True, progress=lambda *args: seen.append(args))
    assert seen[0][0] == 1


def test_a_training_killed_within_its_first_minute_writes_nothing(tmp_path, tiny):
    train_and_kill(tiny, tmp_path / "w.safetensors", 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"seed": 1}, "seed 0 there, 1 here"),
        ({"epochs": 3}, "recipe {.*'epochs': 2.* there, {.*'epochs': 3.* here"),
    ],
)
def test_rejects_the_checkpoint_of_another_training(tmp_path, tiny, settings, reason):
    out = tmp_path / "w.safetensors"
    train_and_kill(tiny, out, 4)
    with pytest.raises(DataError, match=rf"w\.checkpoint is of another training: {reason}\. Give"):
        train(tiny, out=out, **settings)
    assert checkpoint_path(out).is_file()


def test_rejects_the_checkpoint_of_other_data(tmp_path, tiny, monkeypatch):
    out = tmp_path / "w.safetensors"
    train_and_kill(tiny, out, 4)
    load = trainer.workload_split
    monkeypatch.setattr(trainer, "workload_split", lambda *args: load(*args).first(59))
    with pytest.raises(DataError, match="of another training: data .*--restart"):
        train(tiny, out=out)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_rejects_a_damaged_checkpoint(tmp_path, tiny, share):
    out = tmp_path / "w.safetensors"
    train_and_kill(tiny, out, 4)
    content = checkpoint_path(out).read_bytes()
    checkpoint_path(out).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"w\.checkpoint is damaged or none .*--restart"):
        train(tiny, out=out)


def test_batch_norm_is_folded_away(tmp_path, tiny):
    """The weights are those of the plain network, and not what a plain training gives."""
    cards = []
    for batch_norm in (False, True):
        recipe = dataclasses.replace(tiny.recipe, batch_norm=batch_norm)
        changed = dataclasses.replace(tiny, recipe=recipe)
        cards.append(train(changed, out=tmp_path / f"{batch_norm}.safetensors"))
        load_workload(NAME, limit=1, weights=tmp_path / f"{batch_norm}.safetensors")
    assert cards[0]["parameters"] == cards[1]["parameters"]
    assert cards[0]["sha256"] != cards[1]["sha256"]


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
