"""A word-addressed memory: what DRAM and GLB hold, without the time that reaching it takes."""

from __future__ import annotations

import numpy as np

from accelsim.layer import WORD_BYTES
from accelsim.machine.block import Block

__all__ = ["Memory"]


class Memory:
    """Words of 32 bits.

    Parameters
    ----------
    name : str
        For error messages.
    words : int
        Size of the memory.
    values : bool
        False: it holds nothing, and what is read is None.
    """

    def __init__(self, name: str, words: int, *, values: bool) -> None:
        self.name = name
        # Words nobody wrote read as NaN, so that a wrong address cannot go unnoticed.
        self.memory = np.full(words, np.nan, np.float32) if values else None

    def load(self, target: Block, data: np.ndarray | None) -> None:
        """Put *data* into *target* in no time."""
        view = self._view(target)
        if view is not None and data is not None:
            view[...] = data.reshape(target.counts)

    def peek(self, source: Block) -> np.ndarray | None:
        """Return a copy of *source* in no time."""
        view = self._view(source)
        return None if view is None else view.copy()

    def _view(self, block: Block) -> np.ndarray | None:
        if self.memory is None:
            return None
        last = block.address + sum(
            (count - 1) * stride for count, stride in zip(block.counts, block.strides, strict=True)
        )
        if block.address < 0 or (block.words and last >= self.memory.size):
            raise IndexError(f"{block} lies outside a {self.name} of {self.memory.size} words")
        strides = tuple(stride * WORD_BYTES for stride in block.strides)
        return np.lib.stride_tricks.as_strided(
            self.memory[block.address :], shape=block.counts, strides=strides
        )
