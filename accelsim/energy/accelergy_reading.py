"""Reading Accelergy's files: every fault with file and line, nothing taken for zero."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedSeq

from accelsim.clock import period_ns_of
from accelsim.config import Accelerator
from accelsim.dataflows.row_pass import RF_OPERANDS
from accelsim.energy.accelergy import KINDS, RENAMED, ROOT, VERSIONS, AccelergyFile, Entry
from accelsim.energy.account import LookUp, looked_up
from accelsim.energy.actions import ACTIONS, action_fault, is_power
from accelsim.energy.rows import EnergyRow
from accelsim.errors import EnergyTableError, nearest
from accelsim.layer import WORD_BYTES
from accelsim.yaml_files import load_yaml

__all__ = ["component_of", "read_accelergy", "table_rows"]

DELTAS = ("address_delta", "data_delta")
"""Arguments of a storage's actions: whether the address, or the data, differ from the last."""

_ACTIONS = {old: new for new, old in RENAMED.items()}

TIMES = ("global_cycle_seconds", "action_latency_cycles")
"""Arguments of 0.4 that say how long an action takes and change no energy."""


def read_accelergy(
    path: str | Path, kind: str, names: Mapping[str, str] | None = None
) -> AccelergyFile:
    """Return an ERT, an ART or action counts of version 0.3 or 0.4.

    Actions get the names of accelsim and of 0.4: ``idle`` is read as ``leak``, ``mac_random`` as
    ``compute``, ``mac_gated`` as ``gated``. Of a storage's entries by ``address_delta`` and
    ``data_delta`` those with both 1 are read, an access to another address with other data, which
    is what accelsim counts; the others are left out.

    Parameters
    ----------
    path : path
    kind : str
        One of `KINDS`.
    names : mapping, optional
        Path in the file without ranges of lists -> component of accelsim, for files that were not
        written by it: ``{"System.GlobalBuffer": "glb.ifmap"}``.

    Raises
    ------
    EnergyTableError
        The file cannot be read, is of another version, or has entries that cannot be used: unknown
        components, actions or arguments, numbers that are missing, negative or not finite, the
        same action twice. Every fault is told as ``file:line: what``.
    """
    return _Reader(Path(path), kind, dict(names or {})).read()


class _Reader:
    def __init__(self, path: Path, kind: str, names: dict[str, str]) -> None:
        self.path, self.kind, self.names = path, kind, names
        self.faults: list[tuple[int, str]] = []
        self.entries: list[Entry] = []

    def read(self) -> AccelergyFile:
        data = load_yaml(self.path, f"Accelergy file ({self.kind})", EnergyTableError)
        content = data.get(self.kind) if isinstance(data, Mapping) else None
        if not isinstance(content, Mapping):
            raise EnergyTableError(
                f"{self.path}:1: expected a mapping with the key {self.kind} and in it version and "
                "entries"
            )
        version = str(content.get("version"))
        if version not in VERSIONS:
            line = _line(content, "version") if "version" in content else _line(data, self.kind)
            raise EnergyTableError(
                f"{self.path}:{line}: {self.kind} must be of version {' or '.join(VERSIONS)}, got "
                f"{content.get('version')!r}; write it anew with an Accelergy of that version"
            )
        if self.kind == "action_counts":
            self._tree(content, "", version, _line(data, self.kind))
        else:
            for component, line in self._list(content, "tables", _line(data, self.kind)):
                self._component(component, "", line, version)
        self._repeated()
        if not self.entries and not self.faults and self.kind != "ART":
            self.faults.append((1, f"{self.kind} has no entries"))
        if self.faults:
            raise EnergyTableError(
                "\n".join(f"{self.path}:{line}: {text}" for line, text in sorted(self.faults))
            )
        return AccelergyFile(self.kind, version, tuple(self.entries))

    def _tree(self, node: Any, prefix: str, version: str, line: int) -> None:
        """Read the components of action counts, which may lie in a tree of names."""
        if not ("local" in node or "subtree" in node):
            self.faults.append((line, "expected the key local or subtree, with a list"))
        for component, at in self._list(node, "local", line) if "local" in node else []:
            self._component(component, prefix, at, version)
        for inner, at in self._list(node, "subtree", line) if "subtree" in node else []:
            name = self._name(inner, at)
            if name:
                self._tree(inner, f"{prefix}{name}.", version, at)

    def _component(self, component: Any, prefix: str, line: int, version: str) -> None:
        name = self._name(component, line)
        if not name:
            return
        path = self._numbered(prefix + name, version, line)
        own = component_of(path, self.names)
        fault = self._fault(path, own, "")
        if fault:
            self.faults.append((line, fault))
        elif self.kind == "ART":
            self._entry(component, Entry(path, "", math.nan, line), own)
        else:
            key = "actions" if self.kind == "ERT" else "action_counts"
            for action, at in self._list(component, key, line):
                self._action(action, path, own, at)

    def _action(self, action: Any, path: str, own: str, line: int) -> None:
        said = self._name(action, line)
        if not (said and self._arguments(action, line)):
            return
        entry = Entry(path, _ACTIONS.get(said, said), math.nan, line)
        fault = self._fault(path, own, entry.action)
        if fault:
            self.faults.append((line, fault))
        else:
            self._entry(action, entry, own)

    def _fault(self, path: str, component: str, action: str) -> str:
        """Return what is wrong with a component, or with its action where there is one."""
        known = [*ACTIONS["dram.simple"], *ACTIONS["dram.*"]]
        if component == "dram":
            if action in ("", *known):
                return ""
            return (
                f"unknown action {action!r} of dram; known: {', '.join(known)}."
                f"{nearest(action, known)}"
            )
        fault = action_fault(_family(component), action or "leak")
        if fault.startswith("unknown component"):
            base = Entry(path, "", 0).base
            return (
                f"{base!r} is no component of accelsim, such as {ROOT}.glb.ifmap or "
                f"{ROOT}.pe.multiplier.NAME; say which of them it is: --name {base}=glb.ifmap"
            )
        return fault

    def _entry(self, holder: Any, entry: Entry, own: str) -> None:
        """Keep an entry with its number, or its fault."""
        key = KINDS[self.kind]
        what = " ".join(part for part in (own, entry.action) if part)
        if key not in holder:
            self.faults.append((entry.line, f"{what}: {key} is missing"))
            return
        value, line = holder[key], _line(holder, key)
        whole = self.kind == "action_counts"
        rule = "a whole number >= 0" if whole else "a finite number >= 0"
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf or (whole and value != int(value)):
            self.faults.append((line, f"{what}: {key} must be {rule}, got {value!r}"))
            return
        amount = int(value) if whole else float(value)
        self.entries.append(Entry(entry.path, entry.action, amount, entry.line))

    def _arguments(self, action: Any, line: int) -> bool:
        """Return whether an entry is one to read by its arguments, which are checked."""
        arguments = action.get("arguments")
        if arguments is None:
            return True
        if not isinstance(arguments, Mapping):
            self.faults.append((line, f"arguments must be a mapping, got {arguments!r}"))
            return False
        unknown = [name for name in arguments if name not in DELTAS + TIMES]
        if unknown:
            known = ", ".join(DELTAS + TIMES)
            at = _line(arguments, unknown[0])
            self.faults.append((at, f"unknown argument {unknown[0]!r}; known: {known}"))
            return False
        deltas = {name: arguments[name] for name in DELTAS if name in arguments}
        odd = {name: value for name, value in deltas.items() if value not in (0, 1)}
        for name, value in odd.items():
            self.faults.append((_line(arguments, name), f"{name} must be 0 or 1, got {value!r}"))
        return not odd and all(deltas.values())

    def _numbered(self, path: str, version: str, line: int) -> str:
        """Return *path* with its lists as 0.4 numbers them."""
        first = 0 if version == "0.3" else 1
        for text in re.findall(r"\[([^]]*)\]", path):
            ends = re.fullmatch(r"(\d+)\.\.(\d+)", text)
            if not ends or int(ends[1]) != first or int(ends[2]) < first:
                rule = f"[{first}..N]" if first else "[0..N-1]"
                self.faults.append(
                    (line, f"lists of {version} must be {rule}, got [{text}] in {path!r}")
                )
                return path
        shift = 1 - first
        return re.sub(r"\d+(?=[^[]*\])", lambda found: str(int(found[0]) + shift), path)

    def _name(self, holder: Any, line: int) -> str:
        name = holder.get("name") if isinstance(holder, Mapping) else None
        if not isinstance(name, str) or not name:
            self.faults.append((line, "expected a mapping with a name"))
            return ""
        return name

    def _list(self, holder: Any, key: str, line: int) -> list[tuple[Any, int]]:
        """Return the items of a list with their lines."""
        items = holder.get(key)
        if not isinstance(items, CommentedSeq):
            self.faults.append((line, f"expected the key {key} with a list"))
            return []
        return [(item, int(items.lc.item(at)[0]) + 1) for at, item in enumerate(items)]

    def _repeated(self) -> None:
        first: dict[tuple[str, str], int] = {}
        for one in self.entries:
            key = (one.base, one.action)
            if key in first:
                what = " ".join(part for part in key if part)
                self.faults.append((one.line, f"{what} repeats line {first[key]}"))
            first.setdefault(key, one.line)


def _line(holder: Any, key: str) -> int:
    return int(holder.lc.key(key)[0]) + 1


def component_of(path: str, names: Mapping[str, str] | None = None) -> str:
    """Return accelsim's component that *path* names, or ``""``.

    >>> component_of("system.pe[1..256].multiplier.exact_fp32"), component_of("system.GlobalBuffer")
    ('multiplier.exact_fp32', 'GlobalBuffer')
    >>> component_of("System.GlobalBuffer", {"System.GlobalBuffer": "glb.ifmap"})
    'glb.ifmap'
    """
    base = Entry(path, "", 0).base
    if names and base in names:
        return names[base]
    root, _, rest = base.partition(".")
    return rest.removeprefix("pe.") if root == ROOT else ""


def _family(component: str) -> str:
    """Return the component under which an energy table has the actions of one on the chip."""
    family, _, part = component.partition(".")
    parts = {"glb": ("", "ifmap", "weight", "ofmap"), "rf": ("", *RF_OPERANDS)}
    return family if part in parts.get(family, ()) else component


def table_rows(
    ert: AccelergyFile,
    accelerator: Accelerator,
    *,
    technology_nm: float,
    voltage_v: float,
    source: str,
    names: Mapping[str, str] | None = None,
) -> tuple[EnergyRow, ...]:
    """Return an ERT as rows of an energy table.

    The rows are such that *accelerator* is charged what the ERT says: energies of leakage, which
    are of a cycle, become powers at its clock; those of GLB words become accesses of its width, to
    memories of its size; those of a DRAM of many channels become those of one.

    Parameters
    ----------
    ert : AccelergyFile
        From `read_accelergy`.
    accelerator : Accelerator
        Gives clock, sizes and widths, and the kind of DRAM.
    technology_nm, voltage_v : float
        What the ERT is of; it does not say.
    source : str
        Who states the energies; an ERT does not say.
    names : mapping, optional
        As of `read_accelergy`.

    Raises
    ------
    EnergyTableError
        The ERT has two energies for accesses of memories of one size and width, or a unit of
        another kind of DRAM.
    """
    rows: dict[LookUp, tuple[float, int]] = {}
    for one in ert.entries:
        component = component_of(one.path, names)
        words = component == "dram" and one.action in ("read", "write")
        if words and accelerator.dram.is_device:
            if one.value:
                raise EnergyTableError(
                    f"line {one.line}: dram {one.action} has an energy, and the DRAM of "
                    f"accelerator {accelerator.name!r} is charged bursts; set dram.kind=simple"
                )
            continue
        fault = action_fault(looked_up(component, one.action, accelerator).component, one.action)
        if fault:
            raise EnergyTableError(f"line {one.line}: {fault}")
        key = looked_up(component, one.action, accelerator)
        amount = one.value
        if is_power(one.action):
            amount /= period_ns_of(accelerator)
        elif component.startswith("glb"):
            amount *= accelerator.glb.access_bits / (8 * WORD_BYTES)
        if component == "dram":
            amount /= accelerator.dram.channels
        before = rows.setdefault(key, (amount, one.line))
        if not math.isclose(before[0], amount, rel_tol=1e-9):
            raise EnergyTableError(
                f"lines {before[1]} and {one.line} have two energies for {key.component} "
                f"{key.action} of memories of {key.capacity_bytes or 0:g} bytes: {before[0]:g} and "
                f"{amount:g}; a table has one for each size and width"
            )
    return tuple(
        _row(key, amount, technology_nm, voltage_v, source) for key, (amount, _) in rows.items()
    )


def _row(
    key: LookUp, amount: float, technology_nm: float, voltage_v: float, source: str
) -> EnergyRow:
    on_chip = not key.component.startswith("dram.")
    return EnergyRow(
        component=key.component,
        action=key.action,
        value=amount,
        unit="mW" if is_power(key.action) else "pJ",
        technology_nm=technology_nm if on_chip else None,
        voltage_v=voltage_v if on_chip else None,
        bits=key.bits or 8 * WORD_BYTES,
        capacity_bytes=None if key.capacity_bytes is None else int(key.capacity_bytes),
        corner="not stated",
        factor="",
        source=source,
        source_technology_nm=technology_nm if on_chip else None,
        source_voltage_v=voltage_v if on_chip else None,
        confidence="modelled",
        note="from an Accelergy ERT, which states neither corner nor width: bits are a word's",
    )
