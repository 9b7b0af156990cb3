"""What sweeps cost: points a second, what the memo of layers saves, and how workers scale.

Run ``python benchmarks/sweeps.py``; ``--help`` says what can be chosen. Seconds and ratios of one
run; only ratios mean anything on a shared machine.

``memo``: the same points in one process with and without the memo, whose rows must be equal.
``sweep``: a timing-only grid of ResNet-50 through `accelsim.sweep`, for each number of workers into
a new folder: points a second, wall and CPU seconds of the driver and of its workers. Efficiency is
that against the first number: by wall, which is right where each worker has a core to itself, and
by the workers' CPU, which is right anywhere and shows what they do twice. A point is run before all
of them, so that none compiles, or imports torch, for those behind it.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

import accelsim
from accelsim.config import Accelerator
from accelsim.sweeps.points import point_of, run_points

GRID: dict[str, list[object]] = {
    "array.rows": [8, 16, 24, 32, 64],
    "array.cols": [8, 16, 24, 32, 64],
    "array.dataflow": ["os", "ws"],
    "multiplier": ["exact_fp32", "ax_fpm"],
    "clock_mhz": [100, 110, 120, 130, 140],
    "energy_table": ["cmos45", "cmos22"],
}
"""1,000 points, of which those that differ in the table alone take the same cycles, and those that
differ in unit and clock do where their delays are as many cycles."""


def memo(workload: str, points: int) -> None:
    """Run some points of the grid with and without the memo."""
    make = partial(
        point_of,
        base=Accelerator.preset("edge_16x16"),
        workload=workload,
        images=1,
        data=None,
        values=False,
    )
    chosen = [
        make({"array.rows": 16, "energy_table": table, "name": f"p{number}"})[1]
        for number, table in zip(range(points), ["cmos45", "cmos22"] * points, strict=False)
    ]
    rows, seconds = {}, {}
    for shares in (True, False):
        start = time.process_time()
        rows[shares] = run_points(chosen, shares=shares)
        seconds[shares] = time.process_time() - start
    if rows[True] != rows[False]:
        raise SystemExit("rows with the memo differ from those without")
    print(
        f"memo of {workload}: {points} points of one machine, equal rows: "
        f"{seconds[True]:.2f} s with, {seconds[False]:.2f} s without, "
        f"ratio {seconds[False] / seconds[True]:.1f}"
    )
    start = time.process_time()
    run_points(chosen)
    print(f"a point of a known machine: {(time.process_time() - start) / points * 1e3:.0f} ms")


def sweep(workload: str, points: int, workers: list[int]) -> None:
    """Run the grid with each number of workers."""
    grid, total = dict(GRID), math.prod(map(len, GRID.values()))
    while total > points and max(map(len, grid.values())) > 1:
        field = max(grid, key=lambda name: len(grid[name]))
        grid[field] = grid[field][:-1]
        total = math.prod(map(len, grid.values()))
    first: tuple[int, float, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        once = {name: values[:1] for name, values in grid.items()}
        accelsim.sweep(workload, once, out=Path(folder) / "s", images=1, values=False, workers=1)
    print(f"sweep of {workload}: {total} timing-only points, {os.cpu_count()} CPUs")
    for number in workers:
        with tempfile.TemporaryDirectory() as folder:
            driver, start, before = time.process_time(), time.monotonic(), _children_s()
            table = accelsim.sweep(
                workload, grid, out=Path(folder) / "s", images=1, values=False, workers=number
            )
            wall, driver = time.monotonic() - start, time.process_time() - driver
            cpu = _children_s() - before
        failed = int((table["error"] != "").sum())
        first = first or (number, wall, cpu)
        by_wall = first[0] * first[1] / (number * wall)
        print(
            f"{number} workers: {wall:.1f} s wall, {total / wall:.2f} points/s, {failed} failed; "
            f"CPU: driver {driver:.1f} s, workers {cpu:.1f} s; efficiency against {first[0]}: "
            f"{by_wall:.0%} by wall, {first[2] / cpu:.0%} by the workers' CPU"
        )


def _children_s() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["memo", "sweep"], help="memo, sweep")
    parser.add_argument("--workload", default="resnet50")
    parser.add_argument("--points", type=int, default=1000, help="at most so many")
    parser.add_argument("--workers", type=int, nargs="+", default=[2])
    chosen = parser.parse_args()
    if "memo" in chosen.parts:
        memo(chosen.workload, 4)
    if "sweep" in chosen.parts:
        sweep(chosen.workload, chosen.points, chosen.workers)


if __name__ == "__main__":
    main()
