"""Points for the Pareto figure, out of runs, scores and sweeps."""

import pandas as pd
import pytest

from accelsim.errors import DataError
from accelsim.folders import write_manifest, write_table
from accelsim.tradeoffs import trade_offs

CONDITIONS = {
    **{"scenario": "transfer", "source": "torch", "gradient": "exact", "settings": None},
    **{"epsilon": 0.1, "images": 20, "seed": 0, "weights_hash": "abc", "accumulator": "auto"},
}
SCORES = pd.DataFrame(
    [
        ("lenet5_digits", "exact_fp32", "fgsm", 0.9, 0.5),
        ("lenet5_digits", "exact_fp32", "pgd", 0.9, 0.3),
        ("lenet5_digits", "ax_fpm", "fgsm", 0.8, 0.4),
        ("lenet5_digits", "ax_fpm", "pgd", 0.8, 0.6),
    ],
    columns=["workload", "target", "attack", "clean_accuracy", "robust_accuracy"],
).assign(**CONDITIONS)


def folder_of(path, kind, name, table, **manifest):
    path.mkdir(parents=True)
    write_table(path / name, table)
    write_manifest(path, {"kind": kind, **manifest})
    return path


@pytest.fixture
def saved(runs, tmp_path):
    for run in runs:
        run.save(tmp_path / "runs" / run.accelerator.multiplier)
    return tmp_path / "runs"


@pytest.fixture
def swept(tmp_path):
    rows = [
        (4, "os", "lenet5_digits", 9.0, 5.0, None),
        (8, "os", "lenet5_digits", 6.0, 4.0, None),
        (9, "os", None, None, None, "it does not fit"),
    ]
    columns = ["array.rows", "array.dataflow", "workload", "latency_us_per_image"]
    table = pd.DataFrame(rows, columns=[*columns, "energy_uj_per_image", "error"])
    grid = {"array.rows": [4, 8, 9], "array.dataflow": ["os"]}
    return folder_of(tmp_path / "sweep", "sweep", "results.csv", table, grid=grid)


def test_runs_alone_have_their_own_accuracy(saved, runs):
    points = trade_offs([saved]).set_index("unit")
    assert set(points.index) == {"exact_fp32", "ax_fpm"}
    for run in runs:
        row, own = points.loc[run.accelerator.multiplier], run.summary.iloc[0]
        for name in ("latency_us_per_image", "energy_uj_per_image", "accuracy"):
            assert row[name] == own[name]
    assert "robust_accuracy" not in points


def test_scores_give_the_strongest_attack(saved, tmp_path):
    scores = folder_of(tmp_path / "scores", "score", "scores.csv", SCORES)
    points = trade_offs([saved, scores]).set_index("unit")
    assert points["robust_accuracy"].to_dict() == {"exact_fp32": 0.3, "ax_fpm": 0.4}
    assert points["accuracy"].to_dict() == {"exact_fp32": 0.9, "ax_fpm": 0.8}


def test_only_attacks_that_all_units_met_count(saved, tmp_path):
    """The stronger one that ax_fpm alone met says nothing of exact_fp32."""
    alone = SCORES[3:].assign(epsilon=0.3, robust_accuracy=0.0)
    scores = folder_of(tmp_path / "a", "score", "scores.csv", SCORES)
    more = folder_of(tmp_path / "b", "score", "scores.csv", alone)
    points = trade_offs([saved, scores, more]).set_index("unit")
    assert points["robust_accuracy"].to_dict() == {"exact_fp32": 0.3, "ax_fpm": 0.4}


@pytest.mark.parametrize("source", ["{}", "proxy of {}"])
def test_each_unit_meets_an_attack_on_its_own_network(source, saved, tmp_path):
    """The one gradient of the exact unit stands for both that ax_fpm has."""
    own = SCORES.assign(
        scenario="white_box",
        source=[source.format(unit) for unit in SCORES["target"]],
        attack="pgd",
        gradient=["exact", "exact", "effective", "exact"],
    )
    scores = folder_of(tmp_path / "scores", "score", "scores.csv", own)
    points = trade_offs([saved, scores]).set_index("unit")
    assert points["robust_accuracy"].to_dict() == {"exact_fp32": 0.3, "ax_fpm": 0.4}


def test_in_a_transfer_all_units_judge_the_same_source(saved, tmp_path):
    of_unit = SCORES.assign(source="ax_fpm", robust_accuracy=[0.2, 0.3, 0.1, 0.6])
    scores = folder_of(tmp_path / "scores", "score", "scores.csv", of_unit)
    points = trade_offs([saved, scores]).set_index("unit")
    assert points["robust_accuracy"].to_dict() == {"exact_fp32": 0.2, "ax_fpm": 0.1}


@pytest.mark.parametrize(
    "other", [{"epsilon": 0.3}, {"attack": "cw"}, {"source": "ax_fpm"}, {"settings": "steps=3"}]
)
def test_rejects_units_that_met_no_attack_in_common(other, saved, tmp_path):
    exact = folder_of(tmp_path / "a", "score", "scores.csv", SCORES[:1])
    approximate = folder_of(tmp_path / "b", "score", "scores.csv", SCORES[2:3].assign(**other))
    with pytest.raises(DataError, match="no attack that .* all met .*: accelsim score lenet5"):
        trade_offs([saved, exact, approximate])


@pytest.mark.parametrize("other", [{"images": 6}, {"seed": 1}, {"weights_hash": "other"}])
def test_rejects_scores_under_other_conditions(other, saved, tmp_path):
    scores = folder_of(tmp_path / "a", "score", "scores.csv", SCORES)
    others = folder_of(tmp_path / "b", "score", "scores.csv", SCORES.assign(**other))
    with pytest.raises(DataError, match=f"scores to compare differ in {next(iter(other))}"):
        trade_offs([saved, scores, others])


def test_points_of_a_sweep_are_named_by_what_varies(swept):
    points = trade_offs([swept])
    assert points["unit"].tolist() == ["rows 4, dataflow os", "rows 8, dataflow os"]
    assert points["energy_uj_per_image"].tolist() == [5, 4]
    assert "accuracy" not in points


def test_rejects_several_sweeps_or_one_beside_runs(swept, saved):
    for folders in ([swept, swept], [swept, saved]):
        with pytest.raises(DataError, match="a sweep is drawn alone, got"):
            trade_offs(folders)


def test_rejects_a_sweep_without_a_finished_point(swept):
    write_table(swept / "results.csv", pd.DataFrame({"array.rows": [9], "error": ["no"]}))
    with pytest.raises(DataError, match="has no finished point; run it again"):
        trade_offs([swept])


def test_rejects_scores_alone_and_scores_that_lack_a_unit(saved, tmp_path):
    scores = folder_of(tmp_path / "scores", "score", "scores.csv", SCORES[:2])
    with pytest.raises(DataError, match="no simulated run and no sweep in"):
        trade_offs([scores])
    with pytest.raises(DataError, match="do not judge ax_fpm; .*accelsim score lenet5_digits -m"):
        trade_offs([saved, scores])


def test_rejects_several_networks(saved, tmp_path):
    other = SCORES.assign(workload="alexnet")
    scores = folder_of(tmp_path / "scores", "score", "scores.csv", other)
    with pytest.raises(DataError, match="results of several networks: lenet5_digits, alexnet"):
        trade_offs([saved, scores])


def test_a_run_of_several_units_wants_scores_of_its_own(saved, mixed_run, tmp_path):
    mixed_run.save(tmp_path / "mixed")
    label = "exact_fp32, ax_fpm in conv1"
    points = trade_offs([saved, tmp_path / "mixed"]).set_index("unit")
    assert set(points.index) == {"exact_fp32", "ax_fpm", label}
    scores = folder_of(tmp_path / "score", "score", "scores.csv", SCORES)
    with pytest.raises(
        DataError, match=f"do not judge {label}; .* -m exact_fp32 --accelerator FILE"
    ):
        trade_offs([saved, tmp_path / "mixed", scores])
    own = SCORES.assign(target=SCORES["target"].replace("ax_fpm", label))
    judged = folder_of(tmp_path / "own", "score", "scores.csv", own)
    points = trade_offs([saved / "exact_fp32", tmp_path / "mixed", judged]).set_index("unit")
    assert points.loc[label, "robust_accuracy"] == 0.4


def test_points_of_a_sweep_name_layers_whole(tmp_path):
    table = pd.DataFrame(
        {"layer_multipliers.features.0": ["ax_fpm"], "latency_us_per_image": [9.0],
         "energy_uj_per_image": [5.0], "workload": ["net"], "error": [None]},
    )  # fmt: skip
    grid = {"layer_multipliers.features.0": ["ax_fpm"]}
    place = folder_of(tmp_path / "sweep", "sweep", "results.csv", table, grid=grid)
    assert list(trade_offs([place])["unit"]) == ["features.0 ax_fpm"]
