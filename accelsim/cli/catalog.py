"""What can be named on the command line: names with one line each, and pages, kept on disk.

To list all takes the import of every unit, and of what it compiles with; a unit's page takes some
of its products besides. The texts themselves change with the sources alone. So they are kept beside
compiled code, in a folder named after the digest of all sources: another source is another folder.
A text that cannot be read, or is not what was written, is made again; one that cannot be written is
made each time. Where datasets lie is not in the sources: that is looked up each time, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accelsim.cli.pages import LIVE_PAGES, PAGES, Page
from accelsim.files import write_atomically
from accelsim.resources import RESOURCES, resource_dir
from accelsim.sources import PACKAGE, cache_root, source_digest

__all__ = ["KINDS", "LIVE", "Catalog"]

SUFFIXES = (".csv", ".json", ".py", ".yaml")
"""Of files that texts are made from: tables, cards, units and everything they use, presets."""

REGISTRIES = (
    "accelsim.accumulators",
    "accelsim.dataflows",
    "accelsim.multipliers",
    "accelsim.robustness.attacks",
    "accelsim.workload",
)
"""Modules that a program imports to register entries of its own."""


class Catalog:
    """The names of each kind and the pages of what is named so, from disk where they lie there.

    Where a registry has been imported before, entries of this process alone may be in it: then all
    is made anew, and nothing is kept.

    Parameters
    ----------
    data : str, optional
        The data folder, else the one that ``ACCELSIM_DATA`` names.
    """

    def __init__(self, data: str | None = None) -> None:
        self._data = data
        own = any(name in sys.modules for name in REGISTRIES)
        self._folder = None if own else _folder()

    def names(self, kind: str) -> dict[str, str]:
        """Return the names of *kind* with what they are, one line each."""
        if kind in LIVE:
            return LIVE[kind](self._data)
        return dict(self._kept(f"{kind}.json", KINDS[kind]))

    def page(self, kind: str, name: str) -> Page:
        """Return the page of *name*, which is one of ``names(kind)``."""
        if kind in LIVE:
            return LIVE_PAGES[kind](name, self._data)
        return Page(**self._kept(f"{kind}/{name}.json", lambda: asdict(PAGES[kind](name))))

    def _kept(self, place: str, make: Callable[[], Any]) -> Any:
        """Return what is kept at *place*, or else what *make* returns, which is then kept."""
        if self._folder is None:
            return make()
        file = self._folder / place
        with contextlib.suppress(OSError, ValueError):
            digest, text = file.read_bytes().split(b"\n", 1)
            if digest == _digest(text):
                return json.loads(text)
        made = make()
        text = json.dumps(made).encode()
        with contextlib.suppress(OSError):
            # Unless a source has changed: what was made may come from either.
            if _folder() == self._folder:
                write_atomically(file, _digest(text) + b"\n" + text)
        return made


def _folder() -> Path:
    """Return where texts made from the present sources are kept; without docstrings, elsewhere."""
    roots = [PACKAGE, *map(resource_dir, RESOURCES)]
    digests = [source_digest(root, ["."], SUFFIXES)[:20] for root in roots]
    return cache_root() / "-".join(["accelsim-catalog", *digests, str(sys.flags.optimize)])


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _titles(registry: Mapping[str, object]) -> dict[str, str]:
    return {name: str(getattr(entry, "title", "")) for name, entry in registry.items()}


def _multipliers() -> dict[str, str]:
    """Return the listed units, then the forms of names of which there are many."""
    from accelsim.multipliers import MULTIPLIERS

    forms = {family.form: f"{family.title} (a family)" for family in MULTIPLIERS.families}
    return _titles(MULTIPLIERS) | forms


def _accumulators() -> dict[str, str]:
    from accelsim.accumulators import ACCUMULATORS

    return _titles(ACCUMULATORS)


def _dataflows() -> dict[str, str]:
    from accelsim.dataflows import DATAFLOWS

    return _titles(DATAFLOWS)


def _workloads() -> dict[str, str]:
    from accelsim.workload import WORKLOADS

    return {name: entry.label for name, entry in WORKLOADS.items()}


def _attacks() -> dict[str, str]:
    from accelsim.robustness.attacks import ATTACKS

    return {
        name: f"{entry.norm}, {entry.aim}, {entry.access}: {entry.title}"
        for name, entry in ATTACKS.items()
    }


def _presets() -> dict[str, str]:
    from accelsim.config import Accelerator, presets

    described = {}
    for name in presets():
        machine = Accelerator.preset(name)
        multipliers = "pipelined" if machine.array.pipelined else "multi-cycle"
        fixed = machine.clock_mhz != "auto"
        clock = f"{machine.clock_mhz:g} MHz" if fixed else "clock of its units"
        glb = machine.glb
        described[name] = (
            f"{machine.array.rows}x{machine.array.cols} {machine.array.dataflow}, "
            f"{clock}, {multipliers} multipliers, "
            f"GLB {glb.ifmap_kib:g}+{glb.weight_kib:g}+{glb.ofmap_kib:g} KiB, "
            f"DRAM {machine.dram.kind}, {machine.dram.bytes_per_cycle} B/cycle"
        )
    return described


def _dram_kinds() -> dict[str, str]:
    from accelsim.machine.dram_kinds import dram_kind, dram_kinds

    described = {}
    for name in dram_kinds():
        kind = dram_kind(name)
        described[name] = (
            "latency and bandwidth alone"
            if kind is None
            else f"{kind.bus_width_bits} bits, {kind.data_rate_mtps:g} MT/s, {kind.banks} banks, "
            f"rows of {kind.row_bytes} bytes, tRCD {kind.t_rcd_ns:g} ns"
        )
    return described


def _tables() -> dict[str, str]:
    from accelsim.energy import load_table, tables

    described = {}
    for name in tables():
        table = load_table(name)
        node = f"{table.technology_nm:g} nm, {table.voltage_v:g} V"
        described[name] = f"{node}, {len(table.rows)} rows"
    return described


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "multipliers": _multipliers,
    "accumulators": _accumulators,
    "dataflows": _dataflows,
    "workloads": _workloads,
    "attacks": _attacks,
    "presets": _presets,
    "dram": _dram_kinds,
    "tables": _tables,
}
"""Kind -> function that returns name -> one line."""


def _datasets(data: str | None) -> dict[str, str]:
    from accelsim.datasets import DATASETS, FILE_FORM, find_state

    described = {
        name: f"{entry.title}; {find_state(entry, data)}" for name, entry in DATASETS.items()
    }
    forms = {family.form: family.title for family in DATASETS.families}
    return described | forms | {FILE_FORM: DATASETS[FILE_FORM].title}


LIVE: dict[str, Callable[[str | None], dict[str, str]]] = {"datasets": _datasets}
"""Kind that is looked up each time -> function of the data folder, as in `KINDS`."""
