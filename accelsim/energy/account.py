"""The account: energy = sum over (component, action) of count x table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.accumulators import accumulator_of
from accelsim.clock import period_ns_of
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.row_stationary import RowStationary
from accelsim.energy.table import EnergyTable
from accelsim.layer import WORD_BYTES
from accelsim.multipliers import MULTIPLIERS

__all__ = ["COMPONENTS", "energy_by_component"]

COMPONENTS = ("multiplier", "accumulator", "rf", "glb", "dram", "vector_unit", "leakage")
"""Columns of a breakdown: `energy_<component>_pj`."""


def energy_by_component(
    counts: Mapping[tuple[str, str], int],
    cycles: int,
    accelerator: Accelerator,
    table: EnergyTable,
) -> dict[str, float]:
    """Return the energy in pJ by component for action counts over *cycles* cycles.

    Parameters
    ----------
    counts : mapping
        (component, action) -> count, with the components ``multiplier.<unit>``,
        ``accumulator.<name>``, ``rf``, ``glb.<partition>``, ``dram`` and ``vector_unit``;
        actions of memories are per 32-bit word.
    cycles : int
        Cycles during which the on-chip components leak.
    accelerator : Accelerator
        Gives capacities, instance counts and the clock.
    table : EnergyTable
        Energy per action.

    Returns
    -------
    dict
        One entry for each of `COMPONENTS`; they sum to the total.

    Raises
    ------
    EnergyTableError
        The table lacks an action that was counted.
    """
    capacities = glb_capacities(accelerator)
    energy = dict.fromkeys(COMPONENTS, 0.0)
    for (component, action), count in sorted(counts.items()):
        family, _, part = component.partition(".")
        if family == "glb":
            energy["glb"] += count * table.energy_pj("glb", action, capacities[part])
        else:
            energy[family] += count * table.energy_pj(component, action)
    power_mw = leakage_mw(accelerator, table)
    energy["leakage"] = power_mw * cycles * period_ns_of(accelerator)
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


def leakage_mw(accelerator: Accelerator, table: EnergyTable) -> float:
    """Return the leakage power of all on-chip components in mW (pJ per ns).

    A PE has a multiplier, an accumulator and registers for an activation, a weight and a psum, or
    the words of its RFs in the rs dataflow; the GLB three partitions or one memory; the vector unit
    its lanes.
    """
    pes = accelerator.array.rows * accelerator.array.cols
    accumulator = accumulator_of(MULTIPLIERS[accelerator.multiplier], accelerator.accumulator)
    registers = 2 + accumulator.bytes // WORD_BYTES  # activation, weight, psum
    if isinstance(DATAFLOWS[accelerator.array.dataflow], RowStationary):
        rf = accelerator.spatial
        registers = rf.ifmap_rf_words + rf.filter_rf_words + rf.psum_rf_words
    per_pe = (
        table.energy_pj(f"multiplier.{MULTIPLIERS[accelerator.multiplier].name}", "leak")
        + table.energy_pj(f"accumulator.{accumulator.name}", "leak")
        + registers * table.energy_pj("rf", "leak")
    )
    capacities = list(glb_capacities(accelerator).values())
    memories = capacities[:1] if accelerator.glb.unified else capacities
    glb = sum(table.energy_pj("glb", "leak", capacity) for capacity in memories)
    lanes = accelerator.vector_unit.lanes * table.energy_pj("vector_unit", "leak")
    return pes * per_pe + glb + lanes
