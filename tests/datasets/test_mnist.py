"""MNIST: where its files are looked for, what must be in them, and the published ones."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import DATASETS, find_state, fingerprint, load_dataset, read_split
from accelsim.datasets.mnist import PLACES
from accelsim.errors import DataError

from .conftest import idx


def test_rejects_other_images_in_files_of_these_names_and_tells_the_way_out(write_idx):
    folder, images, _ = write_idx(shape=(28, 28))
    with pytest.raises(DataError, match=r"t10k-images.*SHA-256 \w{64}, expected 0fa7898d") as error:
        read_split("mnist", "test", folder)
    own = str(error.value).rpartition(" ")[2]
    assert_array_equal(read_split(own, "test").pixels[:, 0], images)


@pytest.mark.parametrize("place", PLACES)
def test_looks_in_each_place_of_the_data_folder(write_idx, tmp_path, place, monkeypatch):
    folder, _, _ = write_idx()
    root = tmp_path / "root"
    (root / place).mkdir(parents=True, exist_ok=True)
    for path in folder.glob("t10k*"):
        path.rename(root / place / path.name)
    assert find_state(DATASETS["mnist"], root) == f"train: missing; test: found in {root / place}"
    monkeypatch.setenv("ACCELSIM_DATA", str(root))
    with pytest.raises(DataError, match="SHA-256"):  # found and read, but no MNIST
        read_split("mnist", "test")


def test_a_folder_with_one_file_of_two_is_told(write_idx):
    folder, _, _ = write_idx()
    (folder / "t10k-images-idx3-ubyte").unlink()
    state = f"found in {folder}, missing: t10k-images-idx3-ubyte"
    assert DATASETS["mnist"].state("test", folder) == state
    with pytest.raises(DataError, match=rf"t10k-images-idx3-ubyte\[\.gz\]: not found in {folder}"):
        read_split("mnist", "test", folder)


@pytest.mark.parametrize("given", [True, False])
def test_says_which_files_are_wanted_where_they_were_sought_and_who_publishes_them(tmp_path, given):
    with pytest.raises(DataError) as error:
        read_split("mnist", "train", tmp_path if given else None)
    text = str(error.value)
    assert "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz]" in text
    looked = f"not found in {tmp_path}, {tmp_path / 'mnist'}, " if given else "no data folder"
    assert looked in text
    assert "'The MNIST database of handwritten digits' by Y. LeCun" in text
    assert "--data DIR" in text
    assert "ACCELSIM_DATA" in text


def test_rejects_labels_that_are_no_digit(write_idx, monkeypatch):
    monkeypatch.setattr(type(DATASETS["mnist"]), "sums", {})
    folder, _, _ = write_idx(3)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 10, 11], np.uint8)))
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.9, got 10 at index 1 \(2 in all"):
        read_split("mnist", "test", folder)


@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_the_published_files(real_data, split, count):
    """First labels and counts of classes as the literature has them; the sums check all else."""
    found = read_split("mnist", split, real_data)
    assert found.pixels.shape == (count, 1, 28, 28)
    assert found.labels[:5].tolist() == ([5, 0, 4, 1, 9] if split == "train" else [7, 2, 1, 0, 4])
    ones = 6742 if split == "train" else 1135
    assert np.bincount(found.labels)[1] == ones
    assert found.class_names == tuple("0123456789")
    assert found.notes == ()


def test_the_fingerprint_is_of_what_is_used(real_data):
    images, labels = load_dataset("mnist", "test", real_data)
    assert (images.min(), images.max()) == (0, 1)
    own = load_dataset(f"idx:{real_data / 'mnist'}", "test")
    assert fingerprint(images, labels) == fingerprint(*own)
    assert fingerprint(images[:10], labels[:10]) != fingerprint(images[:10], labels[1:11])
