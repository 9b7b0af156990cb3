"""Sweep: a workload on many accelerator configurations, in local processes or on a cluster.

Points are kept as they are made, by this process alone. A sweep that was interrupted goes on where
it stopped when the same call is made again; points that are stored already, by this sweep or
another one, cost nothing. A point that fails is kept with its error, and run again the next time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pandas as pd

from accelsim.config import Accelerator
from accelsim.errors import AccelsimError, ConfigError
from accelsim.folders import prepare_folder, versions, write_manifest, write_table
from accelsim.machine import machine_key
from accelsim.store import Store
from accelsim.sweeps.points import (
    Point,
    Row,
    crashed,
    forget_inputs,
    hand_over,
    point_of,
    run_points,
    weights_of,
)
from accelsim.sweeps.search import (
    DEFAULT_OBJECTIVES,
    Objective,
    Search,
    pareto,
    parse_objectives,
    search_of,
)
from accelsim.sweeps.space import Range, Space
from accelsim.workers import check_workers, in_processes

__all__ = ["STORE", "sweep"]

STORE = "points.sqlite"

CHUNK = 32
"""Timing-only points of one machine that a process does one after the other: all but the first take
their cycles from its memo. As many are lost when it is killed."""

Progress = Callable[[int, int, int], None]
Keys = tuple[str, ...]


class Engine(Protocol):
    """What runs a function over tasks: `_locally`, or a `Cluster`."""

    def __call__(
        self,
        function: Callable[[list[Point]], list[Row]],
        tasks: Mapping[Keys, list[Point]],
        /,
        *,
        skip: Callable[[Keys], bool],
        crashed: Callable[[Sequence[Point], str], list[Row]],
    ) -> Iterator[tuple[Keys, list[Row]]]: ...


def sweep(
    workload: str,
    grid: Mapping[str, Sequence[object] | Range],
    *,
    out: str | Path,
    accelerator: Accelerator | str = "edge_16x16",
    images: int | None = None,
    data: str | PathLike[str] | None = None,
    values: bool = True,
    search: str = "grid",
    points: int | None = None,
    seed: int = 0,
    objectives: Sequence[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    store: str | PathLike[str] | None = None,
    fail_fast: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return a row per point: what varied, and the run's summary.

    Units of integers are calibrated as `accelsim.nn.calibrate_workload` does it.

    Parameters
    ----------
    workload : str
        Registered name, or a topology's file, for cycles and energy only.
    grid : mapping
        Dotted accelerator field -> values or `accelsim.sweeps.Range`, e.g. ``{"array.rows": [8,
        16], "multiplier": [...]}``; ``workload`` is a field, too.
    out : path
        Folder for ``points.sqlite`` (points as they are made, of all sweeps that were run into it)
        and ``results.csv`` (this one's, at the end).
    accelerator : Accelerator or str
        What the grid changes, or the name of a preset, or the path of a YAML file.
    images : int, optional
        Images of the test split that the machine runs, as one batch; 4 by default, 1 of a topology.
    data : path, optional
        Where the data lie, as `accelsim.load_workload` takes it.
    values : bool
        False: cycles, counts and energy only. What points have in common is then computed once.
    search : str
        ``grid``: all points; ``random``: some; ``nsga2``, ``tpe``: those that Optuna's optimizers
        of these names try, for the best trade-offs between the objectives.
    points : int, optional
        How many, of searches other than grid.
    seed : int
        Of the search.
    objectives : sequence of str, optional
        Columns of the results, with ``:max`` where more is better: adds a column ``pareto``, True
        for rows that no other one betters. Optimizers have latency_us and energy_uj by default.
    workers : int, optional
        Local processes; one per CPU by default.
    scheduler : str, optional
        Address of a ``dask scheduler``, whose workers are used instead.
    store : path, optional
        A store that several sweeps share, instead of the one in *out*.
    fail_fast : bool
        Stop at the first point that fails.
    progress : callable, optional
        Called with (points done, points in all, points that failed).

    Raises
    ------
    AccelsimError
        Bad input, found before the first point runs, or, an objective that is no column or no
        number, with the first row; a store or folder that cannot be written. What goes wrong in a
        point is in its row's column ``error``.
    KeyboardInterrupt
        Interrupted; what was finished is kept.
    """
    base = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    space, data = Space(grid), None if data is None else os.fspath(data)
    goals = _goals(objectives, search, values)
    finder = search_of(search, space, points=points, seed=seed, objectives=goals)
    check_workers(workers)
    if scheduler is not None and workers is not None:
        raise ConfigError(
            "workers are local processes, and a scheduler has workers of its own; give one of them"
        )
    forget_inputs()
    make = partial(point_of, base=base, workload=workload, images=images, data=data, values=values)
    batches = finder.batches()
    batch = _made(next(batches), make, finder)
    impossible = [point for *_, point in batch if isinstance(point, AccelsimError)]
    if len(impossible) == len(batch):
        raise impossible[0]
    with ExitStack() as stack:
        if scheduler is None:
            networks = Path(stack.enter_context(TemporaryDirectory(prefix="accelsim-")))
            engine: Engine = partial(_locally, workers=workers, networks=networks)
        else:
            from accelsim.sweeps.cluster import connected

            engine = stack.enter_context(connected(scheduler)).run
        folder = prepare_folder(out, "sweep")
        kept = stack.enter_context(Store(folder / STORE if store is None else Path(store)))
        write_manifest(folder, {
            "kind": "sweep",
            "workload": workload if "workload" in space.axes else _name(batch, workload),
            "weights": None if "workload" in space.axes else weights_of(workload),
            "accelerator": base.model_dump(mode="json"),
            "config_hash": base.config_hash,
            "grid": space.described(),
            "search": search,
            "points": points,
            "objectives": [str(one) for one in goals],
            "images": _images(batch, images),
            "data": data,
            "values": values,
            "seed": None if search == "grid" else seed,
            "versions": versions(),
        })  # fmt: skip
        books = _Books(
            kept, finder.total if finder.learns else len(batch), goals, fail_fast, progress
        )
        try:
            while True:
                rows = books.run(batch, engine)
                if books.stopped:
                    break
                proposed = _next(batches, rows)
                if proposed is None:
                    break
                batch = _made(proposed, make, finder)
        except BaseException:
            # Also after an interruption the table holds what was finished. If it cannot be
            # written, the first trouble is the one to tell.
            with suppress(AccelsimError):
                _write(folder, books.frame())
            raise
        frame = books.frame()
        if goals and len(frame):
            frame["pareto"] = pareto(books.found(), goals)
        _write(folder, frame)
    return frame


Batch = list[tuple[str, dict[str, Any], Point | AccelsimError]]
"""For each point its key, what varies, and the point; or, where none can be made, why."""


class _Books:
    """The rows of a sweep, as they come."""

    def __init__(
        self,
        store: Store,
        total: int,
        goals: Sequence[Objective],
        fail_fast: bool,
        progress: Progress | None,
    ) -> None:
        self.store, self.total, self.goals = store, total, goals
        self.fail_fast, self.progress = fail_fast, progress
        self.varied: dict[str, dict[str, Any]] = {}
        """Key -> what varied, in the order of the table."""
        self.rows: dict[str, Row] = {}
        self.before = 0
        """Points of earlier batches."""
        self.stopped = False

    def report(self, done: int) -> None:
        """Tell how far the sweep is."""
        if self.progress is not None:
            failed = sum(bool(row["error"]) for row in self.rows.values())
            self.progress(self.before + done, self.total, failed)

    def run(self, batch: Batch, engine: Engine) -> list[Row]:
        """Have all points of *batch* that are not stored run, and return the rows of all."""
        todo: dict[str, Point] = {}
        for key, varied, point in batch:
            self.varied[key] = varied
            if isinstance(point, AccelsimError):
                self.rows[key] = {"error": str(point)}
            elif key not in self.rows and not self._known(key):
                todo[key] = point
        own = {key for key, *_ in batch}
        self.report(len(own) - len(todo))
        for key, row in _evaluate(todo, engine, self._all_known):
            self.store.put(key, row)
            self._enter(key, row)
            self.report(len(own & self.rows.keys()))
            if row["error"] and self.fail_fast:
                self.stopped = True
                break
        self.before += len(batch)
        return [self._columns(key) for key, *_ in batch if key in self.rows]

    def found(self) -> list[Row]:
        """Return the rows of the table: of what is there, in order."""
        return [self._columns(key) for key in self.varied if key in self.rows]

    def frame(self) -> pd.DataFrame:
        """Return the table of what is there."""
        return pd.DataFrame(self.found())

    def _columns(self, key: str) -> Row:
        # What varied is this sweep's own; rows may come from another one.
        return {**self.varied[key], **self.rows[key]}

    def _enter(self, key: str, row: Row) -> None:
        """Keep the row, and raise `ConfigError` if it has no number for an objective."""
        self.rows[key] = row
        if not row["error"]:
            for goal in self.goals:
                goal.value(self._columns(key))

    def _known(self, key: str) -> bool:
        """Return whether the store has the row by now, from whatever sweep."""
        row = self.store.get(key)
        if row is None or row["error"]:
            return False
        self._enter(key, row)
        return True

    def _all_known(self, keys: Keys) -> bool:
        return all(map(self._known, keys))


def _evaluate(
    todo: Mapping[str, Point], engine: Engine, skip: Callable[[Keys], bool]
) -> Iterator[tuple[str, Row]]:
    """Yield (key, row) as points finish."""
    for keys, rows in engine(run_points, _tasks(todo), skip=skip, crashed=crashed):
        yield from zip(keys, rows, strict=True)


def _locally(
    function: Callable[..., list[Row]],
    tasks: Mapping[Keys, list[Point]],
    *,
    workers: int | None,
    networks: Path,
    **how: Any,
) -> Iterator[tuple[Keys, list[Row]]]:
    """Yield as `in_processes`, whose processes find the networks in a folder."""
    hand_over(chain.from_iterable(tasks.values()), networks)
    return in_processes(partial(function, networks=networks), tasks, workers, **how)


def _tasks(todo: Mapping[str, Point]) -> dict[Keys, list[Point]]:
    """Return the points in the parts that are done by one process.

    Those with values one by one; those without in parts of one network on one machine.
    """
    alike: dict[Hashable, list[str]] = {}
    for key, point in todo.items():
        same = key if point.values else (point.inputs, machine_key(point.accelerator))
        alike.setdefault(same, []).append(key)
    parts = [
        tuple(keys[first : first + CHUNK])
        for keys in alike.values()
        for first in range(0, len(keys), CHUNK)
    ]
    return {keys: [todo[key] for key in keys] for keys in parts}


def _made(
    proposed: Sequence[dict[str, Any]],
    make: Callable[[Mapping[str, Any]], tuple[str, Point]],
    finder: Search,
) -> Batch:
    """Return the points that were *proposed*, each once unless the search wants to be told.

    Of an optimizer's some may be impossible, which it learns; the others' are all to be possible.
    """
    found: Batch = []
    for varied in proposed:
        try:
            key, point = make(varied)
            found.append((key, varied, point))
        except AccelsimError as error:
            if not finder.learns:
                raise
            found.append((f"impossible: {json.dumps(varied)}", varied, error))
    if finder.learns:
        return found
    return list({key: (key, varied, point) for key, varied, point in found}.values())


def _next(batches: Any, rows: list[Row]) -> list[dict[str, Any]] | None:
    """Return what a search proposes after *rows*, None at its end."""
    try:
        return batches.send(rows)
    except StopIteration:
        return None


def _goals(objectives: Sequence[str] | None, search: str, values: bool) -> tuple[Objective, ...]:
    if objectives is None:
        objectives = () if search in ("grid", "random") else DEFAULT_OBJECTIVES
    elif isinstance(objectives, str) or not objectives:
        raise ConfigError(f"objectives must be a list of columns, got {objectives!r}")
    goals = parse_objectives(objectives)
    if not values and any(one.column == "accuracy" for one in goals):
        raise ConfigError(
            "objective 'accuracy' needs values, and a timing-only sweep has none; leave one out"
        )
    return goals


def _name(batch: Batch, workload: str) -> str:
    """Return the workload as the points have it: a topology by its absolute path."""
    return next((one.inputs.workload for *_, one in batch if isinstance(one, Point)), workload)


def _images(batch: Batch, images: int | None) -> int | None:
    return next((one.inputs.images for *_, one in batch if isinstance(one, Point)), images)


def _write(folder: Path, frame: pd.DataFrame) -> None:
    if len(frame):
        write_table(folder / "results.csv", frame)
