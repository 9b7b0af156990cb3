"""`run`: a matrix product on the array, from operands and schedule to psums and cycles."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO, Accumulator
from accelsim.compilation import jit
from accelsim.dataflows import DATAFLOWS, Dataflow, Overlap, Pass, PeTiming
from accelsim.dataflows.input_stationary import InputStationary
from accelsim.dataflows.output_stationary import OutputStationary
from accelsim.dataflows.stationary_operand import StationaryOperand
from accelsim.errors import ConfigError, DataError, MappingError
from accelsim.kernels.gemm import entries, require_operands
from accelsim.multipliers import IntegerMultiplier, Multiplier
from accelsim.pe_level.faults import FINE, raise_fault
from accelsim.pe_level.output_stationary import OutputArray, output_stationary
from accelsim.pe_level.registers import Timing, schedule_of
from accelsim.pe_level.stationary_operand import StationaryArray, stationary_operand

__all__ = ["PeLevelRun", "run"]


@dataclass(frozen=True, eq=False)
class PeLevelRun:
    """What came out of the array, and when.

    Attributes
    ----------
    psums : ndarray of the accumulator's dtype, (m, n)
    cycles : int
        From the first cycle in which an edge drives anything to the one at whose end the last psum
        is stored, both included.
    stored_cycles : ndarray of int64, (m, n)
        The cycle at whose end each psum is stored, for the last time.
    starts : tuple of int
        The cycle in which each pass's first operand enters the array.
    fed : tuple of rows of ndarrays of the operands' dtype, (products, 2), or None
        ``fed[i][j]``: the pairs (activation, weight) that the multiplier of PE (i, j) took, in
        order. None unless asked for.
    """

    psums: NDArray[Any]
    cycles: int
    stored_cycles: NDArray[np.int64]
    starts: tuple[int, ...]
    fed: tuple[tuple[NDArray[Any], ...], ...] | None = None


def run(
    activations: NDArray[Any],
    weights: NDArray[Any],
    *,
    dataflow: Dataflow | str,
    rows: int,
    cols: int,
    multiplier: Multiplier | str = "exact_fp32",
    accumulator: Accumulator | str = AUTO,
    timing: PeTiming | None = None,
    overlap: Overlap = "none",
    psums: NDArray[Any] | None = None,
    starts: Sequence[int] | None = None,
    record: bool = False,
) -> PeLevelRun:
    """Return the product of *activations* and *weights*, computed register by register.

    `accelsim.pe_level` says what the registers are. A run takes time in proportion to cycles x
    rows x cols.

    Parameters
    ----------
    activations : ndarray, (m, k)
        float32; for an integer unit its format's dtype (`IntegerFormat.dtype`) and range.
    weights : ndarray, (k, n)
        As *activations*.
    dataflow : entry or its registered name
        ``os``, ``ws`` or ``is``.
    rows, cols : int
        PEs of the array.
    multiplier, accumulator : entry or its registered name
        The unit in every PE and its adder.
    timing : PeTiming, optional
        Of a PE; one cycle for a multiply-accumulate by default.
    overlap : str
        ``none``, ``load``, ``drain`` or ``both``: second registers and when passes start.
    psums : ndarray of the accumulator's dtype, (m, n), optional
        The stored psums that all sums go on from; they are not changed. None: sums start at 0.
    starts : sequence of int, optional
        The cycle in which each pass's first operand enters, instead of the dataflow's; for trying
        schedules of one's own.
    record : bool
        Keep what each multiplier was fed.

    Returns
    -------
    PeLevelRun

    Raises
    ------
    ScheduleError
        Something arrives where it cannot be used; the message says what, at which PE, which cycle.
    MappingError
        A dataflow that is no systolic one.
    ConfigError
        Sizes, an overlap or *starts* that cannot be used.
    DataError
        Operands or psums of a wrong dtype or shape.

    Examples
    --------
    >>> a, w = np.ones((3, 4), np.float32), np.ones((4, 2), np.float32)
    >>> done = run(a, w, dataflow="ws", rows=4, cols=4)
    >>> done.cycles, done.psums.tolist()  # 4 to load, 3 + 1 of skew, 3 rows of activations
    (11, [[4.0, 4.0], [4.0, 4.0], [4.0, 4.0]])
    """
    unit, adder = entries(multiplier, accumulator)
    activations = require_operands(unit, activations, "activations", "(m, k)")
    weights = require_operands(unit, weights, "weights", "(k, n)")
    (m, k), n = activations.shape, weights.shape[1]
    if weights.shape[0] != k:
        raise DataError(
            f"activations (m, k) {activations.shape} and weights (k, n) {weights.shape} differ in "
            "k; transpose one"
        )
    memory = _memory(adder, psums, (m, n))
    timing = timing or PeTiming()
    # Checks the sizes as well.
    flow = _systolic(dataflow)
    flow.compute_cycles(m, n, k, rows=rows, cols=cols)
    if overlap not in ("none", "load", "drain", "both"):
        raise ConfigError(f"overlap must be none, load, drain or both, got {overlap!r}")
    passes = list(
        flow.passes(
            m, n, k, rows=rows, cols=cols, timing=timing, resume=psums is not None, overlap=overlap
        )
    )
    starts = _starts(passes) if starts is None else _checked(starts, passes)
    times = Timing(
        timing.multiply_cycles,
        timing.add_cycles,
        timing.multiply_interval,
        timing.add_interval,
        flow.interval(timing),
    )
    stays = isinstance(flow, InputStationary)
    schedule = _schedule(passes, starts, flow)
    # Beyond it nothing can be under way.
    longest = int(schedule["count"].max()) + rows + cols + 1
    limit = max(starts) + longest * (times.interval + timing.latency_cycles)
    product = np.dtype(np.int64 if isinstance(unit, IntegerMultiplier) else np.float32)
    size = rows, cols, timing.multiply_cycles, timing.add_cycles
    kinds = activations.dtype, product, adder.dtype
    operands = (weights.T.copy(), activations.T.copy()) if stays else (activations, weights)
    memory = memory.T.copy() if stays else memory
    stored = np.zeros(memory.shape, np.int64)
    most = int(schedule["count"].sum()) if record else 0
    log = np.zeros((rows, cols, most, 2), activations.dtype)
    if isinstance(flow, StationaryOperand):
        kind: tuple[Any, Any] = (overlap in ("load", "both"), stays)
        array: Any = StationaryArray.of(*size, kinds)
    else:
        resumes = psums is not None
        kind = (
            resumes and overlap in ("load", "both"),
            not resumes and overlap in ("drain", "both"),
        )
        array = OutputArray.of(*size, kinds)
    kernel = _kernel(unit, adder, isinstance(flow, StationaryOperand))
    fault, one, i, j, cycle = kernel(
        array, operands, (_table(unit), log), memory, stored, schedule, times, kind, limit
    )
    if fault != FINE:
        raise_fault(fault, one, i, j, cycle)
    if stays:
        memory, stored = memory.T.copy(), stored.T.copy()
    fed = None
    if record:
        fed = tuple(
            tuple(log[i, j, : array.cells[i + 1, j + 1].fed] for j in range(cols))
            for i in range(rows)
        )
    return PeLevelRun(memory, cycle + 1, stored, tuple(starts), fed)


def _systolic(dataflow: Dataflow | str) -> OutputStationary | StationaryOperand:
    flow = DATAFLOWS[dataflow] if isinstance(dataflow, str) else dataflow
    if not isinstance(flow, OutputStationary | StationaryOperand):
        raise MappingError(
            f"dataflow {flow.name!r} does not run on a systolic array, so it has no PE-level "
            "model; use one of os, ws, is"
        )
    return flow


def _memory(adder: Accumulator, psums: NDArray[Any] | None, shape: tuple[int, int]) -> NDArray[Any]:
    """Return the psum memory before the run."""
    if psums is None:
        return np.zeros(shape, adder.dtype)
    if not isinstance(psums, np.ndarray) or psums.dtype != adder.dtype or psums.shape != shape:
        got = (
            f"{psums.shape} of {psums.dtype}"
            if isinstance(psums, np.ndarray)
            else type(psums).__name__
        )
        raise DataError(
            f"psums must be {shape} of {adder.dtype}, as accumulator {adder.name!r} keeps them, "
            f"got {got}; pass None for sums that start at 0"
        )
    return np.array(psums, order="C")


def _starts(passes: Sequence[Pass]) -> list[int]:
    """Return the cycle of each pass's first operand: behind the passes before, and its load."""
    starts, begin = [], 0
    for one in passes:
        starts.append(begin + one.load_cycles)
        begin += one.cycles
    return starts


def _checked(starts: Sequence[int], passes: Sequence[Pass]) -> list[int]:
    values = [int(start) for start in starts]
    least = passes[0].load_cycles
    if len(values) != len(passes) or min(values) < 0 or values[0] != least:
        raise ConfigError(
            f"starts must be {len(passes)} cycles, one a pass, none negative and the first {least} "
            f"(after its load), got {values}"
        )
    return values


def _schedule(
    passes: Sequence[Pass], starts: Sequence[int], flow: OutputStationary | StationaryOperand
) -> NDArray[Any]:
    """Return the passes as the arrays see them: rows, columns and what streams."""
    rows = []
    for one, start in zip(passes, starts, strict=True):
        down, across, stream = (one.span(axis) for axis in flow.axes)
        row = (start, down[1], across[1], down[0], across[0], stream[1])
        rows.append((*row, one.reads_psums, one.load_cycles))
    return schedule_of(rows)


def _table(unit: Multiplier) -> NDArray[np.int32]:
    """Return the products of a unit that is defined by them; else nothing much."""
    if isinstance(unit, IntegerMultiplier) and unit.values is not None:
        return np.array(unit.values, order="C")
    return np.zeros((1, 1), np.int32)


@jit
def _looked_up(a, w, table):  # type: ignore[no-untyped-def]
    mask = table.shape[0] - 1
    return np.int64(table[np.int64(a) & mask, np.int64(w) & mask])


@functools.cache
def _kernel(unit: Multiplier, adder: Accumulator, stationary: bool) -> Callable[..., Any]:
    """Return the jitted model of an array with this unit and adder in each PE."""
    integer = isinstance(unit, IntegerMultiplier)
    scalar: Any = getattr(unit, "scalar", None)
    if scalar is None:
        product = _looked_up
    elif integer:

        @jit
        def product(a, w, table):  # type: ignore[no-untyped-def]
            return scalar(np.int64(a), np.int64(w))
    else:

        @jit
        def product(a, w, table):  # type: ignore[no-untyped-def]
            return scalar(a, w)

    zeros = np.int64(0) if integer else np.float32(0), adder.dtype.type(0)
    return (stationary_operand if stationary else output_stationary)(product, adder.add, zeros)
