"""``random:CxHxW``: images of uniformly random bytes, the same ones each time, without labels.

For what does not depend on what images show: cycles, energy, and networks whose weights are random
themselves. Each split has 128 images, drawn by NumPy's PCG64 from a seed of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.datasets import DATASETS
from accelsim.datasets.base import Dataset, Split
from accelsim.errors import ConfigError
from accelsim.registry import Family

__all__ = ["RandomSet"]

IMAGES = 128
SEEDS = {"train": 1, "test": 0}


class RandomSet(Dataset):
    """Random images of one shape."""

    title = "random images of that shape or another (channels, height, width), without labels"
    source = "drawn by a fixed seed"

    def __init__(self, name: str, channels: str, height: str, width: str) -> None:
        self.name = name
        self.shape = (int(channels), int(height), int(width))
        if not 0 < min(self.shape) <= max(self.shape) <= 4096:
            raise ConfigError(f"{name!r}: each size must be in 1..4096, got {self.shape}")

    def read(self, split: str, folder: Path | None) -> Split:
        """Return one split; *folder* does not matter."""
        generator = np.random.Generator(np.random.PCG64(SEEDS[split]))
        pixels = generator.integers(0, 256, (IMAGES, *self.shape), np.uint8)
        return Split(self.name, pixels, None)

    def files(self, split: str) -> list[str]:
        """Return that there are none."""
        return []

    def state(self, split: str, folder: Path | None) -> str:
        """Return that nothing has to be found."""
        return "built in"


DATASETS.register_family(
    Family(
        "random:3x32x32",
        r"random:(?P<channels>\d+)x(?P<height>\d+)x(?P<width>\d+)",
        RandomSet.title,
        RandomSet,
    )
)
