"""Accelergy's files: what a run counted and what each action costs, as ERT, ART and action counts.

Formats 0.3 and 0.4, which differ in how lists of components are numbered and actions are named:

=====  ===================  ==========================================
0.3    ``pe[0..255]``       ``idle``, ``mac_random``, ``mac_gated``
0.4    ``pe[1..256]``       ``leak``, ``compute``, ``gated``
=====  ===================  ==========================================

Accelergy's rule is accelsim's own: the energy is the sum of counts x energies, by component and in
all. An ERT's energies are of one action of one instance, so what goes on all the time is counted
once per cycle and instance. ``system.`` is put before accelsim's components, and the list of PEs.

Sources: Wu, Emer, Sze, ICCAD 2019; formats as written and read by the released Accelergy 0.3 and
0.4 (``ERT_generator.py``, ``ART_generator.py``, ``energy_calculator.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from accelsim.config import Accelerator
from accelsim.energy.account import instances
from accelsim.energy.actions import is_power
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS
from accelsim.yaml_files import dump_yaml

__all__ = [
    "KINDS",
    "VERSIONS",
    "AccelergyFile",
    "Entry",
    "accelergy_files",
    "by_version",
    "recomputed_pj",
]

VERSIONS = ("0.3", "0.4")

KINDS = {"ERT": "energy", "ART": "area", "action_counts": "counts"}
"""Top key of a file -> key of what each of its entries states: pJ, um^2, a number."""

ROOT = "system"

RENAMED = {"leak": "idle", "compute": "mac_random", "gated": "mac_gated"}
"""Action in 0.4, which is accelsim's own -> in 0.3."""


@dataclass(frozen=True)
class Entry:
    """A line of a file: one action of a component, or in an ART the component alone."""

    path: str
    """Name with lists as 0.4 writes them: ``system.pe[1..256].rf[1..3]``."""
    action: str
    """As accelsim and 0.4 name it; empty in an ART."""
    value: float
    """Energy in pJ, count, or area in um^2, of one instance but for counts."""
    line: int = 0
    """Where it was read; 0: nowhere."""

    @property
    def number(self) -> int:
        """Instances that the path's lists have."""
        return math.prod(
            int(last) - int(first) + 1
            for first, last in re.findall(r"\[(\d+)\.\.(\d+)\]", self.path)
        )

    @property
    def base(self) -> str:
        """The path without its lists' ranges, by which Accelergy matches counts and ERT."""
        return re.sub(r"\[[^]]*\]", "", self.path)


@dataclass(frozen=True)
class AccelergyFile:
    """An ERT, an ART or action counts."""

    kind: str
    """One of `KINDS`."""
    version: str
    """One of `VERSIONS`."""
    entries: tuple[Entry, ...]

    def to_yaml(self) -> str:
        """Return the file's text."""
        if self.kind == "ART":
            own: list[dict[str, object]] = [
                {"name": by_version(one.path, self.version), "area": one.value}
                for one in self.entries
            ]
        else:
            key = "actions" if self.kind == "ERT" else "action_counts"
            groups: dict[str, list[dict[str, object]]] = {}
            for one in self.entries:
                groups.setdefault(one.path, []).append(self._action(one))
            own = [
                {"name": by_version(path, self.version), key: actions}
                for path, actions in groups.items()
            ]
        inner = "local" if self.kind == "action_counts" else "tables"
        return dump_yaml({self.kind: {"version": float(self.version), inner: own}})

    def _action(self, one: Entry) -> dict[str, object]:
        name = RENAMED.get(one.action, one.action) if self.version == "0.3" else one.action
        if self.kind == "action_counts":
            return {"name": name, "counts": int(one.value)}
        nothing: object = None if self.version == "0.3" else {}
        return {"name": name, "arguments": nothing, "energy": one.value}


def by_version(path: str, version: str) -> str:
    """Return a path of `Entry` as *version* writes it.

    >>> by_version("system.pe[1..256].rf[1..3]", "0.3")
    'system.pe[0..255].rf[0..2]'
    """
    shift = 1 if version == "0.3" else 0
    return re.sub(r"\d+(?=[^[]*\])", lambda found: str(int(found[0]) - shift), path)


def accelergy_files(
    actions: pd.DataFrame,
    accelerator: Accelerator,
    version: str = "0.4",
    others: Mapping[tuple[str, str], float] | None = None,
) -> tuple[dict[str, AccelergyFile], list[str]]:
    """Return the files of a run, and the components whose area is not known.

    Parameters
    ----------
    actions : DataFrame
        `accelsim.Run.actions`; layers are added up.
    accelerator : Accelerator
        That it ran on.
    version : str
        One of `VERSIONS`.
    others : mapping, optional
        (component, action) -> energy in pJ of one: actions that the ERT is to have although they
        were not counted.

    Returns
    -------
    dict of str to AccelergyFile
        By kind. Where an action's energy differs from layer to layer, in mode toggles, the ERT has
        the mean over all counted ones. The ART has areas of gate netlists and no others.
    list of str
        Components that the ART leaves out.

    Raises
    ------
    ConfigError
        There is no such version.
    """
    if version not in VERSIONS:
        raise ConfigError(
            f"Accelergy's version must be one of {', '.join(VERSIONS)}, got {version!r}"
        )
    ones: dict[tuple[str, str], float] = {}
    totals: dict[tuple[str, str], int] = {}
    for pair, own in actions.groupby(["component", "action"], sort=False):
        totals[pair] = int(own["count"].sum())
        same = own["energy_per_action_pj"].nunique() == 1
        ones[pair] = (
            own["energy_per_action_pj"].iloc[0] if same else own["energy_pj"].sum() / totals[pair]
        )
    ones = {**(others or {}), **ones}
    paths = _paths(accelerator, (component for component, _ in ones))
    # What goes on all the time is counted in each of a component's instances.
    numbers = {
        (component, action): Entry(paths[component], action, 0).number if is_power(action) else 1
        for component, action in ones
    }
    energies = [
        Entry(paths[pair[0]], pair[1], float(one) / numbers[pair]) for pair, one in ones.items()
    ]
    counts = [
        Entry(paths[pair[0]], pair[1], count * numbers[pair]) for pair, count in totals.items()
    ]
    known = {
        f"multiplier.{unit.name}": unit.circuit.area_um2()
        for unit in (MULTIPLIERS[name] for name in accelerator.units)
        if unit.circuit is not None
    }
    areas = [Entry(paths[component], "", float(area)) for component, area in known.items()]
    found = {"ERT": energies, "ART": areas, "action_counts": counts}
    files = {kind: AccelergyFile(kind, version, _ordered(own)) for kind, own in found.items()}
    return files, [component for component in paths if component not in known]


def _paths(accelerator: Accelerator, components: Iterable[str]) -> dict[str, str]:
    """Return component -> its path in Accelergy's files."""
    pes, numbers = accelerator.array.rows * accelerator.array.cols, instances(accelerator)
    paths = {}
    for component in dict.fromkeys([*numbers, *components]):
        family = component.partition(".")[0]
        if family in ("multiplier", "accumulator") or component.startswith("rf."):
            paths[component] = f"{ROOT}.pe[1..{pes}].{component}"
        elif component == "rf":
            paths[component] = f"{ROOT}.pe[1..{pes}].rf[1..{numbers['rf'] // pes}]"
        elif family == "vector_unit":
            paths[component] = f"{ROOT}.vector_unit[1..{numbers['vector_unit']}]"
        else:
            paths[component] = f"{ROOT}.{component}"
    return paths


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries with those of a component together, as a file has them."""
    entries = list(entries)
    first = {one.path: place for place, one in reversed(list(enumerate(entries)))}
    return tuple(sorted(entries, key=lambda one: first[one.path]))


def recomputed_pj(files: Mapping[str, AccelergyFile]) -> dict[str, float]:
    """Return component -> energy in pJ as Accelergy computes it from an ERT and action counts.

    Its documented rule: each count x the ERT's energy of that action, of the component whose name
    without the ranges of lists is the same; added up by component.

    Raises
    ------
    KeyError
        The ERT lacks an action that was counted.
    """
    energies = {(one.base, one.action): one.value for one in files["ERT"].entries}
    found: dict[str, float] = {}
    for one in files["action_counts"].entries:
        spent = one.value * energies[one.base, one.action]
        found[one.base] = found.get(one.base, 0.0) + spent
    return found
