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


def row(attack, unit):
    return {"attack": attack, "multiplier": unit, "robust_accuracy": 0.1}


def test_rows_are_on_disk_as_they_come_and_a_complete_attack_is_not_made_again(tmp_path):
    folder = ScoreFolder(tmp_path / "s", SETTINGS)
    kept = folder.add(row("fgsm", "exact_fp32"))
    assert kept["workload"] == "net"
    assert len(read_table(tmp_path / "s" / "scores.csv")) == 1
    folder.add(row("fgsm", "ax_fpm"))
    folder.add(row("pgd", "exact_fp32"))

    again = ScoreFolder(tmp_path / "s", SETTINGS)
    done = again.rows(["fgsm", "pgd"])
    assert [(r["attack"], r["multiplier"]) for r in done] == [
        ("fgsm", "exact_fp32"),
        ("fgsm", "ax_fpm"),
    ]
    assert done[0] == kept
    again.add(row("pgd", "exact_fp32"))
    assert len(read_table(tmp_path / "s" / "scores.csv")) == 3


def test_the_manifest_says_what_determined_the_scores(tmp_path):
    ScoreFolder(tmp_path / "s", SETTINGS)
    manifest = read_manifest(tmp_path / "s", "score")
    assert {name: manifest[name] for name in SETTINGS} == SETTINGS
    assert len(manifest["config_hash"]) == 16


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("epsilon", 0.2), ("weights_hash", "x")])
def test_rejects_a_folder_with_scores_under_other_settings(tmp_path, name, value):
    ScoreFolder(tmp_path / "s", SETTINGS).add(row("fgsm", "ax_fpm"))
    before = (tmp_path / "s" / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=rf"other settings \({name}\); give another folder"):
        ScoreFolder(tmp_path / "s", {**SETTINGS, name: value})
    assert (tmp_path / "s" / "manifest.json").read_bytes() == before


def test_rejects_scores_of_another_version(tmp_path):
    ScoreFolder(tmp_path / "s", SETTINGS).add(row("fgsm", "ax_fpm"))
    write_manifest(tmp_path / "s", {"kind": "score", **SETTINGS, "config_hash": "other"})
    with pytest.raises(DataError, match="another version"):
        ScoreFolder(tmp_path / "s", SETTINGS)
