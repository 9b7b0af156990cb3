"""accelsim sweep: many accelerator configurations, and the best of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.completion import choices, fields
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
            help="Field and its values, or LOW..HIGH, LOW..HIGH:STEP, LOW..HIGH:log; repeatable.",
            autocompletion=fields(),
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    search: Annotated[
        str,
        typer.Option(
            "--search",
            metavar="NAME",
            help="grid: all points; random; nsga2 or tpe: optimizers.",
            autocompletion=choices("grid", "random", "nsga2", "tpe"),
        ),
    ] = "grid",
    points: Annotated[
        int | None, typer.Option("--points", min=1, help="How many; not of a grid.")
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="COLUMN[:max]",
            help="What is best; repeatable. Optimizers: latency_us and energy_uj by default.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the search.")] = 0,
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
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="tcp://HOST:PORT", help="Use the workers of a dask scheduler."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="FILE", help="A store of points that sweeps share."),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first point that fails.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run WORKLOAD on many configurations, in local processes or on a cluster.

    Fields are those of the accelerator, and workload. Points are kept as they are made: after an
    interruption the same command goes on where it stopped, and points that exist already cost
    nothing. If a point failed the exit code is 1, also where an optimizer merely tried one that
    cannot be built. Units of integers are calibrated on the first 128 training images; how they
    quantize can be varied: quantization.weights=affine.

    Example: accelsim sweep lenet5_digits --vary array.rows=8,16 --vary multiplier=exact_fp32,ax_fpm
    --out sweeps/rows

    Example: accelsim sweep resnet50 --timing-only --vary array.rows=4..64 --vary array.cols=4..64
    --search nsga2 --points 200 --out sweeps/best

    Example: accelsim sweep lenet5_digits --vary array.rows=8,16 --scheduler tcp://head:8786
    --out sweeps/rows
    """
    base = build_accelerator(accelerator, settings)
    from accelsim.sweeps import parse_values
    from accelsim.sweeps import sweep as run_sweep
    from accelsim.topology import is_topology, read_topology

    grid = {
        field: parse_values(values, scalar)
        for field, values in assignments(vary, "--vary", "FIELD=V1,V2").items()
    }
    if both := sorted(grid.keys() & assignments(settings, "--set").keys()):
        raise ConfigError(f"{', '.join(both)}: given by --vary and by --set; give it once")
    if is_topology(workload):
        for text in read_topology(workload).notes:
            note(text)

    counted = {"done": 0, "total": 0}
    try:
        with progress("sweep") as update:
            pace = _pace()

            def moved(done: int, total: int, failed: int) -> None:
                counted.update(done=done, total=total)
                update(done, total, pace(done, failed))

            table = run_sweep(
                workload,
                grid,
                out=out,
                accelerator=base,
                images=images,
                data=data,
                values=not timing_only,
                search=search,
                points=points,
                seed=seed,
                objectives=objective,
                workers=workers,
                scheduler=scheduler,
                store=store,
                fail_fast=fail_fast,
                progress=moved,
            )
    except KeyboardInterrupt:
        kept = f"{counted['done']} of {counted['total']} points are kept in {out}"
        warn(f"{kept if counted['total'] else 'no point was run yet'}; the same command goes on")
        raise typer.Exit(130) from None
    if json:
        print_json(table.to_dict("records"))
    else:
        shown = table[table["pareto"]] if "pareto" in table else table
        title = "Best points of the sweep" if "pareto" in table else "Points of the sweep"
        _print_points(shown, list(grid), title)
        note(f"wrote {out}")
    failed = int((table["error"] != "").sum())
    if failed:
        stopped = fail_fast and counted["done"] < counted["total"]
        ended = f"; stopped after {counted['done']} of {counted['total']}" if stopped else ""
        warn(
            f"{failed} of {len(table)} points failed; their errors are in {out}/results.csv{ended}"
        )
        raise typer.Exit(1)


def _pace() -> Callable[[int, int], str]:
    """Return what tells the rate of points done since the first call, and how many failed."""
    start = 0.0
    first: int | None = None

    def text(done: int, failed: int) -> str:
        nonlocal start, first
        now = time.monotonic()
        if first is None:
            start, first = now, done
        elapsed = now - start
        told = [f"{(done - first) / elapsed:.2g}/s"] if done > first and elapsed > 0 else []
        return ", ".join([*told, *([f"{failed} failed"] if failed else [])])

    return text


def _print_points(table: pd.DataFrame, varied: list[str], title: str) -> None:
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
        title,
        [*names, "cycles", "util %", "uJ/image", "accuracy %"],
        rows,
        text=range(len(names)),
    )


def _names(point: pd.Series, varied: list[str]) -> list[str]:
    """Return what tells a point from the others: a cell each, or one where they are many."""
    if len(varied) <= MANY:
        return [str(point[field]) for field in varied]
    return [", ".join(f"{field}={point[field]}" for field in varied)]
