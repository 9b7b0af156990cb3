"""Datasets: labeled images as NumPy arrays, read from the files in which they are published.

``digits`` is built in. ``mnist`` and ``cifar10`` lie in a data folder, which the argument *data* or
the environment variable ``ACCELSIM_DATA`` names. A set of one's own is named by where it lies:
``FILE.npz``, ``folder:PATH`` (a folder of images for each class), ``idx:PATH`` and ``cifar:PATH``
(the formats of MNIST and CIFAR-10 with any content); the images of ``random:CxHxW`` are drawn, and
have no labels. Nothing is ever downloaded, and no file can run code.

A new set is a file here that registers a `Dataset`.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets.base import (
    SPLITS,
    Dataset,
    Split,
    data_folder,
    fingerprint,
    folder_or_default,
)
from accelsim.errors import ConfigError, nearest
from accelsim.registry import Registry, modules_of

__all__ = [
    "DATASETS",
    "FILE_FORM",
    "SPLITS",
    "Dataset",
    "Split",
    "find_folder",
    "find_state",
    "fingerprint",
    "load_dataset",
    "read_split",
]

DATASETS: Registry[Dataset] = Registry("dataset", modules_of("accelsim.datasets"))


FILE_FORM = "FILE.npz"
"""How the name of a set in a file is written, for people."""


def load_dataset(
    name: str, split: str, data: str | PathLike[str] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Return images (N, C, H, W) float32 in [0, 1] and labels (N,) int64 of one split of a dataset.

    Random images have no labels: there None stands in their place.

    Parameters
    ----------
    name, split, data
        As `read_split` takes them, which also tells the names of the classes.

    >>> images, labels = load_dataset("digits", "test")
    >>> images.shape, labels[:4]
    ((360, 1, 28, 28), array([7, 6, 3, 7]))
    """
    found = read_split(name, split, data)
    return found.images, found.labels


def read_split(name: str, split: str, data: str | PathLike[str] | None = None) -> Split:
    """Return one split of a dataset.

    Parameters
    ----------
    name : str
        Key of `DATASETS`, or the name of a set of one's own.
    split : str
        ``"train"`` or ``"test"``.
    data : path, optional
        The data folder, else ``ACCELSIM_DATA`` is; the built-in set needs none. The name of
        another set, or of one's own, stands in for the set *name*, unless there is a folder of
        that name.

    Raises
    ------
    UnknownNameError
        If no dataset has that name.
    ConfigError
        If *split* is neither ``"train"`` nor ``"test"``.
    DataError
        If files are missing, damaged, or not what they should be: the message says which file,
        what was found and what was expected.
    """
    if split not in SPLITS:
        raise ConfigError(
            f"split must be one of {', '.join(SPLITS)}, got {split!r}.{nearest(split, SPLITS)}"
        )
    other = None if data is None else fspath(data)
    if other is not None and DATASETS.recognizes(other) and not Path(other).is_dir():
        return DATASETS[other].read(split, None)
    return DATASETS[name].read(split, None if data is None else data_folder(data, "data"))


def find_folder(data: str | PathLike[str] | None) -> Path | None:
    """Return the data folder *data*, else the one that ``ACCELSIM_DATA`` names, else None.

    Raises
    ------
    DataError
        If what is given is no folder.
    """
    return folder_or_default(None if data is None else data_folder(data, "data"))


def find_state(dataset: Dataset, data: str | PathLike[str] | None = None) -> str:
    """Return where the files of a dataset are, or which are missing, in one line."""
    folder = find_folder(data)
    states = {split: dataset.state(split, folder) for split in SPLITS}
    if len({*states.values()}) == 1:
        return states["test"]
    return "; ".join(f"{split}: {state}" for split, state in states.items())
