"""The idx format of MNIST; ``idx:PATH`` reads a folder of four such files with any content.

A file is, big-endian: two zero bytes, the type of an element (8: unsigned byte), the number of
dimensions, the size of each as 32 bits, then the elements, the last dimension running fastest. It
may be compressed with gzip.

Sources
-------
Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "The IDX
file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS
from accelsim.datasets.base import (
    OWN,
    Dataset,
    InOwnFolder,
    Split,
    check_counts,
    check_labels,
    check_sum,
    fullest,
    missing_files,
    read_bytes,
)
from accelsim.errors import DataError
from accelsim.registry import Family

__all__ = ["IdxFiles", "IdxSet", "read_idx", "wanted_files"]

STEMS = {"train": ("train-images", "train-labels"), "test": ("t10k-images", "t10k-labels")}
DIMENSIONS = (3, 1)
UNSIGNED_BYTE = 8


def wanted_files(split: str) -> list[str]:
    """Return the names of the images and of the labels as they are published, but for ``.gz``.

    >>> wanted_files("test")
    ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']
    """
    return [f"{stem}-idx{n}-ubyte" for stem, n in zip(STEMS[split], DIMENSIONS, strict=True)]


def find_files(folder: Path, split: str) -> dict[str, Path]:
    """Return those of the wanted files that are in *folder*, by their published names.

    Both spellings count, ``-idx3-ubyte`` and ``.idx3-ubyte``, compressed or not.
    """
    found = {}
    for name in wanted_files(split):
        for spelling in (name, name.replace("-idx", ".idx")):
            for path in (folder / spelling, folder / f"{spelling}.gz"):
                if name not in found and path.is_file():
                    found[name] = path
    return found


def read_idx(path: Path, dimensions: int, expected_sum: str | None = None) -> NDArray[np.uint8]:
    """Return the array of unsigned bytes in an idx file.

    Parameters
    ----------
    path : Path
        Compressed if its name ends in ``.gz``.
    dimensions : int
        How many it must have.
    expected_sum : str, optional
        SHA-256 that the uncompressed file must have.

    Raises
    ------
    DataError
        If the file cannot be read, is cut off or too long, or is not that array.
    """
    content = read_bytes(path)
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is cut off or damaged: {error}") from None
    magic, start = bytes([0, 0, UNSIGNED_BYTE, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic:
        raise DataError(
            f"{path}: an idx file of unsigned bytes in {dimensions} dimension(s) begins with "
            f"0x{magic.hex()}, got 0x{content[:4].hex()}"
        )
    if len(content) < start:
        raise DataError(f"{path}: its header must have {start} bytes, got {len(content)}")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path}: its header announces {' x '.join(map(str, shape))} bytes of data, "
            f"{math.prod(shape)} in all, got {len(content) - start}"
        )
    if expected_sum is not None:
        check_sum(sha256(content).hexdigest(), expected_sum, path, f"idx:{path.parent}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


class IdxFiles(Dataset):
    """A dataset in four idx files with the names of MNIST's."""

    class_names: tuple[str, ...] = ()
    sums: Mapping[str, str] = MappingProxyType({})
    """Published file name -> SHA-256 that the uncompressed file must have."""

    @abstractmethod
    def places(self, folder: Path | None) -> Sequence[Path]:
        """Return the folders in which the files may lie."""

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; see `Dataset.read`."""
        found, looked = self._find(split, folder)
        wanted = wanted_files(split)
        if missing := [f"{name}[.gz]" for name in wanted if name not in found]:
            raise missing_files(self, split, missing, looked)
        images, labels = (
            read_idx(found[name], dimensions, self.sums.get(name))
            for name, dimensions in zip(wanted, DIMENSIONS, strict=True)
        )
        where = " and ".join(str(found[name]) for name in wanted)
        check_counts(len(images), len(labels), where)
        if images.size == 0:
            raise DataError(f"{found[wanted[0]]}: images must have pixels, got {images.shape[1:]}")
        if self.class_names:
            check_labels(labels, len(self.class_names), where)
        return Split(self.name, images[:, np.newaxis], labels.astype(np.int64), self.class_names)

    def files(self, split: str) -> list[str]:
        """Return the names of the images and of the labels."""
        return [f"{name}[.gz]" for name in wanted_files(split)]

    def state(self, split: str, folder: Path | None) -> str:
        """Return where the files are, or which are missing; see `Dataset.state`."""
        found, looked = self._find(split, folder)
        missing = [name for name in wanted_files(split) if name not in found]
        where = f"found in {looked[0]}, missing: {', '.join(missing)}" if found else "missing"
        return where if missing else f"found in {looked[0]}"

    def _find(self, split: str, folder: Path | None) -> tuple[dict[str, Path], Sequence[Path]]:
        """Return the files by their published names, and the folders they were sought in."""
        places = self.places(folder)
        best = fullest(places, lambda place: len(find_files(place, split)))
        return ({}, places) if best is None else (find_files(best, split), [best])


class IdxSet(InOwnFolder, IdxFiles):
    """A set of one's own: any images and labels in that format."""

    title = "a set of your own: four idx files with the names of MNIST's"
    source = OWN


DATASETS.register_family(Family("idx:PATH", r"idx:(?P<path>.+)", IdxSet.title, IdxSet))
