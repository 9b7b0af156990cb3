"""A word-addressed memory: what DRAM and GLB hold, without the time that reaching it takes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

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
    constants : iterable of (Block, float32 array)
        Dense blocks that hold the words of an array and are only read: the array itself is kept.
    """

    def __init__(
        self,
        name: str,
        words: int,
        *,
        values: bool,
        constants: Iterable[tuple[Block, np.ndarray]] = (),
    ) -> None:
        self.name, self.words, self.values = name, words, values
        self._first: list[int] = []
        """Address of the first word of each part of the memory, ascending."""
        self._parts: list[_Part] = []
        if not values:
            return
        end = 0
        for block, data in sorted(constants, key=lambda one: one[0].address):
            self._append(end, _unwritten(block.address - end))
            self._append(block.address, _Part(data.reshape(-1), constant=True))
            end = block.address + block.words
        self._append(end, _unwritten(words - end))

    def load(self, target: Block, data: np.ndarray | None) -> None:
        """Put *data* into *target* in no time."""
        if self.values and data is not None and target.words:
            part, view = self._view(target)
            if part.constant:
                raise ValueError(f"{target} of {self.name} holds constants and is not written")
            view[...] = data.reshape(target.counts)

    def peek(self, source: Block) -> np.ndarray | None:
        """Return the words of *source* as they are now, in no time; they are not to be written."""
        if not self.values:
            return None
        if not source.words:
            return np.empty(source.counts, np.float32)
        part, view = self._view(source)
        return view if part.constant else view.copy()

    def _append(self, address: int, part: _Part) -> None:
        if part.words.size:
            self._first.append(address)
            self._parts.append(part)

    def _view(self, block: Block) -> tuple[_Part, np.ndarray]:
        if not 0 <= block.address < self.words:
            raise IndexError(f"{block} lies outside a {self.name} of {self.words} words")
        number = bisect_right(self._first, block.address) - 1
        part, offset = self._parts[number], block.address - self._first[number]
        last, strides = offset, []
        for count, stride in zip(block.counts, block.strides, strict=True):
            last += (count - 1) * stride
            strides.append(stride * WORD_BYTES)
        if last >= part.words.size:
            raise IndexError(
                f"{block} reaches beyond the {part.words.size} words of {self.name} that begin at "
                f"{self._first[number]}"
            )
        # Not np.lib.stride_tricks.as_strided, which is much slower: a machine makes many views.
        view = np.ndarray(block.counts, np.float32, part.words, offset * WORD_BYTES, strides)
        return part, view


class _Part(NamedTuple):
    words: np.ndarray
    """float32, one-dimensional."""
    constant: bool


def _unwritten(words: int) -> _Part:
    """Return words nobody wrote: NaN, so that a wrong address cannot go unnoticed."""
    return _Part(np.full(words, np.nan, np.float32), constant=False)
