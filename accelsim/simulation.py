"""Simulate: a trace on an accelerator, from images to logits, cycles and energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from accelsim.config import Accelerator
from accelsim.consistency import check_trace
from accelsim.dataflows.tiling import ArrayModel
from accelsim.energy import EnergyTable, check_node, energy_by_action, load_table
from accelsim.energy.modes import (
    check_mode,
    describe_mode,
    flowing_operands,
    gated_counts,
    multiplier_toggles,
)
from accelsim.energy.streams import LayerOperands
from accelsim.energy.toggles import LayerToggles
from accelsim.errors import ConfigError, DataError
from accelsim.folders import versions
from accelsim.kernels.network import run_trace
from accelsim.layer import MacLayer, Trace
from accelsim.layer_units import by_unit, check_layers
from accelsim.machine import LayerMemo, MachineResult, run_program
from accelsim.machine.array import accumulation_orders, array_model
from accelsim.machine.program import MacStep, Program, compile_program, possible_actions
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.imported import file_fingerprints
from accelsim.quantization import layer_quantization, scheme_of
from accelsim.results import Run
from accelsim.tabulation import tabulate
from accelsim.topology import Topology, check_operands

__all__ = ["check_machine", "simulate"]


def simulate(
    trace: Trace,
    accelerator: Accelerator | str,
    *,
    images: int | None = None,
    labels: ArrayLike | None = None,
    values: bool = True,
    seed: int | None = None,
    weights: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    memo: LayerMemo | None = None,
) -> Run:
    """Return what *trace* does on *accelerator*.

    Parameters
    ----------
    trace : Trace
        The network with its images, from `accelsim.trace`; for a unit of integers a calibrated
        one, unless it is for cycles and energy only; or a topology, from `accelsim.read_topology`,
        for these only.
    accelerator : Accelerator or str
        The machine; a str is a preset's name or a YAML file's path.
    images : int, optional
        How many of the trace's images the machine runs, as one batch; all by default. The others
        are classified by the same units without a machine, to the same bits.
    labels : int array, (N,), optional
        True classes; with them the summary has the accuracy over all images.
    values : bool
        False: cycles, counts and energy only; no operand is moved or multiplied.
    seed : int, optional
        Seed of whatever made the inputs; recorded. The simulation itself has no chance in it.
    weights : str, optional
        Where the network's weights are from, in words; recorded, in the summary too.
    progress : callable, optional
        Called with (layer, layers done, layers in all).
    memo : LayerMemo, optional
        Of ``values=False``: layers that ran before, in this run or in others that were given it,
        on a machine that does the same, are not run again. The run is equal but has no timeline.

    Raises
    ------
    AccelsimError
        One of its kinds: a memo together with values, a layer that fits no tiling, an unknown
        name, an energy table without a row that is needed, labels that do not fit the images, a
        trace that is not calibrated although the unit takes integers, operands asked of a topology,
        a mode of the multipliers' energy that needs operands where there are none, or a netlist
        where the unit has none, or units for layers that are not there.
    """
    if isinstance(accelerator, str):
        accelerator = Accelerator.load(accelerator)
    for name, value, kind in (("trace", trace, Trace), ("accelerator", accelerator, Accelerator)):
        if not isinstance(value, kind):
            raise DataError(
                f"{name} must be of type {kind.__name__}, got {type(value).__name__}; see "
                "accelsim.trace and accelsim.Accelerator"
            )
    if memo is not None and values:
        raise ConfigError(
            "memo keeps cycles and counts of layers but no values; give values=False, or no memo"
        )
    check_operands(trace, values=values)
    check_trace(trace)
    classes = int(np.prod(_output_shape(trace)))
    truth = None if labels is None else _labels(labels, len(trace.images), classes)
    table = check_machine(accelerator, values=values)
    check_layers(trace, accelerator)
    if values:
        _check_ranges(trace, accelerator)
    simulated = trace if images is None else trace.batch(images)
    program = compile_program(simulated, accelerator)
    result = run_program(
        program, simulated, accelerator, values=values, progress=progress, memo=memo
    )
    outputs = None
    if result.outputs is not None:
        outputs = result.outputs.reshape(len(simulated.images), -1)
        outputs = np.concatenate([outputs, _rest(trace, accelerator, len(simulated.images))])
    accuracy = None
    if outputs is not None and truth is not None:
        # A row with NaN has no largest logit: it classifies nothing.
        right = (outputs.argmax(axis=1) == truth) & np.isfinite(outputs).all(axis=1)
        accuracy = float(right.mean())
    result, toggles = _operand_dependent(program, simulated, accelerator, table, result, progress)
    layers, actions, summary, timeline, pes = tabulate(
        simulated, accelerator, table, result, accuracy, seed, toggles
    )
    if weights is not None:
        summary.insert(1, "weights", weights)
    manifest = {
        "kind": "run",
        "workload": trace.name,
        "weights": weights,
        "accelerator": accelerator.model_dump(mode="json"),
        "config_hash": accelerator.config_hash,
        "trace_hash": trace.fingerprint,
        "network_hash": simulated.network_fingerprint,
        "table_hash": table.fingerprint,
        "images": len(trace.images),
        "simulated_images": len(simulated.images),
        "calibration": trace.calibration,
        "notes": list(trace.notes) if isinstance(trace, Topology) else [],
        "multiplier_energy": describe_mode(accelerator, table),
        "unit_files": file_fingerprints(accelerator.units),
        "seed": seed,
        "versions": versions(),
    }
    return Run(outputs, layers, actions, summary, timeline, pes, accelerator, manifest)


def check_machine(accelerator: Accelerator, *, values: bool = True) -> EnergyTable:
    """Return the accelerator's energy table, after checking that all names and energies exist.

    What can be found out before a simulation must not fail after it; *values*: it has operands.

    Raises
    ------
    UnknownNameError
        The configuration names a multiplier, accumulator, dataflow, DRAM kind or table that does
        not exist.
    EnergyTableError
        The table lacks an energy that the machine needs, or is of another node than the machine.
    ConfigError
        The multipliers' energy depends on operands in a way that cannot be told.
    """
    for machine in by_unit(accelerator).values():
        array_model(machine)
    table = load_table(accelerator.energy_table)
    check_node(accelerator, table)
    energy_by_action(dict.fromkeys(possible_actions(accelerator), 0), 0, accelerator, table)
    check_mode(accelerator, table, values=values)
    return table


def _operand_dependent(
    program: Program,
    trace: Trace,
    accelerator: Accelerator,
    table: EnergyTable,
    result: MachineResult,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[MachineResult, dict[str, LayerToggles]]:
    """Return the result with gated products counted, and the toggles by layer, as the mode says."""
    mode = accelerator.multiplier_energy.mode
    if mode == "fixed":
        return result, {}
    steps = [(step.layer, step.tiling) for step in program.steps if isinstance(step, MacStep)]
    orders = accumulation_orders(trace, accelerator)
    operands = flowing_operands(trace, steps, accelerator, orders)
    if mode == "zero_gated":
        return _gated(result, operands, accelerator), {}
    array = array_model(accelerator)
    if not isinstance(array, ArrayModel):
        raise TypeError(f"toggles want a systolic array, got {array}")
    return result, multiplier_toggles(operands, array, accelerator, table, progress)


def _gated(
    result: MachineResult, operands: Sequence[LayerOperands], accelerator: Accelerator
) -> MachineResult:
    """Return the result with products by zero counted as gated."""
    own = {one.layer.name: one for one in operands}
    layers = tuple(
        replace(record, counts=gated_counts(record.counts, own[record.layer], accelerator))
        if record.layer in own
        else record
        for record in result.layers
    )
    return replace(result, layers=layers)


def _check_ranges(trace: Trace, accelerator: Accelerator) -> None:
    scheme = scheme_of(accelerator)
    for layer in trace.layers:
        if isinstance(layer, MacLayer):
            layer_quantization(layer, MULTIPLIERS[accelerator.unit_of(layer.name)], scheme)


def _rest(trace: Trace, accelerator: Accelerator, done: int) -> np.ndarray:
    """Return the outputs of the images from *done* on, by the units alone."""
    left = len(trace.images) - done
    if left == 0:
        return np.empty((0, int(np.prod(_output_shape(trace)))), np.float32)
    rest = replace(trace.batch(left), images=trace.images[done:])
    units = (accelerator.unit_of, accelerator.accumulator)
    orders = accumulation_orders(rest, accelerator)
    return run_trace(rest, *units, scheme_of(accelerator), orders).reshape(left, -1)


def _output_shape(trace: Trace) -> tuple[int, ...]:
    layer = next(layer for layer in trace.layers if layer.name == trace.output)
    return tuple(layer.output_shape[1:])


def _labels(labels: ArrayLike, images: int, classes: int) -> np.ndarray:
    truth = np.asarray(labels)
    if truth.shape != (images,) or not np.issubdtype(truth.dtype, np.integer):
        raise DataError(
            f"labels must be {images} integers, one per image of the trace, got shape "
            f"{truth.shape} of {truth.dtype}"
        )
    if truth.min() < 0 or truth.max() >= classes:
        raise DataError(f"labels must lie in 0..{classes - 1}, got {truth.min()} to {truth.max()}")
    return truth
