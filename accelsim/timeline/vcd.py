"""The timeline as a value change dump, for GTKWave and its like: one cycle is one nanosecond."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from accelsim.config import Accelerator
from accelsim.errors import ConfigError, DataError
from accelsim.files import write_atomically
from accelsim.layer_units import unit_label
from accelsim.timeline.activity import activity
from accelsim.timeline.selection import STRETCHES, WINDOWS, Cycles, Selection, select
from accelsim.version import __version__

__all__ = ["write_vcd"]

VarType = Literal["wire", "string", "integer"]

COUNTERS = ("dram_read", "dram_write", "glb", "dma_queue", "array_busy", "utilization")
"""Columns of `activity`, which are the names of their signals."""

SIGNALS: tuple[tuple[str, VarType, int | None, Any], ...] = (
    ("busy", "wire", 1, 0),
    ("what", "string", None, ""),
    ("layer", "string", None, ""),
    ("tile", "integer", 32, 0),
    ("number", "integer", 32, 0),
)
"""Of a block: name, type, bits, first value."""

Change = tuple[int, int, tuple[str, str], Any]
"""Cycle, place among the changes of this cycle, (scope, signal), new value."""


def write_vcd(
    timeline: pd.DataFrame,
    accelerator: Accelerator,
    path: Path,
    *,
    cycles: Cycles | None = None,
    stretches: int = STRETCHES,
    windows: int = WINDOWS,
) -> str | None:
    """Write *timeline* as a value change dump, and return what was left out of it.

    A scope for each block: ``busy`` (a wire), ``what`` and ``layer`` (strings), ``tile``, and
    ``number``, which counts its stretches of busy time, so that two without a gap can be told
    apart. Scope ``counters``: the columns of `activity` as reals, each held for a window.
    Parameters, result and errors are those of `write_perfetto`.

    Raises
    ------
    ConfigError
        Besides: the package pyvcd is not installed.
    """
    try:
        from vcd import VCDWriter
    except ImportError:
        raise ConfigError(
            "a VCD needs the package pyvcd, which is not installed: pip install 'accelsim[vcd]'"
        ) from None
    part = select(timeline, cycles, stretches)
    counted = activity(timeline, accelerator, windows=windows, cycles=part.cycles)
    comment = f"{accelerator.name} {unit_label(accelerator)}: 1 ns is 1 cycle"
    if part.left_out is not None:
        comment += f". {part.left_out}"
    changes = [*_blocks(part), *_counters(counted)]
    changes.sort(key=lambda change: change[:2])
    content = io.StringIO()
    writer = VCDWriter(
        content,
        timescale="1 ns",
        date="",
        comment=comment,
        version=f"accelsim {__version__}",
        init_timestamp=changes[0][0],
    )
    with writer:
        signals: dict[tuple[str, str], Any] = {}
        for block in part.timeline["block"].unique():
            for name, kind, size, first in SIGNALS:
                signals[block, name] = writer.register_var(
                    f"accelsim.{block}", name, kind, size=size, init=first
                )
        for name in COUNTERS:
            signals["counters", name] = writer.register_var(
                "accelsim.counters", name, "real", init=0.0
            )
        for cycle, _, signal, value in changes:
            writer.change(signals[signal], cycle, value)
    try:
        write_atomically(path, content.getvalue().encode())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    return part.left_out


def _blocks(part: Selection) -> Iterator[Change]:
    """Yield the changes of the blocks' signals; what ends in a cycle comes before what starts."""
    numbers = part.timeline.groupby("block").cumcount() + 1
    rows = part.timeline.assign(number=numbers).to_dict("records")
    for row in rows:
        start, end, block = row["cycle_start"], row["cycle_end"], row["block"]
        yield start, 1, (block, "busy"), 1
        for name in ("what", "layer", "tile", "number"):
            yield start, 1, (block, name), row[name]
        yield end, 0, (block, "busy"), 0


def _counters(counted: pd.DataFrame) -> Iterator[Change]:
    """Yield the counters' values, each where its window starts, and zeros at the end."""
    for name in COUNTERS:
        for cycle, value in zip(counted["cycle_start"], counted[name], strict=True):
            yield int(cycle), 2, ("counters", name), float(value)
        yield int(counted["cycle_end"].iloc[-1]), 2, ("counters", name), 0.0
