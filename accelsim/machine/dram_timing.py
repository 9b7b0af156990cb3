"""How long a transfer takes in the DRAM: latency, bursts, open rows, turning the bus round.

A transfer waits `Latency` from its issue, then holds the data bus without a break:

.. code-block:: none

    data starts at   max(issue + latency, end of the transfer before + turn-round)
    data last        rows opened where nothing hides it + bursts * burst time

Addresses run through a row, then through the banks, then to the next row (row : bank : column).
Every bank keeps its row open until another one is wanted. Within a transfer the controller looks
one row ahead: while the bursts of one row are on the bus, the next row is opened, if it lies in
another bank. A transfer's first row is opened before its data, with nothing to hide it.

Deviations from a real controller: bursts keep the order of the addresses; no refresh (below 7 % of
the time for these devices: tRFC / tREFI); activations are never closer than tRCD in this order, so
tRRD and tFAW do not bind; write recovery (tWR) and tCCD_L are left out.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from accelsim.clock import clock_mhz_of
from accelsim.config import Accelerator
from accelsim.layer import WORD_BYTES
from accelsim.machine.block import Block
from accelsim.machine.dram_kinds import DramKind, dram_kind

__all__ = [
    "DeviceTiming",
    "DramTiming",
    "Estimate",
    "SimpleTiming",
    "Transfer",
    "dram_timing",
    "estimate",
    "row_segments",
]

Integers = NDArray[np.int64]


class Transfer(NamedTuple):
    """What a transfer takes, in cycles and rows."""

    latency_cycles: int
    """From its issue to its first data."""
    gap_cycles: int
    """From the last data of the transfer before to its first data, at least."""
    data_cycles: int
    row_hits: int
    """Bursts that found their row open."""
    row_misses: int
    """Bursts for which a row had to be opened."""


class DramTiming(Protocol):
    """What a DRAM says about transfers, asked in their order."""

    def transfer(self, block: Block, *, write: bool) -> Transfer:
        """Return the timing of moving *block*, given all transfers before."""

    def history(self) -> Hashable:
        """Return all that the next timings depend on besides their blocks; None: on nothing."""

    def resume(self, history: Any) -> None:
        """Go on from what `history` of such a DRAM returned."""


class SimpleTiming:
    """Latency and bandwidth, whatever the addresses."""

    def __init__(self, bytes_per_cycle: int, latency_cycles: int) -> None:
        self.bytes_per_cycle, self.latency_cycles = bytes_per_cycle, latency_cycles

    def transfer(self, block: Block, *, write: bool) -> Transfer:
        data = -(-block.words * WORD_BYTES // self.bytes_per_cycle)
        return Transfer(self.latency_cycles, 0, data, 0, 0)

    def history(self) -> None:
        return None

    def resume(self, history: Any) -> None:
        pass


class DeviceTiming:
    """A device with banks and rows behind a link.

    Parameters
    ----------
    kind : DramKind
        One channel.
    channels : int
        Channels in lockstep: bursts and rows are so many times as wide.
    link : SimpleTiming
        Way between device and chip: its bandwidth bounds the device's, its latency adds to it.
    clock_mhz : float
        Clock in whose cycles the answers are.
    """

    def __init__(self, kind: DramKind, channels: int, link: SimpleTiming, clock_mhz: float) -> None:
        self.kind, self.link, self.clock_mhz = kind, link, clock_mhz
        self.burst_words = kind.burst_bytes * channels // WORD_BYTES
        self.row_bursts = kind.row_bytes // kind.burst_bytes
        self.open_rows: Integers = np.full(kind.banks, -1)
        """Row (counted over all banks) that each bank has open; -1: none yet."""
        self.wrote: bool | None = None

    def cycles(self, time_ns: float) -> int:
        """Return *time_ns* in whole cycles of the machine's clock, rounded up."""
        return math.ceil(time_ns * self.clock_mhz / 1e3 - 1e-9)

    def transfer(self, block: Block, *, write: bool) -> Transfer:
        kind = self.kind
        gap_ns = 0.0
        if self.wrote is not None and self.wrote != write:
            gap_ns = kind.t_rtw_ns if write else kind.t_wtr_ns + kind.t_cl_ns
        self.wrote = write
        rows, bursts = row_segments(block, self.burst_words, self.row_bursts)
        time_ns, misses = self._rows(rows, bursts)
        moved = self.link.transfer(block, write=write)
        latency = moved.latency_cycles + self.cycles(kind.t_cwl_ns if write else kind.t_cl_ns)
        return Transfer(
            latency,
            self.cycles(gap_ns),
            max(moved.data_cycles, self.cycles(time_ns)),
            int(bursts.sum()) - misses,
            misses,
        )

    def history(self) -> tuple[bytes, bool | None]:
        return self.open_rows.tobytes(), self.wrote

    def resume(self, history: tuple[bytes, bool | None]) -> None:
        rows, self.wrote = history
        self.open_rows = np.frombuffer(rows, self.open_rows.dtype).copy()

    def _rows(self, rows: Integers, bursts: Integers) -> tuple[float, int]:
        """Go through *rows* in order; return (time in ns, rows opened) and keep what is open."""
        kind, banks = self.kind, rows % self.kind.banks
        order = np.argsort(banks, kind="stable")
        sorted_rows, sorted_banks = rows[order], banks[order]
        first = np.concatenate(([True], sorted_banks[1:] != sorted_banks[:-1]))
        before = np.concatenate(([-1], sorted_rows[:-1]))
        before[first] = self.open_rows[sorted_banks[first]]
        found = np.empty_like(rows)
        found[order] = before
        last = np.concatenate((first[1:], [True]))
        self.open_rows[sorted_banks[last]] = sorted_rows[last]

        opened = found != rows
        opening_ns = opened * kind.t_rcd_ns + (opened & (found >= 0)) * kind.t_rp_ns
        data_ns = bursts * kind.burst_ns
        same_bank = banks[1:] == banks[:-1]
        # Another bank's row is opened under the data before; the same bank must first have had its
        # row open for tRAS.
        hidden = np.minimum(opening_ns[1:], data_ns[:-1])
        young = np.maximum(kind.t_ras_ns - kind.t_rcd_ns - data_ns[:-1], 0) * opened[:-1]
        exposed = np.where(same_bank, opening_ns[1:] + young * opened[1:], opening_ns[1:] - hidden)
        return float(data_ns.sum() + opening_ns[0] + exposed.sum()), int(opened.sum())


def row_segments(block: Block, burst_words: int, row_bursts: int) -> tuple[Integers, Integers]:
    """Return the rows that *block* touches, in order, and the bursts in each.

    The block is walked by ascending addresses, whatever the order of its dimensions. A burst that
    two neighboring runs of words share is moved once. Rows are counted over the whole memory; the
    same row comes again where the addresses come back to it.

    Parameters
    ----------
    block : Block
        With at least one word.
    burst_words, row_bursts : int
        32-bit words of a burst, bursts of a row.

    Returns
    -------
    rows, bursts : int64 arrays, (segments,)

    >>> row_segments(Block(0, (2, 8), (64, 1)), burst_words=4, row_bursts=8)  # two runs, two rows
    (array([0, 2]), array([2, 2]))
    """
    by_stride = sorted(zip(block.strides, block.counts, strict=True), reverse=True)
    counts, strides, run = [c for _, c in by_stride], [s for s, _ in by_stride], 1
    while counts and (counts[-1] == 1 or strides[-1] == run):
        run *= counts.pop()
        strides.pop()
    starts: Integers = np.array([block.address], np.int64)
    for count, stride in zip(counts, strides, strict=True):
        starts = (starts[:, None] + np.arange(count) * stride).ravel()
    first, last = starts // burst_words, (starts + run - 1) // burst_words
    first[1:] += first[1:] == last[:-1]
    kept = first <= last
    first, last = first[kept], last[kept]
    # Cut each run of bursts at the borders of rows.
    first_row, last_row = first // row_bursts, last // row_bursts
    pieces = last_row - first_row + 1
    run_of = np.repeat(np.arange(len(first)), pieces)
    rows = (
        first_row[run_of] + np.arange(len(run_of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    )
    begin = np.maximum(first[run_of], rows * row_bursts)
    end = np.minimum(last[run_of], rows * row_bursts + row_bursts - 1)
    # Join neighbors in the same row.
    heads = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    return rows[heads], np.add.reduceat(end - begin + 1, heads)


def dram_timing(accelerator: Accelerator) -> SimpleTiming | DeviceTiming:
    """Return the timing of *accelerator*'s DRAM, all rows closed.

    Raises
    ------
    UnknownNameError
        There is no DRAM of that kind.
    """
    dram = accelerator.dram
    link = SimpleTiming(dram.bytes_per_cycle, dram.latency_cycles)
    kind = dram_kind(dram.kind)
    if kind is None:
        return link
    return DeviceTiming(kind, dram.channels, link, clock_mhz_of(accelerator))


class Estimate(NamedTuple):
    """What the mapper takes the DRAM for."""

    bytes_per_cycle: int
    """At its peak."""
    latency_cycles: int
    """Of a transfer, the opening of its first row in it."""
    row_words: int
    """Words of a row; 0: there are none."""
    row_cycles: int
    """From one row of a bank to the next."""


def estimate(accelerator: Accelerator) -> Estimate:
    """Return what the mapper takes the DRAM for."""
    timing = dram_timing(accelerator)
    if isinstance(timing, SimpleTiming):
        return Estimate(timing.bytes_per_cycle, timing.latency_cycles, 0, 0)
    kind = timing.kind
    peak = timing.burst_words * WORD_BYTES / kind.burst_ns * 1e3 / timing.clock_mhz
    latency = timing.cycles(kind.t_rp_ns + kind.t_rcd_ns + kind.t_cl_ns)
    return Estimate(
        max(1, min(timing.link.bytes_per_cycle, int(peak))),
        timing.link.latency_cycles + latency,
        timing.row_bursts * timing.burst_words,
        timing.cycles(kind.t_rp_ns + kind.t_rcd_ns),
    )
