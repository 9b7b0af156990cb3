"""Rows of an energy table, and their reading from CSV: every fault with file and line.

Columns, in this order:

=========================  =======================================================================
component, action          what is counted (`accelsim.energy.actions`)
value, unit                what the source states: pJ, fJ, nJ, pJ/bit; mW, uW, nW for a power
technology_nm, voltage_v   node and supply of the table: the same in all rows of the chip, and empty
                           in those of a DRAM, which is of no node of the chip's
bits                       width of the action; a unit of pJ/bit is multiplied by it
capacity_bytes             of a memory, in all rows of a component and action or in none
corner                     process corner and temperature, or ``not stated``
factor                     what turns value into the table's node, voltage and width: numbers and
                           quotients with `` x `` between them; empty is 1
source                     who states value
source_technology_nm,      node and supply that value is of; empty: not stated. Where they are not
source_voltage_v           the table's, factor and note are mandatory
confidence                 published, derived, modelled or assumed
note                       what each term of factor is, caveats
=========================  =======================================================================
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path

from accelsim.energy.actions import CONFIDENCES, UNITS, action_fault, unit_fault
from accelsim.errors import EnergyTableError

__all__ = ["COLUMNS", "EnergyRow", "parse_rows", "rows_to_csv"]


@dataclass(frozen=True)
class EnergyRow:
    """One sourced number; None in a field is an empty cell."""

    component: str
    action: str
    value: float
    unit: str
    technology_nm: float | None
    voltage_v: float | None
    bits: int
    capacity_bytes: int | None
    corner: str
    factor: str
    source: str
    source_technology_nm: float | None
    source_voltage_v: float | None
    confidence: str
    note: str

    @property
    def amount(self) -> float:
        """Energy of one action in pJ, or power of one instance in mW: value x unit x factor."""
        per_action = self.bits if self.unit.endswith("/bit") else 1
        return self.value * UNITS[self.unit] * per_action * product_of(self.factor)

    @property
    def key(self) -> tuple[str, str, int | None, int | None]:
        """What no other row of the table may have too."""
        sized = self.capacity_bytes is not None
        return self.component, self.action, self.capacity_bytes, self.bits if sized else None

    @property
    def on_chip(self) -> bool:
        """Whether the component is of the chip, and thus of its node."""
        return not self.component.startswith("dram.")


COLUMNS = tuple(field.name for field in fields(EnergyRow))


def product_of(factor: str) -> float:
    """Return the product of the terms of *factor*; NaN where one is no positive number.

    >>> product_of("8/16 x 8/16 x 3"), product_of(""), product_of("0.5 x -1")
    (0.75, 1.0, nan)
    """
    product = 1.0
    for term in factor.split(" x ") if factor else ():
        for power, text in zip((1, -1), term.split("/"), strict=False):
            try:
                number = float(text)
            except ValueError:
                return math.nan
            if not 0 < number < math.inf or term.count("/") > 1:
                return math.nan
            product *= number**power
    return product


def rows_to_csv(rows: Iterable[EnergyRow]) -> str:
    """Return the text of a table that `parse_rows` reads back to equal rows."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
    return stream.getvalue()


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.9g}"


def parse_rows(path: Path, lines: Iterable[str]) -> tuple[EnergyRow, ...]:
    """Return the rows of the CSV *lines* of *path*.

    Raises
    ------
    EnergyTableError
        Not the columns above, or rows that cannot be used; the message lists every fault as
        ``file:line: what``.
    """
    reader = csv.DictReader(lines, strict=True)
    try:
        header = tuple(reader.fieldnames or ())
    except csv.Error as error:
        raise EnergyTableError(f"{path}:1: not valid CSV: {error}") from None
    if header != COLUMNS:
        raise EnergyTableError(
            f"{path}:1: expected the columns {','.join(COLUMNS)}, got {','.join(header) or 'none'}"
        )
    numbered: list[tuple[int, EnergyRow]] = []
    faults: list[tuple[int, str]] = []
    try:
        for cells in reader:
            problems: list[str] = []
            row = _row(cells, problems)
            faults += [(reader.line_num, problem) for problem in problems]
            if row is not None:
                numbered.append((reader.line_num, row))
    except csv.Error as error:
        faults.append((reader.reader.line_num, f"not valid CSV: {error}"))
    faults += _table_faults(numbered)
    if not numbered and not faults:
        faults.append((1, "the table has no rows"))
    if faults:
        raise EnergyTableError("\n".join(f"{path}:{line}: {text}" for line, text in sorted(faults)))
    return tuple(row for _, row in numbered)


def _row(cells: dict[str, str], problems: list[str]) -> EnergyRow | None:
    """Return the row, or None after adding what is wrong with it to *problems*."""
    if None in cells or None in cells.values():
        problems.append(f"expected {len(COLUMNS)} cells")
        return None
    text = {name: cell.strip() for name, cell in cells.items()}
    empty = [name for name in ("component", "action", "corner", "source") if not text[name]]
    problems += [f"{name} must not be empty" for name in empty]
    action, unit = text["action"], text["unit"]
    if text["component"] and action:
        fault = action_fault(text["component"], action) or unit_fault(action, unit)
        problems += [fault] if fault else []

    def number(name: str, *, zero: bool = False) -> float:
        return _number(name, text[name], problems, zero=zero)

    def optional(name: str) -> float | None:
        return number(name) if text[name] else None

    value, bits, capacity = number("value", zero=True), number("bits"), optional("capacity_bytes")
    problems += [
        f"{name} must be a whole number, got {text[name]!r}"
        for name, one in (("bits", bits), ("capacity_bytes", capacity))
        if one is not None and not math.isnan(one) and one != int(one)
    ]
    supplies = {name: optional(name) for name in COLUMNS if name.endswith(("_nm", "_v"))}
    if math.isnan(product_of(text["factor"])):
        problems.append(
            "factor must be positive numbers and quotients with ' x ' between them, such as "
            f"8/24 x 0.696, got {text['factor']!r}"
        )
    if text["confidence"] not in CONFIDENCES:
        problems.append(
            f"confidence must be one of {', '.join(CONFIDENCES)}, got {text['confidence']!r}"
        )
    if problems:
        return None
    row = EnergyRow(
        text["component"], action, value, unit, supplies["technology_nm"], supplies["voltage_v"],
        int(bits), None if capacity is None else int(capacity), text["corner"], text["factor"],
        text["source"], supplies["source_technology_nm"], supplies["source_voltage_v"],
        text["confidence"], text["note"],
    )  # fmt: skip
    problems += _origin_faults(row)
    return None if problems else row


def _number(name: str, text: str, problems: list[str], *, zero: bool) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and (number > 0 or (zero and number == 0)):
        return number
    rule = ">= 0" if zero else "> 0"
    problems.append(f"{name} must be a finite number {rule}, got {text!r}")
    return math.nan


def _origin_faults(row: EnergyRow) -> list[str]:
    """Return what is wrong with a row's node and voltage, and those of its source."""
    if not row.on_chip:
        if row.technology_nm is None:
            return []
        return ["technology_nm must be empty: a DRAM is of no node of the chip's"]
    if row.technology_nm is None or row.voltage_v is None:
        return ["technology_nm and voltage_v must not be empty"]
    stated = row.source_technology_nm, row.source_voltage_v
    if stated == (row.technology_nm, row.voltage_v) or (row.factor and row.note):
        return []
    node, supply = ("not stated" if one is None else f"{one:g}" for one in stated)
    return [
        f"the source is of {node} nm, {supply} V, the table of {row.technology_nm:g} nm, "
        f"{row.voltage_v:g} V: mixed sources need a factor, and a note that says by which law"
    ]


def _table_faults(numbered: list[tuple[int, EnergyRow]]) -> list[tuple[int, str]]:
    """Return (line, fault) of rows that do not go together."""
    faults = []
    first_line: dict[object, int] = {}
    sized: dict[tuple[str, str], bool] = {}
    chip: tuple[int, EnergyRow] | None = None
    for line, row in numbered:
        if row.key in first_line:
            faults.append((line, f"repeats line {first_line[row.key]}"))
        first_line.setdefault(row.key, line)
        with_size = row.capacity_bytes is not None
        if sized.setdefault((row.component, row.action), with_size) != with_size:
            rule = "capacity_bytes must be filled in all rows of a component and action, or in none"
            faults.append((line, rule))
        if not row.on_chip:
            continue
        chip = chip or (line, row)
        first = chip[1]
        if (row.technology_nm, row.voltage_v) != (first.technology_nm, first.voltage_v):
            faults.append(
                (
                    line,
                    f"{row.technology_nm:g} nm, {row.voltage_v:g} V, but line {chip[0]} is of "
                    f"{first.technology_nm:g} nm, {first.voltage_v:g} V: a table is of one node "
                    "and one voltage; scale the row by a stated factor",
                )
            )
    return faults
