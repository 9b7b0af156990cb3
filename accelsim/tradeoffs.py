"""What units or configurations cost and are worth, as points: of results of one network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.comparison import attacked, load_scores
from accelsim.errors import DataError
from accelsim.fields import last_name
from accelsim.folders import find_results, read_manifest, read_table
from accelsim.layer_units import of_any_unit, unit_label
from accelsim.results import BASELINE, Run, load_run

__all__ = ["run_trade_offs", "shared_attacks", "trade_offs"]

COSTS = ["latency_us_per_image", "energy_uj_per_image"]

ATTEMPT = ["scenario", "source", "attack", "settings", "epsilon"]
"""What an attack is told from others by, besides its gradient."""


def trade_offs(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Return a row for each run, or for each point of a sweep.

    Parameters
    ----------
    folders : sequence of path
        One sweep; or runs, and scores of their units if there are any.

    Returns
    -------
    DataFrame
        ``unit`` (the multiplier of a run, with the accelerator where those differ; what varies in
        a sweep), ``workload``, ``latency_us_per_image``, ``energy_uj_per_image``; ``accuracy``
        where all have one; with scores ``robust_accuracy``, under the strongest of the attacks
        that all units of the runs met, and ``accuracy`` of the images that were attacked.

    Raises
    ------
    DataError
        The folders hold neither, several sweeps or a sweep beside others, results of several
        networks, a sweep without a finished point, or scores that differ in more than attack and
        multiplier, lack a unit of the runs, or have no attack that all of them met.
    """
    found: dict[str, list[Path]] = {"run": [], "score": [], "sweep": []}
    for place in find_results(folders):
        found.setdefault(read_manifest(place)["kind"], []).append(place)
    if found["sweep"]:
        if len(found["sweep"]) > 1 or found["run"] or found["score"]:
            names = ", ".join(str(place) for kind in found.values() for place in kind)
            raise DataError(f"a sweep is drawn alone, got {names}; give one folder of one sweep")
        return _of_sweep(found["sweep"][0])
    if not found["run"]:
        raise DataError(
            f"no simulated run and no sweep in {', '.join(map(str, folders))}; make one with "
            "accelsim simulate --out or accelsim sweep"
        )
    runs = [load_run(place) for place in found["run"]]
    return run_trade_offs(runs, load_scores(found["score"]) if found["score"] else None)


def run_trade_offs(runs: Sequence[Run], rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return `trade_offs` of *runs*, with the *rates* of scores of their units if there are any.

    Raises
    ------
    DataError
        They are of several networks, a unit has no rates, or no attack was met by all.
    """
    several = len({of_any_unit(run.accelerator) for run in runs}) > 1
    rows = []
    for run in runs:
        row: dict[str, Any] = run.summary.iloc[0].to_dict()
        name = row["multiplier"] = unit_label(run.accelerator)
        rows.append({**row, "unit": f"{row['accelerator']} {name}" if several else name})
    points = pd.DataFrame(rows)
    if rates is None:
        return _points(points)
    _refuse_several([*points["workload"], *rates["workload"]])
    units = list(points["multiplier"].unique())
    if missing := sorted({*units} - {*rates["target"]}):
        raise DataError(
            f"the scores do not judge {'; '.join(missing)}; score them too: "
            f"{_scoring(run for run in runs if unit_label(run.accelerator) in missing)}"
        )
    shared = shared_attacks(rates, units)
    if shared.empty:
        raise DataError(
            f"the scores have no attack that {'; '.join(units)} all met (same source, gradient, "
            f"attack, settings and epsilon); score them alike: {_scoring(runs)}"
        )
    strongest = shared.groupby("target").agg(
        accuracy=("clean_accuracy", "first"), robust_accuracy=("robust_accuracy", "min")
    )
    return _points(points.drop(columns="accuracy").join(strongest, on="multiplier"))


def _scoring(runs: Iterable[Run]) -> str:
    """Return the command that scores the units of *runs*, in words where layers have their own."""
    runs = list(runs)
    units = sorted({run.accelerator.multiplier for run in runs})
    layered = any(run.accelerator.layer_multipliers for run in runs)
    words = ["accelsim score", str(runs[0].summary["workload"].iloc[0])]
    words += [f"-m {unit}" for unit in units]
    words += ["--accelerator FILE|PRESET --set layer_multipliers.LAYER=NAME"] if layered else []
    return " ".join(words)


def _of_sweep(place: Path) -> pd.DataFrame:
    manifest, table = read_manifest(place, "sweep"), read_table(place / "results.csv")
    done = table[table["error"].isna()] if "error" in table else table
    if done.empty or not {*COSTS} <= {*done}:
        raise DataError(f"the sweep in {str(place)!r} has no finished point; run it again")
    names = [
        ", ".join(f"{last_name(field)} {row[field]}" for field in manifest["grid"])
        for row in done.to_dict("records")
    ]
    return _points(done.assign(unit=names))


def shared_attacks(judged: pd.DataFrame, units: Sequence[str]) -> pd.DataFrame:
    """Return the rows of *units* under the attacks that each of them met; there may be none.

    Each unit meets a white box, a proxy or a surrogate of its own. The exact unit has one gradient,
    which stands for any that the others have.
    """
    rows = judged[judged["target"].isin(units)]
    own = rows["scenario"] != "transfer"
    rows = rows.assign(source=rows["source"].mask(own, rows.apply(attacked, axis=1)))
    exact = rows["target"] == BASELINE
    others = _met_by(rows[~exact], [*ATTEMPT, "gradient"], len({*units} - {BASELINE}))
    return _met_by(pd.concat([rows[exact], others]), ATTEMPT, len(units))


def _met_by(rows: pd.DataFrame, attempt: list[str], units: int) -> pd.DataFrame:
    """Return the rows of the attempts that so many *units* met."""
    met = rows.groupby(attempt, dropna=False)["target"].transform("nunique")
    return rows[met == units]


def _points(table: pd.DataFrame) -> pd.DataFrame:
    _refuse_several(table["workload"])
    measures = [*COSTS]
    for name in ("accuracy", "robust_accuracy"):
        if name in table and table[name].notna().all():
            measures.append(name)
    return table[["unit", "workload", *measures]].reset_index(drop=True)


def _refuse_several(workloads: Sequence[str] | pd.Series) -> None:
    if len(names := dict.fromkeys(workloads)) > 1:
        raise DataError(f"results of several networks: {', '.join(names)}; give those of one")
