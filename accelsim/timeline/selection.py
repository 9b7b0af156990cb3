"""Which part of a timeline a viewer gets, and what is said of the rest."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from accelsim.errors import ConfigError

__all__ = ["STRETCHES", "WINDOWS", "Selection", "checked_cycles", "select"]

STRETCHES = 200_000
"""Stretches of busy time that a file gets unless more are asked for: some 40 MB of JSON."""

WINDOWS = 1_000
"""Values that a counter gets."""

Span = tuple[int, int]
Cycles = tuple[int, int | None]
"""Start and stop, of which None is the end of the run."""


class Selection(NamedTuple):
    """A part of a timeline."""

    timeline: pd.DataFrame
    """By start."""
    cycles: Span
    """What was asked for."""
    left_out: str | None
    """What the cap left out of that, in words."""


def select(timeline: pd.DataFrame, cycles: Cycles | None, stretches: int) -> Selection:
    """Return the first *stretches* rows of *timeline* that lie, in part at least, in *cycles*.

    Parameters
    ----------
    timeline : DataFrame
        Columns cycle_start, cycle_end and others.
    cycles : (int, int or None), optional
        Start and stop, None being the end; all by default.
    stretches : int
        Most rows.

    Raises
    ------
    ConfigError
        *cycles* is no part of the timeline, or *stretches* is below 1.
    """
    if isinstance(stretches, bool) or not isinstance(stretches, int) or stretches < 1:
        raise ConfigError(f"stretches must be an int >= 1, got {stretches!r}")
    start, stop = checked_cycles(timeline, cycles)
    inside = timeline[(timeline["cycle_end"] > start) & (timeline["cycle_start"] < stop)]
    inside = inside.sort_values(["cycle_start", "cycle_end"], kind="stable", ignore_index=True)
    left_out = None
    if len(inside) > stretches:
        kept, until = inside[:stretches], int(inside["cycle_start"].iloc[stretches])
        left_out = (
            f"{len(inside) - stretches:,} of the {len(inside):,} stretches of busy time in cycles "
            f"{start:,} to {stop:,} are left out, those from cycle {until:,} on; counters cover "
            f"all. Ask for cycles {until} to {stop} to get the next part, or for {len(inside)} "
            "stretches to get all"
        )
        inside = kept
    return Selection(inside, (start, stop), left_out)


def checked_cycles(timeline: pd.DataFrame, cycles: Cycles | None) -> Span:
    """Return *cycles* up to the end of the *timeline*; all of them where there are none.

    Raises
    ------
    ConfigError
        They are no part of it.
    """
    last = int(timeline["cycle_end"].max())
    start, stop = (0, None) if cycles is None else cycles
    stop = last if stop is None else stop
    if not 0 <= start < stop or start >= last:
        raise ConfigError(
            f"cycles must be a start and a stop behind it, the run has 0 to {last}, got "
            f"{start} to {stop}"
        )
    return start, min(stop, last)
