"""idx files: both spellings, compressed or not, and every way of being wrong."""

import gzip

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import load_dataset, read_split
from accelsim.datasets.idx import read_idx
from accelsim.errors import DataError

from .conftest import idx


@pytest.mark.parametrize("join", "-.")
@pytest.mark.parametrize("end", ["", ".gz"])
def test_reads_both_spellings_compressed_or_not(write_idx, join, end):
    folder, images, labels = write_idx(join=join, end=end)
    found = read_split(f"idx:{folder}", "test")
    assert_array_equal(found.pixels, images[:, None])
    assert_array_equal(found.labels, labels)
    assert found.class_names == ()


def test_bytes_become_float32_from_0_to_1_and_each_call_gives_arrays_of_its_own(write_idx):
    folder, images, _ = write_idx()
    found, truth = load_dataset(f"idx:{folder}", "test")
    assert found.dtype == np.float32
    assert_array_equal(found[:, 0], images.astype(np.float32) / np.float32(255))
    assert truth.dtype == np.int64
    found[:] = 2
    assert load_dataset(f"idx:{folder}", "test")[0].max() <= 1


def test_the_splits_have_files_of_their_own(write_idx):
    folder, _, _ = write_idx(3)
    write_idx(5, split="train")
    assert [len(read_split(f"idx:{folder}", split)) for split in ("train", "test")] == [5, 3]


IMAGES = np.zeros((2, 3, 3), np.uint8)
WHOLE = idx(IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[:-1], "announces 2 x 3 x 3 bytes of data, 18 in all, got 17"),
        (WHOLE + b"\0", "18 in all, got 19"),
        (WHOLE[:10], "its header must have 16 bytes, got 10"),
        (b"", r"begins with 0x00000803, got 0x$"),
        (b"PNG" + WHOLE, "begins with 0x00000803, got 0x504e4700"),
        (idx(np.zeros(2, np.uint8)), r"in 3 dimension\(s\) begins with 0x00000803, got 0x00000801"),
        (idx(IMAGES, kind=13), "begins with 0x00000803, got 0x00000d03"),
        (WHOLE[:4] + b"\xff" * 12, "announces 4294967295 x 4294967295 x 4294967295 bytes"),
    ],
)
def test_rejects_what_is_no_such_file(tmp_path, content, message):
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(WHOLE)[:-9], WHOLE, gzip.compress(WHOLE)[:20] + b"\0" * 20],
    ids=["cut off", "not compressed", "overwritten"],
)
def test_rejects_a_damaged_compressed_file(tmp_path, content):
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ubyte\.gz is cut off or damaged"):
        read_idx(path, 3)


def test_rejects_counts_that_disagree(write_idx):
    folder, _, _ = write_idx(3)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(2, np.uint8)))
    with pytest.raises(DataError, match="must have a label for each image, got 3 and 2"):
        read_split(f"idx:{folder}", "test")


@pytest.mark.parametrize(("count", "shape"), [(0, (4, 4)), (2, (0, 4))])
def test_rejects_files_without_pixels(write_idx, count, shape):
    folder, _, _ = write_idx(count, shape=shape)
    with pytest.raises(
        DataError, match=r"at least one image, got 0|must have pixels, got \(0, 4\)"
    ):
        read_split(f"idx:{folder}", "test")


def test_says_which_file_is_missing_and_where(write_idx):
    folder, _, _ = write_idx()
    (folder / "t10k-labels-idx1-ubyte").unlink()
    message = rf"needs t10k-labels-idx1-ubyte\[\.gz\]: not found in {folder}$"
    with pytest.raises(DataError, match=message):
        read_split(f"idx:{folder}", "test")


def test_a_file_that_cannot_be_read_is_told(write_idx, monkeypatch):
    folder, _, _ = write_idx()

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read_split(f"idx:{folder}", "test")
