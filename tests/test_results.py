import json

import numpy as np
import pandas as pd
import pytest

import accelsim
from accelsim.errors import DataError
from accelsim.folders import find_results, prepare_folder, read_manifest
from accelsim.results import actions_of, pes_of


def test_a_run_comes_back_as_it_was_saved(runs, tmp_path):
    saved = runs[1]
    loaded = accelsim.load_run(saved.save(tmp_path / "run"))
    assert loaded.outputs.tobytes() == saved.outputs.tobytes()
    assert loaded.accelerator == saved.accelerator
    for name in ("layers", "actions", "timeline", "pes", "summary"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(saved, name), check_exact=True)


def test_the_manifest_says_what_determined_the_run(runs, tmp_path):
    manifest = read_manifest(runs[0].save(tmp_path / "run"))
    assert manifest["kind"] == "run"
    assert manifest["config_hash"] == runs[0].accelerator.config_hash
    assert manifest["seed"] == 7
    assert manifest["versions"]["accelsim"] == accelsim.__version__
    assert {"numpy", "numba", "simpy", "torch", "python"} <= manifest["versions"].keys()


def test_saving_again_replaces(runs, tmp_path):
    for run in runs:
        run.save(tmp_path / "run")
    assert accelsim.load_run(tmp_path / "run").accelerator.multiplier == "ax_fpm"
    assert not list(tmp_path.rglob(".*"))


def test_finds_results_here_or_one_level_below(runs, tmp_path):
    for run in runs:
        run.save(tmp_path / run.accelerator.multiplier)
    assert [path.name for path in find_results([tmp_path])] == ["ax_fpm", "exact_fp32"]
    assert find_results([tmp_path / "ax_fpm"]) == [tmp_path / "ax_fpm"]


def test_repr_tells_the_story(runs):
    assert "lenet5_digits on edge_16x16 with exact_fp32: 2 images" in repr(runs[0])


def test_rejects_an_out_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is a file"):
        prepare_folder(tmp_path / "file", "run")
    with pytest.raises(DataError, match="is a file"):
        prepare_folder(tmp_path / "file" / "below", "run")


def test_rejects_an_out_that_cannot_be_written():
    with pytest.raises(DataError, match="cannot be written"):
        prepare_folder("/proc/accelsim", "run")


def test_rejects_an_out_with_foreign_files(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="holds files that are not results of accelsim"):
        prepare_folder(tmp_path, "run")
    assert (tmp_path / "thesis.tex").read_text() == "x"


@pytest.mark.parametrize("name", ["results.csv", "scores.csv", "summary.csv", "outputs.csv"])
def test_rejects_a_folder_with_somebody_elses_table_and_leaves_it(name, runs, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match="holds files that are not results of accelsim"):
        runs[0].save(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_rejects_an_out_with_results_of_another_kind(runs, tmp_path):
    runs[0].save(tmp_path / "run")
    with pytest.raises(DataError, match="holds a run, not a sweep"):
        prepare_folder(tmp_path / "run", "sweep")


def test_rejects_a_folder_without_results(tmp_path):
    with pytest.raises(DataError, match="holds no result of accelsim"):
        accelsim.load_run(tmp_path)
    with pytest.raises(DataError, match="holds no result of accelsim"):
        find_results([tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is not a manifest"),
        ('{"kind": "run"}', "is not a manifest"),
        ('{"kind": "run", "schema": 99}', "written by a newer accelsim .layout 99"),
        ('{"kind": "score", "schema": 1}', "holds a score, expected a run"),
    ],
)
def test_rejects_a_manifest_it_cannot_trust(text, message, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=message):
        accelsim.load_run(tmp_path)


def test_rejects_a_damaged_table(runs, tmp_path):
    folder = runs[0].save(tmp_path / "run")
    (folder / "layers.csv").write_text("")
    with pytest.raises(DataError, match="layers.csv is damaged"):
        accelsim.load_run(folder)
    (folder / "layers.csv").unlink()
    with pytest.raises(DataError, match="layers.csv is missing"):
        accelsim.load_run(folder)
    runs[0].save(folder)
    packed = (folder / "timeline.csv.gz").read_bytes()
    (folder / "timeline.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="timeline.csv.gz is damaged"):
        accelsim.load_run(folder)


def test_a_run_of_an_accelsim_that_kept_no_actions_has_none(runs, tmp_path):
    """As it was written before there was an actions.csv; what is saved of it again has none too."""
    folder = runs[0].save(tmp_path / "run")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["has_actions"], manifest["has_pes"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "actions.csv").unlink()
    (folder / "pes.csv").unlink()
    old = accelsim.load_run(folder)
    assert old.actions is None
    assert old.pes is None
    pd.testing.assert_frame_equal(old.layers, runs[0].layers)
    with pytest.raises(DataError, match="run of exact_fp32 was saved without its action counts"):
        actions_of(old)
    with pytest.raises(DataError, match="run of exact_fp32 was saved without its products by PE"):
        pes_of(old)
    runs[1].save(folder)
    old.save(folder)
    assert not (folder / "actions.csv").exists()
    assert accelsim.load_run(folder).actions is None


def test_rejects_a_run_whose_actions_are_gone(runs, tmp_path):
    folder = runs[0].save(tmp_path / "run")
    (folder / "actions.csv").write_text("layer,count\nconv1,3\n")
    with pytest.raises(DataError, match="is damaged"):
        accelsim.load_run(folder)
    (folder / "actions.csv").unlink()
    with pytest.raises(DataError, match="actions.csv is missing"):
        accelsim.load_run(folder)


def test_a_full_disk_leaves_what_was_there(runs, tmp_path, monkeypatch):
    folder = runs[0].save(tmp_path / "run")
    before = (folder / "layers.csv").read_bytes()

    def full(path, content):
        if path.name == "timeline.csv.gz":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("accelsim.folders.write_atomically", full)
    with pytest.raises(DataError, match=r"cannot write into .*: No space left on device"):
        runs[1].save(folder)
    assert (folder / "layers.csv").read_bytes() == before
    assert accelsim.load_run(folder).accelerator.multiplier == "exact_fp32"
    assert sorted(path.name for path in folder.iterdir()) == [
        "actions.csv",
        "layers.csv",
        "manifest.json",
        "outputs.csv",
        "pes.csv",
        "summary.csv",
        "timeline.csv.gz",
    ]


def test_outputs_survive_csv_bit_for_bit(tmp_path, runs, rng):
    from dataclasses import replace

    bits = rng.integers(0, 2**32, (50, 10), dtype=np.uint32).view(np.float32)
    bits[~np.isfinite(bits)] = 0
    run = replace(runs[0], outputs=bits)
    assert accelsim.load_run(run.save(tmp_path / "run")).outputs.tobytes() == bits.tobytes()


@pytest.mark.parametrize("change", [{"accelerator": {"multiplier": 5}}, {"accelerator": None}])
def test_rejects_a_damaged_manifest(runs, tmp_path, change):
    folder = runs[0].save(tmp_path / "run")
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="is damaged"):
        accelsim.load_run(folder)


def test_rejects_tables_without_rows(runs, tmp_path):
    folder = runs[0].save(tmp_path / "run")
    header = (folder / "summary.csv").read_text().splitlines()[0]
    (folder / "summary.csv").write_text(header + "\n")
    with pytest.raises(DataError, match="is damaged"):
        accelsim.load_run(folder)


def test_a_hash_that_looks_like_a_number_stays_one(runs, tmp_path):
    from dataclasses import replace

    run = replace(runs[0], summary=runs[0].summary.assign(config_hash="1364643e79702215"))
    loaded = accelsim.load_run(run.save(tmp_path / "run"))
    assert loaded.summary["config_hash"][0] == "1364643e79702215"


def test_saving_goes_on_in_a_folder_that_an_interruption_left(runs, tmp_path):
    folder = runs[0].save(tmp_path / "run")
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match="holds no result"):
        accelsim.load_run(folder)
    runs[1].save(folder)
    assert accelsim.load_run(folder).accelerator.multiplier == "ax_fpm"


def test_saving_without_values_takes_old_outputs_away(runs, tmp_path):
    from dataclasses import replace

    folder = runs[0].save(tmp_path / "run")
    replace(runs[0], outputs=None).save(folder)
    assert not (folder / "outputs.csv").exists()
    assert accelsim.load_run(folder).outputs is None


def test_rejects_a_name_that_is_too_long(tmp_path):
    with pytest.raises(DataError, match="cannot be written: File name too long"):
        prepare_folder(tmp_path / ("x" * 999), "run")


def test_a_run_of_several_units_is_called_by_all_of_them(mixed_run, tmp_path):
    loaded = accelsim.load_run(mixed_run.save(tmp_path / "x"))
    pd.testing.assert_frame_equal(loaded.layers, mixed_run.layers)
    assert loaded.accelerator == mixed_run.accelerator
    assert "with exact_fp32, ax_fpm in conv1: 2 images" in repr(loaded)
    assert "with exact_fp32, ax_fpm in conv1" in loaded._repr_html_()
