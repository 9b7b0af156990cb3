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
``i + j + kk * interval``. The psums are shifted down and out afterwards, a row a cycle.

A pass that uses r rows and c columns therefore takes::

    fill    r + c - 2                            the skew of the last PE
    stream  (k - 1) * interval + latency         until its last product is accumulated
    drain   r

and r cycles of preload before it when it goes on from stored psums (k split over tiles). With one
cycle for a multiply-accumulate and a full array that is SCALE-Sim's paper form 2R + C + K - 2.
Accumulation order is kk ascending, whatever the array and the tiling: the bits of a float32 sum
do not depend on them.

Sources
-------
Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim", ISPASS 2020 (paper form). SCALE-Sim 3.0.0 itself reports
``ceil(m/R) * ceil(n/C) * (k + R + C - 2) - 1``: no drain, and the index of the last cycle.
"""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.base import Dataflow, Pass, PeTiming

__all__ = ["OutputStationary"]


class OutputStationary(Dataflow):
    """Rows are output pixels, columns are filters, psums stay."""

    name = "os"
    title = "output-stationary systolic array"

    def passes(
        self, m: int, n: int, k: int, *, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> Iterator[Pass]:
        stream = (k - 1) * timing.interval_cycles + timing.latency_cycles
        for first_pixel in range(0, m, rows):
            r = min(rows, m - first_pixel)
            for first_filter in range(0, n, cols):
                c = min(cols, n - first_filter)
                preload = r if resume else 0
                yield Pass(first_pixel, r, first_filter, c, k, preload, r + c - 2, stream, r)

    def _closed_forms(
        self, m: int, n: int, k: int, rows: int, cols: int, timing: PeTiming, resume: bool
    ) -> dict[str, int]:
        row_folds, col_folds = -(-m // rows), -(-n // cols)
        folds = row_folds * col_folds
        stream = (k - 1) * timing.interval_cycles + timing.latency_cycles
        # Summed over the folds, r gives m and c gives n.
        shifts = 2 + int(resume)
        return {
            "accelsim": folds * (stream - 2) + shifts * m * col_folds + n * row_folds,
            "scalesim3": folds * (k + rows + cols - 2) - 1,
            "scalesim_paper": folds * (k + 2 * rows + cols - 2),
        }

    def rf_accesses(self, one: Pass, psum_words: int) -> tuple[int, int]:
        # Per product: the activation, weight and psum registers are each read and written once.
        # Preload and drain move the psum of row i through the rows between it and the edge.
        moves = one.filters * one.pixels * (one.pixels + 1) // 2
        shifts = moves * (2 if one.preload_cycles else 1)
        products = one.pixels * one.filters * one.k
        accesses = (2 + psum_words) * products + psum_words * shifts
        return accesses, accesses


DATAFLOWS.register("os", OutputStationary())
