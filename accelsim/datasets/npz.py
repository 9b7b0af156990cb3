"""``FILE.npz``: a set of one's own as NumPy arrays in one file.

It holds ``train_images`` and ``train_labels``, ``test_images`` and ``test_labels``, or one split
only; ``images`` and ``labels`` are taken for the test split. Images are (N, C, H, W) or, gray,
(N, H, W): bytes in 0..255 or floats in [0, 1]. Labels are (N,) integers from 0. ``class_names``,
an array of strings, may say what these stand for. Arrays of objects are refused, so that the file
cannot run code.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS
from accelsim.datasets.base import OWN, Dataset, Split, check_counts, check_labels, read_bytes
from accelsim.errors import DataError

__all__ = ["NpzSet"]

KEYS = {
    "train": (("train_images", "train_labels"),),
    "test": (("test_images", "test_labels"), ("images", "labels")),
}
"""Split -> pairs of keys, the first of which that is there counts."""


UNREADABLE = (
    EOFError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for a damaged file, an encrypted one, or one of a later kind."""


class NpzSet(Dataset):
    """Arrays in a file."""

    title = "a set of your own: arrays of images and labels, saved by numpy.savez"
    source = OWN

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path(name).expanduser()

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; *folder* does not matter."""
        try:
            file = np.load(io.BytesIO(read_bytes(self.path)), allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{self.path} holds a single array; save it with numpy.savez")
            with file:
                return self._split(file, split)
        except UNREADABLE as error:
            raise DataError(f"{self.path} cannot be read as a file of arrays: {error}") from None

    def _split(self, file: Mapping[str, NDArray[Any]], split: str) -> Split:
        keys = next((pair for pair in KEYS[split] if any(key in file for key in pair)), None)
        if keys is None or not all(key in file for key in keys):
            wanted = " or ".join(" and ".join(pair) for pair in KEYS[split])
            raise DataError(
                f"{self.path}: the {split} split needs {wanted}, got {', '.join(file) or 'nothing'}"
            )
        images, labels = file[keys[0]], file[keys[1]]
        names = file["class_names"] if "class_names" in file else np.empty(0, "U1")
        pixels = self._pixels(images, keys[0])
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"{self.path}: {keys[1]} must be (N,) integers, got {labels.shape} {labels.dtype}"
            )
        check_counts(len(pixels), len(labels), f"{self.path}: {' and '.join(keys)}")
        if names.ndim != 1 or names.dtype.kind != "U":
            raise DataError(
                f"{self.path}: class_names must be a list of strings, got {names.shape} "
                f"{names.dtype}"
            )
        classes = len(names) or None
        check_labels(labels, classes, f"{self.path}: {keys[1]}")
        return Split(self.name, pixels, labels.astype(np.int64), tuple(map(str, names)))

    def _pixels(self, images: NDArray[Any], key: str) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Return *images* as (N, C, H, W) bytes or float32 in [0, 1]."""
        where = f"{self.path}: {key}"
        if images.ndim == 3:
            images = images[:, np.newaxis]
        if images.ndim != 4 or 0 in images.shape:
            raise DataError(
                f"{where} must have shape (N, C, H, W) or (N, H, W), got {images.shape}"
            )
        if images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
            raise DataError(
                f"{where} must have shape (N, C, H, W), got {images.shape}, which looks like "
                "(N, H, W, C); store images.transpose(0, 3, 1, 2)"
            )
        if images.dtype == np.uint8:
            return images
        if not np.issubdtype(images.dtype, np.floating):
            raise DataError(f"{where} must be uint8 or floats in [0, 1], got {images.dtype}")
        low, high = images.min(), images.max()
        if not (low >= 0 and high <= 1):  # NaN is neither
            raise DataError(f"{where} must be floats in [0, 1], got {low} to {high}")
        return images.astype(np.float32)

    def files(self, split: str) -> list[str]:
        """Return the file."""
        return [str(self.path)]

    def state(self, split: str, folder: Path | None) -> str:
        """Return whether the file is there; it is not opened."""
        return f"found at {self.path}" if self.path.is_file() else "missing"


DATASETS.register_files(".npz", NpzSet)
