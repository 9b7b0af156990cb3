"""Energy tables: CSV rows of (component, action) with value, node, voltage, width and source.

Columns: ``component, action, energy_pj, technology_nm, voltage_v, bits, capacity_bytes, source,
note``. `energy_pj` is picojoules per action; for the action ``leak`` it is picojoules per
nanosecond and instance, i.e. milliwatts. `voltage_v` is empty where the source does not state it.
`capacity_bytes` is filled for memories only: between two capacities of a table the energy is
interpolated on logarithmic axes (linearly next to a zero), outside them it is refused.
"""

from __future__ import annotations

import csv
import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from accelsim.errors import EnergyTableError, UnknownNameError, nearest
from accelsim.resources import resource_dir

__all__ = ["EnergyRow", "EnergyTable", "load_table", "tables"]

COLUMNS = (
    "component",
    "action",
    "energy_pj",
    "technology_nm",
    "voltage_v",
    "bits",
    "capacity_bytes",
    "source",
    "note",
)


@dataclass(frozen=True)
class EnergyRow:
    """One sourced number."""

    component: str
    action: str
    energy_pj: float
    technology_nm: float
    voltage_v: float | None
    """None where the source does not state it."""
    bits: int
    capacity_bytes: int | None
    source: str
    note: str


@dataclass(frozen=True)
class EnergyTable:
    """A table of energies per action; look-ups never fall back to another row or to zero."""

    name: str
    path: Path
    rows: tuple[EnergyRow, ...]
    fingerprint: str
    """First 16 hex digits of the file's SHA-256."""

    def energy_pj(self, component: str, action: str, capacity_bytes: float | None = None) -> float:
        """Return the energy of one action in pJ (``leak``: pJ per ns and instance).

        Raises
        ------
        EnergyTableError
            The table lacks (component, action), or *capacity_bytes* lies outside its range.
        """
        rows = [row for row in self.rows if (row.component, row.action) == (component, action)]
        if not rows:
            known = sorted({f"{row.component} {row.action}" for row in self.rows})
            raise EnergyTableError(
                f"energy table {self.name!r} has no row for component {component!r}, action "
                f"{action!r}; add one to {self.path.name} or choose another table."
                f"{nearest(f'{component} {action}', known)}"
            )
        if capacity_bytes is None or rows[0].capacity_bytes is None:
            return rows[0].energy_pj
        return self._interpolated(rows, capacity_bytes)

    def _interpolated(self, rows: list[EnergyRow], capacity_bytes: float) -> float:
        points = sorted((float(row.capacity_bytes or 0), row.energy_pj) for row in rows)
        low, high = points[0][0], points[-1][0]
        if not low <= capacity_bytes <= high:
            raise EnergyTableError(
                f"energy table {self.name!r} covers {rows[0].component} {rows[0].action} from "
                f"{low:.0f} to {high:.0f} bytes, got {capacity_bytes:.0f}; choose a capacity inside"
            )
        exact = dict(points).get(capacity_bytes)
        if exact is not None:
            return exact
        at = bisect_left([size for size, _ in points], capacity_bytes)
        (x0, y0), (x1, y1) = points[at - 1], points[at]
        if y0 == 0 or y1 == 0:  # no logarithm
            return y0 + (y1 - y0) * (capacity_bytes - x0) / (x1 - x0)
        share = math.log(capacity_bytes / x0) / math.log(x1 / x0)
        return y0 * (y1 / y0) ** share


def tables() -> list[str]:
    """Return the names of the shipped energy tables."""
    return sorted(path.stem for path in resource_dir("energy_tables").glob("*.csv"))


def load_table(name_or_path: str) -> EnergyTable:
    """Return a shipped table by its name, or one of the user's by the path of its CSV file.

    Raises
    ------
    EnergyTableError
        The file cannot be read, or rows are malformed; the message lists every fault with its line.
    UnknownNameError
        No shipped table has this name.
    """
    if name_or_path.endswith(".csv"):
        path = Path(name_or_path)
    else:
        known = tables()
        if name_or_path not in known:
            raise UnknownNameError(
                f"no energy table named {name_or_path!r}; known: {', '.join(known)}, or the path "
                f"of a .csv file.{nearest(name_or_path, known)}"
            )
        path = resource_dir("energy_tables") / f"{name_or_path}.csv"
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EnergyTableError(f"cannot read energy table {str(path)!r}: {reason}") from None
    rows = _parse(path, text.splitlines())
    return EnergyTable(path.stem, path, rows, hashlib.sha256(raw).hexdigest()[:16])


def _parse(path: Path, lines: Iterable[str]) -> tuple[EnergyRow, ...]:
    reader = csv.DictReader(lines, strict=True)
    header = tuple(reader.fieldnames or ())
    if header != COLUMNS:
        raise EnergyTableError(
            f"{path}:1: expected the columns {','.join(COLUMNS)}, got {','.join(header) or 'none'}"
        )
    rows: list[EnergyRow] = []
    faults: list[str] = []
    first_line: dict[tuple[str, str, int | None], int] = {}
    sizes: dict[tuple[str, str], bool] = {}
    try:
        for cells in reader:
            problems: list[str] = []
            row = _row(cells, problems)
            if row is not None:
                key = (row.component, row.action, row.capacity_bytes)
                if key in first_line:
                    problems.append(f"repeats line {first_line[key]}")
                first_line.setdefault(key, reader.line_num)
                sized = sizes.setdefault(key[:2], row.capacity_bytes is not None)
                if sized != (row.capacity_bytes is not None):
                    problems.append(
                        "capacity_bytes must be filled in all rows of a component and action, "
                        "or in none"
                    )
                rows.append(row)
            faults += [f"{path}:{reader.line_num}: {problem}" for problem in problems]
    except csv.Error as error:
        faults.append(f"{path}:{reader.line_num}: not valid CSV: {error}")
    if not rows and not faults:
        faults.append(f"{path}:1: the table has no rows")
    if faults:
        raise EnergyTableError("\n".join(faults))
    return tuple(rows)


def _row(cells: dict[str, str], problems: list[str]) -> EnergyRow | None:
    """Return the row, or None after adding what is wrong with it to *problems*."""
    if None in cells or None in cells.values():
        problems.append(f"expected {len(COLUMNS)} cells")
        return None
    for name in ("component", "action", "source"):
        if not cells[name].strip():
            problems.append(f"{name} must not be empty")
    numbers: dict[str, float] = {}
    for name, lowest in (("energy_pj", 0), ("technology_nm", 1), ("bits", 1)):
        numbers[name] = _number(name, cells[name], lowest, problems)
    for name, lowest in (("voltage_v", 0), ("capacity_bytes", 1)):
        if cells[name].strip():
            numbers[name] = _number(name, cells[name], lowest, problems)
    if problems:
        return None
    return EnergyRow(
        cells["component"].strip(),
        cells["action"].strip(),
        numbers["energy_pj"],
        numbers["technology_nm"],
        numbers.get("voltage_v"),
        int(numbers["bits"]),
        int(numbers["capacity_bytes"]) if "capacity_bytes" in numbers else None,
        cells["source"].strip(),
        cells["note"].strip(),
    )


def _number(name: str, text: str, lowest: float, problems: list[str]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= lowest):
        problems.append(f"{name} must be a finite number >= {lowest}, got {text.strip()!r}")
    return value
