"""EvoApproxLib's multipliers as published, beside what the cell table makes of their netlists.

The library (https://github.com/ehw-fit/evoapproxlib, MIT) states power, area and delay of each
circuit, synthesized for FreePDK45. The clock and the operands behind the power are not stated, and
its cells are not NanGate's: so what can be checked is how circuits rank, by the correlation of
power with energy per product, of area with area, of delay with delay. Nothing is fitted.

Netlists are the library's own files, wherever it lies: ``mul8u_1JFF_pdk45.v`` (mapped to the cells
of `accelsim.importing.gate_cells`), else ``mul8u_1JFF.v`` (operators, which Yosys makes gates of).
A name says width and signedness; files of other names, adders among them, are none of it. Comments
state the figures; names of an early release state the power, ``mul8s_pwr_0_167_mae_00_4892``. Gates
with constant inputs are folded, as synthesis does; beyond that nothing is optimized.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from accelsim.circuits import Circuit, IntegerPorts
from accelsim.circuits.comparison import unit_cost
from accelsim.circuits.logic import folded
from accelsim.errors import ConfigError, DataError, nearest
from accelsim.formats import IntegerFormat
from accelsim.importing.headers import Header, read_header
from accelsim.importing.reading import unit_netlist
from accelsim.importing.verilog import read_gates
from accelsim.multipliers.base import TABLE_BITS

__all__ = ["rank_correlations", "rank_evoapprox"]

PAIRS = 10_000
"""Random uniform pairs of operands whose products' energies are averaged."""

EXHAUSTIVE_BITS = 8
ERROR_PAIRS = 200_000
"""The mean error is over all pairs up to so many bits, and over so many random ones above."""

FEWEST = 3
"""Circuits below which a correlation says nothing."""

COLUMNS = ("power_mw", "area_um2", "delay_ns")

FIGURES = {
    "power, no glitches": ("published_power_mw", "energy_functional_pj"),
    "power, all glitches": ("published_power_mw", "energy_glitch_pj"),
    "area": ("published_area_um2", "area_um2"),
    "delay": ("published_delay_ns", "delay_ps"),
}
"""What is compared -> column as published, column from the netlist."""

_NAME = re.compile(r"(mul(\d+)([su])_\w+?)(_pdk45)?\.v")
_POWER = re.compile(r"_pwr_(\d+)_(\d+)_")


class Source(NamedTuple):
    """Netlist of one circuit."""

    path: Path
    mapped: bool
    operands: IntegerFormat


class Published(NamedTuple):
    """What is published of one circuit, NaN where it is not."""

    power_mw: float
    area_um2: float
    delay_ns: float


def rank_evoapprox(
    folder: str | Path,
    figures: str | Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Return a row per multiplier in *folder*: what is published of it, and what its netlist says.

    Parameters
    ----------
    folder : path
        Netlists of the library, in it or in folders below; one that lies there several times is
        read once.
    figures : path, optional
        CSV of columns circuit, power_mw, area_um2, delay_ns, for circuits whose comments lack them
        or state others; area and delay may be empty.
    progress : callable, optional
        Called with (circuits done, circuits in all, name of the next).

    Returns
    -------
    DataFrame
        circuit, bits, signed, mapped (to cells, or operators), gates, published_power_mw,
        published_area_um2, published_delay_ns, energy_functional_pj, energy_glitch_pj, area_um2,
        delay_ps, published_mae_percent, mae_percent; energies at the cells' voltage. In order of
        width and published power.

    Raises
    ------
    DataError
        No netlist in the folder; a netlist that cannot be read; a circuit in the figures without
        one; figures that are malformed, or not stated at all.
    """
    sources = _sources(Path(folder))
    given = {} if figures is None else _given(Path(figures), sources, Path(folder))
    rows = []
    for done, (name, source) in enumerate(sources.items()):
        if progress is not None:
            progress(done, len(sources), name)
        rows.append(_row(name, source, given.get(name)))
    table = pd.DataFrame(rows)
    return table.sort_values(["bits", "published_power_mw", "circuit"], ignore_index=True)


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Return Pearson's and Spearman's r between published figures and those of the netlists.

    Parameters
    ----------
    table : DataFrame
        As `rank_evoapprox` returns it.

    Returns
    -------
    DataFrame
        figure, circuits (``all``, those of up to as many bits as `accelsim.import_multiplier`
        takes, those of one width), count, pearson, spearman; a row where there are at least three.

    Raises
    ------
    DataError
        The table has fewer than three circuits.
    """
    if len(table) < FEWEST:
        raise DataError(
            f"a correlation needs at least {FEWEST} circuits, got {len(table)}: "
            f"{', '.join(table['circuit']) or 'none'}; add netlists of the library to the folder"
        )
    groups = {
        "all": table,
        f"up to {TABLE_BITS} bits": table[table["bits"] <= TABLE_BITS],
        **{f"{bits} bits": part for bits, part in table.groupby("bits")},
    }
    rows = []
    for figure, columns in FIGURES.items():
        for group, part in groups.items():
            pair = part[list(columns)].dropna()
            if len(pair) < FEWEST:
                continue
            published, modeled = (pair[column] for column in columns)
            rows.append(
                {
                    "figure": figure,
                    "circuits": group,
                    "count": len(pair),
                    "pearson": published.corr(modeled),
                    # By its definition, which needs no further library.
                    "spearman": published.rank().corr(modeled.rank()),
                }
            )
    return pd.DataFrame(rows)


def _sources(folder: Path) -> dict[str, Source]:
    """Return circuit -> netlist: cells before operators, and the first path of several."""
    found: dict[str, Source] = {}
    for path in sorted(folder.rglob("*.v")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        name, bits, sign, suffix = match.groups()
        mapped = suffix is not None
        if name not in found or (mapped and not found[name].mapped):
            try:
                operands = IntegerFormat(int(bits), sign == "s")
            except ConfigError as error:
                raise DataError(f"{path}: {error}") from None
            found[name] = Source(path, mapped, operands)
    if not found:
        raise DataError(
            f"{folder} holds no multiplier of EvoApproxLib; give the library's folder, with files "
            "such as mul8u_1JFF_pdk45.v in it or below"
        )
    return found


def _given(path: Path, sources: dict[str, Source], folder: Path) -> dict[str, Published]:
    """Return circuit -> figures from the CSV *path*."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read figures {path}: {error}") from None
    reader = csv.DictReader(text.splitlines())
    expected = ["circuit", *COLUMNS]
    if reader.fieldnames != expected:
        got = ",".join(reader.fieldnames or ()) or "an empty file"
        raise DataError(f"{path}: the first line must be {','.join(expected)}, got {got}")
    figures: dict[str, Published] = {}
    for row in reader:
        owner, name = f"{path}:{reader.line_num}", row["circuit"]
        if None in row or None in row.values():
            raise DataError(f"{owner}: a line has {len(expected)} fields, no more and no less")
        if name in figures:
            raise DataError(f"{owner}: {name} has figures already")
        if name not in sources:
            raise DataError(f"{owner}: no netlist of {name!r} in {folder}.{nearest(name, sources)}")
        figures[name] = Published(
            *(
                _number(row[column], f"{owner}: {column}", optional=column != "power_mw")
                for column in COLUMNS
            )
        )
    return figures


def _number(text: str, owner: str, *, optional: bool) -> float:
    if optional and not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise DataError(f"{owner} must be a finite number >= 0, got {text!r}")
    return value


def _row(name: str, source: Source, given: Published | None) -> dict[str, object]:
    try:
        text = source.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {source.path}: {error}") from None
    try:
        header = read_header(text)
    except DataError as error:
        raise DataError(f"{source.path}: {error}") from None
    published = given or _stated(name, header, source.path)
    operands = source.operands
    read = read_gates(text, operands, str(source.path)).netlist
    netlist = folded(unit_netlist(read, activation_first=True))
    circuit = Circuit(name, netlist, IntegerPorts(operands))
    pairs = np.random.default_rng(0).integers(operands.low, operands.high + 1, (2, PAIRS))
    stated = header.stated.get("MAE%")
    return {
        "circuit": name,
        "bits": operands.bits,
        "signed": operands.signed,
        "mapped": source.mapped,
        "gates": len(netlist.gates),
        **{f"published_{column}": value for column, value in published._asdict().items()},
        **unit_cost(circuit, *pairs)._asdict(),
        "published_mae_percent": math.nan if stated is None else float(stated),
        "mae_percent": _mae_percent(circuit, operands),
    }


def _stated(name: str, header: Header, path: Path) -> Published:
    """Return the figures in a netlist's comments, or the power in its name."""
    power, in_name = header.power_mw, _POWER.search(name)
    if power is None and in_name is not None:
        power = float(".".join(in_name.groups()))
    if power is None:
        raise DataError(
            f"{path} states no power (a comment such as // PDK45_PWR = 0.391 mW); give it in a "
            "file of figures"
        )
    return Published(
        *(
            _number("" if value is None else str(value), f"{path}: {column}", optional=True)
            for column, value in zip(
                COLUMNS, (power, header.area_um2, header.delay_ns), strict=True
            )
        )
    )


def _mae_percent(circuit: Circuit, operands: IntegerFormat) -> float:
    """Return the mean distance from the exact product, in % of 2^(2 bits)."""
    if operands.bits <= EXHAUSTIVE_BITS:
        values = operands.values()
        a, w = values[:, None], values
    else:
        a, w = np.random.default_rng(1).integers(operands.low, operands.high + 1, (2, ERROR_PAIRS))
    distance = np.abs(circuit.product(a, w) - a * w)
    return float(100 * distance.mean() / 4.0**operands.bits)
