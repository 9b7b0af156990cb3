"""Tests of accelsim.scores: a folder of scores, and going on where an earlier call stopped."""

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.folders import read_manifest, read_table, write_manifest
from accelsim.robustness.checks import Check, NetworkChecks
from accelsim.scores import ScoreFolder

SETTINGS = {
    "workload": "net",
    "weights_hash": "0123456789012345",  # looks like a number
    "scenario": "transfer",
    "multipliers": ["exact_fp32", "ax_fpm"],
    "accumulator": "float32",
    "images": 10,
    "epsilon": None,
    "seed": 0,
}
SCORES = pd.DataFrame({"attack": ["fgsm"], "target": ["ax_fpm"], "robust_accuracy": [0.1]})


def test_rates_are_stored_with_what_they_are_of(tmp_path):
    folder = ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])
    folder.write(SCORES)
    (row,) = read_table(tmp_path / "s" / "scores.csv").to_dict("records")
    assert row.pop("config_hash") == read_manifest(tmp_path / "s", "score")["config_hash"]
    assert row.pop("version")
    assert row == {
        "workload": "net",
        "weights_hash": "0123456789012345",
        "accumulator": "float32",
        **SCORES.iloc[0].to_dict(),
    }


def test_attacks_of_earlier_calls_stay_unless_these_were_interrupted(tmp_path):
    ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"]).write(SCORES)
    assert ScoreFolder(tmp_path / "s", SETTINGS, ["cw"]).attacks == ["fgsm", "cw"]
    again = ScoreFolder(tmp_path / "s", SETTINGS, ["pgd", "fgsm"])
    assert again.attacks == ["fgsm", "pgd"]
    again.write(SCORES)
    assert read_manifest(tmp_path / "s", "score")["attacks"] == ["fgsm", "pgd"]


def test_the_manifest_says_what_determined_the_scores(tmp_path):
    ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])
    manifest = read_manifest(tmp_path / "s", "score")
    assert {name: manifest[name] for name in SETTINGS} == SETTINGS
    assert len(manifest["config_hash"]) == 16


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("epsilon", 0.2), ("weights_hash", "x")])
def test_rejects_a_folder_with_scores_under_other_settings(tmp_path, name, value):
    ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"]).write(SCORES)
    before = (tmp_path / "s" / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=rf"other settings \({name}\); give another folder"):
        ScoreFolder(tmp_path / "s", {**SETTINGS, name: value}, ["fgsm"])
    assert (tmp_path / "s" / "manifest.json").read_bytes() == before


def test_rejects_scores_of_another_version(tmp_path):
    ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"]).write(SCORES)
    write_manifest(tmp_path / "s", {"kind": "score", **SETTINGS, "config_hash": "other"})
    with pytest.raises(DataError, match=r"other settings \(another version\)"):
        ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])


BITS = Check(1, "determinism", True, "3 runs agree")
SLOPES = {
    name: (
        Check(2, "gradient_consistency", passed, f"of {name}, nan"),
        Check(3, "saturation", None, "no gradient"),
    )
    for name, passed in (("exact", False), ("effective", True))
}


def test_checks_of_networks_are_kept_with_the_settings(tmp_path):
    """Gradients are added as they are followed; with other settings they are of another network."""
    first = ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])
    first.keep_checks("ax_fpm", NetworkChecks(BITS, {"exact": SLOPES["exact"]}))
    first.keep_checks("exact_fp32, ax_fpm in conv1", NetworkChecks(BITS))
    again = ScoreFolder(tmp_path / "s", SETTINGS, ["pgd"])
    assert again.checks == first.checks
    again.keep_checks("ax_fpm", NetworkChecks(BITS, {"effective": SLOPES["effective"]}))
    kept = ScoreFolder(tmp_path / "s", SETTINGS, []).checks
    assert kept["ax_fpm"] == NetworkChecks(BITS, SLOPES)
    assert kept["exact_fp32, ax_fpm in conv1"] == NetworkChecks(BITS)
    assert ScoreFolder(tmp_path / "s", {**SETTINGS, "seed": 1}, []).checks == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gradient,", "", "it lacks gradient"),
        ("pass", "passed", "'passed'"),
        ("determinism", "determined", "'determined'"),
        ("exact,saturation", "exacts,saturation", "not enough values"),
        (",,determinism", ",exact,determinism", "''"),
    ],
)
def test_rejects_damaged_checks(tmp_path, old, new, message):
    folder = ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])
    folder.keep_checks("ax_fpm", NetworkChecks(BITS, SLOPES))
    path = tmp_path / "s" / "checks.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=rf"checks.csv is damaged: .*{message}"):
        ScoreFolder(tmp_path / "s", SETTINGS, ["fgsm"])
