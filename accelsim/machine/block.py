"""A strided block of words: what one DMA descriptor addresses."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["Block"]


@dataclass(frozen=True)
class Block:
    """A strided block of 32-bit words."""

    address: int
    """Word address of its first word."""
    counts: tuple[int, ...]
    """Extent in each dimension, outermost first."""
    strides: tuple[int, ...]
    """Words from one element to the next in each dimension."""

    @property
    def words(self) -> int:
        """Number of words."""
        return prod(self.counts)
