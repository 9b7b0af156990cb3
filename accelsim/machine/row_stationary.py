"""A row-stationary layer on its array: off-chip link, GLB, NoC and PEs, event by event.

.. code-block:: none

    dma --(filter buffer; ifmaps in the GLB)--> array --(psums in the GLB)--> dma

The DMA has one link, for both directions, and a fixed program: for each pass it brings weights and
ifmaps that are not there yet, then takes away the outputs that the pass before completed. So it is
a pass ahead of the array where there is room. As nobody overtakes anybody, a faster part never
makes the whole slower.

Inside of a pass, once its weights are in the RFs, NoCs and PEs work on columns: see
`accelsim.machine.row_columns`. Weights reach the RFs before the first column, since an RF holds the
weights of one pass only; the buffer of weights on the chip is filled for the pass behind meanwhile.
GLB banks do not conflict.

What goes on inside of a pass depends on its sizes alone. By default each kind of pass is therefore
simulated once and its cycles used again; ``fast_forward=False`` simulates every one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import simpy
from simpy.events import EventPriority

from accelsim.dataflows.row_pass import RowPass
from accelsim.dataflows.row_stationary import RowMapping, check_mapping, row_passes
from accelsim.dataflows.spatial import SpatialArray
from accelsim.errors import ConfigError
from accelsim.layer import LayerShape
from accelsim.machine.row_columns import PassTimes, columns, transfer_cycles
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
        psums = mapping.n * mapping.m * mapping.e * mapping.f
        self.free = {
            "filter": _words(env, array.filter_buffer_words),
            "psum": _words(env, psums),
            "ifmap": _words(env, array.glb_words - psums),
        }
        self.filters, self.ifmaps, self.sums = (simpy.Store(env) for _ in range(3))
        self.inside = PassTimes(shape, array)
        self.processing_cycles = 0

    def start(self) -> simpy.Event:
        """Start the blocks; the event returned happens when all have finished."""
        env = self.clock.env
        return simpy.AllOf(env, [env.process(self._dma()), env.process(self._array())])

    def _dma(self) -> Process:
        for number, one in enumerate(self.passes):
            if one.fetch_weights:
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
        if one.ends_psums:
            yield from self.clock.wait("dma", "psums", self.sums.get())
            self.clock.counts["glb.psum", "read"] += one.psums
            yield from self._transfer("write", "ofmaps", one.psums, number)
            yield self.free["psum"].put(one.psums)

    def _array(self) -> Process:
        for number, one in enumerate(self.passes):
            last = number + 1 == len(self.passes)
            starts, ends = one.starts_psums, one.ends_psums
            if one.fetch_weights:
                yield from self.clock.wait("array", "filters", self.filters.get())
            if one.fetch_ifmap:
                yield from self.clock.wait("array", "ifmaps", self.ifmaps.get())
            if starts:
                yield from self._take("array", "psum", one.psums)
            begin = self.clock.now
            if one.fetch_weights:
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
        cycles = transfer_cycles(words, self.array.filter_words_per_cycle)
        yield from self.clock.busy("array", "load filters", cycles, number)
        self.clock.counts["glb.filter", "read"] += words
        yield self.free["filter"].put(words)

    def _columns(self, one: RowPass, number: int, *, reads_psums: bool) -> Process:
        start = self.clock.now
        if not self.fast_forward:
            yield self.clock.env.process(
                columns(self.clock.env, one, self.shape, self.array, reads_psums=reads_psums)
            )
        else:
            yield self.clock.env.timeout(self.inside.cycles(one, reads_psums=reads_psums))
        # Whichever way the pass was simulated, its end comes behind all else of its cycle.
        yield _LastOfCycle(self.clock.env)
        self.clock.timeline.append(
            Entry(start, self.clock.now, "array", "pass", self.clock.layer, number)
        )

    def _take(self, block: str, what: str, words: int) -> Process:
        event = self.free[what].get(words) if words else self.clock.env.timeout(0)
        yield from self.clock.wait(block, f"{words} free words for {what}s", event)

    def _transfer(self, action: str, what: str, words: int, number: int) -> Process:
        cycles = transfer_cycles(words, self.bandwidth)
        yield from self.clock.busy("link", f"{action} {what}", cycles, number)
        self.clock.counts["dram", action] += words

    def _count(self, one: RowPass, starts: bool) -> None:
        counts, shape = self.clock.counts, self.shape
        counts["glb.ifmap", "read"] += one.ifmap_words(shape)
        counts["glb.psum", "read"] += 0 if starts else one.psums
        counts["glb.psum", "write"] += one.psums
        counts["multiplier", "compute"] += one.macs(shape)
        counts["accumulator", "add"] += one.additions(shape)
        for (name, action), words in one.rf_words(shape, self.array.psum_words).items():
            counts[f"rf.{name}", action] += words
        for operand, words in one.noc_words(shape).items():
            counts[f"noc.{operand}", "transfer"] += words


class _LastOfCycle(simpy.Event):
    """Happens in this cycle, behind all events that are or get scheduled for it."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=EventPriority(2))


def _words(env: simpy.Environment, words: int) -> simpy.Container:
    return simpy.Container(env, capacity=words, init=words)
