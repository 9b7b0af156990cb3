"""Products per second of netlists: evaluation, functional toggles, toggles with glitches.

Run ``python benchmarks/circuits.py``.

One thread, medians. Netlists are data to one compiled interpreter, so that a new one costs no
compilation. Products are checked against the unit's definition before anything is timed.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

# Read when NumPy and Numba are imported.
os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from accelsim.circuits.comparison import normal_operands
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

UNITS = ("exact_uint8", "exact_int16", "ax_bfloat16", "ax_fpm", "ax_fpm_flat", "exact_fp32")
PAIRS = 100_000
GLITCH_PAIRS = 5_000


def rate(run: Callable[[], object], products: int, repeats: int = 9) -> float:
    """Return products per second, by the median time."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return products / statistics.median(seconds)


def main() -> None:
    """Print one table."""
    print(f"{'unit':<16}{'gates':>8}{'products/s':>14}{'toggles/s':>14}{'glitches/s':>14}")
    for name in UNITS:
        unit = MULTIPLIERS[name]
        circuit = unit.circuit
        if isinstance(unit, IntegerMultiplier):
            low, high = unit.operands.low, unit.operands.high
            a, w = np.random.default_rng(0).integers(low, high + 1, (2, PAIRS))
        else:
            a, w = normal_operands(PAIRS)
        if not np.array_equal(circuit.product(a, w), unit.product(a, w)):
            raise SystemExit(f"{name}: wrong products, nothing to time")
        few = a[:GLITCH_PAIRS], w[:GLITCH_PAIRS]
        rates = (
            rate(lambda: circuit.product(a, w), PAIRS),  # noqa: B023
            rate(lambda: circuit.toggles(a, w), PAIRS),  # noqa: B023
            rate(lambda: circuit.toggles(*few, glitches=True), GLITCH_PAIRS),  # noqa: B023
        )
        columns = "".join(f"{value:>14,.0f}" for value in rates)
        print(f"{name:<16}{len(circuit.netlist.gates):>8}{columns}")


if __name__ == "__main__":
    main()
