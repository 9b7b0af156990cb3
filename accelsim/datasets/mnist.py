"""MNIST: 70,000 handwritten digits, from the four files in which they are published.

They lie in the data folder, or in its folder ``mnist``, ``MNIST`` or ``MNIST/raw``, compressed or
not; ``train-images.idx3-ubyte`` and the like are the same names. What the files hold must have the
SHA-256 sums of the published ones; for other images in this format (Fashion-MNIST, say) see
``accelsim show idx:PATH``.

The sums are over the uncompressed files, so that it does not matter who compressed them. They were
measured here on files whose MD5 sums are published: by torchvision for three as compressed, by
others for all four as uncompressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from accelsim.datasets import DATASETS
from accelsim.datasets.base import folder_or_default
from accelsim.datasets.idx import IdxFiles

__all__ = ["SHA256", "Mnist"]

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Published file name -> SHA-256 of the uncompressed file."""

PLACES = (".", "mnist", "MNIST", "MNIST/raw")
"""Where the files are looked for in the data folder; the last is where torchvision puts them."""


class Mnist(IdxFiles):
    """MNIST: 60,000 images 1x28x28 for training and 10,000 for testing, in ten classes."""

    name = "mnist"
    title = "MNIST: 60,000 + 10,000 handwritten digits, gray, 28x28"
    source = (
        "'The MNIST database of handwritten digits' by Y. LeCun, C. Cortes and C. J. C. Burges "
        "(yann.lecun.com/exdb/mnist; mirrors: ossci-datasets of torchvision, cvdf-datasets)"
    )
    class_names = tuple("0123456789")
    sums = MappingProxyType(SHA256)

    def places(self, folder: Path | None) -> Sequence[Path]:
        """Return the folders of the data folder in which the files may lie."""
        root = folder_or_default(folder)
        return [] if root is None else [root / place for place in PLACES]


DATASETS.register("mnist", Mnist())
