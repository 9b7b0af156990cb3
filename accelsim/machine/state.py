"""What the machine's blocks share: clock, timeline, action counts, and who waits for what."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable, Mapping
from typing import Any, NamedTuple

import simpy

from accelsim.config import Accelerator
from accelsim.errors import StallError
from accelsim.layer import WORD_BYTES
from accelsim.layer_units import by_unit

__all__ = ["NOTHING", "Clock", "Entry", "Handover", "Process", "State", "Work", "moving"]

Process = Generator[simpy.Event, Any, Any]


class Work(NamedTuple):
    """What a block does in one stretch of time."""

    bytes: int = 0
    """Moved: over the DRAM's bus by DRAM and DMA, through the GLB's ports by all blocks."""
    macs: int = 0
    """Of the array."""
    queued_cycles: int = 0
    """From the issue of a transfer until the DRAM takes it."""
    latency_cycles: int = 0
    """From there to its first data."""


NOTHING = Work()


def moving(words: Mapping[str, int], macs: int = 0) -> Work:
    """Return the work of moving *words* (by partition) through the GLB's ports, and *macs*."""
    return Work(WORD_BYTES * sum(words.values()), macs)


class Entry(NamedTuple):
    """One stretch of time in which a block was busy, with the fields of its `Work`."""

    cycle_start: int
    cycle_end: int
    block: str
    what: str
    layer: str
    tile: int
    bytes: int = 0
    macs: int = 0
    queued_cycles: int = 0
    latency_cycles: int = 0


class Clock:
    """The clock and the books of one simulation, whatever the machine."""

    def __init__(self, *, keeps_timeline: bool = True) -> None:
        self.env = simpy.Environment()
        self.keeps_timeline = keeps_timeline
        self.timeline: list[Entry] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        """(component, action) -> count of the layer that runs now."""
        self.layer = ""
        self.waiting: dict[str, tuple[str, int]] = {}
        """Block -> (what it waits for, since which cycle)."""

    @property
    def now(self) -> int:
        """Current cycle."""
        return self.env.now  # type: ignore[return-value]  # all delays are whole cycles

    def busy(
        self,
        block: str,
        what: str,
        cycles: int,
        tile: int,
        *,
        with_block: str | None = None,
        work: Work = NOTHING,
    ) -> Process:
        """Let *block* (and *with_block*) work for *cycles* and enter it into the timeline."""
        done = self.env.timeout(cycles)
        return self.busy_until(block, what, done, tile, with_block=with_block, work=work)

    def busy_until(
        self,
        block: str,
        what: str,
        done: simpy.Event,
        tile: int,
        *,
        with_block: str | None = None,
        work: Work = NOTHING,
    ) -> Process:
        """Let *block* (and *with_block*) work until *done* and enter it into the timeline."""
        start = self.now
        yield done
        end = self.now
        if end > start and self.keeps_timeline:
            # `_make` is the quicker way to so many fields, and machines make many entries.
            own = (what, self.layer, tile, *work)
            self.timeline.append(Entry._make((start, end, block, *own)))
            if with_block is not None:
                self.timeline.append(Entry._make((start, end, with_block, *own)))

    def wait(self, block: str, what: str, event: simpy.Event) -> Process:
        """Let *block* wait for *event*, known by *what* if it never comes."""
        self.waiting[block] = (what, self.now)
        value = yield event
        del self.waiting[block]
        return value

    def run(self, done: simpy.Event) -> None:
        """Run until *done*.

        Raises
        ------
        StallError
            No event is left and *done* has not happened.
        """
        try:
            self.env.run(until=done)
        except RuntimeError as error:
            if done.triggered or self.env.peek() != float("inf"):
                raise
            waits = "; ".join(
                f"{block} waits for {what} since cycle {since}"
                for block, (what, since) in self.waiting.items()
            )
            raise StallError(
                f"layer {self.layer!r} cannot go on at cycle {self.now}: "
                f"{waits or 'nobody waits'}; no network and no configuration may do that: "
                "report it with both"
            ) from error

    def skip(self, cycles: int) -> None:
        """Let *cycles* go by in which nothing happens: no block is at work."""
        if cycles:
            self.env.run(until=self.env.timeout(cycles))


class Handover:
    """What one block hands on to another, in order: operands, results, or slots that are free.

    Handing on and taking what is there are no events and take no turn in the cycle, as they would
    with a `simpy.Store`, which is most of what one costs.

    Parameters
    ----------
    clock : Clock
    what : str
        What is handed on, for who waits for it.
    items : iterable
        What is there from the start.
    """

    def __init__(self, clock: Clock, what: str, items: Iterable[Any] = ()) -> None:
        self.clock, self.what = clock, what
        self.items: deque[Any] = deque(items)
        self.takers: deque[simpy.Event] = deque()

    def put(self, item: Any = None) -> None:
        """Hand *item* on."""
        if self.takers:
            self.takers.popleft().succeed(item)
        else:
            self.items.append(item)

    def take(self, block: str) -> Process:
        """Return what comes next, once it is there; *block* waits for it."""
        if self.items:
            return self.items.popleft()
        taker = self.clock.env.event()
        self.takers.append(taker)
        return (yield from self.clock.wait(block, self.what, taker))


class State(Clock):
    """The clock and the books of one simulation of an accelerator.

    Parameters
    ----------
    accelerator : Accelerator
        The machine that is simulated.
    keeps_timeline : bool
        False: nobody asks for the timeline, and what would only be told apart there may be one
        event.
    """

    def __init__(self, accelerator: Accelerator, *, keeps_timeline: bool = True) -> None:
        super().__init__(keeps_timeline=keeps_timeline)
        self.accelerator = accelerator
        self.machines = by_unit(accelerator)
        """Multiplier -> the machine as layers on that unit see it."""

    def machine_of(self, layer: str) -> Accelerator:
        """Return the machine with the unit of *layer* alone."""
        return self.machines[self.accelerator.unit_of(layer)]
