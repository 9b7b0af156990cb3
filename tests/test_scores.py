"""Tests of accelsim.scores: a folder of scores, and going on where an earlier call stopped."""

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.folders import read_manifest, read_table, write_manifest
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
