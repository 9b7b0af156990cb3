"""Presets: which attacks a study runs on a workload, with budgets, settings, seeds and sources."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from accelsim.errors import ConfigError, UnknownNameError, nearest
from accelsim.robustness.scenarios import SCENARIOS
from accelsim.yaml_files import load_yaml

__all__ = ["PresetAttack", "preset", "preset_titles", "preset_workloads"]

TABLE = Path(__file__).with_name("presets.yaml")


@dataclass(frozen=True)
class PresetAttack:
    """One run of one attack.

    Attributes
    ----------
    attack : str
        Key of `accelsim.robustness.attacks.ATTACKS`.
    epsilon : float or None
        The budget in (0, 1]; None for an attack that looks for the smallest perturbation.
    settings : dict
        What the attack is given, to be used as ``ATTACKS[attack].replace(**settings)``.
    images : int
        How many images the attack is run on.
    seeds : tuple of int
        The attack is run once with each.
    scenarios : tuple of str
        In which of `SCENARIOS` it is run.
    source : str
        Where the numbers are from.
    """

    attack: str
    epsilon: float | None
    settings: dict[str, Any]
    images: int
    seeds: tuple[int, ...]
    scenarios: tuple[str, ...]
    source: str


def preset_titles() -> dict[str, str]:
    """Return name -> title of every preset.

    >>> list(preset_titles())
    ['paper', 'standard']
    """
    return {name: str(one["title"]) for name, one in _table()["presets"].items()}


def preset_workloads() -> list[str]:
    """Return the workloads that the presets are for: those whose trained weights are shipped."""
    return list(_table()["workloads"])


def preset(name: str, workload: str) -> list[PresetAttack]:
    """Return the runs of the preset *name* on *workload*, in the order of the table.

    An attack comes once for each epsilon and each combination of its listed settings.

    Raises
    ------
    UnknownNameError
        If there is no such preset, or it has no rows for *workload*.

    >>> [(run.attack, run.epsilon) for run in preset("standard", "lenet5_mnist")[:2]]
    [('noise', 0.1), ('noise', 0.2)]
    """
    presets, workloads = _table()["presets"], _table()["workloads"]
    for kind, key, known in (
        ("preset of attacks", name, presets),
        ("workload in the presets of attacks", workload, workloads),
    ):
        if key not in known:
            raise UnknownNameError(
                f"no {kind} named {key!r}; known: {', '.join(known)}.{nearest(key, known)}"
            )
    of = workloads[workload]
    return [run for row in presets[name][of["rows"]] for run in _runs(row, of)]


def _runs(row: dict[str, Any], of: dict[str, Any]) -> list[PresetAttack]:
    epsilons: list[float | None] = [float(Fraction(one)) for one in row.get("epsilons", [])]
    names = list(row["settings"])
    return [
        PresetAttack(
            str(row["attack"]),
            epsilon,
            dict(zip(names, values, strict=True)),
            images=of[row["images"]],
            seeds=tuple(row["seeds"]),
            scenarios=tuple(row.get("scenarios", SCENARIOS)),
            source=str(row["source"]),
        )
        for epsilon in epsilons or [None]
        for values in product(*map(_listed, row["settings"].values()))
    ]


def _listed(value: object) -> list[Any]:
    """Return the plain values of a setting."""
    values = value if isinstance(value, list) else [value]
    return [float(one) if isinstance(one, float) else one for one in values]


@cache
def _table() -> dict[str, Any]:
    return load_yaml(TABLE, "table of attack presets", ConfigError)
