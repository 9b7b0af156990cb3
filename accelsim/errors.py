"""The few kinds of error that accelsim raises on purpose.

Every one of them is bad input or a model that cannot go on: the command line prints its message as
one line and exits with code 2. Anything else that escapes is a defect of accelsim.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AccelsimError",
    "CircuitError",
    "ConfigError",
    "DataError",
    "EnergyTableError",
    "MappingError",
    "ScheduleError",
    "StallError",
    "TraceError",
    "UnknownNameError",
    "nearest",
]


class AccelsimError(Exception):
    """Base of all errors that accelsim raises on purpose; its text is one clear message."""


class CircuitError(AccelsimError):
    """A netlist that is no combinational circuit, or a circuit asked for what it cannot be."""


class ConfigError(AccelsimError):
    """A configuration value, key or file that cannot be used."""


class DataError(AccelsimError):
    """Images, labels, weights or result files that are not what they should be."""


class EnergyTableError(AccelsimError):
    """An energy table that is malformed, or that lacks a (component, action) that is needed."""


class MappingError(AccelsimError):
    """A layer that cannot be mapped onto the array or tiled into the buffers."""


class ScheduleError(AccelsimError):
    """A schedule that the registers of the PE array cannot follow."""


class StallError(AccelsimError):
    """A machine that cannot go on: the message says who waits for what, and since which cycle."""


class TraceError(AccelsimError):
    """A module or operator that cannot be traced."""


class UnknownNameError(AccelsimError, KeyError):
    """A name that a registry does not hold; also a `KeyError`, since registries are Mappings."""

    def __str__(self) -> str:
        return str(self.args[0])


def nearest(name: object, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known name closest to *name*, or ``""``.

    Of dotted names the last part alone may be meant.

    >>> nearest("ax_fmp", ["exact_fp32", "ax_fpm"])
    " Did you mean 'ax_fpm'?"
    >>> nearest("rows", ["array.rows", "array.cols"])
    " Did you mean 'array.rows'?"
    """
    names = list(known)
    match = difflib.get_close_matches(str(name), names, n=1)
    if not match:
        ends = {full.rpartition(".")[2]: full for full in reversed(names)}
        match = [ends[end] for end in difflib.get_close_matches(str(name), ends, n=1)]
    return f" Did you mean {match[0]!r}?" if match else ""
