"""Weight-stationary: weights stay in the PEs, activations stream past, sums move down the rows.

.. code-block:: none

    for first_filter in range(0, n, cols):           # fold over filters
        for first_k in range(0, k, rows):            # fold over k: one pass
            for pixel in range(m):                   # streams
                for i in rows, j in cols, in parallel:
                    psum[pixel, first_filter + j] += product(
                        activation[pixel, first_k + i], weight[first_filter + j, first_k + i])

A pass that uses r rows and c columns takes, with ``interval = max(multiply_interval,
add_interval)``::

    load    r
    fill    (r - 1) * add_cycles + c - 1         the skew of the last PE
    stream  (m - 1) * interval + latency                 until the last sum leaves the last row

Accumulation order is kk ascending, so that the bits are those of the other dataflows. Why, and what
overlaps: see `accelsim.dataflows.stationary_operand` and docs/dataflows.md.

Sources
-------
Jouppi et al., "In-Datacenter Performance Analysis of a Tensor Processing Unit", ISCA 2017 (weights
double-buffered in the array); Samajdar et al., ISPASS 2020 (cycles). SCALE-Sim 3.0.0 reports
``ceil(k/R) * ceil(n/C) * (m + 2R + C - 2) - 1``: the index of the last cycle.
"""

from __future__ import annotations

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.stationary_operand import StationaryOperand

__all__ = ["WeightStationary"]


class WeightStationary(StationaryOperand):
    """Rows are k, columns are filters, weights stay."""

    name = "ws"
    title = "weight-stationary systolic array"
    axes = ("k", "filters", "pixels")

    def _stationary_and_streaming(self, m: int, n: int) -> tuple[int, int]:
        return n, m

    def _outputs(self, columns: tuple[int, int], streaming: int) -> tuple[int, int, int, int]:
        return 0, streaming, *columns


DATAFLOWS.register("ws", WeightStationary())
