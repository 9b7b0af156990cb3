"""The timeline as a Chrome trace: a track per block, one cycle shown as one microsecond."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from accelsim.errors import DataError
from accelsim.files import write_atomically

__all__ = ["write_perfetto"]


def write_perfetto(timeline: pd.DataFrame, path: Path) -> Path:
    """Write *timeline* as Chrome trace JSON to *path* and return it.

    Parameters
    ----------
    timeline : DataFrame
        Columns cycle_start, cycle_end, block, what, layer, tile.
    path : Path
        File to write; ui.perfetto.dev and chrome://tracing open it.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    tracks = {block: number for number, block in enumerate(timeline["block"].unique(), start=1)}
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "accelsim (1 us = 1 cycle)"}}
    ]
    events += [
        {"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": block}}
        for block, number in tracks.items()
    ]
    events += [
        {
            "ph": "X",
            "pid": 1,
            "tid": tracks[row.block],
            "ts": row.cycle_start,
            "dur": row.cycle_end - row.cycle_start,
            "name": row.what,
            "cat": row.layer,
            "args": {"layer": row.layer, "tile": row.tile},
        }
        for row in timeline.itertuples(index=False)
    ]
    try:
        write_atomically(path, json.dumps({"traceEvents": events}).encode())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    return path
