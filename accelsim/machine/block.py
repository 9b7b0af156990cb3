"""A strided block of words: what one DMA descriptor addresses."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["Block", "fetched"]


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


def fetched(counts: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Return the *counts* of a block in which a word that is read again is fetched once.

    >>> fetched((1, 8, 5, 5), (0, 1, 0, 0))
    (1, 8, 1, 1)
    """
    return tuple(count if stride else 1 for count, stride in zip(counts, strides, strict=True))
