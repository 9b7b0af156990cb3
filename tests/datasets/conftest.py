"""Synthetic files in the formats of datasets."""

import gzip
import pickle
import struct
import tarfile

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def no_default_folder(monkeypatch):
    """Tests say where files are."""
    monkeypatch.delenv("ACCELSIM_DATA", raising=False)


def idx(array, *, kind=8):
    """Return *array* as the bytes of an idx file."""
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def write_idx(tmp_path, rng):
    """Return a function that writes idx files of a split, and returns folder, images, labels."""

    def write(count=3, split="t10k", join="-", end="", shape=(4, 5)):
        images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
        labels = rng.integers(0, 10, count).astype(np.uint8)
        pack = gzip.compress if end else bytes
        for name, array in (("images", images), ("labels", labels)):
            path = tmp_path / f"{split}-{name}{join}idx{array.ndim}-ubyte{end}"
            path.write_bytes(pack(idx(array)))
        return tmp_path, images, labels

    return write


def python_batch(records, protocol=2, labels=None):
    """Return records as the pickled batch of CIFAR-10's Python version."""
    batch = {
        b"batch_label": b"a batch",
        b"labels": [int(label) for label in records[:, 0]] if labels is None else labels,
        b"data": np.ascontiguousarray(records[:, 1:]),
        b"filenames": [b"a.png"] * len(records),
    }
    return pickle.dumps(batch, protocol)


@pytest.fixture
def records(rng):
    """Return a function that makes records of CIFAR-10: labels 0..9 and pixels."""

    def make(count=4):
        return np.column_stack(
            [rng.integers(0, 10, count), rng.integers(0, 256, (count, 3072))]
        ).astype(np.uint8)

    return make


def write_archive(path, files):
    """Write *files*, name -> content, as a compressed tar archive."""
    source = path.parent / "members"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = source / name
            member.parent.mkdir(parents=True, exist_ok=True)
            member.write_bytes(content)
            archive.add(member, name)
