"""The account: energy = sum over (component, action) of count x table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from accelsim.accumulators import accumulator_of
from accelsim.clock import period_ns_of
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.row_stationary import RowStationary
from accelsim.energy.actions import is_power
from accelsim.energy.table import EnergyTable, tables
from accelsim.errors import EnergyTableError
from accelsim.layer import WORD_BYTES
from accelsim.multipliers import MULTIPLIERS

__all__ = [
    "CLOCK",
    "COMPONENTS",
    "LookUp",
    "all_counts",
    "by_component",
    "check_node",
    "energy_by_action",
    "energy_by_component",
    "energy_per_action",
    "instances",
    "looked_up",
    "static_powers",
]

COMPONENTS = ("multiplier", "accumulator", "rf", "glb", "dram", "vector_unit", "leakage")
"""Columns of a breakdown: `energy_<component>_pj`."""

CLOCK = "clock"
"""One more where `Accelerator.clock_tree` has it charged: no source states it for most tables."""

SRAM_RF_BYTES = 512
"""An RF of as many bytes or more is an SRAM, a smaller one is made of registers: as on Eyeriss, the
filters' of 224 words, and those of ifmaps and psums of 12 and 24."""


def energy_by_component(
    counts: Mapping[tuple[str, str], int],
    cycles: int,
    accelerator: Accelerator,
    table: EnergyTable,
) -> dict[str, float]:
    """Return the energy in pJ by component for action counts over *cycles* cycles.

    The parameters and errors are those of `energy_by_action`, the result is that of `by_component`.
    """
    return by_component(energy_by_action(counts, cycles, accelerator, table))


def by_component(energy: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Return energies by (component, action) added up by component.

    Returns
    -------
    dict
        One entry for each of `COMPONENTS`, and `CLOCK` where it is charged; they sum to the total.
        The leakage of all components of the chip is one of its own; what a DRAM device takes
        standing by is the DRAM's.
    """
    sums = dict.fromkeys(COMPONENTS, 0.0)
    for (component, action), spent in energy.items():
        name = "leakage" if action == "leak" else component.partition(".")[0]
        sums[name] = sums.get(name, 0.0) + spent
    return sums


def energy_by_action(
    counts: Mapping[tuple[str, str], int],
    cycles: int,
    accelerator: Accelerator,
    table: EnergyTable,
) -> dict[tuple[str, str], float]:
    """Return the energy in pJ by (component, action): each one's count x `energy_per_action`.

    Parameters
    ----------
    counts : mapping
        (component, action) -> count, with the components ``multiplier.<unit>``,
        ``accumulator.<name>``, ``rf`` or, of the rs dataflow, ``rf.<operand>``,
        ``glb.<partition>``, ``dram`` and ``vector_unit``; reads and writes of memories are per
        32-bit word.
    cycles : int
        Cycles during which the chip leaks and a DRAM device stands by.
    accelerator : Accelerator
        Gives capacities, widths, instance counts, the kind of DRAM and the clock.
    table : EnergyTable
        Energy per action, power per instance.

    Raises
    ------
    EnergyTableError
        The table lacks an action that was counted, a power, or a memory of that size and width.
    """
    return {
        pair: count * energy_per_action(*pair, accelerator, table)
        for pair, count in all_counts(counts, cycles, accelerator).items()
    }


def all_counts(
    counts: Mapping[tuple[str, str], int], cycles: int, accelerator: Accelerator
) -> dict[tuple[str, str], int]:
    """Return *counts* in order, and behind them what goes on all the time: once in each cycle.

    The clock tree, where it is charged, in each cycle once for every PE.
    """
    always = dict.fromkeys(_always_on(accelerator), cycles)
    if accelerator.clock_tree:
        always[CLOCK, "cycle"] = cycles * accelerator.array.rows * accelerator.array.cols
    return {**dict(sorted(counts.items())), **always}


def energy_per_action(
    component: str, action: str, accelerator: Accelerator, table: EnergyTable
) -> float:
    """Return the energy in pJ of one action as it is counted.

    A GLB moves words of 32 bits in accesses of its width, all of whose words are used. A DRAM
    device is charged the bursts and the rows that it opens, in each of its channels; its words,
    which are part of those bursts, are counted for traffic and cost nothing more. The ``simple``
    DRAM is charged words. What goes on all the time is counted in cycles, and costs its power
    times the clock's period.

    Raises
    ------
    EnergyTableError
        The table lacks the action, or has no memory of that size and width.
    """
    if is_power(action):
        numbers = _always_on(accelerator)
        if (component, action) not in numbers:
            known = ", ".join(" ".join(pair) for pair in numbers)
            raise EnergyTableError(
                f"nothing of accelerator {accelerator.name!r} has the power {component} {action}; "
                f"it has: {known}"
            )
        power_mw = table.power_mw(*looked_up(component, action, accelerator))
        return numbers[component, action] * power_mw * period_ns_of(accelerator)
    row, dram = looked_up(component, action, accelerator), accelerator.dram
    if component == "dram" and dram.is_device:
        words = action in ("read", "write")
        return 0.0 if words else dram.channels * table.energy_pj(row.component, action)
    accesses = 8 * WORD_BYTES / row.bits if row.bits else 1
    return accesses * table.energy_pj(*row)


class LookUp(NamedTuple):
    """What a table is asked for: a component's action and, of a memory, its size and width."""

    component: str
    action: str
    capacity_bytes: float | None = None
    bits: int | None = None


def looked_up(component: str, action: str, accelerator: Accelerator) -> LookUp:
    """Return what the table is asked for by a counted action."""
    family, _, part = component.partition(".")
    if family == "glb":
        # Of a unified GLB, whose leakage is of no partition, all are as large as the whole.
        capacity = glb_capacities(accelerator)[part or "ifmap"]
        return LookUp(family, action, capacity, accelerator.glb.access_bits)
    if family == "rf":
        size = rf_capacities(accelerator).get(part, 0)
        if size >= SRAM_RF_BYTES:
            return LookUp("rf.sram", action, size, 8 * WORD_BYTES)
        return LookUp(family, action)
    if family == "dram":
        return LookUp(f"dram.{accelerator.dram.kind}", action)
    return LookUp(component, action)


def glb_capacities(accelerator: Accelerator) -> dict[str, float]:
    """Return the capacity in bytes of the memory that each GLB partition lies in."""
    glb = accelerator.glb
    if glb.unified:
        whole = (glb.ifmap_kib + glb.weight_kib + glb.ofmap_kib) * 1024
        return dict.fromkeys(("ifmap", "weight", "ofmap"), whole)
    return {
        "ifmap": glb.ifmap_kib * 1024,
        "weight": glb.weight_kib * 1024,
        "ofmap": glb.ofmap_kib * 1024,
    }


def rf_capacities(accelerator: Accelerator) -> dict[str, int]:
    """Return operand -> bytes of its RF in a PE of the rs dataflow; empty in the others."""
    if not isinstance(DATAFLOWS[accelerator.array.dataflow], RowStationary):
        return {}
    rf = accelerator.spatial
    words = {"ifmap": rf.ifmap_rf_words, "filter": rf.filter_rf_words, "psum": rf.psum_rf_words}
    return {operand: WORD_BYTES * count for operand, count in words.items()}


def static_powers(accelerator: Accelerator, table: EnergyTable) -> dict[tuple[str, str], float]:
    """Return (component, action) -> the power in mW (pJ per ns) of what goes on all the time.

    All `instances` leak. A DRAM device stands by in each channel; the ``simple`` one has no such
    power of its own.
    """
    return {
        pair: number * table.power_mw(*looked_up(*pair, accelerator))
        for pair, number in _always_on(accelerator).items()
    }


def _always_on(accelerator: Accelerator) -> dict[tuple[str, str], int]:
    """Return (component, action) of what goes on all the time -> how many of them do."""
    numbers = {(component, "leak"): number for component, number in instances(accelerator).items()}
    if accelerator.dram.is_device:
        numbers["dram", "background"] = accelerator.dram.channels
    return numbers


def instances(accelerator: Accelerator) -> dict[str, int]:
    """Return component of the chip -> how many there are.

    A PE has a multiplier, an accumulator and registers for an activation, a weight and a psum, or
    its RFs in the rs dataflow, of registers or SRAMs; the GLB three partitions or one memory; the
    vector unit its lanes. Where layers have units of their own, a PE has all of these units and
    their accumulators, and registers for the widest psum.
    """
    pes = accelerator.array.rows * accelerator.array.cols
    units = [MULTIPLIERS[name] for name in accelerator.units]
    accumulators = [accumulator_of(unit, accelerator.accumulator) for unit in units]
    registers = 2 + max(one.bytes for one in accumulators) // WORD_BYTES  # activation, weight, psum
    files = rf_capacities(accelerator)
    srams = {f"rf.{name}": size for name, size in files.items() if size >= SRAM_RF_BYTES}
    if files:
        registers = (sum(files.values()) - sum(srams.values())) // WORD_BYTES
    partitions = [f"glb.{partition}" for partition in glb_capacities(accelerator)]
    return {
        **{f"multiplier.{unit.name}": pes for unit in units},
        **{f"accumulator.{one.name}": pes for one in accumulators},
        "rf": pes * registers,
        **dict.fromkeys(srams, pes),
        "vector_unit": accelerator.vector_unit.lanes,
        **dict.fromkeys(["glb"] if accelerator.glb.unified else partitions, 1),
    }


def check_node(accelerator: Accelerator, table: EnergyTable) -> None:
    """Refuse a table of another node than the machine says it is of.

    Raises
    ------
    EnergyTableError
        They differ.
    """
    wanted = accelerator.technology_nm
    if wanted not in (None, table.technology_nm):
        node = "no node" if table.technology_nm is None else f"{table.technology_nm:g} nm"
        raise EnergyTableError(
            f"accelerator {accelerator.name!r} is of {wanted:g} nm (technology_nm), its energy "
            f"table {table.name!r} of {node}; choose a table of its node (shipped: "
            f"{', '.join(tables())}), or set technology_nm to null"
        )
