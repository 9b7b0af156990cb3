"""A topology: layers by shape alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath

from accelsim.errors import ConfigError, DataError
from accelsim.layer import MacLayer, Trace

__all__ = ["Topology", "check_no_data", "check_operands", "is_topology"]


@dataclass(frozen=True, eq=False)
class Topology(Trace):
    """Layers by shape: `accelsim.simulate` runs it with ``values=False``.

    Every layer reads as many words of the input as its ifmap has, and no layer reads what another
    one makes. Images and weights have shapes, but no words of their own.
    """

    notes: tuple[str, ...] = ()
    """What of the file was not read as it stands there, with lines."""

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a SHA-256 over names and shapes."""
        layers = [
            (layer.name, layer.op, layer.shape)
            for layer in self.layers
            if isinstance(layer, MacLayer)
        ]
        return hashlib.sha256(repr(("topology", layers)).encode()).hexdigest()[:16]


def is_topology(workload: str | PathLike[str]) -> bool:
    """Return whether *workload* names a topology's file rather than a registered network.

    >>> is_topology("nets/alexnet.csv"), is_topology("lenet5_digits")
    (True, False)
    """
    return fspath(workload).lower().endswith(".csv")


def check_operands(trace: Trace, *, values: bool) -> None:
    """Raise if *trace* is to be run with *values* that it does not have.

    Raises
    ------
    DataError
        It is a topology.
    """
    if values and isinstance(trace, Topology):
        raise DataError(
            f"{trace.name!r} is a topology: layers by shape, without images and weights to compute "
            "with. Ask for cycles and energy alone: values=False, on the command line --timing-only"
        )


def check_no_data(workload: str, **given: object) -> None:
    """Raise if anything is *given* that a topology's file *workload* has no use for.

    Raises
    ------
    ConfigError
        Names what is given.
    """
    for what, value in given.items():
        if value is not None:
            raise ConfigError(
                f"{workload} is a topology: layers by shape, without images and weights, so {what} "
                f"cannot be used; leave it out, got {value!r}"
            )
