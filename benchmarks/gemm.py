"""Products per second of the GEMM kernels beside torch's exact matmul, as one table.

Run ``python benchmarks/gemm.py``.

One thread, all contenders in one process and taking turns, medians. Only the ratios mean anything
on a shared machine. Outputs are checked against the scalar product before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

# Read when NumPy, Numba and torch are imported.
os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import torch

from accelsim.accumulators import ACCUMULATORS
from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS

SHAPES = {
    "conv: 64 filters, K 288, 6272 pixels": (64, 288, 6272),
    "fc: 200 outputs, K 3136, batch 1": (200, 3136, 1),
}
"""Name -> (n, k, m)."""


def contenders(n: int, k: int, m: int) -> dict[str, Callable[[], object]]:
    """Return name -> one GEMM, each checked on its first call (which compiles)."""
    rng = np.random.default_rng(0)
    activations = rng.standard_normal((k, m), dtype=np.float32)
    weights = rng.standard_normal((n, k), dtype=np.float32)
    left, right = torch.from_numpy(weights), torch.from_numpy(activations)
    runs: dict[str, Callable[[], object]] = {"torch fp32 matmul": lambda: left @ right}
    for unit in MULTIPLIERS:
        for accumulator in ACCUMULATORS:
            psums = np.zeros((n, m), ACCUMULATORS[accumulator].dtype)

            def run(unit: str = unit, accumulator: str = accumulator, psums: np.ndarray = psums):
                accumulate(unit, accumulator, activations, weights, psums)

            run()
            expected = psums.dtype.type(0)
            for kk in range(k):
                product = MULTIPLIERS[unit].product(activations[kk, 0], weights[0, kk])
                expected = psums.dtype.type(expected + product)
            if psums[0, 0] != expected:
                raise SystemExit(f"{unit} / {accumulator}: wrong bits, nothing to time")
            runs[f"{unit} / {accumulator}"] = run
    return runs


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each run, the runs taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"{'shape':<38}{'kernel':<24}{'G products/s':>12}{'time / torch':>14}")
    for shape, (n, k, m) in SHAPES.items():
        medians = measure(contenders(n, k, m), repeats)
        for name, median in medians.items():
            ratio = median / medians["torch fp32 matmul"]
            print(f"{shape:<38}{name:<24}{n * k * m / median / 1e9:>12.2f}{ratio:>14.2f}")


if __name__ == "__main__":
    main()
