"""Sweep: one workload over a grid of accelerator configurations, in local processes.

Points are kept as they are made. A sweep that was interrupted goes on where it stopped when the
same call is made again; points that are stored already cost nothing. A point that fails is kept
with its error, and run again the next time.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.config import Accelerator
from accelsim.errors import AccelsimError, ConfigError
from accelsim.folders import prepare_folder, versions, write_manifest, write_table
from accelsim.layer import Trace
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.multipliers.imported import file_fingerprints
from accelsim.simulation import check_machine, simulate
from accelsim.store import Store, point_key
from accelsim.topology import check_no_data, check_operands, is_topology, read_topology
from accelsim.tracing import trace
from accelsim.version import __version__
from accelsim.workers import check_workers, in_processes
from accelsim.workload import load_workload, weights_text

__all__ = ["STORE", "Point", "grid_points", "sweep"]

STORE = "points.sqlite"


@dataclass(frozen=True)
class Point:
    """One configuration of a sweep."""

    varied: dict[str, object]
    """Dotted field -> value, what tells this point from the others."""
    accelerator: Accelerator


@dataclass(frozen=True)
class Inputs:
    """What every point of a sweep runs."""

    workload: str
    """Registered name, or a topology's file."""
    images: int
    data: str | None
    """Where the workload's data lie."""


def grid_points(base: Accelerator, grid: Mapping[str, Sequence[object]]) -> list[Point]:
    """Return the points of the full grid, the last field varying fastest.

    Raises
    ------
    ConfigError
        The grid is empty, or a field or value is not possible.
    """
    if not grid or not all(grid.values()):
        raise ConfigError("the grid is empty; give every field to vary at least one value")
    names = list(grid)
    points = []
    for values in itertools.product(*grid.values()):
        varied = dict(zip(names, values, strict=True))
        points.append(Point(varied, base.replace(**varied)))
    return points


def sweep(
    workload: str,
    grid: Mapping[str, Sequence[object]],
    *,
    out: str | Path,
    accelerator: Accelerator | str = "edge_16x16",
    images: int | None = None,
    data: str | PathLike[str] | None = None,
    values: bool = True,
    workers: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> pd.DataFrame:
    """Return a row per point of the grid: what varied, and the run's summary.

    Units of integers are calibrated as `accelsim.nn.calibrate_workload` does it.

    Parameters
    ----------
    workload : str
        Registered name, or a topology's file, for cycles and energy only.
    grid : mapping
        Dotted accelerator field -> values, e.g. ``{"array.rows": [8, 16], "multiplier": [...]}``.
    out : path
        Folder for ``points.sqlite`` (points as they are made, of all grids that were run into it)
        and ``results.csv`` (this grid's, at the end).
    accelerator : Accelerator or str
        What the grid changes, or the name of a preset, or the path of a YAML file.
    images : int, optional
        Images of the test split that the machine runs, as one batch; 4 by default, 1 of a topology.
    data : path, optional
        Where the data lie, as `accelsim.load_workload` takes it.
    values : bool
        False: cycles, counts and energy only.
    workers : int, optional
        Processes; one per CPU by default.
    progress : callable, optional
        Called with (points done, points in all, points that failed).

    Raises
    ------
    AccelsimError
        Bad input, found before the first point runs. What goes wrong in a point is in its row's
        column ``error``.
    KeyboardInterrupt
        Interrupted; what was finished is kept.
    """
    base = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    grid = _plain_grid(grid)
    points = grid_points(base, grid)
    check_workers(workers)
    if is_topology(workload):
        workload = os.path.abspath(workload)  # Workers may have started in another folder.
    if images is None:
        images = 1 if is_topology(workload) else 4
    inputs = Inputs(workload, images, None if data is None else os.fspath(data))
    _traced.cache_clear()  # The files may have changed since the last sweep.
    fingerprints = [check_machine(point.accelerator, values=values).fingerprint for point in points]
    check_operands(_traced(inputs, _calibrated(points[0], values))[0], values=values)
    keys = {
        _key(point, fingerprint, inputs, values): point
        for point, fingerprint in zip(points, fingerprints, strict=True)
    }
    folder = prepare_folder(out, "sweep")
    write_manifest(folder, _manifest(inputs, grid, base, values))
    with Store(folder / STORE) as store:
        stored = store.rows()
        todo = {
            key: point for key, point in keys.items() if key not in stored or stored[key]["error"]
        }
        failed = 0
        try:
            if progress is not None:
                progress(len(keys) - len(todo), len(keys), failed)
            finished = _evaluate(todo, inputs, values, workers)
            for done, (key, row) in enumerate(finished, start=len(keys) - len(todo) + 1):
                store.put(key, row)
                failed += bool(row["error"])
                if progress is not None:
                    progress(done, len(keys), failed)
        finally:
            # Also after an interruption: the table then holds what was finished.
            rows = store.rows()
            # What varied is this sweep's own; rows may come from a sweep with another grid.
            frame = pd.DataFrame(
                [{**point.varied, **rows[key]} for key, point in keys.items() if key in rows]
            )
            if len(frame):
                write_table(folder / "results.csv", frame)
    return frame


def _key(point: Point, table: str, inputs: Inputs, values: bool) -> str:
    """Return the key of all that a point's row depends on; *table*: the energy table's print."""
    traced, labels = _traced(inputs, _calibrated(point, values))
    determined_by = {
        "accelerator": point.accelerator.model_dump(mode="json"),
        "table": table,
        "trace": traced.fingerprint,
        "labels": None if labels is None else labels.tolist(),
        "values": values,
        "version": __version__,
    }
    files = file_fingerprints([point.accelerator.multiplier])
    return point_key({**determined_by, **({"unit_files": files} if files else {})})


def _manifest(
    inputs: Inputs, grid: Mapping[str, Sequence[object]], base: Accelerator, values: bool
) -> dict[str, Any]:
    return {
        "kind": "sweep",
        "workload": inputs.workload,
        "weights": _weights(inputs),
        "accelerator": base.model_dump(mode="json"),
        "config_hash": base.config_hash,
        "grid": dict(grid),
        "images": inputs.images,
        "data": inputs.data,
        "values": values,
        "seed": None,
        "versions": versions(),
    }


def _evaluate(
    todo: Mapping[str, Point], inputs: Inputs, values: bool, workers: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, row) as points finish."""
    return in_processes(partial(run_point, inputs, values), todo, workers)


def run_point(inputs: Inputs, values: bool, point: Point) -> dict[str, Any]:
    """Return the row of one point; an error of its own making is in the row."""
    try:
        traced, labels = _traced(inputs, _calibrated(point, values))
        run = simulate(
            traced, point.accelerator, labels=labels, values=values, weights=_weights(inputs)
        )
    except AccelsimError as error:
        return {"error": str(error)}
    summary = run.summary.astype(object).where(run.summary.notna(), None).iloc[0].to_dict()
    return {**{name: _plain(value) for name, value in summary.items()}, "error": ""}


def _plain_grid(grid: Mapping[str, Sequence[object]]) -> dict[str, list[object]]:
    """Return *grid* with lists of Python values."""
    for name, values in grid.items():
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise ConfigError(f"{name} must have a list of values to vary over, got {values!r}")
    return {name: [_plain(value) for value in values] for name, values in grid.items()}


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's, which JSON and the configuration know."""
    return value.item() if hasattr(value, "item") else value


def _calibrated(point: Point, values: bool) -> bool:
    """Return whether the point needs a calibrated trace: its unit takes integers, and gets some."""
    return values and isinstance(MULTIPLIERS[point.accelerator.multiplier], IntegerMultiplier)


def _weights(inputs: Inputs) -> str | None:
    """Return where the network's weights are from; a topology has none."""
    return None if is_topology(inputs.workload) else weights_text(inputs.workload)


@lru_cache(maxsize=4)
def _traced(inputs: Inputs, calibrated: bool) -> tuple[Trace, Any]:
    name, data = inputs.workload, inputs.data
    if is_topology(name):
        check_no_data(name, data=data)
        return read_topology(name, inputs.images), None
    from accelsim.nn import calibrate_workload

    model, batch, labels = load_workload(name, limit=inputs.images, data=data)
    calibration = calibrate_workload(name, model, data) if calibrated else None
    return trace(model, batch, name=name, calibration=calibration), labels
