"""What the three systolic dataflows share: the order of passes, what overlaps, a closed form.

Operands and psums move from PE to PE, one hop a cycle (a psum that is added to on its way: one hop
an addition). A pass starts when its first operand enters the array. Rows and columns that a partly
filled pass does not use are bypassed and cost nothing.

Passes are two nested loops over folds. Of all of a loop's folds only the last may be smaller, so
the closed form counts the few kinds of neighbors that there are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

from accelsim.dataflows.base import Axis, MatrixDataflow, Overlap, Pass, PeBlock, PeTiming

__all__ = ["SystolicDataflow", "spans"]


class SystolicDataflow(MatrixDataflow):
    """A dataflow on an array whose neighbors hand operands and psums on."""

    axes: tuple[Axis, Axis, Axis]
    """What the rows of the array are, its columns, and the successive operand pairs of a PE."""

    @abstractmethod
    def _bounds(
        self, m: int, n: int, k: int, rows: int, cols: int
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (size, largest fold) of the outer and of the inner loop over folds."""

    @abstractmethod
    def _pass(
        self,
        bounds: tuple[int, int, int],
        outer: tuple[int, int],
        inner: tuple[int, int],
        timing: PeTiming,
        resume: bool,
    ) -> Pass:
        """Return the pass of two folds, each (first, size), of a product (m, n, k)."""

    @abstractmethod
    def _start_after(self, one: Pass, following: Pass, timing: PeTiming, overlap: Overlap) -> int:
        """Return the cycles from the start of *one* to that of *following*, loading aside.

        That is: from the first operand of one into the array to the first of the other.
        """

    @abstractmethod
    def _cycles_alone(
        self, m: int, n: int, k: int, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> int:
        """Return the cycles of all passes, one after the other."""

    def passes(
        self,
        m: int,
        n: int,
        k: int,
        *,
        rows: int,
        cols: int,
        timing: PeTiming,
        resume: bool,
        overlap: Overlap = "none",
    ) -> Iterator[Pass]:
        outer, inner = self._bounds(m, n, k, rows, cols)
        waiting: Pass | None = None
        for fold in spans(*outer):
            for inner_fold in spans(*inner):
                one = self._pass((m, n, k), fold, inner_fold, timing, resume)
                if waiting is not None:
                    yield self._followed(waiting, one, timing, overlap)
                waiting = one
        if waiting is not None:
            yield waiting

    def pe_block(self, one: Pass) -> PeBlock:
        (_, rows), (_, cols), (_, macs) = (one.span(axis) for axis in self.axes)
        return PeBlock(0, rows, 0, cols, macs)

    def folds(self, m: int, n: int, k: int, rows: int, cols: int) -> int:
        (outer, outer_fold), (inner, inner_fold) = self._bounds(m, n, k, rows, cols)
        return -(-outer // outer_fold) * -(-inner // inner_fold)

    def machine_cycles(
        self,
        m: int,
        n: int,
        k: int,
        rows: int,
        cols: int,
        timing: PeTiming,
        resume: bool,
        overlap: Overlap,
    ) -> int:
        if overlap == "none":
            return self._cycles_alone(m, n, k, rows, cols, timing, resume)
        outer, inner = self._bounds(m, n, k, rows, cols)
        total = 0
        for (first, second), times in _neighbors(_kinds(*outer), _kinds(*inner)):
            one = self._pass((m, n, k), *first, timing, resume)
            if second is not None:
                following = self._pass((m, n, k), *second, timing, resume)
                one = self._followed(one, following, timing, overlap)
            total += times * one.cycles
        return total

    def _followed(self, one: Pass, following: Pass, timing: PeTiming, overlap: Overlap) -> Pass:
        """Return *one* with what of it runs while *following* is in the array."""
        # A pass is charged from its load on, and the load of the following one is charged to it.
        apart = self._start_after(one, following, timing, overlap)
        return replace(
            one, hidden_cycles=one.whole_cycles - one.load_cycles - apart + following.load_cycles
        )


def spans(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, size) of the folds of a range: all of *size* but the last.

    >>> list(spans(7, 3))
    [(0, 3), (3, 3), (6, 1)]
    """
    for first in range(0, total, size):
        yield first, min(size, total - first)


_Fold = tuple[int, int]
_Folds = tuple[_Fold, _Fold]


def _kinds(total: int, size: int) -> list[tuple[_Fold, int]]:
    """Return the kinds of folds in order, each with how many there are of it.

    The first is of a kind of its own, since sums may start there.
    """
    folds = -(-total // size)
    first, last = (0, min(size, total)), ((folds - 1) * size, total - (folds - 1) * size)
    middle = [((size, size), folds - 2)] if folds > 2 else []
    return [(first, 1), *middle, *([(last, 1)] if folds > 1 else [])]


def _neighbors(
    outer: list[tuple[_Fold, int]], inner: list[tuple[_Fold, int]]
) -> Iterator[tuple[tuple[_Folds, _Folds | None], int]]:
    """Yield each kind of (pass, pass behind it or None) with how often it occurs."""
    for place, (fold, times) in enumerate(outer):
        for inner_place, (inner_fold, inner_times) in enumerate(inner):
            one = fold, inner_fold
            if inner_times > 1:
                yield (one, one), times * (inner_times - 1)
            if inner_place + 1 < len(inner):
                yield (one, (fold, inner[inner_place + 1][0])), times
                continue
            # The last of the inner loop: the first of the next step of the outer one follows.
            start = inner[0][0]
            if times > 1:
                yield (one, (fold, start)), times - 1
            behind = (outer[place + 1][0], start) if place + 1 < len(outer) else None
            yield (one, behind), 1
