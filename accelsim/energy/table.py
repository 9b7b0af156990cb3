"""Energy tables: what an action costs and what an instance leaks, looked up and never guessed.

A memory's figures go by capacity and width of an access. Inside the range that a table has they are
interpolated on logarithmic axes (linearly next to a zero), first by capacity at the widths on
either side, then by width; outside they are refused.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from accelsim.energy.actions import is_power
from accelsim.energy.rows import EnergyRow, parse_rows
from accelsim.errors import EnergyTableError, UnknownNameError, nearest
from accelsim.resources import resource_dir

__all__ = ["EnergyRow", "EnergyTable", "load_table", "tables"]


@dataclass(frozen=True)
class EnergyTable:
    """A table of energies and powers; look-ups never fall back to another row or to zero."""

    name: str
    path: Path
    rows: tuple[EnergyRow, ...]
    fingerprint: str
    """First 16 hex digits of the file's SHA-256."""

    @property
    def technology_nm(self) -> float | None:
        """Node of every row of the chip; None in a table of DRAMs alone."""
        return next((row.technology_nm for row in self.rows if row.on_chip), None)

    @property
    def voltage_v(self) -> float | None:
        """Supply of every row of the chip; None in a table of DRAMs alone."""
        return next((row.voltage_v for row in self.rows if row.on_chip), None)

    def energy_pj(
        self,
        component: str,
        action: str,
        capacity_bytes: float | None = None,
        bits: float | None = None,
    ) -> float:
        """Return the energy of one action in pJ.

        Parameters
        ----------
        component, action : str
            What is done.
        capacity_bytes, bits : float, optional
            Capacity, and width of the access, of a memory.

        Raises
        ------
        EnergyTableError
            The table lacks (component, action), or has it by capacity and width and these are not
            given or outside its range; or the action costs no energy but a power.
        """
        return self._amount(component, action, capacity_bytes, bits, power=False)

    def power_mw(
        self,
        component: str,
        action: str,
        capacity_bytes: float | None = None,
        bits: float | None = None,
    ) -> float:
        """Return the power of one instance in mW, that is pJ per ns.

        Parameters and errors are those of `energy_pj`.
        """
        return self._amount(component, action, capacity_bytes, bits, power=True)

    def rows_behind(
        self,
        component: str,
        action: str,
        capacity_bytes: float | None = None,
        bits: float | None = None,
    ) -> list[EnergyRow]:
        """Return the rows that an energy or a power is made of.

        One, or of a memory the up to four between whose capacities and widths it is interpolated.
        The parameters and errors are those of `energy_pj`.
        """
        rows = self._groups.get((component, action))
        if rows is None:
            known = [" ".join(pair) for pair in self._groups]
            raise EnergyTableError(
                f"energy table {self.name!r} has no row for component {component!r}, action "
                f"{action!r}; add one to {self.path.name} or choose another table."
                f"{nearest(f'{component} {action}', known)}"
            )
        if rows[0].capacity_bytes is None:
            return rows
        if capacity_bytes is None or bits is None:
            raise EnergyTableError(
                f"energy table {self.name!r} has {component} {action} by capacity and width; "
                "state both"
            )
        by_width: dict[float, dict[float, EnergyRow]] = defaultdict(dict)
        for row in rows:
            by_width[row.bits][float(row.capacity_bytes or 0)] = row
        what = f"energy table {self.name!r} has {component} {action}"
        found = []
        for width in _neighbors(by_width, bits, f"{what} for accesses of", "bits (glb.word_bits)"):
            line = by_width[width]
            sizes = _neighbors(line, capacity_bytes, f"{what} for memories of", "bytes")
            found += [line[size] for size in sizes]
        return found

    @cached_property
    def _groups(self) -> dict[tuple[str, str], list[EnergyRow]]:
        groups = defaultdict(list)
        for row in self.rows:
            groups[row.component, row.action].append(row)
        return dict(groups)

    def _amount(
        self,
        component: str,
        action: str,
        capacity_bytes: float | None,
        bits: float | None,
        *,
        power: bool,
    ) -> float:
        if is_power(action) != power:
            kind, method = ("a power", "power_mw") if is_power(action) else ("energy", "energy_pj")
            raise EnergyTableError(f"{component} {action} is {kind}: ask {method} for it")
        rows = self.rows_behind(component, action, capacity_bytes, bits)
        if rows[0].capacity_bytes is None or capacity_bytes is None or bits is None:
            return rows[0].amount
        by_width: dict[float, dict[float, float]] = defaultdict(dict)
        for row in rows:
            by_width[row.bits][float(row.capacity_bytes or 0)] = row.amount
        amounts = {width: _interpolated(line, capacity_bytes) for width, line in by_width.items()}
        return _interpolated(amounts, bits)


def _neighbors(points: Iterable[float], at: float, what: str, unit: str) -> list[float]:
    """Return the one or two of *points* that *at* lies on or between."""
    known = sorted(points)
    if not known[0] <= at <= known[-1]:
        covered = " to ".join(dict.fromkeys(f"{end:.0f}" for end in (known[0], known[-1])))
        raise EnergyTableError(f"{what} {covered} {unit}, got {at:.0f}; choose one that it covers")
    place = bisect_left(known, at)
    return [at] if known[place] == at else known[place - 1 : place + 1]


def _interpolated(points: dict[float, float], at: float) -> float:
    """Return the value at *at* on the line through one point or two."""
    (x0, y0), (x1, y1) = min(points.items()), max(points.items())
    if x0 == x1:
        return y0
    if y0 == 0 or y1 == 0:  # no logarithm
        return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    share = math.log(at / x0) / math.log(x1 / x0)
    return y0 * (y1 / y0) ** share


def tables() -> list[str]:
    """Return the names of the shipped energy tables."""
    return sorted(path.stem for path in resource_dir("energy_tables").glob("*.csv"))


def load_table(name_or_path: str) -> EnergyTable:
    """Return a shipped table by its name, or one of the user's by the path of its CSV file.

    Raises
    ------
    EnergyTableError
        The file cannot be read, or holds rows that cannot be used; the message lists every fault
        with its line.
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
                "of a .csv file (accelsim import-accelergy makes one of an ERT)."
                f"{nearest(name_or_path, known)}"
            )
        path = resource_dir("energy_tables") / f"{name_or_path}.csv"
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EnergyTableError(f"cannot read energy table {str(path)!r}: {reason}") from None
    return _parsed(path, text, hashlib.sha256(raw).hexdigest()[:16])


@lru_cache(maxsize=16)  # by its text: a file that changed is read anew
def _parsed(path: Path, text: str, fingerprint: str) -> EnergyTable:
    return EnergyTable(path.stem, path, parse_rows(path, text.splitlines()), fingerprint)
