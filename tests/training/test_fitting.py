"""Tests of accelsim.training.fitting: how the learning rate goes."""

import math

import pytest
import torch
from torch import nn

from accelsim.recipe import Recipe
from accelsim.training.checkpoint import Checkpoint
from accelsim.training.fitting import Fit


def rates(tmp_path, **recipe):
    """Return the learning rate of each of 19 batches."""
    fit = Fit(
        "net",
        nn.Sequential(nn.Flatten(), nn.Linear(1, 2)),
        Recipe(epochs=1, batch_size=1, learning_rate=0.5, **recipe),
        torch.rand(19, 1, 1, 1),
        torch.zeros(19, dtype=torch.int64),
    )
    found = [fit.state()["optimizer"]["param_groups"][0]["lr"]]
    checkpoint = Checkpoint(tmp_path / "c", {})
    fit.run(
        checkpoint,
        lambda *_: found.append(fit.state()["optimizer"]["param_groups"][0]["lr"]),
    )
    return found[:-1]


def test_a_triangle_peaks_after_a_quarter(tmp_path):
    """The batches lie at 1/20 to 19/20: fifths of the peak up, then fifteenths down."""
    found = rates(tmp_path, optimizer="sgd", schedule="triangle")
    up = [0.5 * step / 5 for step in range(1, 6)]
    down = [0.5 * step / 15 for step in range(14, 0, -1)]
    assert found == pytest.approx(up + down)


def test_a_cosine_falls_from_the_first_batch_on(tmp_path):
    expected = [0.25 * (1 + math.cos(math.pi * done / 19)) for done in range(19)]
    assert rates(tmp_path) == pytest.approx(expected)
