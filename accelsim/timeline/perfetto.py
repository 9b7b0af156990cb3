"""The timeline as a Chrome trace: a track per block, one cycle shown as one microsecond."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.config import Accelerator
from accelsim.errors import DataError
from accelsim.files import write_atomically
from accelsim.layer_units import unit_label
from accelsim.timeline.activity import activity
from accelsim.timeline.selection import STRETCHES, WINDOWS, Cycles, Selection, Span, select

__all__ = ["COUNTERS", "write_perfetto"]

COUNTERS = {
    "DRAM bandwidth (bytes/cycle)": {"read": "dram_read", "write": "dram_write"},
    "GLB bandwidth (bytes/cycle)": {"all ports": "glb"},
    "DMA queue (transfers)": {"issued and not finished": "dma_queue"},
    "array busy (share of cycles)": {"on a pass": "array_busy"},
    "utilization (MACs per PE and cycle)": {"MACs per PE and cycle": "utilization"},
}
"""Counter -> its series, each a column of `activity`."""

PROCESS = 1
FIRST_TRACK = 2
"""Perfetto takes track 0 for the one of the process' own number."""

LAYERS = "layers"

Event = dict[str, Any]


def write_perfetto(
    timeline: pd.DataFrame,
    accelerator: Accelerator,
    path: Path,
    *,
    cycles: Cycles | None = None,
    stretches: int = STRETCHES,
    windows: int = WINDOWS,
) -> str | None:
    """Write *timeline* as Chrome trace JSON, and return what was left out of it.

    A track for the layers and one for each block; counters of DRAM and GLB bandwidth, of the DMA's
    queue, of how busy the array is and how much it multiplies, each a mean over a window.

    Parameters
    ----------
    timeline : DataFrame
        `accelsim.results.Run.timeline`.
    accelerator : Accelerator
        The machine.
    path : Path
        File to write; ui.perfetto.dev and chrome://tracing open it.
    cycles : (int, int or None), optional
        Start and stop of what is written, None being the end; the whole run by default.
    stretches : int
        Most stretches of busy time on all tracks; the first are written.
    windows : int
        Most values of a counter.

    Returns
    -------
    str or None
        What *stretches* left out, which the trace says too.

    Raises
    ------
    ConfigError
        *cycles* is no part of the run, or *stretches* or *windows* is below 1.
    DataError
        The file cannot be written.
    """
    part = select(timeline, cycles, stretches)
    counted = activity(timeline, accelerator, windows=windows, cycles=part.cycles)
    names = [LAYERS, *timeline["block"].unique()]
    tracks = {name: place for place, name in enumerate(names, FIRST_TRACK)}
    events = [*_layers(timeline, part.cycles), *_stretches(part, tracks), *_counters(counted)]
    if part.left_out is not None:
        at = int(part.timeline["cycle_end"].max())
        events.append({"ph": "i", "s": "t", "tid": FIRST_TRACK, "ts": at, "name": part.left_out})
    # What holds others comes before them.
    events.sort(key=lambda event: (event["ts"], -event.get("dur", 0)))
    content = {
        "traceEvents": [
            {**event, "pid": PROCESS} for event in (*_names(accelerator, tracks), *events)
        ],
        "otherData": {"left out": part.left_out or "nothing"},
    }
    try:
        write_atomically(path, json.dumps(content).encode())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    return part.left_out


def _names(accelerator: Accelerator, tracks: dict[str, int]) -> Iterator[Event]:
    """Yield what names the process and its tracks, and puts these in order."""
    title = f"{accelerator.name}, {unit_label(accelerator)} (1 us = 1 cycle)"
    yield {"ph": "M", "name": "process_name", "args": {"name": title}}
    for name, place in tracks.items():
        yield {"ph": "M", "tid": place, "name": "thread_name", "args": {"name": name}}
        yield {"ph": "M", "tid": place, "name": "thread_sort_index", "args": {"sort_index": place}}


def _layers(timeline: pd.DataFrame, cycles: Span) -> Iterator[Event]:
    """Yield a slice for each layer, from its first cycle to its last."""
    spans = timeline.groupby("layer", sort=False).agg(
        start=("cycle_start", "min"), end=("cycle_end", "max")
    )
    for row in spans.itertuples():
        if row.end > cycles[0] and row.start < cycles[1]:
            span = {"ts": int(row.start), "dur": int(row.end - row.start)}
            yield {"ph": "X", "tid": FIRST_TRACK, **span, "name": row.Index, "cat": "layer"}


def _stretches(part: Selection, tracks: dict[str, int]) -> Iterator[Event]:
    """Yield a slice for each stretch of busy time."""
    for row in part.timeline.to_dict("records"):
        start, end, what, layer = (
            row.pop(name) for name in ("cycle_start", "cycle_end", "what", "layer")
        )
        track = tracks[row.pop("block")]
        told = {"layer": layer, **row}
        span = {"ts": start, "dur": end - start}
        yield {"ph": "X", "tid": track, **span, "name": what, "cat": layer, "args": told}


def _counters(counted: pd.DataFrame) -> Iterator[Event]:
    """Yield the counters' values, each where its window starts, and zeros at the end."""
    rows = counted.to_dict("records")
    rows.append(dict.fromkeys(counted, 0.0) | {"cycle_start": rows[-1]["cycle_end"]})
    for row in rows:
        for name, series in COUNTERS.items():
            values = {label: round(row[column], 6) for label, column in series.items()}
            yield {"ph": "C", "ts": row["cycle_start"], "name": name, "args": values}
