"""Circuit: a netlist that multiplies, with the number format of its operands.

>>> from accelsim.circuits.integers import integer_circuit
>>> circuit = integer_circuit(4, signed=False)
>>> int(circuit.product(15, 13)), circuit
(195, <Circuit exact uint4 ripple_row: 28 gates, 61.7 um2, 723 ps>)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.circuits import timing
from accelsim.circuits.evaluate import count_toggles, evaluate
from accelsim.circuits.netlist import Netlist
from accelsim.circuits.verilog import structural_verilog
from accelsim.errors import CircuitError
from accelsim.formats import IntegerFormat, as_float32, broadcast_operands

__all__ = ["Circuit", "FloatPorts", "IntegerPorts", "Ports"]

ACTIVATION, WEIGHT, PRODUCT = "a", "w", "p"
"""Names of the ports of a multiplier."""


class Ports(Protocol):
    """How values become patterns of ports, and patterns of the product values."""

    def encode(self, values: ArrayLike, owner: str) -> NDArray[np.int64]:
        """Return the patterns of operands, of the same shape; *owner* names them in errors."""
        ...

    def decode(self, patterns: NDArray[np.int64], width: int) -> NDArray[Any]:
        """Return the values of products from patterns of a port of *width* bits."""
        ...


@dataclass(frozen=True)
class IntegerPorts:
    """Integers, two's complement where signed; a product is as signed as the operands are."""

    operands: IntegerFormat

    def encode(self, values: ArrayLike, owner: str) -> NDArray[np.int64]:
        """Return the low bits of *values*; raise DataError where they are not of the format."""
        return self.operands.checked(values, owner) & ((1 << self.operands.bits) - 1)

    def decode(self, patterns: NDArray[np.int64], width: int) -> NDArray[np.int64]:
        """Return the integers, int64."""
        if not self.operands.signed:
            return patterns
        return patterns - ((patterns >> (width - 1)) << width)


@dataclass(frozen=True)
class FloatPorts:
    """float32 numbers at ports of 32 bits, or rounded to nearest even to bfloat16 at ports of 16.

    The rounding is done on the way to the port: it is no part of the circuit, as it is none of a
    unit whose tensors are kept in bfloat16.
    """

    bits: int = 32

    def encode(self, values: ArrayLike, owner: str) -> NDArray[np.int64]:
        """Return the patterns; raise DataError where *values* are not float32."""
        patterns = as_float32(values, owner).view(np.uint32).astype(np.int64)
        if self.bits == 32:
            return patterns
        nan = (patterns & 0x7FFFFFFF) > 0x7F800000
        rounded = (patterns + 0x7FFF + ((patterns >> 16) & 1)) >> 16
        return np.where(nan, (patterns >> 16) | 0x0040, rounded)

    def decode(self, patterns: NDArray[np.int64], width: int) -> NDArray[np.float32]:
        """Return the numbers, float32."""
        return (patterns << (32 - width)).astype(np.uint32).view(np.float32)


@dataclass(frozen=True, eq=False)
class Circuit:
    """A multiplier as a netlist.

    Attributes
    ----------
    name : str
        What it is, for messages and as the default module name.
    netlist : Netlist
        Input ports ``a`` (activation) and ``w`` (weight), output port ``p``.
    ports : Ports
        The number format at the ports.
    domain : str
        For which operands its product is that of the unit it stands for.
    """

    name: str
    netlist: Netlist
    ports: Ports
    domain: str = "all operands"

    def __post_init__(self) -> None:
        ports = (set(self.netlist.inputs), set(self.netlist.outputs))
        if ports != ({ACTIVATION, WEIGHT}, {PRODUCT}):
            raise CircuitError(
                f"circuit {self.name!r} must have the input ports a, w and the output port p, got "
                f"{', '.join(self.netlist.inputs)} and {', '.join(self.netlist.outputs)}"
            )

    def __repr__(self) -> str:
        return (
            f"<Circuit {self.name}: {len(self.netlist.gates)} gates, {self.area_um2():.1f} um2, "
            f"{self.delay_ps():.0f} ps>"
        )

    def product(self, a: ArrayLike, w: ArrayLike) -> NDArray[Any]:
        """Return what the netlist makes of activations *a* and weights *w*, element by element.

        Parameters
        ----------
        a, w : array_like
            Operands of the unit's format that broadcast against each other.

        Returns
        -------
        ndarray of int64 or float32, of the broadcast shape

        Raises
        ------
        DataError
            Operands of another format, or shapes that do not fit.
        """
        operands, shape = self._operands(a, w)
        patterns = evaluate(self.netlist, operands)[PRODUCT]
        return self.ports.decode(patterns, len(self.netlist.outputs[PRODUCT])).reshape(shape)

    def delay_ps(self) -> float:
        """Return the delay of the longest path, by nominal cell delays: see `timing`."""
        return timing.delay_ps(self.netlist)

    def area_um2(self) -> float:
        """Return the sum of the cells' areas, um2."""
        return timing.area_um2(self.netlist)

    def leakage_uw(self) -> float:
        """Return the sum of the cells' mean leakage powers, uW."""
        return timing.leakage_uw(self.netlist)

    def toggles(self, a: ArrayLike, w: ArrayLike, glitches: bool = False) -> NDArray[np.int64]:
        """Return how often each net changes over the stream of products of *a* and *w*.

        Parameters
        ----------
        a, w : array_like
            Operands in the order in which they reach the unit (broadcast, then flattened in C
            order), at least two.
        glitches : bool
            Count all changes on the way, with every gate one unit of time late, and not only those
            from one settled state to the next.

        Returns
        -------
        int64 array (netlist.net_count,)

        Raises
        ------
        DataError, CircuitError
            Operands of another format, shapes that do not fit, fewer than two operands.
        """
        operands, _ = self._operands(a, w)
        return count_toggles(self.netlist, operands, glitches)

    def energy_pj(self, a: ArrayLike, w: ArrayLike, glitches: bool = False) -> float:
        """Return the switching energy of a product, pJ at 1.1 V, mean over a stream of operands.

        The sum of `toggles` times the energy of each net's toggle (see `timing`), over the number
        of transitions; leakage is not in it. Parameters and errors are those of `toggles`.
        """
        toggles = self.toggles(a, w, glitches)
        transitions = np.broadcast(a, w).size - 1
        return float(toggles @ self.toggle_energies_fj) / 1000 / transitions

    def verilog(self, module_name: str | None = None) -> str:
        """Return structural Verilog-2001: see `accelsim.circuits.verilog`."""
        return structural_verilog(self.netlist, module_name or self.name.replace(" ", "_"))

    @functools.cached_property
    def toggle_energies_fj(self) -> NDArray[np.float64]:
        """Energy of a toggle of each net at 1.1 V, fJ, (netlist.net_count,): see `timing`."""
        return timing.toggle_energies_fj(self.netlist)

    def _operands(
        self, a: ArrayLike, w: ArrayLike
    ) -> tuple[dict[str, NDArray[np.int64]], tuple[int, ...]]:
        """Return the patterns at the ports, 1-D, and the broadcast shape."""
        activations, weights = broadcast_operands(
            f"circuit {self.name}",
            self.ports.encode(a, f"circuit {self.name}: activation"),
            self.ports.encode(w, f"circuit {self.name}: weight"),
        )
        return {ACTIVATION: activations.ravel(), WEIGHT: weights.ravel()}, activations.shape
