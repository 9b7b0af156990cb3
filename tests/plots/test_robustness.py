"""Test of plots/robustness.py: a preset's attack on a unit and a control, kept and told."""

from __future__ import annotations

import pandas as pd
import pytest

from accelsim.errors import ConfigError
from accelsim.robustness.outcomes import KEYS

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


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (
            ["--attack", "fgsm", "--attack", "nope"],
            "preset 'paper' has no attack 'nope', but fgsm, ",
        ),
        (
            ["--attack", "hop_skip_jump"],
            r"no attack 'hop_skip_jump', .*Did you mean 'hopskipjump'\?",
        ),
        (
            ["--attack", "jsma", "--scenario", "adaptive"],
            "has jsma in transfer, black_box, white_box only, not in adaptive",
        ),
        (["--images", 0], "--images must be >= 1, got 0"),
    ],
)
def test_rejects_what_the_preset_has_not(script, asked, reason):
    robustness = script("robustness", NAME, "--preset", "paper", *asked)
    with pytest.raises(ConfigError, match=reason):
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


def test_the_matrix_shows_the_budget_that_fools_every_second_image(script):
    between = script("robustness").between
    row = {"scenario": "transfer", "scale": 1.0, "target": "ax_fpm", "norm": "linf"}
    fgsm = row | {"attack": "fgsm", "settings": ""}
    ddn = row | {"attack": "ddn", "settings": "", "norm": "l2", "epsilon": None}
    budgets = {0.1: 0.2, 0.2: 0.6, 0.3: 0.9}
    rates = pd.DataFrame([
        *(fgsm | {"source": source, "epsilon": epsilon, "source_success": success}
          for source in ("ax_fpm", "torch") for epsilon, success in budgets.items()),
        fgsm | {"source": "torch", "epsilon": 0.25, "source_success": 0.5},
        *(ddn | {"source": source, "source_success": 1.0} for source in ("torch", "ax_fpm")),
        ddn | {"source": "torch", "source_success": 1.0, "scale": 1.5},
        fgsm | {"source": "torch", "epsilon": 0.2, "source_success": 0.5, "attack": "pgd"},
        ddn | {"source": "ax_fpm", "source_success": 1.0, "scenario": "white_box"},
        fgsm | {"source": "torch", "epsilon": 0.2, "source_success": 0.6, "target": "weights_po2"},
    ])  # fmt: skip
    shown = between(rates)
    assert shown["source"].tolist() == ["torch", "torch", "ax_fpm", "ax_fpm"]
    assert shown.groupby("attack")["epsilon"].max().dropna().to_dict() == {"fgsm": 0.2}
    assert sorted(shown["attack"]) == ["ddn", "ddn", "fgsm", "fgsm"]
    assert between(rates[rates["source"] == "torch"]).empty


def test_rows_of_earlier_runs_stay(script, tmp_path):
    """But for those of other weights, and of the same run on fewer images; in the new columns."""
    written = script("robustness").written
    run = {name: name for name in KEYS} | {"settings": "", "epsilon": 0.1, "scale": 1.0, "seed": 0}

    def row(attack, images, weights="w", **more):
        return {"weights": weights, **run, "attack": attack, "images": images, **more}

    path = tmp_path / "rates.csv"
    earlier = [row("a", 500), row("b", 10), row("c", 10), row("d", 10, "others")]
    pd.DataFrame(earlier).to_csv(path, index=False)
    made = [row("a", 10, rate=0.5), row("b", 20, rate=0.25), row("e", 10, rate=0.123456789)]
    kept = written(path, pd.DataFrame(made))
    assert kept[["attack", "images"]].to_numpy().tolist() == [
        ["a", 500], ["b", 20], ["c", 10], ["e", 10]
    ]  # fmt: skip
    assert kept["rate"].fillna(-1).tolist() == [-1, 0.25, -1, 0.123457]
    assert list(pd.read_csv(path)) == list(kept) == list(made[0])
