"""accelsim simulate: a network on an accelerator, once per unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.options import (
    AcceleratorOption,
    BatchOption,
    DataOption,
    JsonOption,
    OutOption,
    SetOption,
    UnitsOption,
    WeightsOption,
    WorkloadArgument,
    build_accelerator,
    unique,
)
from accelsim.cli.output import note, print_json, print_table, progress
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from accelsim.results import Run

__all__ = ["simulate"]


def simulate(
    workload: WorkloadArgument,
    multiplier: UnitsOption = None,
    accelerator: AcceleratorOption = "edge_16x16",
    images: BatchOption = 16,
    settings: SetOption = None,
    weights: WeightsOption = None,
    data: DataOption = None,
    multiplier_energy: Annotated[
        str | None,
        typer.Option(
            "--multiplier-energy",
            metavar="MODE",
            help="fixed, zero_gated (products by zero cost the table's figure for gated) or "
            "toggles (of the unit's netlist over the operands in each PE). More of it: --set "
            "multiplier_energy.FIELD=VALUE.",
        ),
    ] = None,
    timing_only: Annotated[
        bool, typer.Option("--timing-only", help="Cycles and energy without operands.")
    ] = False,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Run WORKLOAD on the simulated machine: logits, cycles, energy.

    Without -m the accelerator's own unit is used. Units of integers are calibrated on the first
    128 training images; --set quantization.per_channel=false and the like change their scheme.
    WORKLOAD may be an .onnx file: name a set with --data, or see the cycles with --timing-only.

    Example: accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm --set array.rows=32
    """
    from pathlib import Path

    from accelsim.folders import prepare_folder
    from accelsim.simulation import check_machine
    from accelsim.workload import WORKLOADS

    changes = {} if multiplier_energy is None else {"multiplier_energy.mode": multiplier_energy}
    base = build_accelerator(accelerator, settings, **changes)
    machines = [base.replace(multiplier=name) for name in unique(multiplier or [base.multiplier])]
    for machine in machines:
        check_machine(machine, values=not timing_only)
    known = WORKLOADS[workload]
    folder = None if out is None else Path(out)
    folders = _folders(folder or Path(), [machine.multiplier for machine in machines])

    from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
    from accelsim.nn import calibrate, calibrate_workload
    from accelsim.simulation import simulate as run_simulation
    from accelsim.tracing import trace
    from accelsim.workload import load_workload, random_images

    title, labels = known.name, None
    made_up = timing_only and known.dataset is None and data is None
    if made_up:
        # Cycles do not depend on what the images show.
        model, batch = known.build(), random_images(known, images)
        title = f"{known.name} (random images)"
    else:
        model, batch, labels = load_workload(known.name, limit=images, weights=weights, data=data)
    if folder is not None:
        # Found out now, not after the work.
        prepare_folder(folder, "run")
        for machine in machines:
            prepare_folder(folders[machine.multiplier], "run")
    traced = trace(model, batch, name=title)
    integer = {
        machine.multiplier: isinstance(MULTIPLIERS[machine.multiplier], IntegerMultiplier)
        for machine in machines
    }
    calibrated = traced
    if any(integer.values()):
        ranges = calibrate(model, batch) if made_up else calibrate_workload(known.name, model, data)
        calibrated = traced.calibrated(ranges)
    runs: list[Run] = []
    try:
        for machine in machines:
            with progress(f"simulate {machine.multiplier}") as update:
                run = run_simulation(
                    calibrated if integer[machine.multiplier] else traced,
                    machine,
                    labels=labels,
                    values=not timing_only,
                    progress=lambda layer, done, total, update=update: update(done, total, layer),  # type: ignore[misc]
                )
            runs.append(run)
            if folder is not None:
                note(f"wrote {run.save(folders[machine.multiplier])}")
    except KeyboardInterrupt:
        kept = (
            f"{len(runs)} of {len(machines)} runs are kept in {out}" if out else "nothing is kept"
        )
        note(f"{kept}; the same command runs them all again")
        raise typer.Exit(130) from None
    if json:
        print_json([_as_json(run) for run in runs])
        return
    for run in runs:
        _print_layers(run)
        if "multiplier_functional_pj" in run.layers:
            _print_toggles(run)
    _print_summary(runs)


def _folders(folder: Path, units: Sequence[str]) -> dict[str, Path]:
    """Return where the run of each unit goes; a unit file counts by its name, not by its path."""
    from pathlib import Path

    folders = {unit: folder / Path(unit).name for unit in units}
    if len({*folders.values()}) < len(folders):
        raise ConfigError(
            f"the results of {', '.join(folders)} would share a folder; rename a unit file"
        )
    return folders


def _as_json(run: Run) -> dict[str, object]:
    return {
        "summary": run.summary.to_dict("records")[0],
        "layers": run.layers.to_dict("records"),
    }


def _print_layers(run: Run) -> None:
    row, gated = run.summary.iloc[0], ""
    if "gated_macs" in row:
        gated = f"; {row['gated_macs'] / row['macs']:.1%} of the MACs gated"
    print_table(
        f"{row['workload']} on {row['accelerator']} with {row['multiplier']}, "
        f"{row['images']} images; compute and stall in cycles{gated}",
        ["layer", "op", "M MACs", "compute", "stall", "util %", "DRAM KiB", "uJ"],
        [
            [
                layer.layer,
                layer.op,
                f"{layer.macs / 1e6:.3f}",
                f"{layer.compute_cycles:,}",
                f"{layer.stall_cycles:,}",
                f"{100 * layer.utilization:.1f}",
                f"{(layer.dram_read_bytes + layer.dram_write_bytes) / 1024:,.0f}",
                f"{layer.energy_pj / 1e6:,.2f}",
            ]
            for layer in run.layers.itertuples(index=False)
        ],
        text=(0, 1),
    )


def _print_toggles(run: Run) -> None:
    """Print both bounds of the multipliers' energy by layer, with half widths of intervals."""
    mode, rows = run.manifest["multiplier_energy"], []
    for layer in run.layers[run.layers["macs"] > 0].to_dict("records"):
        rows.append([layer["layer"]])
        for name in ("multiplier_functional", "multiplier_unit_delay"):
            energy = layer[f"{name}_pj"]
            half = layer[f"{name}_high_pj"] - energy
            rows[-1] += [
                f"{100 * layer[f'{name}_transitions'] / layer['macs']:.3g}",
                f"{energy / 1e6:,.3f}",
                f"{100 * half / energy:.2f}" if half else "exact",
            ]
    print_table(
        f"Toggles of {mode['circuit']}, uJ at {mode['table_voltage_v']:g} V "
        f"({mode['energy_factor']:.3f} of {mode['circuit_voltage_v']:g} V): of settled states "
        "(least) and with all glitches (most); half widths of 95 % intervals",
        ["layer", "counted %", "least uJ", "+- %", "counted %", "most uJ", "+- %"],
        rows,
    )


def _print_summary(runs: list[Run]) -> None:
    first = runs[0].summary.iloc[0]
    rows = []
    for run in runs:
        row = run.summary.iloc[0]
        accuracy = "-" if row["accuracy"] != row["accuracy"] else f"{100 * row['accuracy']:.1f}"
        rows.append(
            [
                str(row["multiplier"]),
                f"{row['latency_cycles']:,}",
                f"{row['latency_us_per_image']:.1f}",
                f"{row['latency_cycles'] / first['latency_cycles']:.2f}x",
                f"{row['energy_uj_per_image']:.2f}",
                f"{row['energy_uj'] / first['energy_uj']:.2f}x",
                accuracy,
            ]
        )
    print_table(
        f"All layers; ratios to {first['multiplier']}",
        ["multiplier", "cycles", "us/image", "ratio", "uJ/image", "ratio", "accuracy %"],
        rows,
    )
