"""Datasets: labeled images as NumPy arrays, split into train and test the same way every time.

``digits`` needs no download: scikit-learn carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, UnknownNameError, nearest

__all__ = ["DATASETS", "SPLITS", "digits", "load_dataset"]

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

SPLITS = ("train", "test")
DIGITS_TEST_IMAGES = 360
DIGITS_SPLIT_SEED = 0


def digits(split: str) -> tuple[Images, Labels]:
    """Return one split of scikit-learn's handwritten digits, scaled from 8x8 to 28x28.

    The pixels 0..16 are divided by 16, then interpolated bilinearly. The test split holds 360 of
    the 1,797 images, drawn with a fixed seed in proportion to the classes. The split is by image:
    scikit-learn does not say who wrote a digit, so a writer can be in both splits.

    Parameters
    ----------
    split : str
        ``"train"`` (1,437 images) or ``"test"`` (360).

    Returns
    -------
    images : (N, 1, 28, 28) float32 in [0, 1]
    labels : (N,) int64 in 0..9

    Raises
    ------
    ConfigError
        If *split* is neither.

    Sources
    -------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998 (its test set), as `sklearn.datasets.load_digits`.

    >>> images, labels = digits("test")
    >>> images.shape, float(images.min()), float(images.max())
    ((360, 1, 28, 28), 0.0, 1.0)
    """
    _check_split(split)
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw, labels = load_digits(return_X_y=True)
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=DIGITS_TEST_IMAGES,
        random_state=DIGITS_SPLIT_SEED,
        stratify=labels,
    )
    chosen = train if split == "train" else test
    images = _resize_bilinear(raw[chosen].reshape(-1, 8, 8) / 16.0, 28)
    return images.astype(np.float32)[:, np.newaxis], labels[chosen].astype(np.int64)


DATASETS: Mapping[str, Callable[[str], tuple[Images, Labels]]] = MappingProxyType(
    {"digits": digits}
)


def load_dataset(name: str, split: str) -> tuple[Images, Labels]:
    """Return images (N, C, H, W) float32 and labels (N,) int64 of one split of dataset *name*.

    Raises
    ------
    UnknownNameError
        If no dataset has that name.
    ConfigError
        If *split* is neither ``"train"`` nor ``"test"``.
    """
    if name not in DATASETS:
        raise UnknownNameError(
            f"no dataset named {name!r}; known: {', '.join(DATASETS)}.{nearest(name, DATASETS)}"
        )
    return DATASETS[name](split)


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ConfigError(
            f"split must be one of {', '.join(SPLITS)}, got {split!r}.{nearest(split, SPLITS)}"
        )


def _resize_bilinear(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Scale (N, H, W) to (N, size, size): pixel centers at half integers, edges repeated.

    Elementwise products and sums only, no BLAS: the same bits on every machine.
    """
    for axis in (1, 2):
        length = images.shape[axis]
        position = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (position - low).reshape([-1 if i == axis else 1 for i in range(3)])
        images = np.take(images, low, axis) * (1 - share) + np.take(images, high, axis) * share
    return images
