"""Arrays in a file: which are read, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from accelsim.datasets import load_dataset, read_split
from accelsim.errors import DataError

BYTES = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
LABELS = np.array([0, 1])


@pytest.fixture
def npz(tmp_path):
    """Return a function that saves arrays and returns the file's name."""

    def save(**arrays):
        np.savez(tmp_path / "mine.npz", **arrays)
        return str(tmp_path / "mine.npz")

    return save


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (BYTES, BYTES / np.float32(255)),
        (BYTES[:, 0], BYTES / np.float32(255)),
        (BYTES / 24.0, (BYTES / 24.0).astype(np.float32)),
        (np.ones((2, 12, 3, 4), np.float16), np.ones((2, 12, 3, 4), np.float32)),
    ],
)
def test_reads_bytes_and_floats_with_and_without_channels(npz, images, expected):
    name = npz(images=images, labels=LABELS.astype(np.uint8))
    found, labels = load_dataset(name, "test")
    assert_array_equal(found, expected)
    assert_array_equal(labels, LABELS)
    assert (found.dtype, labels.dtype) == (np.float32, np.int64)


def test_reads_splits_and_class_names(npz):
    name = npz(
        train_images=BYTES,
        train_labels=LABELS,
        test_images=BYTES[:1],
        test_labels=LABELS[:1],
        class_names=np.array(["cat", "dog"]),
    )
    train, test = (read_split(name, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (2, 1)
    assert train.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "the test split needs test_images and test_labels or images and labels, got nothing"),
        ({"x": BYTES}, "got x$"),
        ({"images": BYTES}, "got images$"),
        ({"test_images": BYTES, "labels": LABELS}, "needs test_images and test_labels or"),
        ({"images": BYTES, "labels": LABELS[:1]}, "a label for each image, got 2 and 1"),
        ({"images": BYTES[:0], "labels": LABELS[:0]}, r"or \(N, H, W\), got \(0, 1, 3, 4\)"),
        ({"images": BYTES[0, 0], "labels": LABELS}, r"images must have shape .*, got \(3, 4\)"),
        (
            {"images": np.zeros((2, 8, 8, 3), np.uint8), "labels": LABELS},
            r"looks like \(N, H, W, C\); store images\.transpose\(0, 3, 1, 2\)",
        ),
        ({"images": BYTES.astype(int), "labels": LABELS}, "uint8 or floats .*, got int64"),
        ({"images": BYTES * 1.0, "labels": LABELS}, r"floats in \[0, 1\], got 0.0 to 23.0"),
        ({"images": BYTES * np.nan, "labels": LABELS}, r"floats in \[0, 1\], got nan to nan"),
        ({"images": BYTES / -24.0, "labels": LABELS}, r"\[0, 1\], got -0.95.* to -?0.0"),
        ({"images": BYTES, "labels": LABELS * 1.0}, r"labels must be \(N,\) integers, .* float64"),
        ({"images": BYTES, "labels": LABELS[:, None]}, r"integers, got \(2, 1\) int64"),
        ({"images": BYTES, "labels": LABELS - 1}, "got -1 at index 0"),
        (
            {"images": BYTES, "labels": LABELS, "class_names": np.array(["a"])},
            r"labels must lie in 0\.\.0, got 1 at index 1",
        ),
        (
            {"images": BYTES, "labels": LABELS, "class_names": np.array([1, 2])},
            "class_names must be a list of strings",
        ),
        (
            {"images": BYTES, "labels": np.array([0, {}], dtype=object)},
            "Object arrays cannot be loaded",
        ),
    ],
)
def test_rejects_arrays_that_are_no_dataset(npz, arrays, message):
    name = npz(**arrays)
    with pytest.raises(DataError, match=message) as error:
        read_split(name, "test")
    assert name in str(error.value)


def test_images_without_a_split_are_not_trained_on(npz):
    name = npz(images=BYTES, labels=LABELS)
    with pytest.raises(DataError, match="the train split needs train_images and train_labels, got"):
        read_split(name, "train")


@pytest.mark.parametrize("cut", [0, 10, 200, -40])
def test_rejects_a_damaged_file(npz, cut):
    name = npz(images=BYTES, labels=LABELS)
    with open(name, "rb+") as file:
        file.truncate(cut if cut >= 0 else file.seek(0, 2) + cut)
    with pytest.raises(DataError, match=r"mine\.npz cannot be read as a file of arrays"):
        read_split(name, "test")


def test_rejects_a_changed_byte(npz):
    name = npz(images=BYTES, labels=LABELS)
    with open(name, "rb+") as file:
        file.seek(200)
        file.write(b"\xff")
    with pytest.raises(DataError, match="cannot be read as a file of arrays: Bad CRC-32"):
        read_split(name, "test")


def test_rejects_an_encrypted_file(npz):
    """Bit 0 of a member's flags, in the directory at the file's end."""
    name = npz(images=BYTES, labels=LABELS)
    with open(name, "rb") as file:
        content = bytearray(file.read())
    content[content.index(b"PK\1\2") + 8] |= 1
    with open(name, "wb") as file:
        file.write(content)
    with pytest.raises(DataError, match="cannot be read as a file of arrays: .*encrypted"):
        read_split(name, "test")


def test_rejects_a_single_array_and_a_missing_file(tmp_path):
    path = tmp_path / "one.npz"
    with open(path, "wb") as file:
        np.save(file, BYTES)
    with pytest.raises(
        DataError, match=r"one\.npz holds a single array; save it with numpy\.savez"
    ):
        read_split(str(path), "test")
    with pytest.raises(DataError, match=r"none\.npz cannot be read: No such file"):
        read_split(str(tmp_path / "none.npz"), "test")
