"""What weight- and input-stationary share: one operand stays in the PEs, sums move down them.

.. code-block:: none

    for first in range(0, stationary, cols):         # fold over the stationary operand
        for first_k in range(0, k, rows):            # fold over k: one pass
            for s in range(streaming):               # streams
                for i in rows, j in cols, in parallel:
                    psum[s, first + j] += product of the operands kk = first_k + i

The stationary operand is shifted in from the top edge, a row a cycle. The other enters at the left
edge; its element s of row i enters at cycle ``s * interval + i * add_cycles`` and moves a PE to the
right each cycle. A sum starts at 0 in the first row, or as the stored psum of the fold of k before,
and moves down the rows: each adds its product, kk ascending. As successive sums belong to other
outputs no addition waits for the one before it in its PE; the latency of an adder costs skew
instead: ``interval = max(multiply_interval, add_interval)``.

A pass that uses r rows and c columns therefore takes::

    load    r
    fill    (r - 1) * add_cycles + c - 1         the skew of the last PE
    stream  (streaming - 1) * interval + latency until the last sum leaves the last row

With one cycle for a multiply-accumulate and a full array that is SCALE-Sim's form
2R + C + streaming - 2. Every fold of k reads the psums of the fold before from the GLB and writes
its own there.

Overlap: with ``load`` a PE has a second register for the stationary operand, into which the next
one is shifted once every PE works with the present one. With ``drain`` the next operand is shifted
in while the last sums are still on their way. With ``both`` the next pass follows as soon as its
operands are there. In the last two cases its sums must leave the array behind those of this pass,
and must find these stored where they go on from them.
"""

from __future__ import annotations

from abc import abstractmethod

from accelsim.dataflows.base import Overlap, Pass, PeTiming
from accelsim.dataflows.systolic import SystolicDataflow

__all__ = ["StationaryOperand"]


class StationaryOperand(SystolicDataflow):
    """Rows are k, columns are outputs of the operand that stays."""

    @abstractmethod
    def _stationary_and_streaming(self, m: int, n: int) -> tuple[int, int]:
        """Return the outputs that the stationary operand has, and those that stream past it."""

    @abstractmethod
    def _outputs(self, columns: tuple[int, int], streaming: int) -> tuple[int, int, int, int]:
        """Return (first pixel, pixels, first filter, filters) of a pass."""

    def _bounds(
        self, m: int, n: int, k: int, rows: int, cols: int
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self._stationary_and_streaming(m, n)[0], cols), (k, rows)

    def _pass(
        self,
        bounds: tuple[int, int, int],
        outer: tuple[int, int],
        inner: tuple[int, int],
        timing: PeTiming,
        resume: bool,
    ) -> Pass:
        (m, n, _), (first_k, r), c = bounds, inner, outer[1]
        _, streaming = self._stationary_and_streaming(m, n)
        return Pass(
            *self._outputs(outer, streaming),
            first_k=first_k,
            k=r,
            reads_psums=resume or first_k > 0,
            load_cycles=r,
            fill_cycles=(r - 1) * timing.add_cycles + c - 1,
            stream_cycles=(streaming - 1) * self.interval(timing) + timing.latency_cycles,
            drain_cycles=0,
        )

    def _cycles_alone(
        self, m: int, n: int, k: int, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> int:
        stationary, streaming = self._stationary_and_streaming(m, n)
        outer_folds, k_folds = -(-stationary // cols), -(-k // rows)
        stream = (streaming - 1) * self.interval(timing) + timing.latency_cycles
        # Summed over the folds, r gives k, in load and fill, and c gives what stays.
        skews = outer_folds * k * (1 + timing.add_cycles) + k_folds * stationary
        return skews + outer_folds * k_folds * (stream - timing.add_cycles - 1)

    def _start_after(self, one: Pass, following: Pass, timing: PeTiming, overlap: Overlap) -> int:
        done = one.fill_cycles + one.stream_cycles
        taken_over = one.fill_cycles + 1 + following.load_cycles
        if overlap == "load":
            return max(done, taken_over)
        if overlap in ("drain", "both"):
            entered = done - timing.latency_cycles + 1
            free = entered + following.load_cycles if overlap == "drain" else taken_over
            # Sums leave behind those of this pass, and are stored where others go on from them.
            behind = one.stream_cycles - timing.latency_cycles + self.interval(timing)
            behind += max(0, one.k - following.k) * timing.add_cycles
            # What is not the first fold of k goes on from the fold just before it.
            stored = one.k * timing.add_cycles if following.first_k > 0 else 0
            return max(free, behind, stored)
        return done + following.load_cycles

    def interval(self, timing: PeTiming) -> int:
        return timing.free_interval

    def _scalesim_pass_cycles(self, m: int, n: int, k: int, rows: int, cols: int) -> dict[str, int]:
        cycles = self._stationary_and_streaming(m, n)[1] + 2 * rows + cols - 2
        return {"scalesim3": cycles, "scalesim_paper": cycles}

    def rf_accesses(self, one: Pass, psum_words: int) -> tuple[int, int]:
        # Per product: the streaming operand and the psum are written and read once, the stationary
        # operand is read. Loading moves the operand of row i through the rows above it.
        columns = one.filters if self._outputs((0, 1), 2)[3] == 1 else one.pixels
        moves = columns * one.k * (one.k + 1) // 2
        products = one.pixels * one.filters * one.k
        writes = (1 + psum_words) * products + moves
        return writes + products, writes
