"""What goes on in a machine over time: bandwidth, queue and utilization, window by window."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from accelsim.config import Accelerator
from accelsim.errors import ConfigError
from accelsim.layer import WORD_BYTES
from accelsim.machine.dram_timing import estimate
from accelsim.machine.glb import PARTITIONS, RIVALS, UNIFIED_RIVALS
from accelsim.timeline.selection import Cycles, checked_cycles

__all__ = ["activity", "glb_peak_bytes_per_cycle", "peak_bytes_per_cycle"]

Floats = NDArray[np.float64]


def activity(
    timeline: pd.DataFrame, accelerator: Accelerator, *, windows: int, cycles: Cycles | None = None
) -> pd.DataFrame:
    """Return what the machine does in each window of time.

    Bytes are spread evenly over the cycles in which a transfer has the bus (of DRAM and GLB: from
    its first data on), multiply-accumulates over those of their pass. So sums over windows are
    those of the run.

    Parameters
    ----------
    timeline : DataFrame
        `accelsim.results.Run.timeline`.
    accelerator : Accelerator
        The machine.
    windows : int
        Number of windows, at most; all but the last are of the same whole number of cycles.
    cycles : (int, int or None), optional
        Start and stop, None being the end; the whole run by default.

    Returns
    -------
    DataFrame
        A row per window: ``cycle_start``, ``cycle_end``; means over it: ``dram_read`` and
        ``dram_write`` (bytes per cycle over the bus of the DRAM), ``glb`` (bytes per cycle through
        the ports of the GLB), ``dma_queue`` (transfers issued and not finished), ``array_busy``
        (share of the cycles in which the array is on a pass), ``utilization`` (MACs per PE and
        cycle).

    Raises
    ------
    ConfigError
        *windows* is below 1, or *cycles* is no part of the run.
    """
    if isinstance(windows, bool) or not isinstance(windows, int) or windows < 1:
        raise ConfigError(f"windows must be an int >= 1, got {windows!r}")
    start, stop = checked_cycles(timeline, cycles)
    edges = np.append(np.arange(start, stop, -(-(stop - start) // windows)), stop)
    block, start_cycles = timeline["block"], timeline["cycle_start"]
    data = timeline.assign(cycle_start=start_cycles + timeline["latency_cycles"])
    dram, array = data[block == "dram"], timeline[block == "array"]
    reads = dram["what"].str.startswith("read")
    through_glb = [part for name, part in data.groupby("block") if not name.startswith("dma_")]
    queue = timeline[block == "dram"]
    queue = queue.assign(cycle_start=queue["cycle_start"] - queue["queued_cycles"])
    pes = accelerator.array.rows * accelerator.array.cols
    totals = {
        "dram_read": _until(edges, dram[reads], dram["bytes"][reads]),
        "dram_write": _until(edges, dram[~reads], dram["bytes"][~reads]),
        "glb": sum(_until(edges, part, part["bytes"]) for part in through_glb),
        "dma_queue": _waited_until(edges, queue),
        "array_busy": _until(edges, array, array["cycle_end"] - array["cycle_start"]),
        "utilization": _until(edges, array, array["macs"] / pes),
    }
    means = {name: np.diff(total) / np.diff(edges) for name, total in totals.items()}
    return pd.DataFrame({"cycle_start": edges[:-1], "cycle_end": edges[1:], **means})


def _until(edges: NDArray[np.int64], rows: pd.DataFrame, amounts: pd.Series) -> Floats:
    """Return how much of *amounts* has been done at each edge; no two *rows* overlap."""
    if rows.empty:
        return np.zeros(len(edges))
    order = np.argsort(rows["cycle_start"].to_numpy(), kind="stable")
    cycles = rows[["cycle_start", "cycle_end"]].to_numpy()[order]
    done = np.cumsum(amounts.to_numpy(np.float64)[order])
    before = np.concatenate(([0.0], done[:-1]))
    return np.interp(edges, cycles.ravel(), np.column_stack((before, done)).ravel())


def _waited_until(edges: NDArray[np.int64], rows: pd.DataFrame) -> Floats:
    """Return the sum of all *rows*' cycles up to each edge; rows may overlap."""
    starts, ends = (np.sort(rows[name].to_numpy()) for name in ("cycle_start", "cycle_end"))
    return _since(edges, starts) - _since(edges, ends)


def _since(edges: NDArray[np.int64], times: NDArray[np.int64]) -> Floats:
    """Return for each edge the sum of (edge - time) over the times before it; these are sorted."""
    count = np.searchsorted(times, edges)
    return (edges * count - np.concatenate(([0], np.cumsum(times)))[count]).astype(np.float64)


def peak_bytes_per_cycle(accelerator: Accelerator) -> int:
    """Return the bytes that the DRAM of *accelerator* moves in a cycle at its peak."""
    return estimate(accelerator).bytes_per_cycle


def glb_peak_bytes_per_cycle(accelerator: Accelerator) -> int:
    """Return the bytes that the GLB moves in a cycle when all its clients are at work.

    Each has a port of its own, as far as there are so many.
    """
    glb = accelerator.glb
    memories, clients = (1, UNIFIED_RIVALS) if glb.unified else (len(PARTITIONS), RIVALS)
    ports = memories * min(clients, glb.banks * glb.ports)
    return ports * glb.port_words * WORD_BYTES
