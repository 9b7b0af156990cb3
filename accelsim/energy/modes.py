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
from accelsim.energy.scaling import energy_factor
from accelsim.energy.streams import LayerOperands, Streams
from accelsim.energy.table import EnergyTable
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
        The table has no row for gated products, or is of no node and voltage.
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
    units = [MULTIPLIERS[name] for name in accelerator.units]
    if mode == "toggles":
        if not isinstance(DATAFLOWS[accelerator.array.dataflow], SystolicDataflow):
            raise ConfigError(
                f"{owner} is modelled for the dataflows os, ws and is, got "
                f"{accelerator.array.dataflow!r}; choose one of them, or another "
                "multiplier_energy.mode"
            )
        for unit in units:
            circuit_of(unit)
        _toggle_factor(table)
        return
    for unit in units:
        if _makes_something_of_zero(unit):
            raise ConfigError(
                f"{owner}: multiplier {unit.name!r} has products with zero that are not zero, so "
                "that gating them would change the results; choose multiplier_energy.mode=fixed"
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
    units = [MULTIPLIERS[name] for name in accelerator.units]
    circuits = {unit.name: circuit_of(unit).name for unit in units}
    return {
        **config.model_dump(mode="json"),
        "circuit": ", ".join(circuits.values()),
        **({"circuits": circuits} if len(circuits) > 1 else {}),
        "circuit_voltage_v": SUPPLY_V,
        "table_voltage_v": table.voltage_v,
        "energy_factor": _toggle_factor(table),
    }


def flowing_operands(
    trace: Trace,
    steps: Sequence[tuple[MacLayer, Tiling | RowTiling]],
    accelerator: Accelerator,
    orders: Sequence[AccumulationOrder] | None = None,
) -> list[LayerOperands]:
    """Return the operands of every layer of *steps* as they reach the array of *accelerator*.

    The layers are computed by the accelerator's own units and accumulator, so that each gets what
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
    scheme = scheme_of(accelerator)
    order_of = dict(zip((layer.name for layer, _ in steps), orders or (), strict=False))
    tilings = {layer.name: tiling for layer, tiling in steps}
    tensors, found = {INPUT: trace.images}, []
    for layer in trace.layers:
        unit = MULTIPLIERS[accelerator.unit_of(layer.name)]
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
    unit = f"multiplier.{MULTIPLIERS[accelerator.unit_of(operands.layer.name)].name}"
    gated = operands.layer.shape.macs - operands.nonzero_products()
    return {**counts, (unit, "compute"): counts[unit, "compute"] - gated, (unit, "gated"): gated}


def multiplier_toggles(
    operands: Sequence[LayerOperands],
    array: ArrayModel,
    accelerator: Accelerator,
    table: EnergyTable,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, LayerToggles]:
    """Return layer -> switching energy of its multipliers at the table's voltage.

    Each unit is followed by itself over its own layers: in the others it keeps its last operands.
    """
    config, factor = accelerator.multiplier_energy, _toggle_factor(table)
    toggles: dict[str, LayerToggles] = {}
    for name in accelerator.units:
        circuit = circuit_of(MULTIPLIERS[name])
        own = [one for one in operands if accelerator.unit_of(one.layer.name) == name]
        if own:
            found = toggle_energies(
                Streams(own, array, circuit.ports),
                circuit,
                transitions=config.transitions,
                seed=config.seed,
                progress=progress,
            )
            toggles |= {one.layer: one.scaled(factor) for one in found}
    return toggles


def _toggle_factor(table: EnergyTable) -> float:
    """Return what a toggle costs at the table's node and voltage over what it costs at the cells'.

    By the law that scales tables, `accelsim.energy.scaling`.
    """
    technology_nm, voltage_v = table.technology_nm, table.voltage_v
    if technology_nm is None or voltage_v is None:
        raise EnergyTableError(
            f"energy table {table.name!r} states no node and voltage, to which the energy of "
            "toggles would be converted; choose another, or multiplier_energy.mode=fixed"
        )
    return energy_factor(TECHNOLOGY_NM, SUPPLY_V, technology_nm, voltage_v)


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
