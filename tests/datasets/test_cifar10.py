"""CIFAR-10: the published content, whichever files it comes in."""

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import DATASETS, read_split
from accelsim.datasets import cifar10 as module
from accelsim.datasets.cifar10 import SHA256
from accelsim.errors import DataError

from .conftest import python_batch, write_archive


def write(folder, batch, made):
    (folder / f"{batch}.bin").write_bytes(made.tobytes())


@pytest.fixture
def published(monkeypatch, records):
    """Small batches that stand for the published ones: batch -> records."""
    made = {batch: records(5) for batch in SHA256}
    sums = {batch: hashlib.sha256(one.tobytes()).hexdigest() for batch, one in made.items()}
    monkeypatch.setattr(module, "SHA256", sums)
    monkeypatch.setattr(module, "RECORDS", 5)
    return made


def test_the_published_batches_are_read_from_every_form(tmp_path, published):
    folders = [tmp_path / name for name in ("binary", "python", "archive")]
    for folder in folders:
        folder.mkdir()
    for batch, made in published.items():
        write(folders[0], batch, made)
        (folders[1] / batch).write_bytes(python_batch(made))
    members = {f"x/{batch}": python_batch(made) for batch, made in published.items()}
    write_archive(folders[2] / "cifar-10-python.tar.gz", members)
    for folder in folders:
        train, test = (read_split("cifar10", split, folder) for split in ("train", "test"))
        expected = np.concatenate([published[f"data_batch_{n}"] for n in range(1, 6)])
        assert_array_equal(train.labels, expected[:, 0])
        assert_array_equal(train.pixels.reshape(25, -1), expected[:, 1:])
        assert_array_equal(test.labels, published["test_batch"][:, 0])
        assert train.class_names[3] == test.class_names[3] == "cat"
        assert train.notes == test.notes == ()


def test_rejects_a_batch_under_the_name_of_another(tmp_path, published):
    write(tmp_path, "data_batch_1", published["data_batch_2"])
    with pytest.raises(DataError, match=r"data_batch_1\.bin: its content has SHA-256 .*cifar:PATH"):
        read_split("cifar10", "train", tmp_path)


def test_rejects_one_changed_pixel_and_one_changed_label(tmp_path, published):
    for place in (0, 3000):
        made = published["test_batch"].copy()
        made[2, place] ^= 1
        write(tmp_path, "test_batch", made)
        with pytest.raises(DataError, match="SHA-256"):
            read_split("cifar10", "test", tmp_path)


def test_rejects_a_label_that_is_no_class(tmp_path, published):
    made = published["test_batch"].copy()
    made[3, 0] = 10
    write(tmp_path, "test_batch", made)
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.9, got 10 at index 3"):
        read_split("cifar10", "test", tmp_path)


def test_rejects_another_number_of_images(tmp_path, records):
    write(tmp_path, "test_batch", records(3))
    with pytest.raises(DataError, match="must hold 10000 images, got 3"):
        read_split("cifar10", "test", tmp_path)


def test_a_known_copy_is_read_with_a_note(tmp_path, published, monkeypatch):
    made = published["data_batch_2"].copy()
    made[0, 9] ^= 1
    copies = {"data_batch_2": hashlib.sha256(made.tobytes()).hexdigest()}
    monkeypatch.setattr(module, "RECOMPRESSED", copies)
    write(tmp_path, "data_batch_2", made)
    notes = read_split("cifar10", "train", tmp_path).notes
    assert "1 of 5 train batches are there" in notes[0]
    assert "data_batch_2.bin: a copy with some images recompressed" in notes[1]


def test_says_which_files_are_wanted_and_who_publishes_them(tmp_path):
    with pytest.raises(DataError) as error:
        read_split("cifar10", "train", tmp_path)
    text = str(error.value)
    assert "data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, " in text
    assert f"not found in {tmp_path}, {tmp_path / 'cifar10'}. Published as 'CIFAR-10 bin" in text
    assert "www.cs.toronto.edu/~kriz/cifar.html" in text


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_published_files(real_data, split):
    """First labels and class counts as the literature has them; the sums check all else."""
    if DATASETS["cifar10"].state(split, real_data) == "missing":
        pytest.skip(f"{real_data} does not hold the {split} split of cifar10")
    found = read_split("cifar10", split, real_data)
    assert found.pixels.shape[1:] == (3, 32, 32)
    counts = np.bincount(found.labels[:10_000], minlength=10)
    if split == "test":
        assert len(found) == 10_000
        assert found.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
        assert (counts == 1000).all()
        assert found.notes == ()
    else:
        assert len(found) % 10_000 == 0
        assert found.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
        assert counts.tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
