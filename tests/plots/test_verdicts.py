"""Test of plots/verdicts.py, end to end: outcomes are kept, measured, checked and judged."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.robustness.checks import Study, ordering
from accelsim.robustness.study import outcomes_in

NAME = "lenet5_digits"


def test_every_claim_is_judged(kept, script, tmp_path, capsys, monkeypatch):
    verdicts = script("verdicts", NAME, "--folder", kept, "--out", tmp_path)
    verdicts.NETWORK_IMAGES = 4
    beaten = []

    def study(*given, controls=()):
        beaten.append(controls)
        return Study(*given, controls=controls)

    monkeypatch.setattr(verdicts, "Study", study)
    verdicts.main()
    table = pd.read_csv(tmp_path / f"verdicts_{NAME}.csv", keep_default_na=False)
    asked = [name for name, *_ in verdicts.claims(NAME)]
    assert "transfer_71" not in asked
    assert list(table["claim"].unique()) == [
        "transfer_80", "transfer_87", "proxy_half", "proxy_less", "noise_4db", "noise_mse",
        "noise_plain", "confidence", "accuracy",
    ] == asked  # fmt: skip
    assert set(table["unit"]) == {"ax_fpm"}
    needed = ["ax_fpm_noise", "weights_po2", "exact_int8"]
    # Twice of exact_fp32 (one norm); of ax_fpm in all and in each scenario.
    assert beaten == [(), (), *[needed] * 4]
    first = table[table["claim"] == "transfer_80"]
    # Of both averages there is nothing: no run fools on 20 images.
    assert list(first["attack"]) == ["fgsm 0.2", "deepfool", *["nothing to measure"] * 2]
    for row in table.to_dict("records"):
        measured, low, high = (float(row[name] or "nan") for name in ("measured", "low", "high"))
        assert low <= measured <= high or measured != measured
        decided = high < row["bound"] or low > row["bound"]
        assert (row["verdict"] != "inconclusive") == (decided and not row["failing"])
    # 12 images are too few for any rate: check 12 stands in the way of what fgsm says.
    assert first["verdict"].iloc[0] == "inconclusive"
    assert "statistics" in first["failing"].iloc[0].split()
    assert table.set_index("claim").loc["accuracy", "verdict"] == "supported"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("claim        unit")
    assert len(lines) == 1 + len(table.groupby(["claim", "measure"]))
    assert max(map(len, lines)) <= 100


def test_slopes_are_those_of_the_gradient_that_was_followed(kept, script, tmp_path, monkeypatch):
    """Effective weights' slopes do not vouch for who follows the exact layers' gradient."""
    verdicts = script("verdicts", NAME, "--folder", kept, "--out", tmp_path)
    verdicts.NETWORK_IMAGES = 4
    consistent, judge = {}, verdicts.verdict

    def verdict(checks, claim, *others):
        (slopes,) = (one for one in checks if one.name == "gradient_consistency")
        consistent[claim.text] = slopes
        return judge(checks, claim, *others)

    monkeypatch.setattr(verdicts, "verdict", verdict)
    verdicts.main()
    plain = next(text for text in consistent if "follows the exact layers' gradient" in text)
    others = {one for text, one in consistent.items() if text != plain}
    assert len(others) == 1
    assert [one.passed for one in others] == [True]
    assert consistent[plain].passed is False


def test_controls_are_networks_and_units_without_an_approximate_circuit(script):
    """But for those that imitate another unit."""
    controls = script("verdicts", NAME).controls
    given = ["exact_fp32", "ax_fpm", "exact_int8", "weights_po2", "ax_fpm_gain", "mine"]
    others = ["ax_fpm_flat", "exact_bfloat16", "ax_fpm_flat_gain", "drum4_s8_noise_gain"]
    needed = ["ax_fpm_noise", "weights_po2", "exact_int8"]
    found = controls("ax_fpm", [*given, *others])
    assert found == [*needed, "ax_fpm_gain", "mine", "exact_bfloat16"]
    assert controls("ax_fpm_flat", ["exact_fp32"]) == ["ax_fpm_flat_noise", *needed[1:]]


def test_what_another_scenario_lacks_stands_in_no_claims_way(script, kept):
    """That the black box has no run of twice the effort is not said of transfer; 4 looks at all."""
    verdicts = script("verdicts", NAME)
    outcomes = outcomes_in(kept)
    checks = verdicts.checks_of_unit(outcomes, "ax_fpm", [])
    of = {scenario: {one.name: one for one in own} for scenario, own in checks.items()}
    assert list(of) == ["clean", "transfer", "black_box", "white_box"]
    assert of["clean"] == {}
    everything = ordering(Study(outcomes, "ax_fpm"))
    assert of["transfer"]["ordering"] == of["white_box"]["ordering"] == everything
    assert "in black_box" not in of["transfer"]["convergence"].reason
    assert "in black_box" in of["black_box"]["convergence"].reason


def test_attacks_that_come_nearest_to_no_image_change_no_smallest_distance(script):
    """Of the second image, which the network has wrong, every attack has distance 0."""
    nearest = script("verdicts").nearest
    run = {"aim": "minimum", "norm": "l2", "scale": 1.0, "target_fooled": True}

    def rows(attack, *lengths, **settings):
        given = {"image": range(3), "target_right": [True, False, True], "l2": lengths, "l0": 9.0}
        return pd.DataFrame(run | given | {"attack": attack, "linf": 0.1} | settings)

    ddn, far = rows("ddn", 1.0, 0.0, 2.0), rows("boundary", 5.0, 0.0, 5.0)
    missed = rows("cw", 0.1, 0.0, 0.1, target_fooled=False)
    others = [rows("jsma", 9.0, 0.0, 9.0, norm="l0"), rows("pgd", 9.0, 0.0, 9.0, aim="budget")]
    found = nearest(pd.concat([ddn, far, missed, *others]))
    assert list(found["attack"].unique()) == ["ddn", "jsma", "pgd"]
    one = rows("boundary", 5.0, 0.0, 1.9)
    assert "boundary" in set(nearest(pd.concat([ddn, far, one]))["attack"])


def test_the_exact_network_answers_for_the_norm_that_was_measured(script, kept):
    """An attack that is alone in another norm says nothing of distances in this one."""
    verdicts = script("verdicts", NAME)
    outcomes = outcomes_in(kept)
    white = outcomes[(outcomes["target"] == "exact_fp32") & (outcomes["scenario"] == "white_box")]
    l2 = white[white["attack"] == "deepfool"]
    ddn = l2.assign(attack="ddn", settings='{"steps": 100}')
    jsma = l2.assign(attack="jsma", norm="l0", settings="")
    found = verdicts.checks_of_exact(pd.concat([white, ddn, jsma]))
    assert {norm: checks[1].passed for norm, checks in found.items()} == {"l0": False, "l2": True}
    assert found["l0"][0] == found["l2"][0]
    alone = verdicts.checks_of_exact(pd.concat([white, jsma]))
    assert alone["l2"][1].reason.startswith("alone, without a margin loss or a second attack: l2 ")
    assert verdicts.checks_of_exact(outcomes[outcomes["scenario"] == "transfer"]) == {}
    assert (verdicts.norm_of("jsma"), verdicts.norm_of("best of all, l2")) == ("l0", "l2")


def test_rejects_outcomes_without_an_approximate_unit(script, tmp_path, monkeypatch):
    verdicts = script("verdicts", NAME, "--folder", tmp_path)
    with pytest.raises(DataError, match="holds no outcomes"):
        verdicts.main()
    monkeypatch.setattr(verdicts, "outcomes_in", lambda _: pd.DataFrame({"target": ["exact_fp32"]}))
    with pytest.raises(DataError, match="no approximate unit was judged on lenet5_digits"):
        verdicts.main()


def test_accuracy_lost_is_the_paired_difference(script, monkeypatch, tmp_path):
    """30 lost and 10 won of 1000: 2 points, with a standard error of sqrt(0.04 - 0.0004) / 1000."""
    verdicts = script("verdicts", NAME)
    row = {"workload": NAME, "weights": "w", "multiplier": "ax_fpm", "images": 1000}
    pd.DataFrame([row | {"lost": 30, "won": 10}]).to_csv(
        tmp_path / "no_retraining.csv", index=False
    )
    study = sys.modules["study"]
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    monkeypatch.setattr(study, "weights_hash", lambda *_: "w")
    ((_, estimate, images),) = verdicts.accuracy_lost(NAME, "ax_fpm")
    assert (estimate.value, images) == (0.02, 1000)
    assert estimate.high - 0.02 == pytest.approx(1.96 * (0.0396 / 1000) ** 0.5, rel=1e-3)
    monkeypatch.setattr(study, "weights_hash", lambda *_: "others")
    assert verdicts.accuracy_lost(NAME, "ax_fpm") == []
    assert verdicts.accuracy_lost(NAME, "ax_fpm", tmp_path / "mine.pt") == []
    (tmp_path / "no_retraining.csv").rename(tmp_path / f"no_retraining_{NAME}_mine.csv")
    monkeypatch.setattr(study, "weights_hash", lambda *_: "w")
    assert verdicts.accuracy_lost(NAME, "ax_fpm") == []
    ((_, estimate, _),) = verdicts.accuracy_lost(NAME, "ax_fpm", tmp_path / "mine.pt")
    assert estimate.value == 0.02
