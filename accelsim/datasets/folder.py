"""``folder:PATH``: a set of one's own as image files, a folder for each class.

``PATH/train/<class>/<image>`` and ``PATH/test/<class>/<image>`` (or ``val``) are the two splits;
``PATH/<class>/<image>`` without these is the test split alone. Labels count the classes in the
order of their names, which both splits must share. Images come by turns, the first file of every
class by name, then the second of every class, so that the first few images are of all classes.
All images of a split have one size, or are scaled to one by ``folder@HxW:PATH``. If any is in
color, the gray ones repeat their plane for red, green and blue.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS
from accelsim.datasets.base import OWN, Dataset, Split, missing_files
from accelsim.errors import ConfigError, DataError
from accelsim.registry import Family

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "FolderSet"]

SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val")}
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MODES = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB"}
"""Pillow's modes that are read -> gray or color of 8 bits."""


class FolderSet(Dataset):
    """Image files in folders."""

    title = "a set of your own: image files, a folder for each class (@HxW: scaled to that size)"
    source = OWN

    def __init__(
        self, name: str, path: str, height: str | None = None, width: str | None = None
    ) -> None:
        self.name = name
        self.path = Path(path).expanduser()
        self.size = None if height is None or width is None else (int(height), int(width))
        if self.size is not None and not 0 < min(self.size) <= max(self.size) <= 4096:
            raise ConfigError(f"{name!r}: height and width must be in 1..4096, got {self.size}")

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; *folder* does not matter."""
        root = self._root(split)
        if root is None:
            raise missing_files(self, split, self.files(split), [self.path])
        classes = self._classes(root)
        turns: list[tuple[int, int, Path]] = []
        for label, name in enumerate(classes):
            files = _visible(root / name)
            if not files:
                raise DataError(f"{root / name}: a class must have at least one image, got none")
            turns += [(turn, label, file) for turn, file in enumerate(files)]
        turns.sort(key=lambda one: one[:2])
        images = []
        for _, _, file in turns:
            images.append(self._read_image(file))
            _check_alike(file, images[-1], images[0])
        if any(image.shape[2] == 3 for image in images):
            images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
        pixels = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        return Split(
            self.name, pixels, np.array([label for _, label, _ in turns], np.int64), tuple(classes)
        )

    def _root(self, split: str) -> Path | None:
        """Return the folder that holds the classes of *split*, None if there is none."""
        for name in SPLIT_FOLDERS[split]:
            if (self.path / name).is_dir():
                return self.path / name
        divided = any((self.path / n).is_dir() for names in SPLIT_FOLDERS.values() for n in names)
        return self.path if split == "test" and self.path.is_dir() and not divided else None

    def _classes(self, root: Path) -> list[str]:
        """Return the names of the classes, the same in both splits."""
        classes = _folders(root)
        if not classes:
            raise DataError(f"{root}: must hold a folder for each class, got none")
        for split in SPLIT_FOLDERS:
            other = self._root(split)
            if other is not None and _folders(other) != classes:
                different = sorted({*_folders(other)} ^ {*classes})
                raise DataError(
                    f"{root} and {other} must have the same classes, got {different[0]!r} in one "
                    "of them only"
                )
        return classes

    def _read_image(self, file: Path) -> NDArray[np.uint8]:
        """Return (H, W, 1) or (H, W, 3)."""
        from PIL import Image

        if file.is_dir() or file.suffix.lower() not in SUFFIXES:
            raise DataError(f"{file} is no image; a class's folder holds {', '.join(SUFFIXES)}")
        try:
            with Image.open(file) as image:
                return self._array(image, file)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{file} cannot be read as an image: {error}") from None

    def _array(self, image: Image, file: Path) -> NDArray[np.uint8]:
        from PIL.Image import Resampling

        if image.mode not in MODES or "transparency" in image.info:
            raise DataError(
                f"{file}: images must be gray or color of 8 bits without transparency, got mode "
                f"{image.mode}; convert it"
            )
        plain = image.convert(MODES[image.mode])
        if self.size is not None:
            plain = plain.resize(self.size[::-1], Resampling.BILINEAR)
        array = np.asarray(plain, np.uint8)
        return array[..., np.newaxis] if array.ndim == 2 else array

    def files(self, split: str) -> list[str]:
        """Return where images must lie."""
        return [" or ".join(f"{name}/<class>/<image>" for name in SPLIT_FOLDERS[split])]

    def state(self, split: str, folder: Path | None) -> str:
        """Return whether there is a folder for the split; its images are not opened."""
        root = self._root(split)
        return "missing" if root is None else f"found in {root}"


def _check_alike(file: Path, image: NDArray[np.uint8], first: NDArray[np.uint8]) -> None:
    if image.shape[:2] != first.shape[:2]:
        height, width = image.shape[:2]
        raise DataError(
            f"{file}: images must have one size, got {height}x{width} after "
            f"{first.shape[0]}x{first.shape[1]}; scale them with "
            f"folder@{first.shape[0]}x{first.shape[1]}:PATH"
        )


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


def _folders(root: Path) -> list[str]:
    return [path.name for path in _visible(root) if path.is_dir()]


DATASETS.register_family(
    Family(
        "folder:PATH",
        r"folder(?:@(?P<height>\d+)x(?P<width>\d+))?:(?P<path>.+)",
        FolderSet.title,
        FolderSet,
    )
)
