"""accelsim sweep: a grid of accelerator configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.completion import fields
from accelsim.cli.options import (
    AcceleratorOption,
    DataOption,
    JsonOption,
    MachineBatchOption,
    SetOption,
    WorkloadOrTopologyArgument,
    assignments,
    build_accelerator,
    scalar,
)
from accelsim.cli.output import note, print_json, print_table, progress, warn
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sweep"]

MANY = 3
"""Fields that have columns of their own; more would not fit into 80 columns."""


def sweep(
    workload: WorkloadOrTopologyArgument,
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="FIELD=V1,V2",
            help="Field and its values; repeatable (full grid).",
            autocompletion=fields(),
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    accelerator: AcceleratorOption = "edge_16x16",
    settings: SetOption = None,
    images: MachineBatchOption = None,
    data: DataOption = None,
    timing_only: Annotated[
        bool, typer.Option("--timing-only", help="Cycles and energy without operands.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one per CPU by default.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run WORKLOAD on every configuration of a grid, in local processes.

    Points are kept as they are made: after an interruption the same command goes on where it
    stopped, and points that exist already cost nothing. Units of integers are calibrated on the
    first 128 training images; how they quantize can be varied: quantization.weights=affine.

    Example: accelsim sweep lenet5_digits --vary array.rows=8,16 --vary multiplier=exact_fp32,ax_fpm
    --out sweeps/rows
    """
    base = build_accelerator(accelerator, settings)
    grid = {
        field: [scalar(value.strip()) for value in values.split(",")]
        for field, values in assignments(vary, "--vary", "FIELD=V1,V2").items()
    }
    if both := sorted(grid.keys() & assignments(settings, "--set").keys()):
        raise ConfigError(f"{', '.join(both)}: given by --vary and by --set; give it once")
    from accelsim.sweeps import sweep as run_sweep
    from accelsim.topology import is_topology, read_topology

    if is_topology(workload):
        for text in read_topology(workload).notes:
            note(text)

    counted = {"done": 0, "total": 0}
    try:
        with progress("sweep") as update:

            def moved(done: int, total: int, failed: int) -> None:
                counted.update(done=done, total=total)
                update(done, total, f"{failed} failed" if failed else "")

            table = run_sweep(
                workload,
                grid,
                out=out,
                accelerator=base,
                images=images,
                data=data,
                values=not timing_only,
                workers=workers,
                progress=moved,
            )
    except KeyboardInterrupt:
        kept = f"{counted['done']} of {counted['total']} points are kept in {out}"
        warn(f"{kept if counted['total'] else 'no point was run yet'}; the same command goes on")
        raise typer.Exit(130) from None
    if json:
        print_json(table.to_dict("records"))
    else:
        _print_points(table, list(grid))
        note(f"wrote {out}")
    failed = int((table["error"] != "").sum())
    if failed:
        warn(f"{failed} of {len(table)} points failed; their errors are in {out}/results.csv")
        raise typer.Exit(1)


def _print_points(table: pd.DataFrame, varied: list[str]) -> None:
    rows = []
    for _, point in table.iterrows():
        if point["error"]:
            numbers = ["failed", "-", "-", "-"]
        else:
            accuracy = point["accuracy"]
            numbers = [
                f"{int(point['latency_cycles']):,}",
                f"{100 * point['utilization']:.1f}",
                f"{point['energy_uj_per_image']:.2f}",
                "-" if accuracy is None or accuracy != accuracy else f"{100 * accuracy:.1f}",
            ]
        rows.append([*_names(point, varied), *numbers])
    names = varied if len(varied) <= MANY else ["point"]
    print_table(
        "Points of the sweep",
        [*names, "cycles", "util %", "uJ/image", "accuracy %"],
        rows,
        text=range(len(names)),
    )


def _names(point: pd.Series, varied: list[str]) -> list[str]:
    """Return what tells a point from the others: a cell each, or one where they are many."""
    if len(varied) <= MANY:
        return [str(point[field]) for field in varied]
    return [", ".join(f"{field}={point[field]}" for field in varied)]
