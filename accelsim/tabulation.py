"""The tables of a run, made of what the machine counted and an energy table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import chain

import numpy as np
import pandas as pd

from accelsim.accumulators import accumulator_of
from accelsim.clock import clock_mhz_of, delays_ps_of
from accelsim.config import Accelerator
from accelsim.dataflows import DATAFLOWS
from accelsim.energy import EnergyTable, all_counts, by_component, energy_per_action
from accelsim.energy.toggles import LayerToggles, toggle_columns
from accelsim.layer import WORD_BYTES, Trace
from accelsim.machine import LayerRecord, MachineResult
from accelsim.machine.array import pe_timing
from accelsim.machine.state import Entry
from accelsim.multipliers import MULTIPLIERS
from accelsim.results import ACTION_COLUMNS, PE_COLUMNS
from accelsim.version import __version__

__all__ = ["tabulate", "unit_timing"]


def tabulate(
    trace: Trace,
    accelerator: Accelerator,
    table: EnergyTable,
    result: MachineResult,
    accuracy: float | None,
    seed: int | None,
    toggles: Mapping[str, LayerToggles],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return (layers, actions, summary, timeline, pes) of one machine run.

    *toggles*: of each layer with products, where the multipliers' energy is that of toggles.
    """
    # One figure for all layers: what an action costs depends on the machine alone.
    cost_pj = cache(partial(energy_per_action, accelerator=accelerator, table=table))
    spent = [_actions(record, accelerator, cost_pj, toggles) for record in result.layers]
    layers = pd.DataFrame(
        [
            _layer_row(record, own, accelerator, toggles)
            for record, own in zip(result.layers, spent, strict=True)
        ]
    )
    timeline = pd.DataFrame(result.timeline, columns=list(Entry._fields))
    pes = pd.DataFrame(
        [
            (record.layer, *block, passes)
            for record in result.layers
            for block, passes in record.pe_blocks.items()
        ],
        columns=PE_COLUMNS,
    )
    cycles, images = result.total_cycles, len(trace.images)
    clock_mhz = clock_mhz_of(accelerator)
    latency_us = cycles / clock_mhz
    multiplier = MULTIPLIERS[accelerator.multiplier]
    summary = {
        "workload": trace.name,
        "accelerator": accelerator.name,
        "multiplier": accelerator.multiplier,
        **_layer_multipliers(accelerator),
        "accumulator": accumulator_of(multiplier, accelerator.accumulator).name,
        "dataflow": accelerator.array.dataflow,
        "rows": accelerator.array.rows,
        "cols": accelerator.array.cols,
        "clock_mhz": clock_mhz,
        **unit_timing(accelerator),
        "images": images,
        "macs": int(layers["macs"].sum()),
        "latency_cycles": cycles,
        "compute_cycles": int(layers["compute_cycles"].sum()),
        "stall_cycles": int(layers["stall_cycles"].sum()),
        "array_cycles": int(layers.loc[layers["macs"] > 0, "compute_cycles"].sum()),
        "latency_us": latency_us,
        "latency_us_per_image": latency_us / images,
        "utilization": layers["macs"].sum() / (_pes(accelerator) * cycles),
        "accuracy": np.nan if accuracy is None else accuracy,
        "energy_uj": layers["energy_pj"].sum() / 1e6,
        "energy_uj_per_image": layers["energy_pj"].sum() / 1e6 / images,
        **{
            column.replace("_pj", "_uj"): layers[column].sum() / 1e6
            for column in layers
            if column.startswith("energy_") and column != "energy_pj"
        },
        **{
            name.replace("_pj", "_uj"): value / 1e6 if name.endswith("_pj") else value
            for name, value in (toggle_columns(toggles.values()) if toggles else {}).items()
        },
        **({"gated_macs": int(layers["gated_macs"].sum())} if "gated_macs" in layers else {}),
        "multiplier_energy": _mode(accelerator),
        "energy_table": table.name,
        "config_hash": accelerator.config_hash,
        "trace_hash": trace.fingerprint,
        "table_hash": table.fingerprint,
        "version": __version__,
        "seed": seed,
    }
    actions = pd.DataFrame(list(chain.from_iterable(spent)), columns=ACTION_COLUMNS)
    return layers, actions, pd.DataFrame([summary]), timeline, pes


def unit_timing(accelerator: Accelerator) -> dict[str, float]:
    """Return the columns of a summary that say how fast the accelerator's `multiplier` is."""
    timing = pe_timing(accelerator)
    return {
        "multiplier_delay_ps": delays_ps_of(accelerator)[0],
        "multiplier_latency_cycles": timing.multiply_cycles,
        "pe_interval_cycles": DATAFLOWS[accelerator.array.dataflow].interval(timing),
    }


def _layer_multipliers(accelerator: Accelerator) -> dict[str, str]:
    """Return the column of a machine with several units that says which layers are on others."""
    units = accelerator.layer_multipliers
    own = " ".join(f"{layer}={unit}" for layer, unit in sorted(units.items()))
    return {"layer_multipliers": own} if own else {}


def _pes(accelerator: Accelerator) -> int:
    return accelerator.array.rows * accelerator.array.cols


def _mode(accelerator: Accelerator) -> str:
    """Return how the multipliers' energy was told, in one word."""
    config = accelerator.multiplier_energy
    return f"toggles_{config.toggles}" if config.mode == "toggles" else config.mode


def _unit_of(record: LayerRecord, accelerator: Accelerator) -> str:
    """Return what multiplies in a layer; a dash for one of the vector unit."""
    return accelerator.unit_of(record.layer) if record.macs else "-"


_ActionRow = tuple[str, str, str, int, float, float]
"""As `ACTION_COLUMNS`."""


def _actions(
    record: LayerRecord,
    accelerator: Accelerator,
    cost_pj: Callable[[str, str], float],
    toggles: Mapping[str, LayerToggles],
) -> list[_ActionRow]:
    """Return the rows of `Run.actions` for one layer."""
    rows = []
    counts = all_counts(record.counts, record.total_cycles, accelerator)
    for (component, action), count in counts.items():
        if count == 0:
            continue
        one_pj = cost_pj(component, action)
        energy_pj = count * one_pj
        if record.layer in toggles and action == "compute":
            way = accelerator.multiplier_energy.toggles
            energy_pj = getattr(toggles[record.layer], way).energy_pj
            one_pj = energy_pj / count
        rows.append((record.layer, component, action, count, one_pj, energy_pj))
    return rows


def _layer_row(
    record: LayerRecord,
    actions: Sequence[_ActionRow],
    accelerator: Accelerator,
    toggles: Mapping[str, LayerToggles],
) -> dict[str, object]:
    energy = by_component({row[1:3]: row[-1] for row in actions})
    config, more = accelerator.multiplier_energy, {}
    if config.mode == "toggles":
        more = toggle_columns([toggles[record.layer]] if record.layer in toggles else [])
    elif config.mode == "zero_gated":
        more = {"gated_macs": sum(n for (_, what), n in record.counts.items() if what == "gated")}
    accesses = {
        f"{memory}_{action}_bytes": WORD_BYTES
        * sum(
            count
            for (component, counted), count in record.counts.items()
            if component.partition(".")[0] == memory and counted == action
        )
        for memory in ("dram", "glb", "rf")
        for action in ("read", "write")
    }
    return {
        "layer": record.layer,
        "op": record.op,
        **({"multiplier": _unit_of(record, accelerator)} if accelerator.layer_multipliers else {}),
        "macs": record.macs,
        "compute_cycles": record.compute_cycles,
        "stall_cycles": record.stall_cycles,
        "total_cycles": record.total_cycles,
        "utilization": record.macs / (_pes(accelerator) * record.total_cycles),
        **accesses,
        "dram_row_hits": record.dram_row_hits,
        "dram_row_misses": record.dram_row_misses,
        "psum_spill_bytes": record.spilled_words * WORD_BYTES,
        "forwarded_bytes": record.forwarded_words * WORD_BYTES,
        "energy_pj": sum(energy.values()),
        **{f"energy_{component}_pj": value for component, value in energy.items()},
        **more,
        "tiling": record.tiling,
    }
