"""Toggle energy of one LeNet-5 image: all transitions, and samples of a hundredth of the cost.

Run ``python benchmarks/toggles.py``; ``--help`` says what can be chosen. One thread, CPU seconds.
The operands of all layers are made once, for both ways alike; their time is printed apart. A row
is samples of so many transitions, one a seed; ``1/transitions`` and ``1/CPU`` say what part of the
cost of all of them a sample took, in transitions counted (pilot included) and in CPU time. Errors
are those of the network's energy against all transitions: root mean square, and how many are below
3 %. Beside them the half width of the 95 % interval that a sample states (mean), and how many of
these intervals hold the energy of all transitions.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

# Read when NumPy and Numba are imported.
os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import accelsim
from accelsim.circuits import Circuit
from accelsim.circuits.cells import SUPPLY_V
from accelsim.energy.modes import flowing_operands
from accelsim.energy.streams import Streams
from accelsim.energy.toggles import WAYS, count_all, count_sample
from accelsim.machine.array import array_model
from accelsim.machine.program import MacStep, compile_program
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.statistics import Z95

UNITS = ("exact_fp32", "ax_fpm", "exact_int8")
SAMPLES = (3_000, 6_000, 12_000, 40_000)

Result = TypeVar("Result")


def timed(run: Callable[[], Result]) -> tuple[Result, float]:
    """Return what *run* returns, and its CPU seconds."""
    start = time.process_time()
    result = run()
    return result, time.process_time() - start


def streams_of(unit: str, dataflow: str, images: int) -> Streams:
    """Return the streams of so many test images of the built-in LeNet-5."""
    model, batch, _ = accelsim.load_workload("lenet5_digits", limit=images)
    trace = accelsim.trace(model, batch, name="lenet5_digits")
    if isinstance(MULTIPLIERS[unit], IntegerMultiplier):
        trace = trace.calibrated(accelsim.nn.calibrate_workload("lenet5_digits", model))
    machine = accelsim.Accelerator.preset("edge_16x16").replace(
        multiplier=unit, **{"array.dataflow": dataflow}
    )
    program = compile_program(trace, machine)
    steps = [(one.layer, one.tiling) for one in program.steps if isinstance(one, MacStep)]
    flowing_operands(trace, steps, machine)  # compiles the unit's kernels
    operands, seconds = timed(lambda: flowing_operands(trace, steps, machine))
    print(f"{unit}, {dataflow}: operands of {trace.macs:,} products in {seconds:.2f} s")
    return Streams(operands, array_model(machine), MULTIPLIERS[unit].circuit.ports)


def main() -> None:
    """Print a table for each unit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", nargs="+", default=UNITS, metavar="UNIT")
    parser.add_argument("--dataflow", default="os", choices=("os", "ws", "is"))
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100, help="samples of each size")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    arguments = parser.parse_args()
    for unit in arguments.units:
        streams = streams_of(unit, arguments.dataflow, arguments.images)
        circuit = MULTIPLIERS[unit].circuit
        for way in arguments.ways:
            measure(streams, circuit, way, arguments.seeds)


def measure(streams: Streams, circuit: Circuit, way: str, seeds: int) -> None:
    """Print what all transitions cost, counted one *way*, and what samples of them give."""
    count_sample(streams, circuit, [way], SAMPLES[0], seed=0)  # compiles
    parts, whole_s = timed(lambda: count_all(streams, circuit, way))
    whole_pj = sum(one.energy_pj for one in parts)
    print(
        f"  {way}: all {streams.transitions:,} transitions in {whole_s:.2f} s, "
        f"{whole_pj / streams.transitions:.3f} pJ each at {SUPPLY_V} V"
    )
    print(
        f"  {'sample':>10}{'1/transitions':>15}{'1/CPU':>8}{'rms %':>8}{'< 3 %':>8}{'+- %':>8}"
        f"{'hold':>8}"
    )
    for members in SAMPLES:
        errors, halves, costs = [], [], []
        for seed in range(seeds):
            draw = functools.partial(count_sample, streams, circuit, [way], members, seed)
            results, seconds = timed(draw)
            found = results[way]
            costs.append(seconds)
            errors.append(100 * (sum(one.energy_pj for one in found) / whole_pj - 1))
            variance = sum(one.variance_pj2 for one in found)
            halves.append(100 * Z95 * variance**0.5 / whole_pj)
        counted = sum(one.counted for one in found)
        print(
            f"  {members:>10,}{streams.transitions / counted:>15.0f}"
            f"{whole_s / statistics.median(costs):>8.0f}"
            f"{statistics.fmean(error**2 for error in errors) ** 0.5:>8.2f}"
            f"{statistics.fmean(abs(error) < 3 for error in errors):>8.0%}"
            f"{statistics.fmean(halves):>8.2f}"
            f"{statistics.fmean(abs(e) <= h for e, h in zip(errors, halves, strict=True)):>8.0%}"
        )


if __name__ == "__main__":
    main()
