"""Searches: which points of a space a sweep looks at.

A search proposes points in batches and is told the rows of one before it proposes the next. What it
proposes depends on the space, its seed and what it was told, and on nothing else: the same sweep
again proposes the same points, which are in the store by then, and so goes on where it stopped.
"""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.dominance import undominated
from accelsim.errors import ConfigError, UnknownNameError, nearest
from accelsim.sweeps.space import Range, Space

if TYPE_CHECKING:
    import optuna

__all__ = ["SEARCHES", "Objective", "Search", "parse_objectives", "search_of"]

Rows = Sequence[Mapping[str, Any]]
Batches = Generator[list[dict[str, Any]], Rows, None]
"""Yields points, is sent their rows."""

BATCH = 16
"""Points that an optimizer proposes at once: its generation, whatever the number of workers."""

OPTIMIZERS = ("nsga2", "tpe")
SEARCHES = ("grid", "random", *OPTIMIZERS)

DEFAULT_OBJECTIVES = ("latency_us", "energy_uj")


@dataclass(frozen=True)
class Objective:
    """A column of the results, and what is wanted of it."""

    column: str
    maximize: bool = False

    def __str__(self) -> str:
        return f"{self.column}:{'max' if self.maximize else 'min'}"

    def value(self, row: Mapping[str, Any]) -> float:
        """Return the column's value in *row*.

        Raises
        ------
        ConfigError
            The row has no such column, or no number in it.
        """
        if self.column not in row:
            numbers = [name for name, value in row.items() if isinstance(value, int | float)]
            raise ConfigError(
                f"no objective {self.column!r}; columns of the results: {', '.join(numbers)}."
                f"{nearest(self.column, numbers)}"
            )
        value = row[self.column]
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise ConfigError(f"objective {self.column!r} is {value!r} here, and no number")
        return float(value)


def parse_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives that ``COLUMN``, ``COLUMN:min`` or ``COLUMN:max`` describe.

    >>> [str(one) for one in parse_objectives(["latency_us", "accuracy:max"])]
    ['latency_us:min', 'accuracy:max']

    Raises
    ------
    ConfigError
        One is neither, or is there twice.
    """
    found = []
    for text in texts:
        column, colon, wanted = text.partition(":")
        if not column or (colon and wanted not in ("min", "max")):
            raise ConfigError(f"an objective is COLUMN, COLUMN:min or COLUMN:max, got {text!r}")
        found.append(Objective(column, wanted == "max"))
    if len({one.column for one in found}) < len(found):
        raise ConfigError(f"objectives {', '.join(texts)}: each may be there once")
    return tuple(found)


class Search(ABC):
    """What proposes the points of a sweep; `total` of them."""

    total: int
    learns = False
    """Whether what it proposes depends on what it was told."""

    @abstractmethod
    def batches(self) -> Batches:
        """Propose points; be sent their rows, in their order, before the next ones."""


class GridSearch(Search):
    """All points."""

    def __init__(self, space: Space) -> None:
        self.points = list(space.grid())
        self.total = len(self.points)

    def batches(self) -> Batches:
        yield self.points


class RandomSearch(Search):
    """Different points at random; of more of them, the first are the same."""

    def __init__(self, space: Space, points: int, seed: int) -> None:
        rng = random.Random(seed)
        # Most of a small space would be drawn over and over before the last point comes.
        wanted = min(points, len(space)) if space.countable else points
        found: dict[str, dict[str, Any]] = {}
        attempts = 0
        while len(found) < wanted and attempts < 1000 * wanted:
            point = space.draw(rng)
            found.setdefault(json.dumps(point), point)
            attempts += 1
        self.points = list(found.values())
        self.total = len(self.points)

    def batches(self) -> Batches:
        yield self.points


class Optimizer(Search):
    """Optuna's multi-objective samplers by ask and tell, in memory."""

    learns = True

    def __init__(
        self, space: Space, points: int, seed: int, method: str, objectives: Sequence[Objective]
    ) -> None:
        self.space, self.total, self.objectives = space, points, objectives
        self.seed, self.method = seed, method
        self.optuna = _optuna()

    def batches(self) -> Batches:
        optuna = self.optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        samplers = optuna.samplers
        sampler = (
            samplers.NSGAIISampler(population_size=BATCH, seed=self.seed)
            if self.method == "nsga2"
            else samplers.TPESampler(seed=self.seed, n_startup_trials=BATCH)
        )
        directions = ["maximize" if one.maximize else "minimize" for one in self.objectives]
        study = optuna.create_study(directions=directions, sampler=sampler)
        for first in range(0, self.total, BATCH):
            trials = [study.ask() for _ in range(min(BATCH, self.total - first))]
            rows = yield [self._point(trial) for trial in trials]
            for trial, row in zip(trials, rows, strict=True):
                if row["error"]:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial, [one.value(row) for one in self.objectives])

    def _point(self, trial: optuna.Trial) -> dict[str, Any]:
        return {name: _suggested(trial, name, axis) for name, axis in self.space.axes.items()}


def _suggested(trial: optuna.Trial, name: str, axis: Range | list[Any]) -> Any:
    if not isinstance(axis, Range):
        # By number: Optuna takes few types, and equal values of other types for the same.
        return axis[trial.suggest_categorical(name, range(len(axis)))]
    if axis.whole:
        low, step = int(axis.low), int(axis.step or 1)
        last = low + (len(axis) - 1) * step  # of 4..15:4 it is 12
        return trial.suggest_int(name, low, last, step=step, log=axis.log)
    if axis.step is not None:
        return axis.values()[trial.suggest_int(name, 0, len(axis) - 1)]
    return trial.suggest_float(name, axis.low, axis.high, log=axis.log)


def search_of(
    name: str,
    space: Space,
    *,
    points: int | None,
    seed: int,
    objectives: Sequence[Objective],
) -> Search:
    """Return the search *name*.

    Raises
    ------
    UnknownNameError
        There is none of this name.
    ConfigError
        *points* does not fit the search, or Optuna is not installed.
    """
    if name not in SEARCHES:
        raise UnknownNameError(
            f"no search named {name!r}; known: {', '.join(SEARCHES)}.{nearest(name, SEARCHES)}"
        )
    if name == "grid":
        if points is not None:
            raise ConfigError(
                "a grid has the points it has, so points cannot be chosen; leave it out, or choose "
                f"another search: {', '.join(SEARCHES[1:])}"
            )
        return GridSearch(space)
    if points is None:
        raise ConfigError(f"search {name} needs the number of points; give points (--points)")
    if isinstance(points, bool) or not isinstance(points, int) or points < 1:
        raise ConfigError(f"points must be an int >= 1, got {points!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be an int >= 0, got {seed!r}")
    if name == "random":
        return RandomSearch(space, points, seed)
    return Optimizer(space, points, seed, name, objectives)


def pareto(rows: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> list[bool]:
    """Return which rows no other one betters: as good in all objectives, better in one.

    A row with an error is none of them.
    """
    done = [place for place, row in enumerate(rows) if not row["error"]]
    costs = [
        [-one.value(rows[place]) if one.maximize else one.value(rows[place]) for one in objectives]
        for place in done
    ]
    best = dict(zip(done, undominated(costs), strict=True)) if done else {}
    return [bool(best.get(place, False)) for place in range(len(rows))]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            f"searches {' and '.join(OPTIMIZERS)} are Optuna's, which is not installed; "
            "pip install 'accelsim[search]', or choose search grid or random"
        ) from None
    return optuna
