"""What holds of every dataset, and how one is found by its name."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import (
    DATASETS,
    SPLITS,
    find_folder,
    find_state,
    fingerprint,
    load_dataset,
    read_split,
)
from accelsim.errors import ConfigError, DataError, UnknownNameError


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("split", SPLITS)
def test_every_dataset_loads(real_data, name, split):
    if DATASETS[name].state(split, real_data) == "missing":
        pytest.skip(f"{real_data} does not hold the {split} split of {name}")
    found = read_split(name, split, real_data)
    images = found.first(10).images
    assert images.dtype == np.float32
    assert images.ndim == 4
    assert 0 <= images.min() <= images.max() <= 1
    assert found.labels.dtype == np.int64
    assert {*found.labels} == {*range(len(found.class_names))}
    assert len(found) == len(found.pixels) > 0


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_without_a_folder_is_built_in_or_says_what_it_needs(name):
    for split in SPLITS:
        state, files = DATASETS[name].state(split, None), DATASETS[name].files(split)
        assert (state, bool(files)) in [("built in", False), ("missing", True)]
        if files:
            with pytest.raises(DataError, match="no data folder is given") as error:
                load_dataset(name, split)
            assert all(file in str(error.value) for file in files)


def test_a_set_of_ones_own_stands_in_for_the_named_one(tmp_path):
    images = np.zeros((2, 1, 3, 3), np.float32)
    path = tmp_path / "mine.npz"
    np.savez(path, images=images, labels=[0, 1])
    for data in (path, str(path)):
        assert read_split("mnist", "test", data).dataset == str(path)
    assert_array_equal(load_dataset(str(path), "test")[0], images)


def test_a_folder_with_the_name_of_a_dataset_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    with pytest.raises(DataError, match="not found in digits, digits/mnist, "):
        read_split("mnist", "test", "digits")


def test_the_environment_names_the_data_folder(tmp_path, monkeypatch):
    assert find_folder(None) is None
    monkeypatch.setenv("ACCELSIM_DATA", str(tmp_path))
    assert find_folder(None) == tmp_path
    other = tmp_path / "other"
    other.mkdir()
    assert find_folder(other) == other
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_folder("~/other") == other


def test_one_line_says_where_the_files_are():
    assert find_state(DATASETS["digits"]) == "built in"
    assert find_state(DATASETS["mnist"]) == "missing"


@pytest.mark.parametrize("variable", [True, False])
def test_rejects_a_data_folder_that_does_not_exist(tmp_path, monkeypatch, variable):
    path = tmp_path / "none"
    monkeypatch.setenv("ACCELSIM_DATA", str(path) if variable else "")
    owner = "ACCELSIM_DATA" if variable else "data"
    with pytest.raises(DataError, match=f"^{owner} must be an existing folder .* got '{path}'"):
        read_split("mnist", "test", None if variable else path)


def test_a_bad_environment_does_not_matter_to_what_is_built_in(monkeypatch):
    monkeypatch.setenv("ACCELSIM_DATA", "/none")
    assert len(read_split("digits", "test")) == 360


def test_the_name_of_another_set_stands_in_unless_a_folder_has_it(tmp_path, monkeypatch):
    assert read_split("mnist", "test", "digits").dataset == "digits"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    with pytest.raises(DataError, match="not found in digits"):
        read_split("mnist", "test", "digits")


def test_rejects_an_unknown_split():
    with pytest.raises(ConfigError, match=r"split must be one of train, test, got 'tset'.*'test'"):
        load_dataset("digits", "tset")


def test_rejects_an_unknown_dataset():
    with pytest.raises(
        UnknownNameError, match=r"no dataset named 'minst'; known: cifar10, .*'mnist'"
    ):
        load_dataset("minst", "test")


def test_the_fingerprint_counts_images_labels_and_shape():
    images, labels = np.zeros((2, 1, 2, 2), np.float32), np.array([0, 1])
    other = images.copy()
    other[0, 0, 0, 0] = 1e-30
    prints = {
        fingerprint(images, labels),
        fingerprint(other, labels),
        fingerprint(images, labels[::-1]),
        fingerprint(images.reshape(2, 1, 1, 4), labels),
        fingerprint(images[:1], labels[:1]),
    }
    assert len(prints) == 5
    assert fingerprint(images.copy(order="F"), labels.astype(np.int32)) in prints


def test_the_first_images_of_a_split_are_its_own():
    found = read_split("digits", "test")
    few = found.first(3)
    assert_array_equal(few.images, found.images[:3])
    assert_array_equal(few.labels, found.labels[:3])
    assert (len(few), few.class_names) == (3, found.class_names)
    assert len(found.first(1000)) == 360
