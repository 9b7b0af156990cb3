"""Output-stationary: a psum stays in its PE while operands stream past.

.. code-block:: none

    for first_pixel in range(0, m, rows):            # fold over output pixels
        for first_filter in range(0, n, cols):       # fold over filters: one pass
            for kk in range(k):                      # streams, kk ascending
                for i in rows, j in cols, in parallel:
                    psum[i, j] += product(activation[first_pixel + i, kk],
                                          weight[first_filter + j, kk])

Activations enter at the left edge, one row per output pixel; weights at the top edge, one column
per filter; both are skewed by a cycle per PE, so PE (i, j) gets operand pair kk at cycle
``i + j + kk * interval``. Every addition of a PE waits for the one before, so no PE takes operand
pairs faster than it adds: ``interval = max(multiply_interval, add_cycles)``. The psums are shifted
out afterwards, a row a cycle.

A pass that uses r rows and c columns therefore takes::

    fill    r + c - 2                            the skew of the last PE
    stream  (k - 1) * interval + latency         until its last product is accumulated
    drain   r

and r cycles of load before it when it goes on from stored psums (k split over tiles). With one
cycle for a multiply-accumulate and a full array that is SCALE-Sim's paper form 2R + C + K - 2.
Accumulation order is kk ascending, whatever the array and the tiling: the bits of a float32 sum
do not depend on them.

Overlap: a second psum register per PE takes the psums of the pass before (``drain``) while this
one fills, which must not complete its first psum before the last of those is out; or those of the
pass behind (``load``) while this one streams. There is one such register, so ``both`` hides the
load of a pass that goes on from stored psums, and drains under the fill of one that does not.

Sources
-------
Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim", ISPASS 2020 (paper form). SCALE-Sim 3.0.0 itself reports
``ceil(m/R) * ceil(n/C) * (k + R + C - 2) - 1``: no drain, and the index of the last cycle.
"""

from __future__ import annotations

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.base import Overlap, Pass, PeTiming
from accelsim.dataflows.systolic import SystolicDataflow

__all__ = ["OutputStationary"]


class OutputStationary(SystolicDataflow):
    """Rows are output pixels, columns are filters, psums stay."""

    name = "os"
    title = "output-stationary systolic array"
    axes = ("pixels", "filters", "k")

    def _bounds(
        self, m: int, n: int, k: int, rows: int, cols: int
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        return (m, rows), (n, cols)

    def _pass(
        self,
        bounds: tuple[int, int, int],
        outer: tuple[int, int],
        inner: tuple[int, int],
        timing: PeTiming,
        resume: bool,
    ) -> Pass:
        (_, _, k), r, c = bounds, outer[1], inner[1]
        return Pass(
            *outer,
            *inner,
            first_k=0,
            k=k,
            reads_psums=resume,
            load_cycles=r if resume else 0,
            fill_cycles=r + c - 2,
            stream_cycles=(k - 1) * self.interval(timing) + timing.latency_cycles,
            drain_cycles=r,
        )

    def _cycles_alone(
        self, m: int, n: int, k: int, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> int:
        row_folds, col_folds = -(-m // rows), -(-n // cols)
        stream = (k - 1) * self.interval(timing) + timing.latency_cycles
        # Summed over the folds, r gives m and c gives n: in fill, drain, and load if any.
        shifts = 2 + int(resume)
        return row_folds * col_folds * (stream - 2) + shifts * m * col_folds + n * row_folds

    def _start_after(self, one: Pass, following: Pass, timing: PeTiming, overlap: Overlap) -> int:
        alone = one.whole_cycles - one.load_cycles
        if overlap in ("drain", "both") and not following.reads_psums:
            # The first psum of the other may complete when the last of this one is out.
            return max(one.k * self.interval(timing), alone - following.stream_cycles)
        if overlap in ("load", "both"):
            return max(alone, following.load_cycles)
        return alone + following.load_cycles

    def interval(self, timing: PeTiming) -> int:
        return max(timing.multiply_interval, timing.add_cycles)

    def _scalesim_pass_cycles(self, m: int, n: int, k: int, rows: int, cols: int) -> dict[str, int]:
        return {"scalesim3": k + rows + cols - 2, "scalesim_paper": k + 2 * rows + cols - 2}

    def rf_accesses(self, one: Pass, psum_words: int) -> tuple[int, int]:
        # Per product: the activation, weight and psum registers are each read and written once.
        # Load and drain move the psum of row i through the rows between it and the edge.
        moves = one.filters * one.pixels * (one.pixels + 1) // 2
        shifts = moves * (2 if one.reads_psums else 1)
        products = one.pixels * one.filters * one.k
        accesses = (2 + psum_words) * products + psum_words * shifts
        return accesses, accesses


DATAFLOWS.register("os", OutputStationary())
