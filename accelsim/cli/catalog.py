"""What can be named on the command line: each kind's names with one line each, kept on disk.

A listing takes the import of every unit, and of what it compiles with; the texts themselves change
with the sources alone. So they are kept beside compiled code, in a folder named after the digest of
all sources: another source is another folder. A text that cannot be read is made again, one that
cannot be written is made each time.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from accelsim.files import write_atomically
from accelsim.resources import RESOURCES, resource_dir
from accelsim.sources import PACKAGE, cache_root, source_digest

__all__ = ["KINDS", "catalog"]

SUFFIXES = (".csv", ".py", ".yaml")
"""Of files that a listing is made from: tables, units and everything they use, presets."""

REGISTRIES = (
    "accelsim.accumulators",
    "accelsim.dataflows",
    "accelsim.multipliers",
    "accelsim.robustness.attacks",
    "accelsim.workload",
)
"""Modules that a program imports to register entries of its own."""


def catalog(kinds: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each of *kinds* with its names and what they are, one line each.

    Where a registry has been imported before, entries of this process alone may be in it: then all
    are listed anew, and nothing is kept.
    """
    folder = None if any(name in sys.modules for name in REGISTRIES) else _folder()
    for kind in kinds:
        yield kind, KINDS[kind]() if folder is None else _kept(folder / f"{kind}.json", KINDS[kind])


def _folder() -> Path:
    """Return where texts made from the present sources are kept."""
    roots = [PACKAGE, *map(resource_dir, RESOURCES)]
    digests = [source_digest(root, ["."], SUFFIXES) for root in roots]
    return cache_root() / f"accelsim-catalog-{'-'.join(digest[:20] for digest in digests)}"


def _kept(file: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return what *file* holds, or else what *make* returns, which is then written to it."""
    with contextlib.suppress(OSError, ValueError):
        names = json.loads(file.read_bytes())
        if isinstance(names, dict) and all(isinstance(line, str) for line in names.values()):
            return names
    names = make()
    with contextlib.suppress(OSError):
        write_atomically(file, json.dumps(names).encode())
    return names


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

    return _titles(WORKLOADS)


def _attacks() -> dict[str, str]:
    from accelsim.robustness.attacks import ATTACKS

    return _titles(ATTACKS)


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
            f"DRAM {machine.dram.bytes_per_cycle} B/cycle"
        )
    return described


def _tables() -> dict[str, str]:
    from accelsim.energy import load_table, tables

    described = {}
    for name in tables():
        rows = load_table(name).rows
        nodes = sorted({f"{row.technology_nm:g}" for row in rows})
        described[name] = f"{len(rows)} rows, {' and '.join(nodes)} nm"
    return described


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "multipliers": _multipliers,
    "accumulators": _accumulators,
    "dataflows": _dataflows,
    "workloads": _workloads,
    "attacks": _attacks,
    "presets": _presets,
    "tables": _tables,
}
"""Kind -> function that returns name -> one line."""
