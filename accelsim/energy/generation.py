"""The shipped energy tables: what is written by hand, and what is worked out from it.

================== =================================================================================
cmos45             own rows; memories: CACTI's points at 45 nm, 1.1 V, scaled to the table's 0.9 V
cmos22             cmos45's own rows scaled; memories: CACTI's points at 22 nm and its 0.8 V
cmos7              cmos45's own rows scaled; memories: CACTI's points at 22 nm scaled
eyeriss65          own rows; memories: CACTI's growth with capacity at 65 nm through Eyeriss's one
                   figure; vector unit: cmos45's scaled; DRAM devices: cmos45's
eyeriss65_relative own rows; vector unit and DRAM devices as eyeriss65
================== =================================================================================

``energy_tables/regenerate.py`` writes the files anew, keeping their own rows; nothing but a change
of those, of the law or of CACTI's points changes them.

Sources
-------
CACTI 7 (HewlettPackard/cacti @1ffd8df) with Accelergy's default configuration: itrs-lstp cells, 300
K, one read-write port, one bank; supplies from its ``tech_params``. The points: ``cacti_sram.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from accelsim.energy.rows import EnergyRow, rows_to_csv
from accelsim.energy.scaling import scale_row
from accelsim.energy.table import load_table

__all__ = ["shipped_tables"]

CACTI = Path(__file__).with_name("cacti_sram.csv")

CACTI_SOURCE = "CACTI 7 @1ffd8df with Accelergy's default configuration, itrs-lstp cells"

MEMORY_COLUMNS = (("read", "read_pj", "pJ"), ("write", "write_pj", "pJ"), ("leak", "leak_mw", "mW"))
"""Action, its column in CACTI's points, and that column's unit."""

MEMORIES: dict[str, Callable[[dict[str, float]], bool]] = {
    "glb": lambda _: True,
    "rf.sram": lambda point: point["bits"] == 32 and point["capacity_bytes"] <= 32 * 1024,
}
"""Component -> which of CACTI's points it has."""

SCALED = {"cmos22": (22, 0.8), "cmos7": (7, 0.7)}
"""Name -> node and supply of the tables scaled from cmos45."""

EYERISS_NODE = (65, 1.0)

EYERISS_GLB_BYTES = 108 * 1024
"""Of the global buffer that the one figure of Eyeriss is of."""

EYERISS_GLB_PJ = 15
"""Per 16-bit word."""


def shipped_tables() -> dict[str, str]:
    """Return name -> CSV text of every shipped table."""
    base = load_table("cmos45").rows
    own = [row for row in base if row.component not in MEMORIES]
    tables = {"cmos45": [*own, *_cacti_rows(45, 45, 0.9)]}
    for name, (node, supply) in SCALED.items():
        tables[name] = [scale_row(row, node, supply) for row in own]
        tables[name] += _cacti_rows(22, node, supply)
    borrowed = [
        scale_row(row, *EYERISS_NODE)
        for row in own
        if row.component == "vector_unit" or (not row.on_chip and row.component != "dram.simple")
    ]
    for name, accesses in (("eyeriss65", _eyeriss_rows()), ("eyeriss65_relative", [])):
        worked_out = [*accesses, *borrowed]
        pairs = {(row.component, row.action) for row in worked_out}
        kept = [row for row in load_table(name).rows if (row.component, row.action) not in pairs]
        tables[name] = [*kept, *worked_out]
    return {name: rows_to_csv(rows) for name, rows in tables.items()}


def _points(technology_nm: float) -> Iterator[dict[str, float]]:
    """Yield CACTI's points at a node."""
    with CACTI.open(newline="", encoding="utf-8") as stream:
        for cells in csv.DictReader(stream):
            numbers = {name: float(cell) for name, cell in cells.items()}
            if numbers["technology_nm"] == technology_nm:
                yield numbers


def _cacti_rows(from_nm: float, technology_nm: float, voltage_v: float) -> list[EnergyRow]:
    """Return CACTI's points at *from_nm*, scaled to a node and supply.

    An SRAM RF is accessed by words of 32 bits and not larger than its largest point says.
    """
    return [
        scale_row(
            EnergyRow(
                component, action, point[column], unit, from_nm, point["voltage_v"],
                int(point["bits"]), int(point["capacity_bytes"]), "itrs-lstp, 300 K", "",
                CACTI_SOURCE, from_nm, point["voltage_v"], "modelled", "",
            ),
            technology_nm,
            voltage_v,
        )
        for component, fits in MEMORIES.items()
        for action, column, unit in MEMORY_COLUMNS
        for point in _points(from_nm)
        if fits(point)
    ]  # fmt: skip


def _eyeriss_rows() -> list[EnergyRow]:
    """Return reads and writes of 32-bit words whose 16-bit halves cost Eyeriss's figure each."""
    points = [point for point in _points(EYERISS_NODE[0]) if point["bits"] == 16]
    anchor = next(p["read_pj"] for p in points if p["capacity_bytes"] == EYERISS_GLB_BYTES)
    level = f"{EYERISS_GLB_PJ}/{anchor:g}"
    return [
        EnergyRow(
            "glb", action, point["read_pj"], "pJ", *EYERISS_NODE,
            32, int(point["capacity_bytes"]), "not stated", f"{level} x 2",
            f"{CACTI_SOURCE}; level: nn_dataflow @198a527, test_eyeriss_isscc16",
            point["technology_nm"], point["voltage_v"], "derived",
            f"a 16-bit read; {level}: through the {EYERISS_GLB_PJ} pJ that Eyeriss's model gives a "
            "16-bit word of 108 KiB, read or written; 2: a word of 32 bits is two of 16",
        )
        for action in ("read", "write")
        for point in points
    ]  # fmt: skip
