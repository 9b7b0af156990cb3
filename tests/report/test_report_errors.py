"""What a report refuses to say."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.folders import read_manifest, write_manifest
from accelsim.report import report
from accelsim.results import load_run


def changed(place, **entries):
    manifest = read_manifest(place)
    write_manifest(place, {**manifest, **entries})


def earlier(path):
    """Make of a table of scores one of before it had all rates."""
    pd.read_csv(path).drop(columns="transfer_of_right").to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "break_it", "message"),
    [
        ("sim/ax_fpm", lambda at: changed(at, schema=99), "written by a newer accelsim"),
        ("sim/ax_fpm", lambda at: changed(at, kind="rtl"), "holds a rtl; a report is of the"),
        ("sim/ax_fpm", lambda at: changed(at, accelerator={}), "is damaged"),
        ("sim/ax_fpm", lambda at: (at / "layers.csv").unlink(), "layers.csv is missing"),
        ("sim/ax_fpm", lambda at: (at / "manifest.json").unlink(), "holds no result of accelsim"),
        ("transfer", lambda at: changed(at, attacks=[]), "are not finished; the same accelsim"),
        ("transfer", lambda at: (at / "scores.csv").unlink(), "are not finished"),
        ("transfer", lambda at: earlier(at / "scores.csv"), "lacks transfer_of_right, as of an"),
        (
            "transfer",
            lambda at: (at / "outcomes.sqlite").write_bytes(b"x" * 5000),
            "outcomes.sqlite is damaged",
        ),
        ("transfer", lambda at: (at / "checks.csv").write_text("a\n"), "is damaged: it lacks targ"),
        ("sweep", lambda at: (at / "results.csv").unlink(), "has no finished point"),
        ("sweep", lambda at: changed(at, grid={"array.rows": [1]}), "lacks array.rows"),
        ("sweep", lambda at: changed(at, accelerator={"name": 3}), "the sweep in .* is damaged"),
    ],
)  # fmt: skip
def test_rejects_what_is_no_whole_result(folders, tmp_path, name, break_it, message):
    shutil.copytree(folders / name, tmp_path / "broken")
    break_it(tmp_path / "broken")
    with pytest.raises(DataError, match=message):
        report([tmp_path / "broken"])


def test_rejects_results_that_do_not_belong_together(folders, runs, tmp_path, score_of):
    other = score_of(tmp_path / "other", workload="lenet5_mnist")
    with pytest.raises(DataError, match="several networks: lenet5_digits, lenet5_mnist; give"):
        report([folders / "sim", other])
    images = score_of(tmp_path / "images", data_hash="4567")
    with pytest.raises(DataError, match=r"scores to compare differ in images or labels \(data_h"):
        report([folders / "transfer", images])
    weights = replace(runs[0], manifest={**runs[0].manifest, "network_hash": "1" * 16})
    weights.save(tmp_path / "weights")
    with pytest.raises(DataError, match=r"differ in weights or images .* multiplier and accelera"):
        report([folders / "sim", tmp_path / "weights"])


def test_rejects_two_of_the_same(folders, tmp_path, score_of):
    shutil.copytree(folders / "sim" / "ax_fpm", tmp_path / "again")
    with pytest.raises(DataError, match="runs cannot be told apart by name: ax_fpm, ax_fpm"):
        report([folders / "sim" / "ax_fpm", tmp_path / "again"])
    other = score_of(tmp_path / "other")
    with pytest.raises(DataError, match="two scores have 'accuracy, pgd 0.1' of 'ax_fpm'"):
        report([folders / "transfer", other])


def test_an_older_manifest_will_do(folders, tmp_path):
    shutil.copytree(folders / "transfer", tmp_path / "score")
    path = tmp_path / "score" / "manifest.json"
    manifest = json.loads(path.read_text())
    kept = {name: manifest[name] for name in ("schema", "kind", "workload")}
    path.write_text(json.dumps(kept))
    assert "--scenario transfer" in report([tmp_path / "score"])
    assert load_run(folders / "sim" / "ax_fpm").actions is not None
