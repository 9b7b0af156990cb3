"""DRAM: a word-addressed memory behind one channel with latency and bandwidth."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import simpy

from accelsim.layer import WORD_BYTES
from accelsim.machine.state import Process, State

__all__ = ["Block", "Dram"]


@dataclass(frozen=True)
class Block:
    """A strided block of words: what one DMA descriptor addresses."""

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


class Dram:
    """Memory and channel; a transfer holds the channel for latency + bytes / bandwidth cycles.

    Parameters
    ----------
    state : State
        Clock and books.
    words : int
        Size of the memory.
    values : bool
        False: transfers take their time but carry no data.
    """

    def __init__(self, state: State, words: int, *, values: bool) -> None:
        self.state = state
        self.channel = simpy.Resource(state.env, capacity=1)
        # Words nobody wrote read as NaN, so that a wrong address cannot go unnoticed.
        self.memory = np.full(words, np.nan, np.float32) if values else None

    def read(self, block: str, what: str, source: Block, tile: int) -> Process:
        """Transfer *source* to the chip; return its words as an array of shape counts, or None."""
        yield from self._transfer(block, f"read {what}", source.words, tile)
        self.state.counts["dram", "read"] += source.words
        view = self._view(source)
        return None if view is None else view.copy()

    def write(
        self, block: str, what: str, target: Block, data: np.ndarray | None, tile: int
    ) -> Process:
        """Transfer *data* (shape counts) from the chip to *target*."""
        yield from self._transfer(block, f"write {what}", target.words, tile)
        self.state.counts["dram", "write"] += target.words
        self.load(target, data)

    def load(self, target: Block, data: np.ndarray | None) -> None:
        """Put *data* into the memory in no time: how operands get there before the run."""
        view = self._view(target)
        if view is not None and data is not None:
            view[...] = data.reshape(target.counts)

    def peek(self, source: Block) -> np.ndarray | None:
        """Return a copy of *source* in no time: how the host reads the results."""
        view = self._view(source)
        return None if view is None else view.copy()

    def _view(self, block: Block) -> np.ndarray | None:
        if self.memory is None:
            return None
        last = block.address + sum(
            (count - 1) * stride for count, stride in zip(block.counts, block.strides, strict=True)
        )
        if block.address < 0 or (block.words and last >= self.memory.size):
            raise IndexError(f"{block} lies outside a DRAM of {self.memory.size} words")
        strides = tuple(stride * WORD_BYTES for stride in block.strides)
        return np.lib.stride_tricks.as_strided(
            self.memory[block.address :], shape=block.counts, strides=strides
        )

    def _transfer(self, block: str, what: str, words: int, tile: int) -> Process:
        if words == 0:
            return
        config = self.state.accelerator.dram
        cycles = config.latency_cycles + -(-words * WORD_BYTES // config.bytes_per_cycle)
        with self.channel.request() as grant:
            yield from self.state.wait(block, "the DRAM channel", grant)
            yield from self.state.busy("dram", what, cycles, tile, with_block=block)
