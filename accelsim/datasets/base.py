"""What a dataset is, one split of it, and what the readers of files share."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError

__all__ = [
    "OWN",
    "SPLITS",
    "VARIABLE",
    "Dataset",
    "InOwnFolder",
    "Split",
    "check_counts",
    "check_labels",
    "check_sum",
    "data_folder",
    "fingerprint",
    "folder_or_default",
    "fullest",
    "missing_files",
    "read_bytes",
]

SPLITS = ("train", "test")

VARIABLE = "ACCELSIM_DATA"
"""Environment variable that names the data folder where no other is given."""

OWN = "your own files"
"""Source of a set that nobody publishes."""

Place = TypeVar("Place")


@dataclass(frozen=True)
class Split:
    """The images of one split with their labels.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    pixels : (N, C, H, W) uint8 in 0..255, or float32 in [0, 1]
        As they are stored; `images` are made from them.
    labels : (N,) int64, from 0; None if nobody knows what the images show
    class_names : tuple of str
        What the labels stand for, in their order; empty if the files do not tell.
    notes : tuple of str
        What a reader of results must know of these files: batches that are missing, say.
    """

    dataset: str
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> NDArray[np.float32]:
        """(N, C, H, W) float32 in [0, 1], a new array; bytes are divided by 255."""
        images = self.pixels.astype(np.float32)
        if self.pixels.dtype == np.uint8:
            images /= np.float32(255)
        return images

    @property
    def truth(self) -> NDArray[np.int64]:
        """The labels, where they are needed.

        Raises
        ------
        DataError
            If there are none.
        """
        if self.labels is None:
            raise DataError(
                f"the images of {self.dataset!r} have no labels; give a set that has some with "
                "--data (data= in Python)"
            )
        return self.labels

    def first(self, count: int) -> Split:
        """Return the first *count* images, or all where there are fewer."""
        labels = None if self.labels is None else self.labels[:count]
        return replace(self, pixels=self.pixels[:count], labels=labels)

    def __len__(self) -> int:
        return len(self.pixels)


def fingerprint(images: NDArray[np.float32], labels: NDArray[np.int64] | None) -> str:
    """Return the SHA-256 of images and labels as they are used, whatever files they come from.

    >>> fingerprint(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.int64))[:16]
    'f68ef563f33b2762'
    """
    digest = hashlib.sha256(f"{images.shape}\0".encode())
    digest.update(np.ascontiguousarray(images, "<f4").data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    return digest.hexdigest()


class Dataset(ABC):
    """A set of labeled images with a train and a test split."""

    name: str
    """What it is called by."""
    title: str
    """What it is, one line."""
    source: str
    """Who publishes it, and under which name; `OWN` if nobody does."""

    @abstractmethod
    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split, ``"train"`` or ``"test"``, checked.

        Parameters
        ----------
        split : str
            One of `SPLITS`.
        folder : Path, optional
            The data folder; None stands for the one that ``ACCELSIM_DATA`` names.

        Raises
        ------
        DataError
            If files are missing, damaged, or not what they should be.
        """

    @abstractmethod
    def files(self, split: str) -> list[str]:
        """Return the names of the files that *split* needs; none if it is built in."""

    @abstractmethod
    def state(self, split: str, folder: Path | None) -> str:
        """Return where the files of *split* are, or that they are missing, in a few words.

        They are looked for, not read.
        """


class InOwnFolder:
    """What a set of one's own that lies in a folder is: that folder's and nobody else's.

    Parameters
    ----------
    name, path : str
        The name of the set, and the part of it that is the path of its folder.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = Path(path).expanduser()

    def places(self, folder: Path | None) -> Sequence[Path]:
        """Return the folder of the name alone."""
        return [self.path]


def data_folder(path: str | os.PathLike[str], owner: str) -> Path:
    """Return *path* as an existing folder; *owner* names in messages what gave it."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{owner} must be an existing folder that holds the datasets (or a set of your own: "
            f"FILE.npz, folder:PATH, idx:PATH, cifar:PATH), got {str(path)!r}"
        )
    return folder


def folder_or_default(folder: Path | None) -> Path | None:
    """Return *folder*, else the one that ``ACCELSIM_DATA`` names, else None."""
    named = os.environ.get(VARIABLE)
    return data_folder(named, VARIABLE) if folder is None and named else folder


def fullest(places: Iterable[Place], count: Callable[[Place], int]) -> Place | None:
    """Return the first of the *places* that hold most of what is counted; None if none has any."""
    best = max(places, key=count, default=None)
    return None if best is None or count(best) == 0 else best


def missing_files(
    dataset: Dataset, split: str, files: Sequence[str], places: Sequence[object]
) -> DataError:
    """Return the error that says which *files* are wanted, where they were sought, and whose."""
    wanted = f"dataset {dataset.name!r} ({split} split) needs {', '.join(files)}"
    looked = f"not found in {', '.join(map(str, places))}" if places else "no data folder is given"
    if dataset.source == OWN:
        return DataError(f"{wanted}: {looked}")
    return DataError(
        f"{wanted}: {looked}. Published as {dataset.source}. Give the folder that holds the files "
        f"with --data DIR (data= in Python), or in {VARIABLE}"
    )


def read_bytes(path: Path) -> bytes:
    """Return the content of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def check_counts(images: int, labels: int, where: object) -> None:
    """Raise unless there is a label for each image, and an image at all."""
    if images != labels:
        raise DataError(f"{where}: must have a label for each image, got {images} and {labels}")
    if images == 0:
        raise DataError(f"{where}: must hold at least one image, got 0")


def check_labels(
    labels: NDArray[np.integer], classes: int | None, where: object | None = None
) -> None:
    """Raise unless all labels are in 0..classes-1, or 0 and more where *classes* is None."""
    beyond = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    wrong = np.flatnonzero(beyond)
    if wrong.size:
        known = "be 0 or more" if classes is None else f"lie in 0..{classes - 1}"
        raise DataError(
            f"{'' if where is None else f'{where}: '}labels must {known}, got {labels[wrong[0]]} "
            f"at index {wrong[0]} ({wrong.size} in all)"
        )


def check_sum(found: str, expected: str, where: object, own: str) -> None:
    """Raise unless a SHA-256 is the one *expected*; *own* names a set of one's own in messages."""
    if found != expected:
        raise DataError(
            f"{where}: its content has SHA-256 {found}, expected {expected}; get the published "
            f"file again, or read a set of your own in this format as {own}"
        )
