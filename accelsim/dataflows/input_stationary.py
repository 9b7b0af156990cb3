"""Input-stationary: activations stay in the PEs, weights stream past, sums move down the rows.

.. code-block:: none

    for first_pixel in range(0, m, cols):            # fold over output pixels
        for first_k in range(0, k, rows):            # fold over k: one pass
            for filter in range(n):                  # streams
                for i in rows, j in cols, in parallel:
                    psum[first_pixel + j, filter] += product(
                        activation[first_pixel + j, first_k + i], weight[filter, first_k + i])

It is weight-stationary with the operands exchanged. A pass that uses r rows and c
columns takes, with ``interval = max(multiply_interval, add_interval)``::

    load    r
    fill    (r - 1) * add_cycles + c - 1         the skew of the last PE
    stream  (n - 1) * interval + latency                 until the last sum leaves the last row

Accumulation order is kk ascending, so that the bits are those of the other dataflows. Why, and what
overlaps: see `accelsim.dataflows.stationary_operand` and docs/dataflows.md.

Sources
-------
Samajdar et al., ISPASS 2020. SCALE-Sim 3.0.0 reports
``ceil(k/R) * ceil(m/C) * (n + 2R + C - 2) - 1``: the index of the last cycle.
"""

from __future__ import annotations

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.stationary_operand import StationaryOperand

__all__ = ["InputStationary"]


class InputStationary(StationaryOperand):
    """Rows are k, columns are output pixels, activations stay."""

    name = "is"
    title = "input-stationary systolic array"
    axes = ("k", "pixels", "filters")

    def _stationary_and_streaming(self, m: int, n: int) -> tuple[int, int]:
        return m, n

    def _outputs(self, columns: tuple[int, int], streaming: int) -> tuple[int, int, int, int]:
        return *columns, 0, streaming


DATAFLOWS.register("is", InputStationary())
