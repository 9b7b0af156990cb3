"""CIFAR's formats: batches and archives, binary and Python, and every way of being wrong."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import DATASETS, read_split
from accelsim.datasets.cifar import FORMS, read_records
from accelsim.datasets.plain_pickle import PlainArray, PlainDtype
from accelsim.errors import DataError

from .conftest import python_batch, write_archive

TEST = {".bin": "test_batch.bin", "": "test_batch"}


def pack(records, ending):
    return records.tobytes() if ending else python_batch(records)


@pytest.mark.parametrize("ending", FORMS)
@pytest.mark.parametrize("kind", ["loose", "folder", "archive"])
def test_reads_batches_loose_in_their_folder_and_in_their_archive(tmp_path, records, ending, kind):
    """The planes of a record are red, green and blue, each row by row."""
    made = records(3)
    made[0, 1 + 1024 + 32 * 2 + 5] = 77
    folder, archive = FORMS[ending]
    content = pack(made, ending)
    if kind == "archive":
        members = {f"{folder}/readme.html": b"x", f"{folder}/{TEST[ending]}": content}
        write_archive(tmp_path / archive, members)
    else:
        path = tmp_path / ("." if kind == "loose" else folder) / TEST[ending]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    found = read_split(f"cifar:{tmp_path}", "test")
    assert found.pixels.shape == (3, 3, 32, 32)
    assert_array_equal(found.pixels.reshape(3, -1), made[:, 1:])
    assert_array_equal(found.labels, made[:, 0])
    assert found.pixels[0, 1, 2, 5] == 77
    assert found.notes == ()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_a_python_batch_is_read(records, protocol):
    made = records()
    assert_array_equal(read_records(python_batch(made, protocol), False, "it"), made)


def test_training_batches_come_in_order_and_the_missing_ones_are_noted(tmp_path, records):
    made = {n: records(n) for n in (1, 2, 4)}
    for n in (4, 1, 2):
        (tmp_path / f"data_batch_{n}.bin").write_bytes(made[n].tobytes())
    found = read_split(f"cifar:{tmp_path}", "train")
    assert_array_equal(found.labels, np.concatenate([made[n][:, 0] for n in (1, 2, 4)]))
    missing = "missing: data_batch_3, data_batch_5"
    assert found.notes == (f"cifar:{tmp_path}: 3 of 5 train batches are there, {missing}",)
    assert DATASETS[f"cifar:{tmp_path}"].state("train", None) == f"found in {tmp_path}, {missing}"


def test_an_archive_without_some_batches_is_noted_in_the_order_of_batches(tmp_path, records):
    made = [records(1), records(2)]
    files = {"x/data_batch_5.bin": made[1].tobytes(), "x/data_batch_2.bin": made[0].tobytes()}
    write_archive(tmp_path / "cifar-10-binary.tar.gz", files)
    found = read_split(f"cifar:{tmp_path}", "train")
    assert_array_equal(found.labels, np.concatenate(made)[:, 0])
    assert "2 of 5 train batches" in found.notes[0]


def test_the_place_with_most_batches_counts(tmp_path, records):
    """An archive that is loaded down later completes a folder that lacks batches."""
    (tmp_path / "data_batch_1.bin").write_bytes(records(1).tobytes())
    batches = {f"x/data_batch_{n}": python_batch(records(2)) for n in range(1, 6)}
    write_archive(tmp_path / "cifar-10-python.tar.gz", batches)
    found = read_split(f"cifar:{tmp_path}", "train")
    assert (len(found), found.notes) == (10, ())


def test_nothing_is_extracted_to_disk_and_folders_of_that_name_do_not_count(tmp_path, records):
    path = tmp_path / "inner" / "data" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        folder = tarfile.TarInfo("test_batch.bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        content = records(4).tobytes()
        file = tarfile.TarInfo("../../test_batch.bin")
        file.size = len(content)
        archive.addfile(file, io.BytesIO(content))
    assert len(read_split(f"cifar:{path.parent}", "test")) == 4
    assert list(tmp_path.rglob("test_batch*")) == []


def test_an_archive_without_batches_says_what_is_wanted(tmp_path):
    write_archive(tmp_path / "cifar-10-binary.tar.gz", {"x/readme.html": b"x"})
    with pytest.raises(DataError, match=r"needs test_batch.bin .*found in .*binary\.tar\.gz$"):
        read_split(f"cifar:{tmp_path}", "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "records of 3073 bytes, got 0 bytes"),
        (b"a" * 3072, "got 3072 bytes: 0 records and 3072 bytes"),
        (b"a" * (2 * 3073 + 1), "got 6147 bytes: 2 records and 1 bytes"),
    ],
)
def test_rejects_binary_files_of_another_length(tmp_path, content, message):
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"^{tmp_path}/test_batch\.bin: .*{message}"):
        read_split(f"cifar:{tmp_path}", "test")


class Own:
    def __reduce__(self):
        return eval, ("1",)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([], "a batch is a dict with 'data', an array, and 'labels', a list; got list"),
        ({b"labels": [1]}, r"got dict \['labels'\]"),
        ({b"data": b"x", b"labels": [1]}, r"got dict \['data', 'labels'\]"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"fine_labels": [1]}, "'labels', a list; got"),
        ({b"data": np.zeros((1, 3072)), b"labels": [1]}, "uint8 .N, 3072., got an array of f8"),
        ({b"data": np.zeros(3072, np.uint8), b"labels": [1]}, r"uint8 \(N, 3072\), got \(3072,\)"),
        ({b"data": np.zeros((1, 784), np.uint8), b"labels": [1]}, r"3072\), got \(1, 784\)"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "for each image, got 2 and 1"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "at least one image, got 0"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, "must be integers, got '1'"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [True]}, "integers, got True"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [256]}, r"lie in 0\.\.255, got 256"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, r"0\.\.255, got -1 at index 0"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [2**64]}, "must be integers"),
        ({b"data": Own(), b"labels": [1]}, r"refused, .*eval"),
    ],
)
def test_rejects_pickles_that_are_no_batch(tmp_path, batch, message):
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(DataError, match=rf"^{tmp_path}/test_batch: .*{message}"):
        read_split(f"cifar:{tmp_path}", "test")


@pytest.mark.parametrize("shape", [(0, 2**70), (0, -1), (0.0, 3072), "ab", 7])
def test_rejects_an_array_of_a_size_that_no_array_has(monkeypatch, shape):
    array = PlainArray()
    array.__setstate__((1, shape, PlainDtype("u1"), False, b""))
    batch = {"data": array, "labels": []}
    monkeypatch.setattr("accelsim.datasets.cifar.read_plain", lambda content, where: batch)
    with pytest.raises(DataError, match=r"it: 'data' must be uint8 \(N, 3072\), got"):
        read_records(b"", False, "it")


@pytest.mark.parametrize("cut", [100, 2000, -30, -4])
def test_rejects_an_archive_that_is_cut_off(tmp_path, records, cut):
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, {"x/test_batch.bin": records(3).tobytes()})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"binary\.tar\.gz is cut off or damaged"):
        read_split(f"cifar:{tmp_path}", "test")


def test_rejects_an_archive_that_is_none(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_text("404: not found")
    with pytest.raises(
        DataError, match=r"python\.tar\.gz is cut off or damaged: Not a gzipped file"
    ):
        read_split(f"cifar:{tmp_path}", "test")


def test_says_what_is_wanted_and_where_it_was_sought(tmp_path):
    with pytest.raises(DataError) as error:
        read_split(f"cifar:{tmp_path}", "test")
    assert "test_batch.bin (loose or in cifar-10-batches-bin) or test_batch " in str(error.value)
    assert "cifar-10-python.tar.gz" in str(error.value)
    assert str(error.value).endswith(f"not found in {tmp_path}")
