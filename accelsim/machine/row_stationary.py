"""A row-stationary layer on its array: off-chip link, GLB, NoC and PEs, event by event.

.. code-block:: none

    dma --(filter buffer; ifmaps in the GLB)--> array --(psums in the GLB)--> dma

The DMA has one link, for both directions, and a fixed program: for each pass it brings weights and
ifmaps that are not there yet, then takes away the outputs that the pass before completed. So it is
a pass ahead of the array where there is room. As nobody overtakes anybody, a faster part never
makes the whole slower.

Inside of a pass, once its weights are in the RFs:

.. code-block:: none

    ifmap NoC --(a column ahead)--> PEs --(a column behind)--> psum NoC out
    psum NoC in --(a column ahead)--^

A column is what the PEs need for, or make of, one ofmap column: new ifmap words for each window
(all of it at the start of a row), stored psums where the sum goes on. Each NoC multicasts: a word
that several PEs need crosses it once. A NoC works on the next column while PEs work on this one,
and no further ahead. Weights reach the RFs before the first column, since an RF holds the weights
of one pass only; the buffer of weights on the chip is filled for the pass behind meanwhile. GLB
banks do not conflict.

What goes on inside of a pass depends on its sizes alone. By default each kind of pass is therefore
simulated once and its cycles used again; ``fast_forward=False`` simulates every one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import simpy
from simpy.events import EventPriority

from accelsim.dataflows.row_stationary import (
    RowMapping,
    RowPass,
    SpatialArray,
    check_mapping,
    row_passes,
)
from accelsim.errors import ConfigError
from accelsim.layer import LayerShape
from accelsim.machine.state import Clock, Entry, Process

__all__ = ["RowRecord", "run_row_stationary"]


@dataclass(frozen=True)
class RowRecord:
    """What one layer did on a row-stationary array."""

    layer: str
    total_cycles: int
    """From the first transfer over the link to the end of the last."""
    processing_cycles: int
    """Those in which the array was on a pass: NoC and PEs, all but the waits for the link."""
    passes: int
    active_pes: int
    """PEs that have work, in the fullest pass."""
    counts: dict[tuple[str, str], int]
    """(component, action) -> words."""
    timeline: tuple[Entry, ...]


def run_row_stationary(
    shape: LayerShape,
    mapping: RowMapping,
    array: SpatialArray,
    *,
    layer: str = "layer",
    link_words_per_cycle: Fraction | None = None,
    fast_forward: bool = True,
) -> RowRecord:
    """Simulate one layer and return what happened.

    Parameters
    ----------
    shape : LayerShape
        The layer.
    mapping : RowMapping
        How it lies on the array.
    array : SpatialArray
        PEs, NoC, GLB.
    layer : str
        Name for messages and for the timeline.
    link_words_per_cycle : Fraction, optional
        Of the link to the DRAM, in either direction, one at a time; None: an ideal one.
    fast_forward : bool
        Simulate the inside of each kind of pass once.

    Raises
    ------
    MappingError
        The mapping does not fit.
    ConfigError
        A bandwidth that is not positive.
    StallError
        The machine cannot go on.
    """
    check_mapping(shape, mapping, array, layer=layer)
    if link_words_per_cycle is not None and link_words_per_cycle <= 0:
        raise ConfigError(f"link_words_per_cycle must be > 0, got {link_words_per_cycle}")
    clock = Clock()
    clock.layer = layer
    run = _Run(clock, shape, mapping, array, link_words_per_cycle, fast_forward)
    clock.run(run.start())
    return RowRecord(
        layer,
        clock.now,
        run.processing_cycles,
        len(run.passes),
        max(one.active_pes(shape) for one in run.passes),
        dict(clock.counts),
        tuple(clock.timeline),
    )


class _Run:
    """One layer in execution."""

    def __init__(
        self,
        clock: Clock,
        shape: LayerShape,
        mapping: RowMapping,
        array: SpatialArray,
        bandwidth: Fraction | None,
        fast_forward: bool,
    ) -> None:
        env = clock.env
        self.clock, self.shape, self.array = clock, shape, array
        self.bandwidth, self.fast_forward = bandwidth, fast_forward
        self.passes = list(row_passes(shape, mapping))
        self.channels = shape.c // shape.groups
        psums = mapping.n * mapping.m * mapping.e * mapping.f
        self.free = {
            "filter": _words(env, array.filter_buffer_words),
            "psum": _words(env, psums),
            "ifmap": _words(env, array.glb_words - psums),
        }
        self.filters, self.ifmaps, self.sums = (simpy.Store(env) for _ in range(3))
        self.known: dict[tuple[int, ...], int] = {}
        self.processing_cycles = 0

    def start(self) -> simpy.Event:
        """Start the blocks; the event returned happens when all have finished."""
        env = self.clock.env
        return simpy.AllOf(env, [env.process(self._dma()), env.process(self._array())])

    def _dma(self) -> Process:
        for number, one in enumerate(self.passes):
            if one.fetch_filters:
                words = one.filter_words(self.shape)
                yield from self._take("dma", "filter", words)
                yield from self._transfer("read", "filters", words, number)
                self.clock.counts["glb.filter", "write"] += words
                yield self.filters.put(number)
            if one.fetch_ifmap:
                words = one.fetched_words(self.shape)
                yield from self._take("dma", "ifmap", one.ifmap_words(self.shape))
                yield from self._transfer("read", "ifmaps", words, number)
                self.clock.counts["glb.ifmap", "write"] += words
                yield self.ifmaps.put(number)
            if number:
                yield from self._write(number - 1)
        yield from self._write(len(self.passes) - 1)

    def _write(self, number: int) -> Process:
        """Take the outputs away that a pass completed, if any."""
        one = self.passes[number]
        if one.channels.stop == self.channels:
            yield from self.clock.wait("dma", "psums", self.sums.get())
            self.clock.counts["glb.psum", "read"] += one.psum_words
            yield from self._transfer("write", "ofmaps", one.psum_words, number)
            yield self.free["psum"].put(one.psum_words)

    def _array(self) -> Process:
        for number, one in enumerate(self.passes):
            last = number + 1 == len(self.passes)
            starts, ends = one.channels.start == 0, one.channels.stop == self.channels
            if one.fetch_filters:
                yield from self.clock.wait("array", "filters", self.filters.get())
            if one.fetch_ifmap:
                yield from self.clock.wait("array", "ifmaps", self.ifmaps.get())
            if starts:
                yield from self._take("array", "psum", one.psum_words)
            begin = self.clock.now
            if one.fetch_filters:
                yield from self._load_filters(one, number)
            yield from self._columns(one, number, reads_psums=not starts)
            self.processing_cycles += self.clock.now - begin
            self._count(one, starts)
            if last or self.passes[number + 1].fetch_ifmap:
                yield self.free["ifmap"].put(one.ifmap_words(self.shape))
            if ends:
                yield self.sums.put(number)

    def _load_filters(self, one: RowPass, number: int) -> Process:
        words = one.filter_words(self.shape)
        cycles = _cycles(words, self.array.filter_words_per_cycle)
        yield from self.clock.busy("array", "load filters", cycles, number)
        self.clock.counts["glb.filter", "read"] += words
        yield self.free["filter"].put(words)

    def _columns(self, one: RowPass, number: int, *, reads_psums: bool) -> Process:
        start = self.clock.now
        if not self.fast_forward:
            yield self.clock.env.process(
                _columns(self.clock.env, one, self.shape, self.array, reads_psums)
            )
        else:
            kind = (
                one.images.size,
                one.rows.size,
                one.columns.size,
                one.filters.size,
                one.channels.size,
                int(reads_psums),
            )
            if kind not in self.known:
                env = simpy.Environment()
                env.run(until=env.process(_columns(env, one, self.shape, self.array, reads_psums)))
                self.known[kind] = int(env.now)
            yield self.clock.env.timeout(self.known[kind])
        # Whichever way the pass was simulated, its end comes behind all else of its cycle.
        yield _LastOfCycle(self.clock.env)
        self.clock.timeline.append(
            Entry(start, self.clock.now, "array", "pass", self.clock.layer, number)
        )

    def _take(self, block: str, what: str, words: int) -> Process:
        event = self.free[what].get(words) if words else self.clock.env.timeout(0)
        yield from self.clock.wait(block, f"{words} free words for {what}s", event)

    def _transfer(self, action: str, what: str, words: int, number: int) -> Process:
        cycles = _cycles(words, self.bandwidth)
        yield from self.clock.busy("link", f"{action} {what}", cycles, number)
        self.clock.counts["dram", action] += words

    def _count(self, one: RowPass, starts: bool) -> None:
        counts, shape = self.clock.counts, self.shape
        counts["glb.ifmap", "read"] += one.ifmap_words(shape)
        counts["glb.psum", "read"] += 0 if starts else one.psum_words
        counts["glb.psum", "write"] += one.psum_words
        counts["multiplier", "compute"] += one.macs(shape)


class _LastOfCycle(simpy.Event):
    """Happens in this cycle, behind all events that are or get scheduled for it."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=EventPriority(2))


def _words(env: simpy.Environment, words: int) -> simpy.Container:
    return simpy.Container(env, capacity=words, init=words)


@lru_cache(maxsize=4096)
def _cycles(words: int, words_per_cycle: int | Fraction | None) -> int:
    return 0 if words_per_cycle is None else int(-(-words // words_per_cycle))


def _columns(
    env: simpy.Environment,
    one: RowPass,
    shape: LayerShape,
    array: SpatialArray,
    reads_psums: bool,
) -> Generator[simpy.Event, Any, None]:
    """Let NoC and PEs work on all columns of a pass whose weights are in the RFs."""
    columns = one.images.size * one.columns.size
    rows = one.ifmap_rows(shape) * one.channels.size
    new = min(shape.stride[1], shape.s)
    ifmap = deque(
        _cycles(rows * (new if column % one.columns.size else shape.s), array.ifmap_words_per_cycle)
        for column in range(columns)
    )
    psums = _cycles(one.filters.size * one.rows.size, array.psum_words_per_cycle)
    work = one.column_cycles(shape, array)
    slots = [simpy.Container(env, capacity=1, init=1) for _ in range(3)]
    ready = [simpy.Store(env) for _ in range(3)]

    def bring(place: int, times: deque[int]) -> Generator[simpy.Event, Any, None]:
        for cycles in times:
            yield slots[place].get(1)
            yield env.timeout(cycles)
            yield ready[place].put(None)

    def compute() -> Generator[simpy.Event, Any, None]:
        for _ in range(columns):
            for place in (0, 1):
                yield ready[place].get()
            for place in (0, 1):
                yield slots[place].put(1)
            yield env.timeout(work)
            yield slots[2].get(1)
            yield ready[2].put(None)

    def leave() -> Generator[simpy.Event, Any, None]:
        for _ in range(columns):
            yield ready[2].get()
            yield env.timeout(psums)
            yield slots[2].put(1)

    entering = deque([psums if reads_psums else 0] * columns)
    blocks = (bring(0, ifmap), bring(1, entering), compute(), leave())
    yield simpy.AllOf(env, [env.process(block) for block in blocks])
    yield env.timeout(one.hop_cycles(shape, array))
