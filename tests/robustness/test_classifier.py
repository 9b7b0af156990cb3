"""Tests of accelsim.robustness.classifier."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from accelsim.errors import ConfigError
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.classifier import seeded


def test_listing_attacks_imports_neither_torch_nor_art():
    code = (
        "import sys; from accelsim.robustness import ATTACKS; assert list(ATTACKS); "
        "assert not {'torch', 'art', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def draw():
    return np.random.random(), torch.rand(1).item()


def test_global_states_are_seeded_and_then_restored():
    np.random.seed(11)
    torch.manual_seed(11)
    expected = draw()
    np.random.seed(11)
    torch.manual_seed(11)
    with seeded(5):
        first = draw()
    assert draw() == expected
    with seeded(5):
        assert draw() == first != expected


def fail_inside():
    with seeded(5):
        draw()
        raise KeyError


def test_global_states_are_restored_after_an_error():
    np.random.seed(11)
    torch.manual_seed(11)
    expected = draw()
    np.random.seed(11)
    torch.manual_seed(11)
    with pytest.raises(KeyError):
        fail_inside()
    assert draw() == expected


@pytest.mark.parametrize(
    ("attack", "module", "library"),
    [
        ("fgsm", "art.estimators.classification", "adversarial-robustness-toolbox"),
        ("deepfool", "accelsim.robustness.methods", "foolbox"),
    ],
)
def test_rejects_a_missing_attack_library(tiny, monkeypatch, attack, module, library):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=f"pip install '{library}"):
        ATTACKS[attack].run(*tiny, classes=2)
