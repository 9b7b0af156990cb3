"""Verbs that read data: from the folder, from the environment, and from a set of one's own."""

import json

import numpy as np
import pytest

from accelsim.datasets import load_dataset
from accelsim.folders import read_manifest


@pytest.fixture(autouse=True)
def no_default_folder(monkeypatch):
    monkeypatch.delenv("ACCELSIM_DATA", raising=False)


@pytest.fixture
def mine(tmp_path):
    """The first digits of each split, as a file of one's own."""
    arrays = {}
    for split, count in (("train", 130), ("test", 6)):
        images, labels = load_dataset("digits", split)
        arrays |= {f"{split}_images": images[:count], f"{split}_labels": labels[:count]}
    np.savez(tmp_path / "mine.npz", **arrays)
    return tmp_path / "mine.npz"


def test_score_reads_a_set_of_ones_own_and_records_which_images_these_are(accelsim, mine, tmp_path):
    line = ("score", "lenet5_digits", "-m", "exact_uint8", "--attack", "fgsm", "--images", "4")
    out = ("--out", tmp_path / "s", "--data", mine)
    assert accelsim(*line, *out)[0] == 0
    manifest = read_manifest(tmp_path / "s", "score")
    assert len(manifest["data_hash"]) == len(manifest["calibration_data_hash"]) == 16
    # The same images from elsewhere are the same score; others are not.
    assert accelsim(*line, "--out", tmp_path / "s")[0] == 0
    arrays = dict(np.load(mine))
    np.savez(mine, **arrays | {"test_labels": arrays["test_labels"][::-1]})
    code, _, err = accelsim(*line, *out)
    assert (code, "other settings (data_hash)" in err) == (2, True)
    np.savez(mine, **arrays | {"train_images": arrays["train_images"][::-1]})
    code, _, err = accelsim(*line, *out)
    assert (code, "other settings (calibration_data_hash)" in err) == (2, True)


@pytest.mark.usefixtures("in_this_process")
def test_simulate_characterize_and_sweep_read_it(accelsim, mine, tmp_path):
    data = ("--data", mine, "--images", "2")
    code, out, _ = accelsim("simulate", "lenet5_digits", *data, "--timing-only", "--json")
    assert (code, json.loads(out)[0]["summary"]["images"]) == (0, 2)
    line = ("characterize", "exact_uint8", "--workload", "lenet5_digits", "--pairs", "1000")
    assert accelsim(*line, *data)[0] == 0
    grid = ("--vary", "array.rows=16", "--timing-only", "--out", tmp_path / "w", "--workers", "1")
    assert accelsim("sweep", "lenet5_digits", *data, *grid)[0] == 0
    assert read_manifest(tmp_path / "w", "sweep")["data"] == str(mine)
    code, _, err = accelsim("simulate", "lenet5_digits", "--data", mine, "--images", "7")
    assert (code, f"the test split of '{mine}' has 6" in err) == (2, True)


def test_train_records_what_it_was_trained_on(accelsim, mine, tmp_path):
    out = tmp_path / "w.safetensors"
    line = ("train", "lenet5_digits", "--data", mine, "--epochs", "1", "--out", out)
    assert accelsim(*line)[0] == 0
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["dataset"] == str(mine)
    assert {name: part["images"] for name, part in card["data"].items()} == {
        "train": 130,
        "test": 6,
    }
    assert card["data_notes"] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "simulate lenet5_digits --data {0}/none --out {0}/s",
            "data must be an existing folder that holds",
        ),
        ("simulate lenet5_digits --data {0}/none.npz", "none.npz cannot be read: No such file"),
        ("simulate lenet5_digits --data {0}/small.npz", "takes images of 1x28x28, but those of"),
        (
            "score lenet5_digits --out {0}/s --data {0}/many.npz",
            "labels must lie in 0..9, got 10 at index",
        ),
        ("score lenet5_digits --data idx:{0}", "needs t10k-images-idx3-ubyte[.gz], t10k-labels"),
        ("train lenet5_digits --out {0}/w.safetensors --data {0}/many.npz", "train split needs"),
        (
            "characterize ax_fpm --workload lenet5_digits --out {0}/s --data {0}/none",
            "data must be an existing folder that holds",
        ),
        (
            "sweep lenet5_digits --vary array.rows=4 --out {0}/s --data {0}/small.npz",
            "takes images of 1x28x28",
        ),
        ("characterize ax_fpm --data {0}", "--data says where a workload's data lie; give --wor"),
        ("list datasets --data {0}/none", "data must be an existing folder"),
        ("show mnst", "Did you mean 'mnist'?"),
        ("show folder@0x1:x", "height and width must be in 1..4096"),
    ],
)
def test_data_that_cannot_be_used_is_one_clear_message(accelsim, tmp_path, line, message):
    np.savez(tmp_path / "small.npz", images=np.zeros((1, 8, 8), np.uint8), labels=[0])
    np.savez(tmp_path / "many.npz", images=np.zeros((2, 28, 28), np.uint8), labels=[0, 10])
    before = sorted(tmp_path.iterdir())
    code, _, err = accelsim(*line.format(tmp_path).split())
    assert code == 2
    assert message in err
    assert err.startswith("accelsim: error: ")
    assert len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("option", [True, False])
def test_list_and_show_say_where_datasets_are(accelsim, tmp_path, monkeypatch, option):
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin").touch()
    if not option:
        monkeypatch.setenv("ACCELSIM_DATA", str(tmp_path))
    given = ("--data", tmp_path) if option else ()
    listed = "".join(accelsim("list", "datasets", *given)[1].split())
    assert "28x28;missing" in listed
    assert "builtin" in listed
    missing = "missing:data_batch_1,data_batch_3,data_batch_4,data_batch_5;test:missing"
    assert f"foundin{tmp_path}/cifar-10-batches-bin,{missing}" in listed
    shown = accelsim("show", "mnist", *given)[1]
    assert "train-images-idx3-ubyte[.gz]" in shown
    assert "yann.lecun.com" in shown
    # Nothing of it is kept.
    (tmp_path / "test_batch.bin").touch()
    assert "test:found" in "".join(accelsim("list", "datasets", *given)[1].split())


def test_show_says_where_a_set_of_ones_own_is(accelsim, tmp_path):
    assert "missing" in accelsim("show", f"idx:{tmp_path}")[1]
    assert "PATH/train/<class>/<image>" in accelsim("show", "folder:PATH")[1]


def test_train_goes_on_with_the_batches_that_are_there(accelsim, tmp_path, monkeypatch):
    """A small network on batches in CIFAR's format: the missing ones are told and recorded."""
    import dataclasses

    from torch import nn

    from accelsim.workload import WORKLOADS

    rng = np.random.default_rng(0)
    for batch in ("data_batch_1", "test_batch"):
        records = rng.integers(0, 10, (20, 3073)).astype(np.uint8)
        (tmp_path / f"{batch}.bin").write_bytes(records.tobytes())
    small = dataclasses.replace(
        WORKLOADS["lenet5_digits"],
        input_shape=(3, 32, 32),
        build=lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)),
    )
    monkeypatch.setitem(WORKLOADS._entries, "small", small)
    line = ("train", "small", "--data", f"cifar:{tmp_path}", "--epochs", "1")
    code, out, err = accelsim(*line, "--out", tmp_path / "w.safetensors")
    assert (code, "train accuracy" in out) == (0, True)
    note = "1 of 5 train batches are there, missing: data_batch_2, data_batch_3"
    assert note in err
    assert note in json.loads((tmp_path / "w.json").read_text())["data_notes"][0]
