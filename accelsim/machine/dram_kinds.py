"""DRAM devices by name: geometry and timing, from ``dram_kinds.csv`` beside this file.

Every row has its source. Times are in nanoseconds; what they are in cycles depends on the
machine's clock, and `accelsim.machine.dram_timing` is the one place where they become cycles.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from accelsim.errors import DataError, UnknownNameError, nearest

__all__ = ["SIMPLE", "DramKind", "dram_kind", "dram_kinds"]

SIMPLE = "simple"
"""Name of the DRAM that is latency and bandwidth alone."""

TABLE = Path(__file__).with_name("dram_kinds.csv")


@dataclass(frozen=True)
class DramKind:
    """One channel of a DRAM device, or of several side by side."""

    kind: str
    data_rate_mtps: float
    """Transfers on each wire of the bus, millions a second."""
    bus_width_bits: int
    burst_length: int
    """Transfers of one access: the least that a read or write moves."""
    banks: int
    row_bytes: int
    """Bytes of an open row, over the whole bus."""
    t_rcd_ns: float
    """From opening a row to its first read or write."""
    t_rp_ns: float
    """Closing a row."""
    t_ras_ns: float
    """From opening a row to closing it, at least."""
    t_cl_ns: float
    """From a read to its first data."""
    t_cwl_ns: float
    """From a write to its first data."""
    t_wtr_ns: float
    """From a write's last data to a read."""
    t_rtw_ns: float
    """From a read's last data to a write's first."""
    source: str
    note: str

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst."""
        return self.bus_width_bits // 8 * self.burst_length

    @property
    def burst_ns(self) -> float:
        """Time that one burst takes on the bus."""
        return self.burst_length / self.data_rate_mtps * 1e3


def dram_kinds() -> tuple[str, ...]:
    """Return the names that ``dram.kind`` may have."""
    return (SIMPLE, *_table())


def dram_kind(name: str) -> DramKind | None:
    """Return the device *name*, None for ``simple``.

    Raises
    ------
    UnknownNameError
        There is no such kind.

    >>> ddr4 = dram_kind("ddr4_2400")
    >>> ddr4.burst_bytes, round(ddr4.burst_ns, 2)
    (64, 3.33)
    """
    if name == SIMPLE:
        return None
    if name not in _table():
        known = dram_kinds()
        raise UnknownNameError(
            f"no DRAM kind named {name!r}; known: {', '.join(known)}.{nearest(name, known)}"
        )
    return _table()[name]


@cache
def _table() -> dict[str, DramKind]:
    return load_kinds(TABLE)


def load_kinds(path: Path) -> dict[str, DramKind]:
    """Return name -> device from a CSV file with a column for each field of `DramKind`.

    Raises
    ------
    DataError
        A column is missing or unknown, a number is not positive, a row of the memory is no
        multiple of a burst, a name comes twice, or a row has no source; each fault with its line.
    """
    kinds: dict[str, DramKind] = {}
    faults = []
    columns = [field.name for field in fields(DramKind)]
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != columns:
            raise DataError(f"{path}:1: columns must be {','.join(columns)}")
        for row in reader:
            try:
                kind = _kind(row)
                if kind.kind in (SIMPLE, *kinds):
                    raise ValueError(f"kind {kind.kind!r} is there already")
                kinds[kind.kind] = kind
            except ValueError as error:
                faults.append(f"{path}:{reader.line_num}: {error}")
    if faults:
        raise DataError("\n".join(faults))
    return kinds


def _kind(row: dict[str, str]) -> DramKind:
    values: dict[str, object] = {}
    for field in fields(DramKind):
        text = row[field.name] or ""
        if field.type == "str":
            values[field.name] = text
            continue
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf or (field.type == "int" and number != int(number)):
            raise ValueError(f"{field.name} must be a positive {field.type}, got {text!r}")
        values[field.name] = int(number) if field.type == "int" else number
    kind = DramKind(**values)  # type: ignore[arg-type]
    if not kind.source or not kind.kind:
        raise ValueError("kind and source must not be empty")
    if kind.row_bytes % kind.burst_bytes:
        raise ValueError(
            f"row_bytes must be a multiple of a burst's {kind.burst_bytes} bytes, "
            f"got {kind.row_bytes}"
        )
    return kind
