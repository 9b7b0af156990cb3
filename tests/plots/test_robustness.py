"""Test of plots/robustness.py: a preset's attack on a unit and a control, kept and told."""

from __future__ import annotations

import pandas as pd
import pytest

from accelsim.errors import ConfigError

NAME = "lenet5_digits"


def test_units_and_controls_meet_the_same_attacks(script, tmp_path, monkeypatch, capsys):
    asked = ["--preset", "standard", "--scenario", "transfer", "--attack", "mim", "--images", 2]
    asked += ["--unit", "exact_fp32", "--control", "weights_po2", "--workers", 1]
    robustness = script("robustness", NAME, *asked)
    monkeypatch.setattr(robustness, "HERE", tmp_path)
    monkeypatch.setattr(robustness, "RESULTS", tmp_path)
    monkeypatch.setattr(robustness, "kept_outcomes", lambda *_: tmp_path / "kept")
    robustness.main()
    table = pd.read_csv(tmp_path / f"robustness_{NAME}_standard.csv")
    assert list(table.groupby("target").size()) == [3, 3]
    assert set(table["target"]) == {"exact_fp32", "weights_po2"}
    shared = ["epsilon", "source_success", "median_linf"]
    exact, control = (part[shared] for _, part in table.groupby("target"))
    assert exact.to_numpy().tolist() == control.to_numpy().tolist()
    assert (tmp_path / f"robustness_{NAME}_standard.png").exists()
    assert "weights_po2" in capsys.readouterr().out
    robustness.main()
    assert capsys.readouterr().err.strip() == "12 12"  # pieces, all of them kept


def test_rejects_an_attack_that_the_preset_has_not(script, tmp_path, monkeypatch):
    robustness = script("robustness", NAME, "--preset", "paper", "--attack", "nope")
    monkeypatch.setattr(robustness, "kept_outcomes", lambda *_: tmp_path / "kept")
    with pytest.raises(ConfigError, match="preset 'paper' has none of the attacks nope in"):
        robustness.main()


def test_of_several_efforts_the_strongest_is_drawn(script):
    drawn = script("robustness").drawn
    row = {"scenario": "transfer", "source": "torch", "target": "ax_fpm", "norm": "linf"}
    apgd = row | {"attack": "apgd_dlr", "epsilon": 0.1}
    rates = pd.DataFrame([
        apgd | {"settings": "once", "robust_accuracy": 0.5},
        apgd | {"settings": "twice", "robust_accuracy": 0.4},
        apgd | {"settings": "once", "robust_accuracy": 0.1, "epsilon": 0.2},
        apgd | {"settings": "once", "robust_accuracy": 0.1, "source": "ax_fpm"},
        row | {"attack": "ddn", "settings": "", "epsilon": None, "robust_accuracy": 0.2},
    ])  # fmt: skip
    assert list(drawn(rates).index) == [1, 2]
