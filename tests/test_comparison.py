import pandas as pd
import pytest

import accelsim
from accelsim.comparison import compare_results
from accelsim.errors import DataError
from accelsim.folders import write_manifest, write_table
from accelsim.layer import MacLayer
from accelsim.quantization import Calibration


@pytest.fixture
def saved(runs, tmp_path):
    for run in runs:
        run.save(tmp_path / "sim" / run.accelerator.multiplier)
    return tmp_path / "sim"


def score(folder, workload="lenet5_digits", **changes):
    rows = [
        {
            "workload": workload, "source": "torch", "target": unit,
            "attack": "fgsm", "epsilon": 0.1,
            "clean_accuracy": 0.98, "robust_accuracy": robust, "transfer_success": 0.9,
            "mean_confidence_clean": 0.97, "scenario": "transfer", "accumulator": "float32",
            "images": 20, "seed": 0, "weights_hash": "abc", **changes,
        }
        for unit, robust in (("ax_fpm", 0.4), ("exact_fp32", 0.3))
    ]  # fmt: skip
    folder.mkdir()
    write_table(folder / "scores.csv", pd.DataFrame(rows))
    write_manifest(folder, {"kind": "score"})
    return folder


def test_cost_and_robustness_stand_side_by_side_exact_first(saved, runs, tmp_path):
    table = compare_results([score(tmp_path / "score"), saved])
    assert list(table.columns) == ["quantity", "unit", "exact_fp32", "ax_fpm"]
    by_name = table.set_index("quantity")
    assert by_name.loc["accuracy, fgsm 0.1", "exact_fp32"] == pytest.approx(30)
    assert by_name.loc["accuracy, fgsm 0.1", "ax_fpm"] == pytest.approx(40)
    for unit, run in zip(("exact_fp32", "ax_fpm"), runs, strict=True):
        row = run.summary.iloc[0]
        assert by_name.loc["latency", unit] == row["latency_us_per_image"]
        assert by_name.loc["energy of multipliers", unit] == row["energy_multiplier_uj"] / 2
    assert by_name.loc["multiplier latency", ["exact_fp32", "ax_fpm"]].tolist() == [2, 1]


def test_units_of_integers_stand_beside_those_of_floats(saved, small_trace, tmp_path):
    """Ranges of activations, which only the former have, are no other network."""
    machine = accelsim.Accelerator.preset("edge_16x16").replace(multiplier="exact_int8")

    def run(high, folder, **changes):
        macs = sum(isinstance(layer, MacLayer) for layer in small_trace.layers)
        traced = small_trace.calibrated(Calibration(((0, high),) * macs))
        changed = machine.replace(**changes)
        return accelsim.simulate(traced, changed, values=False).save(tmp_path / folder)

    integer = run(1, "int8")
    table = compare_results([saved, integer, run(1, "int16", multiplier="exact_int16")])
    assert list(table.columns)[2:] == ["exact_fp32", "ax_fpm", "exact_int8", "exact_int16"]
    with pytest.raises(DataError, match=r"calibrated runs to compare differ in calibration \("):
        compare_results([saved, integer, run(2, "other", multiplier="exact_int16")])
    narrow = run(1, "narrow", accumulator="int32_saturating")
    with pytest.raises(DataError, match=r"the runs to compare differ in configuration"):
        compare_results([saved, narrow])


def test_scores_agree_in_the_accumulator_that_was_asked_for(tmp_path):
    first = score(tmp_path / "a", accumulator="float32")
    second = score(tmp_path / "b", attack="pgd", accumulator="int32")
    for folder, asked in ((first, "float32"), (second, "auto")):
        write_manifest(folder, {"kind": "score", "accumulator": asked})
    names = set(compare_results([first, second])["quantity"])
    assert {"accuracy, fgsm 0.1", "accuracy, pgd 0.1"} <= names
    write_manifest(second, {"kind": "score", "accumulator": "float64"})
    with pytest.raises(DataError, match="scores to compare differ in accumulator: auto and"):
        compare_results([first, second])


def test_rejects_runs_that_differ_in_more_than_the_unit(saved, small_trace, tmp_path):
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(name="edge_16x16")
    accelsim.simulate(small_trace, machine, values=False).save(tmp_path / "again")
    with pytest.raises(DataError, match=r"the runs to compare differ in configuration: "):
        compare_results([saved, tmp_path / "again"])
    fewer = accelsim.simulate(
        small_trace, accelsim.Accelerator.preset("edge_16x16"), images=1, values=False
    )
    fewer.save(tmp_path / "fewer")
    with pytest.raises(DataError, match=r"the runs to compare differ in images: 2 and, .* 1"):
        compare_results([saved, tmp_path / "fewer"])


def test_rejects_scores_that_differ_in_more_than_attack_and_unit(tmp_path):
    with pytest.raises(DataError, match="the scores to compare differ in images: 20 and"):
        compare_results([score(tmp_path / "a"), score(tmp_path / "b", images=30)])
    with pytest.raises(DataError, match=r"two results have 'accuracy, fgsm 0.1' of 'ax_fpm'"):
        compare_results([score(tmp_path / "c"), score(tmp_path / "d", robust_accuracy=0.5)])


def test_runs_below_a_score_are_found(runs, tmp_path):
    folder = score(tmp_path / "score")
    runs[0].save(folder / "exact")
    assert "latency" in set(compare_results([folder])["quantity"])


def test_rejects_several_networks(saved, tmp_path):
    with pytest.raises(DataError, match="results of several networks: lenet5_digits, other"):
        compare_results([saved, score(tmp_path / "score", "other")])


def test_rejects_a_folder_that_holds_neither(tmp_path):
    write_manifest(tmp_path, {"kind": "sweep"})
    with pytest.raises(DataError, match="neither runs nor scores"):
        compare_results([tmp_path])


def test_rejects_scores_of_other_images_or_labels(tmp_path):
    folders = [score(tmp_path / "a"), score(tmp_path / "b", attack="pgd")]
    for folder, data in zip(folders, ("0123", "4567"), strict=True):
        write_manifest(folder, {"kind": "score", "data_hash": data})
    with pytest.raises(DataError, match=r"differ in images or labels \(data_hash\): 0123 and"):
        compare_results(folders)


MIXED = "exact_fp32, ax_fpm in conv1"


def test_a_run_of_several_units_has_a_column_of_its_own(saved, mixed_run, runs, tmp_path):
    mixed_run.save(tmp_path / "mixed")
    table = compare_results([saved, tmp_path / "mixed"])
    assert list(table.columns) == ["quantity", "unit", "exact_fp32", "ax_fpm", MIXED]
    by_name = table.set_index("quantity")
    assert by_name.loc["latency", MIXED] == mixed_run.summary["latency_us_per_image"][0]
    beside = runs[0].compare(mixed_run)
    assert list(beside.columns) == ["quantity", "unit", "exact_fp32", MIXED, "ratio"]
    varied = accelsim.sensitivity([*runs, mixed_run])
    assert list(varied["multiplier"].unique()) == ["exact_fp32", "ax_fpm", MIXED]


def test_rejects_scores_of_different_accelerators(tmp_path):
    for name in ("one", "other"):
        score(tmp_path / name)
    machine = accelsim.Accelerator.preset("eyeriss_168")
    manifest = {"kind": "score", "accelerator": machine.model_dump(mode="json")}
    write_manifest(tmp_path / "one", manifest)
    with pytest.raises(
        DataError, match=r"differ in accelerator: eyeriss_168, \w+ and, in .* none;"
    ):
        compare_results([tmp_path / "one", tmp_path / "other"])
