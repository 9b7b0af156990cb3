"""Unfinished psums on their way to DRAM and back: their bits as words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.machine.block import Block

__all__ = ["psums_to_words", "words_to_psums"]


def psums_to_words(psums: NDArray[np.generic], target: Block) -> NDArray[np.float32]:
    """Return a copy of the bits of *psums*, (filters, pixels), of shape ``target.counts``."""
    images, filters, rows, words = target.counts
    ordered = psums.reshape(filters, images, rows, -1).swapaxes(0, 1)
    # A copy in any case: the psums are gone from the GLB before the words have left it.
    return np.array(ordered, order="C").view(np.float32).reshape(images, filters, rows, words)


def words_to_psums(words: NDArray[np.float32], dtype: np.dtype) -> NDArray[np.generic]:
    """Return the psums, (filters, pixels) of *dtype*, whose bits are *words*.

    >>> psums = np.arange(12.0).reshape(2, 6)  # 2 filters; 3 images of 1 row of 2 pixels
    >>> words = psums_to_words(psums, Block(0, (3, 2, 1, 4), (8, 4, 4, 1)))
    >>> bool((words_to_psums(words, psums.dtype) == psums).all())
    True
    """
    psums = np.ascontiguousarray(words).view(dtype)
    return np.ascontiguousarray(psums.swapaxes(0, 1)).reshape(psums.shape[1], -1)
