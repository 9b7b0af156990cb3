"""Modes of the multipliers' energy: fixed, zero-gated, or toggles of the operands that flow.

``accelsim.config.MultiplierEnergyConfig`` declares the mode. Here is what each needs, checked
before a simulation, and what it makes of the operands after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from accelsim.circuits import Circuit
from accelsim.circuits.cells import SUPPLY_V, TECHNOLOGY_NM
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.order import AccumulationOrder
from accelsim.dataflows.row_mapper import RowTiling
from accelsim.dataflows.systolic import SystolicDataflow
from accelsim.dataflows.tiling import ArrayModel, Tiling
from accelsim.energy.streams import LayerOperands, Streams
from accelsim.energy.table import EnergyRow, EnergyTable
from accelsim.energy.toggles import LayerToggles, toggle_energies
from accelsim.errors import ConfigError, EnergyTableError
from accelsim.kernels.network import run_layer
from accelsim.layer import INPUT, MacLayer, Trace
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier, Multiplier
from accelsim.quantization import layer_quantization, scheme_of

__all__ = [
    "check_mode",
    "circuit_of",
    "describe_mode",
    "flowing_operands",
    "gated_counts",
    "multiplier_toggles",
]

Counts = Mapping[tuple[str, str], int]


def check_mode(accelerator: Accelerator, table: EnergyTable, *, values: bool) -> None:
    """Raise unless the multipliers' energy can be told in the accelerator's mode.

    Raises
    ------
    ConfigError
        The mode needs operands, and the simulation has none (*values* is false), or the dataflow
        does not say which reach a PE; a unit without a netlist for toggles; a unit whose products
        with zero are not all zero, so that gating would change results.
    EnergyTableError
        The table has no row for gated products, or its voltage or node for the unit is unknown or
        another node than that of the netlists' cells.
    """
    mode = accelerator.multiplier_energy.mode
    if mode == "fixed":
        return
    owner = f"multiplier_energy.mode={mode}"
    if not values:
        raise ConfigError(
            f"{owner} needs the operands, and a timing-only simulation has none; simulate with "
            "values, or choose multiplier_energy.mode=fixed"
        )
    unit = MULTIPLIERS[accelerator.multiplier]
    if mode == "toggles":
        if not isinstance(DATAFLOWS[accelerator.array.dataflow], SystolicDataflow):
            raise ConfigError(
                f"{owner} is modelled for the dataflows os, ws and is, got "
                f"{accelerator.array.dataflow!r}; choose one of them, or another "
                "multiplier_energy.mode"
            )
        circuit_of(unit)
        _voltage_factor(unit, table)
        return
    if _makes_something_of_zero(unit):
        raise ConfigError(
            f"{owner}: multiplier {unit.name!r} has products with zero that are not zero, so that "
            "gating them would change the results; choose multiplier_energy.mode=fixed"
        )
    table.energy_pj(f"multiplier.{unit.name}", "gated")


def circuit_of(unit: Multiplier) -> Circuit:
    """Return the netlist of *unit*.

    Raises
    ------
    ConfigError
        It has none.
    """
    if unit.circuit is None:
        known = [name for name, one in MULTIPLIERS.items() if one.build_circuit is not None]
        raise ConfigError(
            f"multiplier_energy.mode=toggles needs the unit's gate netlist, and multiplier "
            f"{unit.name!r} has none; those that have one: {', '.join(known)}. Or choose "
            "multiplier_energy.mode=fixed"
        )
    return unit.circuit


def describe_mode(accelerator: Accelerator, table: EnergyTable) -> dict[str, Any]:
    """Return what determines the multipliers' energy besides the table, for a manifest."""
    config = accelerator.multiplier_energy
    if config.mode != "toggles":
        return {"mode": config.mode}
    unit = MULTIPLIERS[accelerator.multiplier]
    return {
        **config.model_dump(mode="json"),
        "circuit": circuit_of(unit).name,
        "circuit_voltage_v": SUPPLY_V,
        "table_voltage_v": _compute_row(unit, table).voltage_v,
        "energy_factor": _voltage_factor(unit, table),
    }


def flowing_operands(
    trace: Trace,
    steps: Sequence[tuple[MacLayer, Tiling | RowTiling]],
    accelerator: Accelerator,
    orders: Sequence[AccumulationOrder] | None = None,
) -> list[LayerOperands]:
    """Return the operands of every layer of *steps* as they reach the array of *accelerator*.

    The layers are computed by the accelerator's own unit and accumulator, so that each gets what
    it gets on the machine, to the bit.

    Parameters
    ----------
    trace : Trace
    steps : sequence of (MacLayer, tiling)
        The layers of the trace that run on the array, in order, each with its tiling.
    accelerator : Accelerator
    orders : sequence of AccumulationOrder, optional
        Of the additions of each of them, where k does not ascend.
    """
    unit, scheme = MULTIPLIERS[accelerator.multiplier], scheme_of(accelerator)
    order_of = dict(zip((layer.name for layer, _ in steps), orders or (), strict=False))
    tilings = {layer.name: tiling for layer, tiling in steps}
    tensors, found = {INPUT: trace.images}, []
    for layer in trace.layers:
        if isinstance(layer, MacLayer):
            quantization = layer_quantization(layer, unit, scheme)
            found.append(LayerOperands.of(layer, tilings[layer.name], tensors, quantization))
        order = order_of.get(layer.name)
        tensors[layer.name] = run_layer(
            layer, tensors, unit, accelerator.accumulator, scheme, order
        )
    return found


def gated_counts(
    counts: Counts, operands: LayerOperands, accelerator: Accelerator
) -> dict[tuple[str, str], int]:
    """Return the action counts of a layer with its products by zero counted as gated.

    Together they are as many as the products before.
    """
    unit = f"multiplier.{MULTIPLIERS[accelerator.multiplier].name}"
    gated = operands.layer.shape.macs - operands.nonzero_products()
    return {**counts, (unit, "compute"): counts[unit, "compute"] - gated, (unit, "gated"): gated}


def multiplier_toggles(
    operands: Sequence[LayerOperands],
    array: ArrayModel,
    accelerator: Accelerator,
    table: EnergyTable,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, LayerToggles]:
    """Return layer -> switching energy of its multipliers at the table's voltage."""
    unit, config = MULTIPLIERS[accelerator.multiplier], accelerator.multiplier_energy
    factor, circuit = _voltage_factor(unit, table), circuit_of(unit)
    found = toggle_energies(
        Streams(operands, array, circuit.ports),
        circuit,
        transitions=config.transitions,
        seed=config.seed,
        progress=progress,
    )
    return {one.layer: one.scaled(factor) for one in found}


def _voltage_factor(unit: Multiplier, table: EnergyTable) -> float:
    """Return what a toggle costs at the table's voltage over what it costs at the cells'.

    ``(V / 1.1 V)^2``, the law of switching energy, taken for the cells' internal energy too.
    """
    row = _compute_row(unit, table)
    what = f"energy table {table.name!r}: {row.component} {row.action}"
    if row.technology_nm != TECHNOLOGY_NM:
        raise EnergyTableError(
            f"{what} is at {row.technology_nm:g} nm, and the cells of the netlists at "
            f"{TECHNOLOGY_NM:g} nm; toggles are not scaled between nodes. Choose a table of "
            f"{TECHNOLOGY_NM:g} nm, or multiplier_energy.mode=fixed"
        )
    if row.voltage_v is None:
        raise EnergyTableError(
            f"{what} states no voltage_v, to which the energy of toggles would be converted; "
            f"state it in {table.path.name}, or choose multiplier_energy.mode=fixed"
        )
    return (row.voltage_v / SUPPLY_V) ** 2


def _compute_row(unit: Multiplier, table: EnergyTable) -> EnergyRow:
    component = f"multiplier.{unit.name}"
    table.energy_pj(component, "compute")  # raises where there is none
    return next(row for row in table.rows if (row.component, row.action) == (component, "compute"))


def _makes_something_of_zero(unit: Multiplier) -> bool:
    """Return whether a product with zero is not zero: of all integers, of the significands in
    [1, 2) with few bits and both signs."""
    if isinstance(unit, IntegerMultiplier):
        others = np.sort(unit.operands.values())
    else:
        significands = (1 + np.arange(256) / 256).astype(np.float32)
        others = np.concatenate([significands, -significands])
    zeros = np.zeros_like(others)
    return bool(unit.product(zeros, others).any() or unit.product(others, zeros).any())
