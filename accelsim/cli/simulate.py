"""accelsim simulate: a network on an accelerator, once per unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.completion import choices
from accelsim.cli.options import (
    AcceleratorOption,
    DataOption,
    JsonOption,
    MachineBatchOption,
    OutOption,
    SetOption,
    UnitsOption,
    WeightsOption,
    WorkloadOrTopologyArgument,
    build_accelerator,
    unique,
)
from accelsim.cli.output import note, print_json, print_table, progress, warn
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from accelsim.layer import Trace
    from accelsim.results import Run

__all__ = ["simulate"]


def simulate(
    workload: WorkloadOrTopologyArgument,
    multiplier: UnitsOption = None,
    accelerator: AcceleratorOption = "edge_16x16",
    images: MachineBatchOption = None,
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
            autocompletion=choices("fixed", "zero_gated", "toggles"),
        ),
    ] = None,
    timing_only: Annotated[
        bool, typer.Option("--timing-only", help="Cycles and energy without operands.")
    ] = False,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity",
            help="Also halve and double the five constants of the energy table that the total "
            "depends on most, and say whether the same unit takes less energy. With --json: "
            'an object of "runs" and "sensitivity" instead of a list of runs.',
        ),
    ] = False,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Run WORKLOAD on the simulated machine: logits, cycles, energy.

    Of a topology, rows of a CSV file of SCALE-Sim, each layer runs for itself, without operands.
    Without -m the accelerator's own unit is used; single layers run on others with --set
    layer_multipliers.conv1=ax_fpm. Units of integers are calibrated on the first 128 training
    images; --set quantization.per_channel=false and the like change their scheme.
    WORKLOAD may be an .onnx file: name a set with --data, or see the cycles with --timing-only.

    Example: accelsim simulate lenet5_digits -m exact_fp32 -m ax_fpm --set array.rows=32
    """
    from pathlib import Path

    from accelsim.folders import prepare_folder
    from accelsim.simulation import check_machine
    from accelsim.topology import is_topology
    from accelsim.workload import WORKLOADS, weights_text

    changes = {} if multiplier_energy is None else {"multiplier_energy.mode": multiplier_energy}
    base = build_accelerator(accelerator, settings, **changes)
    machines = [base.replace(multiplier=name) for name in unique(multiplier or [base.multiplier])]
    for machine in machines:
        check_machine(machine, values=not timing_only)
    name = workload if is_topology(workload) else WORKLOADS[workload].name
    folder = None if out is None else Path(out)
    folders = _folders(folder or Path(), [machine.multiplier for machine in machines])

    from accelsim.layer_units import takes_integers
    from accelsim.simulation import simulate as run_simulation

    integer = {
        machine.multiplier: takes_integers(machine) and not timing_only for machine in machines
    }
    if is_topology(name):
        traced = calibrated = _topology(name, images or 1, weights, data, values=not timing_only)
        labels = origin = None
    else:
        traced, calibrated, labels = _traced(
            name, images or 16, weights, data, integer=any(integer.values())
        )
        origin = weights_text(name, weights)
    if folder is not None:
        # Found out now, not after the work.
        prepare_folder(folder, "run")
        for machine in machines:
            prepare_folder(folders[machine.multiplier], "run")
    runs: list[Run] = []
    try:
        for machine in machines:
            with progress(f"simulate {machine.multiplier}") as update:
                run = run_simulation(
                    calibrated if integer[machine.multiplier] else traced,
                    machine,
                    labels=labels,
                    values=not timing_only,
                    weights=origin,
                    progress=lambda layer, done, total, update=update: update(done, total, layer),  # type: ignore[misc]
                )
            runs.append(run)
            if folder is not None:
                note(f"wrote {run.save(folders[machine.multiplier])}")
    except KeyboardInterrupt:
        kept = (
            f"{len(runs)} of {len(machines)} runs are kept in {out}" if out else "nothing is kept"
        )
        warn(f"{kept}; the same command runs them all again")
        raise typer.Exit(130) from None
    varied = None
    if sensitivity:
        from accelsim.sensitivities import sensitivity as vary_constants

        varied = vary_constants(runs)
    if json:
        whole = [_as_json(run) for run in runs]
        if varied is None:
            print_json(whole)
        else:
            print_json({"runs": whole, "sensitivity": varied.to_dict("records")})
        return
    for run in runs:
        _print_layers(run)
        if "multiplier_functional_pj" in run.layers:
            _print_toggles(run)
    _print_summary(runs)
    if varied is not None:
        _print_sensitivity(varied, int(runs[0].summary["images"].iloc[0]))


def _topology(
    path: str, images: int, weights: str | None, data: str | None, *, values: bool
) -> Trace:
    """Return a topology that has all it is asked for, after telling what of it was not read."""
    from accelsim.topology import check_no_data, check_operands, read_topology

    check_no_data(path, **{"--weights": weights, "--data": data})
    topology = read_topology(path, images)
    check_operands(topology, values=values)
    for text in topology.notes:
        note(text)
    return topology


def _traced(
    name: str, images: int, weights: str | None, data: str | None, *, integer: bool
) -> tuple[Trace, Trace, NDArray[np.int64] | None]:
    """Return (trace, the same calibrated if there are units of integers, labels)."""
    from accelsim.nn import calibrate_workload
    from accelsim.tracing import trace
    from accelsim.workload import load_workload

    model, batch, labels = load_workload(name, limit=images, weights=weights, data=data)
    if labels is None:
        note(f"{name}: no accuracy, since its weights or its images are random")
    traced = calibrated = trace(model, batch, name=name)
    if integer:
        calibrated = traced.calibrated(calibrate_workload(name, model, data))
    return traced, calibrated, labels


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
    from accelsim.layer_units import unit_label

    row, gated = run.summary.iloc[0], ""
    # What fits into 80 columns: with units by layer, operators of the vector unit's layers alone.
    several = "multiplier" in run.layers
    images = f"{row['images']} images" + (f", {row['weights']}" if "weights" in row else "")
    if "gated_macs" in row:
        gated = f"; {row['gated_macs'] / row['macs']:.1%} of the MACs gated"
    print_table(
        f"{row['workload']} on {row['accelerator']} with {unit_label(run.accelerator)}, "
        f"{images}; compute and stall in cycles{gated}",
        [
            "layer",
            "unit or op" if several else "op",
            "M MACs",
            "compute",
            "stall",
            "util %",
            "DRAM KiB",
            "uJ",
        ],
        [
            [
                layer.layer,
                layer.multiplier if several and layer.macs else layer.op,
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
    from accelsim.layer_units import unit_label

    first = runs[0].summary.iloc[0]
    rows = []
    for run in runs:
        row = run.summary.iloc[0]
        accuracy = "-" if row["accuracy"] != row["accuracy"] else f"{100 * row['accuracy']:.1f}"
        rows.append(
            [
                unit_label(run.accelerator),
                f"{row['latency_cycles']:,}",
                f"{row['latency_us_per_image']:.1f}",
                f"{row['latency_cycles'] / first['latency_cycles']:.2f}x",
                f"{row['energy_uj_per_image']:.2f}",
                f"{row['energy_uj'] / first['energy_uj']:.2f}x",
                accuracy,
            ]
        )
    print_table(
        f"All layers; ratios to {unit_label(runs[0].accelerator)}",
        ["multiplier", "cycles", "us/image", "ratio", "uJ/image", "ratio", "accuracy %"],
        rows,
    )


def _print_sensitivity(varied: pd.DataFrame, images: int) -> None:
    """Print what each constant changed makes of each unit's energy, and of their order."""
    changed = varied[varied["factor"] != 1]
    alone, rows = varied["multiplier"].nunique() == 1, []
    for constant, block in changed.groupby("constant", sort=False):
        blanks = [""] * (3 if alone else 5)
        rows.append([constant, f"{block['energy_pj'].iloc[0]:,.4g}", *blanks])
        for unit, own in block.groupby("multiplier", sort=False):
            row = [f"  {unit}", "", f"{100 * own['share'].iloc[0]:.1f}"]
            for uj, ratio in zip(own["energy_uj"], own["ratio"], strict=True):
                row += [f"{uj / images:,.1f}", *([] if alone else [f"{ratio:.3f}"])]
            rows.append(row)
    pair = ["uJ"] if alone else ["uJ", "ratio"]
    print_table(
        "Sensitivity: uJ/image with one constant of the energy table x 0.5 and x 2; shares of the "
        f"total. {_conclusion(varied)}",
        ["constant", "pJ", "%", *(f"x{by} {one}" for by in ("0.5", "2") for one in pair)],
        rows,
    )


def _conclusion(varied: pd.DataFrame) -> str:
    """Return in a sentence which unit takes least energy, and with which constants it does not."""
    stated = varied[varied["factor"] == 1].sort_values("energy_uj")
    if len(stated) == 1:
        return ""
    order = " < ".join(
        f"{unit} ({ratio:.3f}x)"
        for unit, ratio in zip(stated["multiplier"], stated["ratio"], strict=True)
    )
    broken = varied[~varied["survives"]].drop_duplicates(["constant", "factor"])
    if broken.empty:
        return f"Energy as stated: {order}; the order survives all of these"
    which = ", ".join(
        f"{constant} x {factor:g}"
        for constant, factor in zip(broken["constant"], broken["factor"], strict=True)
    )
    return f"Energy as stated: {order}; the order does not survive {which}"
