"""The two formats of CIFAR-10; ``cifar:PATH`` reads such files with any content.

A batch is a file of images 3x32x32 with labels. Binary (``data_batch_1.bin``): records of 1 byte of
label and 3,072 of pixels, the red plane, the green one, the blue one, each row by row. Python
(``data_batch_1``): a pickled dict with the array ``data`` (N, 3072) of such rows, and ``labels``;
what it may hold is in `accelsim.datasets.plain_pickle`. Both come as an archive ``.tar.gz``, which
is read as it is.

Sources
-------
A. Krizhevsky, "The CIFAR-10 dataset", https://www.cs.toronto.edu/~kriz/cifar.html, section "Dataset
layout".
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
    fullest,
    missing_files,
    read_bytes,
)
from accelsim.datasets.plain_pickle import PlainArray, read_plain
from accelsim.errors import DataError
from accelsim.registry import Family

__all__ = ["BATCHES", "CifarFiles", "CifarSet", "read_records"]

BATCHES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}
SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
RECORD = 1 + PIXELS

FORMS = {".bin": ("cifar-10-batches-bin", "cifar-10-binary.tar.gz"),
         "": ("cifar-10-batches-py", "cifar-10-python.tar.gz")}  # fmt: skip
"""How a batch's file name ends -> the published folder and archive of such files."""


@dataclass(frozen=True)
class BatchFolder:
    """A folder of batches whose file names end in *ending*."""

    path: Path
    ending: str

    def held(self, batches: Sequence[str]) -> list[str]:
        """Return those of *batches* that are there."""
        return [batch for batch in batches if (self.path / f"{batch}{self.ending}").is_file()]

    def contents(self, batches: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """Yield batch, where it is, and the content of its file."""
        for batch in self.held(batches):
            file = self.path / f"{batch}{self.ending}"
            yield batch, str(file), read_bytes(file)


@dataclass(frozen=True)
class BatchArchive:
    """A compressed tar archive of batches; taken to be complete until it is read."""

    path: Path
    ending: str

    def held(self, batches: Sequence[str]) -> list[str]:
        """Return *batches* if the archive is there; it is not opened."""
        return list(batches) if self.path.is_file() else []

    def contents(self, batches: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """Yield batch, where it is, and the content of its file; nothing is extracted to disk."""
        names = {f"{batch}{self.ending}": batch for batch in batches}
        try:
            with gzip.open(self.path) as stream:
                with tarfile.open(fileobj=stream, mode="r|") as archive:
                    for member in archive:
                        name = PurePosixPath(member.name).name
                        file = archive.extractfile(member) if name in names else None
                        if file is not None:
                            yield names[name], f"{member.name} in {self.path}", file.read()
                while stream.read(1 << 20):  # to the end, where the sum of all is
                    pass
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.path} is cut off or damaged: {error}") from None


def batch_places(root: Path) -> list[BatchFolder | BatchArchive]:
    """Return where batches may lie in *root*: in itself, in published folders, in archives."""
    parts = [(part, end) for end, (name, _) in FORMS.items() for part in (".", name)]
    folders = [BatchFolder(root / part, end) for part, end in parts]
    return [*folders, *(BatchArchive(root / name, end) for end, (_, name) in FORMS.items())]


def read_records(content: bytes, binary: bool, where: str) -> NDArray[np.uint8]:
    """Return a batch as (N, 3073) bytes: label, then pixels as in the binary format.

    Raises
    ------
    DataError
        If *content* is no such batch; *where* names it.
    """
    if binary:
        if len(content) % RECORD or not content:
            raise DataError(
                f"{where}: a binary batch has records of {RECORD} bytes, got {len(content)} bytes: "
                f"{len(content) // RECORD} records and {len(content) % RECORD} bytes"
            )
        return np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    data, labels = _batch_fields(read_plain(content, where), where)
    check_counts(len(data), len(labels), where)
    check_labels(labels, 256, where)
    return np.column_stack([labels.astype(np.uint8), data])


def _batch_fields(batch: object, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return data (N, 3072) and labels of a batch that was a pickle."""
    fields = (
        {key.decode("latin1") if isinstance(key, bytes) else key: batch[key] for key in batch}
        if isinstance(batch, dict)
        else {}
    )
    data, labels = fields.get("data"), fields.get("labels")
    if not isinstance(data, PlainArray) or not isinstance(labels, list):
        raise DataError(
            f"{where}: a batch is a dict with 'data', an array, and 'labels', a list; got "
            f"{type(batch).__name__} {sorted(map(str, fields)) if fields else ''}"
        )
    try:
        pixels = data.array()
    except (OverflowError, TypeError, ValueError) as error:
        raise DataError(f"{where}: 'data' must be uint8 (N, {PIXELS}), got {error}") from None
    if pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"{where}: 'data' must be uint8 (N, {PIXELS}), got {pixels.shape}")
    wrong = [label for label in labels if type(label) is not int or abs(label) >= 2**63]
    if wrong:
        raise DataError(f"{where}: 'labels' must be integers, got {wrong[0]!r}")
    return pixels, np.array(labels, np.int64)


class CifarFiles(Dataset):
    """A dataset in the files of CIFAR-10."""

    class_names: tuple[str, ...] = ()

    @abstractmethod
    def places(self, folder: Path | None) -> Sequence[Path]:
        """Return the folders in which batches, their folders or their archives may lie."""

    def check(self, batch: str, records: NDArray[np.uint8], where: str) -> list[str]:
        """Raise unless these are the records of *batch*; return what a reader must know of them."""
        return []

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; see `Dataset.read`. Of the training batches those count that exist."""
        wanted = BATCHES[split]
        place = self._find(split, folder)
        batches: dict[str, NDArray[np.uint8]] = {}
        notes: list[str] = []
        if place is not None:
            for batch, where, content in place.contents(wanted):
                batches[batch] = read_records(content, place.ending == ".bin", where)
                notes += self.check(batch, batches[batch], where)
        if not batches:
            places = self.places(folder) if place is None else [place.path]
            raise missing_files(self, split, self.files(split), places)
        if missing := [batch for batch in wanted if batch not in batches]:
            count = f"{len(batches)} of {len(wanted)} {split} batches are there"
            notes.insert(0, f"{self.name}: {count}, missing: {', '.join(missing)}")
        records = np.concatenate([batches[batch] for batch in wanted if batch in batches])
        labels, pixels = records[:, 0].astype(np.int64), records[:, 1:].reshape(-1, *SHAPE)
        return Split(self.name, pixels, labels, self.class_names, tuple(notes))

    def files(self, split: str) -> list[str]:
        """Return the ways of having the batches."""
        loose = [
            f"{', '.join(f'{batch}{ending}' for batch in BATCHES[split])} (loose or in {folder})"
            for ending, (folder, _) in FORMS.items()
        ]
        return [" or ".join([*loose, *(archive for _, archive in FORMS.values())])]

    def state(self, split: str, folder: Path | None) -> str:
        """Return where the batches are, and which are missing; see `Dataset.state`."""
        place = self._find(split, folder)
        if place is None:
            return "missing"
        held = place.held(BATCHES[split])
        missing = [batch for batch in BATCHES[split] if batch not in held]
        return f"found in {place.path}" + (f", missing: {', '.join(missing)}" if missing else "")

    def _find(self, split: str, folder: Path | None) -> BatchFolder | BatchArchive | None:
        """Return where most of the batches of *split* are."""
        places = [place for root in self.places(folder) for place in batch_places(root)]
        return fullest(places, lambda place: len(place.held(BATCHES[split])))


class CifarSet(InOwnFolder, CifarFiles):
    """A set of one's own: any images 3x32x32 and labels in one of those formats."""

    title = "a set of your own: batches in a format of CIFAR-10, with its file names"
    source = OWN


DATASETS.register_family(Family("cifar:PATH", r"cifar:(?P<path>.+)", CifarSet.title, CifarSet))
