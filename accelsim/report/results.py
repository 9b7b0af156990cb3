"""What a report is about: the results in some folders, checked to be of one network."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from accelsim.comparison import check_same, run_conditions, score_conditions
from accelsim.config import Accelerator
from accelsim.errors import ConfigError, DataError
from accelsim.figures.style import run_labels
from accelsim.folders import find_results, read_manifest, read_table
from accelsim.layer_units import of_any_unit, unit_label
from accelsim.results import BASELINE, Run, load_run
from accelsim.robustness.checks import NetworkChecks
from accelsim.robustness.outcomes import KEYS
from accelsim.robustness.study import STORE as OUTCOMES_STORE
from accelsim.robustness.study import outcomes_in
from accelsim.robustness.summary import RATES
from accelsim.scores import TABLE, kept_checks

__all__ = ["LabelledRun", "Results", "Score", "Sweep", "gather", "plain_fields"]

OF_THE_MACHINE = ("accelerator", "configuration", "energy table (table_hash)")
"""Conditions of runs in which a report's may differ: it sets them side by side."""

FEW = 2
"""Fields that a label can tell."""


@dataclass(frozen=True)
class LabelledRun:
    """A run, and the name that tells it from the others of the report."""

    label: str
    folder: Path
    run: Run
    """Its accelerator may have a longer name here than in its folder, see `stored`."""

    @property
    def stored(self) -> Accelerator:
        """The accelerator as the folder has it."""
        return Accelerator.from_dict(self.run.manifest["accelerator"])


@dataclass(frozen=True)
class Score:
    """A folder of scores."""

    folder: Path
    manifest: dict[str, Any]
    rates: pd.DataFrame
    """As ``scores.csv`` has them."""
    outcomes: pd.DataFrame | None
    """Image by image; None where the folder keeps none."""
    checks: dict[str, NetworkChecks]
    """Target -> checks of its network; without those that the folder does not keep."""


@dataclass(frozen=True)
class Sweep:
    """A folder of a sweep."""

    folder: Path
    manifest: dict[str, Any]
    points: pd.DataFrame
    """As ``results.csv`` has them: what varied, then a run's summary, and ``error``."""
    base: Accelerator
    """What the grid changes."""
    workload: str

    @property
    def varied(self) -> list[str]:
        """The fields that tell points from each other."""
        return list(self.manifest["grid"])

    def machine(self, point: pd.Series) -> Accelerator | None:
        """Return the accelerator of a row of `points`; None if it cannot be made again.

        A CSV file does not keep the types of values, the manifest does; the hash tells.
        """
        values = {
            name: _as_given(point[name], self.manifest["grid"][name])
            for name in self.varied
            if name != "workload"
        }
        try:
            machine = self.base.replace(**values)
        except ConfigError:
            return None
        return machine if machine.config_hash == point["config_hash"] else None


@dataclass(frozen=True)
class Results:
    """All that a report tells."""

    workload: str
    runs: tuple[LabelledRun, ...]
    scores: tuple[Score, ...]
    sweeps: tuple[Sweep, ...]

    def outcomes(self) -> pd.DataFrame | None:
        """Return the outcomes of all scores as one table; None where a folder keeps none."""
        tables = [score.outcomes for score in self.scores if score.outcomes is not None]
        if not tables or len(tables) < len(self.scores):
            return None
        whole = pd.concat(tables, ignore_index=True)
        return whole.drop_duplicates([*KEYS, "image"], ignore_index=True)


def gather(folders: Iterable[str | Path]) -> Results:
    """Return the runs, scores and sweeps in *folders*: each itself, or those one level below.

    Runs come with the baseline's first, else in order; a folder that is named twice counts once.

    Raises
    ------
    DataError
        A folder holds no result, one of another kind, a damaged or an unfinished one, or one that a
        newer accelsim wrote; or the results are not of one network on the same images, or two are
        of the same run.
    """
    places = {folder.resolve(): folder for folder in find_results(folders)}
    runs: list[tuple[Path, Run]] = []
    scores: list[Score] = []
    sweeps: list[Sweep] = []
    conditions: dict[str, dict[str, object]] = {}
    for folder in places.values():
        manifest = read_manifest(folder)
        if manifest["kind"] == "run":
            run = load_run(folder)
            runs.append((folder, run))
            same = {k: v for k, v in run_conditions(run).items() if k not in OF_THE_MACHINE}
            check_same(conditions, "run", same, folder, "multiplier and accelerator")
        elif manifest["kind"] == "score":
            score = _score(folder, manifest)
            scores.append(score)
            for _, row in score.rates.iterrows():
                same = score_conditions(row, manifest)
                del same["scenario"]
                check_same(conditions, "score", same, folder, "multiplier, attack and scenario")
        elif manifest["kind"] == "sweep":
            sweep = _sweep(folder, manifest)
            sweeps.append(sweep)
            check_same(conditions, "sweep", {"workload": sweep.workload}, folder, "their grids")
        else:
            raise DataError(
                f"{str(folder)!r} holds a {manifest['kind']}; a report is of the folders that "
                "accelsim simulate, score and sweep write"
            )
    networks = sorted({str(found["workload"]) for found in conditions.values()})
    if len(networks) > 1:
        raise DataError(f"results of several networks: {', '.join(networks)}; give those of one")
    runs.sort(key=lambda one: unit_label(one[1].accelerator) != BASELINE)
    return Results(networks[0], _labelled(runs), tuple(scores), tuple(sweeps))


def plain_fields(accelerator: Accelerator) -> dict[str, Any]:
    """Return the fields of an accelerator by name, those of its sections by dotted names."""
    found: dict[str, Any] = {}
    for name, value in accelerator.model_dump(mode="json").items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            found[name] = value
    return found


def _labelled(runs: Sequence[tuple[Path, Run]]) -> tuple[LabelledRun, ...]:
    """Return runs with a label each; accelerators of one name are told apart, see `_told_apart`."""
    if not runs:
        return ()
    told = _told_apart([run for _, run in runs])
    return tuple(
        LabelledRun(" ".join(label.split()), folder, run)
        for label, (folder, _), run in zip(run_labels(told), runs, told, strict=True)
    )


def _told_apart(runs: Sequence[Run]) -> list[Run]:
    """Return *runs*, where accelerators of one name differ with a second line in the names.

    The first of a name keeps it; to the others what they differ in is added, or a number where
    that is long.
    """
    of_name: dict[str, list[dict[str, Any]]] = {}
    found = []
    for run in runs:
        machine = run.accelerator
        fields = plain_fields(of_any_unit(machine))
        known = of_name.setdefault(machine.name, [])
        if fields not in known:
            known.append(fields)
        if number := known.index(fields):
            differs = [f"{name}={one}" for name, one in fields.items() if one != known[0][name]]
            more = ", ".join(differs) if len(differs) <= FEW else f"no. {number + 1}"
            machine = machine.model_copy(update={"name": f"{machine.name}\n{more}"})
        found.append(dataclasses.replace(run, accelerator=machine))
    return found


def _as_given(cell: Any, values: Sequence[Any] | str) -> Any:
    """Return which of *values* the *cell* of a table stands for; if it is of none, the cell."""
    for value in () if isinstance(values, str) else values:
        if value is None and pd.isna(cell):
            return value
        if str(value) == str(cell) or (_is_number(value) and _is_number(cell) and value == cell):
            return value
    return cell


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _score(folder: Path, manifest: dict[str, Any]) -> Score:
    attacks = manifest.get("attacks")
    if attacks == [] or not (folder / TABLE).exists():
        raise DataError(
            f"the scores in {str(folder)!r} are not finished; the same accelsim score goes on"
        )
    rates = read_table(folder / TABLE)
    if rates.empty:
        raise DataError(f"{folder / TABLE} is damaged: it has no row")
    if lacking := [name for name in RATES if name not in rates]:
        raise DataError(
            f"{folder / TABLE} lacks {', '.join(lacking)}, as of an earlier accelsim; the same "
            "accelsim score writes it anew, of the outcomes that are there"
        )
    checks = kept_checks(folder, str(manifest.get("config_hash")))
    return Score(folder, manifest, rates, _outcomes(folder, attacks), checks)


def _outcomes(folder: Path, attacks: Sequence[str] | None) -> pd.DataFrame | None:
    """Return the outcomes of *attacks* (all, if None) in a folder of scores; None without any."""
    if not (folder / OUTCOMES_STORE).exists():
        return None
    table = outcomes_in(folder)
    if attacks is not None:
        table = table[table["attack"].isin(attacks)]
    # Workers finish pieces in any order.
    return table.sort_values([*KEYS, "image"], kind="stable", ignore_index=True)


def _sweep(folder: Path, manifest: dict[str, Any]) -> Sweep:
    path = folder / "results.csv"
    if not path.exists():
        raise DataError(
            f"the sweep in {str(folder)!r} has no finished point; the same accelsim sweep goes on"
        )
    points = read_table(path)
    try:
        base = Accelerator.from_dict(manifest["accelerator"])
        lacking = [name for name in (*manifest["grid"], "error") if name not in points]
        workload = str(manifest["workload"])
    except (ConfigError, KeyError, TypeError) as error:
        raise DataError(f"the sweep in {str(folder)!r} is damaged: {error}") from None
    if points.empty or lacking:
        raise DataError(f"{path} is damaged: it lacks {', '.join(lacking) or 'any row'}")
    points["error"] = points["error"].astype(object).fillna("").astype(str)
    if "workload" in points:
        # A topology's points have its name, the manifest its path.
        networks = [str(one) for one in points["workload"].dropna().unique()]
        if len(networks) > 1:
            raise DataError(
                f"the sweep in {str(folder)!r} is of several networks: {', '.join(networks)}; a "
                "report is of one"
            )
        workload = networks[0]
    return Sweep(folder, manifest, points, base, workload)
