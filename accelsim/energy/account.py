"""The account: energy = sum over (component, action) of count x table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.accumulators import accumulator_of
from accelsim.clock import period_ns_of
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.row_stationary import RowStationary
from accelsim.energy.table import EnergyTable, tables
from accelsim.errors import EnergyTableError
from accelsim.layer import WORD_BYTES
from accelsim.multipliers import MULTIPLIERS

__all__ = ["COMPONENTS", "check_node", "energy_by_action", "energy_by_component", "static_powers"]

COMPONENTS = ("multiplier", "accumulator", "rf", "glb", "dram", "vector_unit", "leakage")
"""Columns of a breakdown: `energy_<component>_pj`."""

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

    Returns
    -------
    dict
        One entry for each of `COMPONENTS`; they sum to the total. The leakage of all components of
        the chip is one of its own; what a DRAM device takes standing by is the DRAM's.

    The parameters and errors are those of `energy_by_action`.
    """
    energy = dict.fromkeys(COMPONENTS, 0.0)
    for (component, action), spent in energy_by_action(counts, cycles, accelerator, table).items():
        energy["leakage" if action == "leak" else component.partition(".")[0]] += spent
    return energy


def energy_by_action(
    counts: Mapping[tuple[str, str], int],
    cycles: int,
    accelerator: Accelerator,
    table: EnergyTable,
) -> dict[tuple[str, str], float]:
    """Return the energy in pJ by (component, action), of which there is nothing else.

    A GLB moves words of 32 bits in accesses of its width, all of whose words are used. A DRAM
    device is charged the bursts and the rows that it opens, in each of its channels; its words,
    which are part of those bursts, are counted for traffic and cost nothing more. The ``simple``
    DRAM is charged words.

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
    capacities, bits = glb_capacities(accelerator), accelerator.glb.access_bits
    files, dram = rf_capacities(accelerator), accelerator.dram
    energy: dict[tuple[str, str], float] = {}
    for (component, action), count in sorted(counts.items()):
        family, _, part = component.partition(".")
        if family == "glb":
            accesses = count * 8 * WORD_BYTES / bits
            spent = accesses * table.energy_pj("glb", action, capacities[part], bits)
        elif family == "rf" and files.get(part, 0) >= SRAM_RF_BYTES:
            spent = count * table.energy_pj("rf.sram", action, files[part], 8 * WORD_BYTES)
        elif family == "rf":
            spent = count * table.energy_pj("rf", action)
        elif family != "dram":
            spent = count * table.energy_pj(component, action)
        elif not dram.is_device:
            spent = count * table.energy_pj(f"dram.{dram.kind}", action)
        elif action in ("read", "write"):
            continue
        else:
            spent = count * dram.channels * table.energy_pj(f"dram.{dram.kind}", action)
        energy[component, action] = spent
    elapsed_ns = cycles * period_ns_of(accelerator)
    for pair, power_mw in static_powers(accelerator, table).items():
        energy[pair] = power_mw * elapsed_ns
    return energy


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

    A PE has a multiplier, an accumulator and registers for an activation, a weight and a psum, or
    its RFs in the rs dataflow, of registers or SRAMs; the GLB three partitions or one memory; the
    vector unit its lanes. A DRAM device stands by in each channel; the ``simple`` one has no such
    power of its own.
    """
    pes = accelerator.array.rows * accelerator.array.cols
    unit = MULTIPLIERS[accelerator.multiplier]
    accumulator = accumulator_of(unit, accelerator.accumulator)
    registers = 2 + accumulator.bytes // WORD_BYTES  # activation, weight, psum
    files = rf_capacities(accelerator)
    srams = [size for size in files.values() if size >= SRAM_RF_BYTES]
    if files:
        registers = (sum(files.values()) - sum(srams)) // WORD_BYTES
    instances = {
        f"multiplier.{unit.name}": pes,
        f"accumulator.{accumulator.name}": pes,
        "rf": pes * registers,
        "vector_unit": accelerator.vector_unit.lanes,
    }
    powers = {
        (component, "leak"): number * table.power_mw(component, "leak")
        for component, number in instances.items()
    }
    for size in srams:
        leak_mw = table.power_mw("rf.sram", "leak", size, 8 * WORD_BYTES)
        powers["rf.sram", "leak"] = powers.get(("rf.sram", "leak"), 0.0) + pes * leak_mw
    capacities, bits = list(glb_capacities(accelerator).values()), accelerator.glb.access_bits
    memories = capacities[:1] if accelerator.glb.unified else capacities
    powers["glb", "leak"] = sum(table.power_mw("glb", "leak", size, bits) for size in memories)
    dram = accelerator.dram
    if dram.is_device:
        standby_mw = table.power_mw(f"dram.{dram.kind}", "background")
        powers["dram", "background"] = dram.channels * standby_mw
    return powers


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
