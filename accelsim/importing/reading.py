"""What a reader hands over: all products of a source, by bit patterns, in the source's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.circuits import Netlist
from accelsim.errors import DataError
from accelsim.formats import IntegerFormat

__all__ = ["Reading", "as_signed", "edge_of", "unit_netlist"]

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class Reading:
    """A source, read.

    Attributes
    ----------
    kind : str
        As `accelsim.multipliers.imported.Source`.
    products : ndarray of integers, (2^bits, 2^bits)
        ``products[first, second]`` by the bit patterns of the source's two operands.
    names : (str, str)
        What the source calls its operands.
    detail : str
        What was read, with which tools.
    text : str
        Where the source's comments are, "" if it can have none.
    netlist : accelsim.circuits.Netlist or None
        Of a gate-level source: ports `first`, `second` and `product`.
    """

    kind: str
    products: NDArray[Any]
    names: tuple[str, str]
    detail: str
    text: str = ""
    netlist: Netlist | None = None

    def table(self, owner: str, activation_first: bool) -> NDArray[np.int32]:
        """Return the products as ``table[activation, weight]``.

        Raises
        ------
        DataError
            A product is outside of int32.
        """
        low, high = int(self.products.min()), int(self.products.max())
        if low < _INT32.min or high > _INT32.max:
            raise DataError(f"{owner}: products must fit into int32, got {low}..{high}")
        products = self.products if activation_first else self.products.T
        return np.ascontiguousarray(products, np.int32)

    def netlist_of_unit(self, activation_first: bool) -> Netlist | None:
        """Return the netlist with the ports of a unit's circuit, None where there is none."""
        return None if self.netlist is None else unit_netlist(self.netlist, activation_first)


def unit_netlist(netlist: Netlist, activation_first: bool) -> Netlist:
    """Return *netlist*, of ports `first`, `second`, `product`, with ports ``a``, ``w``, ``p``."""
    ports = ("first", "second") if activation_first else ("second", "first")
    activation, weight = (netlist.inputs[port] for port in ports)
    return Netlist({"a": activation, "w": weight}, {"p": netlist.outputs["product"]}, netlist.gates)


def edge_of(operands: IntegerFormat) -> int:
    """Return the number of rows, and of columns, of a table of *operands*."""
    return 1 << operands.bits


def as_signed(patterns: NDArray[Any], bits: int, owner: str) -> NDArray[np.int64]:
    """Return *bits*-bit two's complement *patterns* as values.

    Raises
    ------
    DataError
        A pattern has more bits.

    >>> as_signed(np.array([3, 0xFFFF], np.uint16), 16, "x").tolist()
    [3, -1]
    """
    high = int(patterns.max())
    if high >> bits:
        raise DataError(
            f"{owner}: a signed product of unsigned type must be a two's complement pattern of "
            f"{bits} bits, got {high}"
        )
    values = patterns.astype(np.int64)
    return np.where(values >> (bits - 1), values - (1 << bits), values)
