"""scikit-learn's handwritten digits: built in, no file is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS
from accelsim.datasets.base import Dataset, Split

__all__ = ["Digits"]

TEST_IMAGES = 360
SPLIT_SEED = 0


class Digits(Dataset):
    """scikit-learn's handwritten digits, scaled from 8x8 to 28x28.

    The pixels 0..16 are divided by 16, then interpolated bilinearly. The test split holds 360 of
    the 1,797 images, drawn with a fixed seed in proportion to the classes. The split is by image:
    scikit-learn does not say who wrote a digit, so a writer can be in both splits.

    Sources
    -------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998 (its test set), as `sklearn.datasets.load_digits`.
    """

    name = "digits"
    title = "1,437 + 360 handwritten digits of scikit-learn, gray, scaled to 28x28"
    source = (
        "'Optical Recognition of Handwritten Digits' by E. Alpaydin and C. Kaynak, UCI Machine "
        "Learning Repository, 1998 (its test set), as scikit-learn carries it"
    )

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; *folder* does not matter."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        raw, labels = load_digits(return_X_y=True)
        train, test = train_test_split(
            np.arange(len(labels)),
            test_size=TEST_IMAGES,
            random_state=SPLIT_SEED,
            stratify=labels,
        )
        chosen = train if split == "train" else test
        images = resize_bilinear(raw[chosen].reshape(-1, 8, 8) / 16.0, 28)
        return Split(
            self.name,
            images.astype(np.float32)[:, np.newaxis],
            labels[chosen].astype(np.int64),
            tuple("0123456789"),
        )

    def files(self, split: str) -> list[str]:
        """Return that there are none."""
        return []

    def state(self, split: str, folder: Path | None) -> str:
        """Return that nothing has to be found."""
        return "built in"


def resize_bilinear(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
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


DATASETS.register("digits", Digits())
