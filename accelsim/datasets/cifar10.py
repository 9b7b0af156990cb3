"""CIFAR-10: 60,000 color photographs 32x32 in ten classes, from the files as they are published.

They lie in the data folder, or in its folder ``cifar10``: the batches of the binary or the Python
version, loose or in the folder of that version, or its archive as it was loaded down. Of the five
training batches those are read that are there. What the files hold must have the SHA-256 sums of
the published ones; for other images in this format see ``accelsim show cifar:PATH``.

The sums are over the records of a batch, label and pixels as in its binary file; the Python files
hold the same records.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.datasets import DATASETS
from accelsim.datasets.base import check_labels, check_sum, folder_or_default
from accelsim.datasets.cifar import CifarFiles
from accelsim.errors import DataError

__all__ = ["RECOMPRESSED", "SHA256", "Cifar10"]

SHA256 = {
    "data_batch_1": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
"""Batch -> SHA-256 of its binary file, as torchvision for Ruby publishes it (test_batch: measured
here as well)."""

RECOMPRESSED = {
    "data_batch_1": "0def081c410489f98b3935c2d405fc7436d23377894a5d6a710ce1fad8082588",
    "data_batch_2": "69cda47c0145e3c217e9d41887b354db05bc67d8e824a0007c909625de6c9935",
}
"""Batch -> SHA-256 of a known copy in which a few dozen images went through JPEG (measured here).
It is read, with a note: good enough to train on, but not the published pixels."""

RECORDS = 10_000
PLACES = (".", "cifar10")
"""Where the published folders and archives are looked for in the data folder."""


class Cifar10(CifarFiles):
    """CIFAR-10: 50,000 images 3x32x32 for training and 10,000 for testing, in ten classes."""

    name = "cifar10"
    title = "CIFAR-10: 50,000 + 10,000 photographs, color, 32x32"
    source = (
        "'CIFAR-10 binary version' (cifar-10-binary.tar.gz) or 'CIFAR-10 python version' "
        "(cifar-10-python.tar.gz) by A. Krizhevsky (www.cs.toronto.edu/~kriz/cifar.html)"
    )
    class_names = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    def places(self, folder: Path | None) -> Sequence[Path]:
        """Return the folders of the data folder in which the batches may lie."""
        root = folder_or_default(folder)
        return [] if root is None else [root / place for place in PLACES]

    def check(self, batch: str, records: NDArray[np.uint8], where: str) -> list[str]:
        """Raise unless these are the published records of *batch*, or a known copy of them."""
        if len(records) != RECORDS:
            raise DataError(f"{where}: must hold {RECORDS} images, got {len(records)}")
        check_labels(records[:, 0], len(self.class_names), where)
        found = sha256(records.tobytes()).hexdigest()
        if found == RECOMPRESSED.get(batch):
            return [f"{where}: a copy with some images recompressed, not the published pixels"]
        check_sum(found, SHA256[batch], where, "cifar:PATH")
        return []


DATASETS.register("cifar10", Cifar10())
