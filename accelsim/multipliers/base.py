"""What a multiplier is: a definition of its product, its facts, perhaps a fast form, a circuit."""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.formats import IntegerFormat, as_float32, broadcast_operands
from accelsim.notebook import facts_html

if TYPE_CHECKING:
    from accelsim.circuits import Circuit

__all__ = [
    "TABLE_BITS",
    "FastForm",
    "FloatMultiplier",
    "IntegerMultiplier",
    "Multiplier",
    "latency_cycles",
]

TABLE_BITS = 12
"""Widest operands whose products are kept in a table: 64 MiB."""


@dataclass(frozen=True, eq=False)
class FastForm:
    """The same product, split so that a kernel can prepare each operand once and vectorize.

    ``combine(split_activation(a), split_weight(w))`` must equal ``scalar(a, w)`` in every bit (but
    for the sign of zero, see *neutral*) for all finite operands whose exponent fields add up to a
    sum inside *exponent_sums*, operands below *zero_below* not counted. The kernels check that per
    block of operands and use the scalar product where it does not hold.

    Attributes
    ----------
    split_activation, split_weight : jitted (float32) -> tuple of *parts* numbers of *dtype*
    combine : jitted (tuple, tuple) -> float32, or float64 that is exactly a float32
        Free of branches, so that LLVM vectorizes it.
    parts : int
        Numbers that an operand splits into: 1, 2 or 3.
    dtype : numpy dtype
    lanes : bool
        Whether all three compile for `accelsim.lanes` as well. Then there are two parts of float64
        and maybe a third, a float32 that the kernels keep in the place of a float64.
    exponent_sums : (int, int) or None
        Least and greatest sum of the two biased exponent fields that `combine` can do; None: it
        can do all operands, infinities and NaN too.
    greatest_exponent : int
        Greatest biased exponent field of an operand that `combine` can do.
    zero_below : float
        Operands of smaller magnitude count as zero: `combine` does them with every finite operand.
    neutral : float
        Added to every psum first. -0.0 changes no number. A unit that never gives -0 but whose
        `combine` may says +0.0: a psum that is not -0 does not change by adding either zero.
    """

    split_activation: Callable[..., Any]
    split_weight: Callable[..., Any]
    combine: Callable[..., Any]
    parts: int
    dtype: DTypeLike
    exponent_sums: tuple[int, int] | None = None
    greatest_exponent: int = 254
    zero_below: float = 0.0
    neutral: float = -0.0
    lanes: bool = False


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Multiplier:
    """A functional unit: activation times weight, in that order.

    Of two kinds: `FloatMultiplier` and `IntegerMultiplier`, by what the operands are.

    Attributes
    ----------
    name, title, description : str
        Registered name, one line, and a paragraph.
    delay_ps : float or None
        Combinational delay of the circuit, ps. None: nobody has said; the unit computes and is
        measured, but no machine can be built with it.
    delay_source : str
        Where *delay_ps* comes from, or why it is not known.
    sources : tuple of str
        Where the arithmetic comes from.
    build_circuit : callable or None
        Returns the gate netlist as a `accelsim.circuits.Circuit`; None: none is modeled.
    """

    name: str
    title: str
    description: str
    delay_ps: float | None
    delay_source: str
    sources: tuple[str, ...]
    build_circuit: Callable[[], Circuit] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.title}>"

    def _repr_html_(self) -> str:
        delay = "not known" if self.delay_ps is None else f"{self.delay_ps:g} ps"
        facts = {
            "kind": type(self).__name__,
            "description": self.description,
            "delay": f"{delay}: {self.delay_source}",
            "circuit": "none is modeled" if self.build_circuit is None else "gate netlist",
            "sources": "; ".join(self.sources),
        }
        return facts_html(f"{self.name}: {self.title}", facts)

    def __reduce__(self) -> tuple[Callable[..., Multiplier], tuple[Any, ...]]:
        """Pickle by name; what is not registered under its name cannot be pickled."""
        from accelsim.multipliers import MULTIPLIERS

        if MULTIPLIERS.get(self.name) is not self:
            raise pickle.PicklingError(
                f"multiplier {self.name!r} is pickled by its name, but is not the one that is "
                "registered under it; register it in accelsim.MULTIPLIERS"
            )
        return _registered, (self.name,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def product(self, a: ArrayLike, w: ArrayLike) -> NDArray[Any]:
        """Return the unit's product of activations *a* and weights *w*, element by element."""
        raise NotImplementedError

    @functools.cached_property
    def circuit(self) -> Circuit | None:
        """Gate netlist (delay, area, toggles, Verilog), or None; built on first use."""
        return None if self.build_circuit is None else self.build_circuit()

    def latency_cycles(self, clock_mhz: float) -> int:
        """Return the whole cycles of a *clock_mhz* clock that one product takes, at least 1.

        Raises
        ------
        ConfigError
            The unit's delay is not known.
        """
        if self.delay_ps is None:
            raise ConfigError(
                f"multiplier {self.name!r} has no known delay ({self.delay_source}), so no machine "
                "can be built with it; use accelsim.nn.approximate or characterize, or give the "
                "unit a delay_ps"
            )
        return latency_cycles(self.delay_ps, clock_mhz)

    def _broadcast(
        self, activations: NDArray[Any], weights: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return broadcast_operands(self.name, activations, weights)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FloatMultiplier(Multiplier):
    """A unit of fp32 operands and products, whatever format it computes in.

    Attributes
    ----------
    scalar : jitted (float32, float32) -> float32
        The definition, bit by bit. All other forms are tested against it.
    fast : FastForm or None
        None: the kernels use *batch*, or else call *scalar*.
    batch : jitted (float32 activations, float32 weights, float32 out) -> None, or None
        Fills the 1-D *out* with the products of as many pairs, the same bits as *scalar*. For units
        whose circuit is worth evaluating on many pairs at once, thousands for the best.
    """

    scalar: Callable[..., Any]
    fast: FastForm | None = None
    batch: Callable[..., None] | None = None

    def product(self, a: ArrayLike, w: ArrayLike) -> NDArray[np.float32]:
        """Return the unit's product of activations *a* and weights *w*, element by element.

        Parameters
        ----------
        a, w : array_like of float32
            Operands that broadcast against each other; one may be a Python float. The order
            matters: approximate units need not commute.

        Returns
        -------
        ndarray of float32, of the broadcast shape

        Raises
        ------
        DataError
            When a dtype is not float32 (or float16, which widens exactly), or shapes do not fit.
        """
        activations, weights = self._broadcast(
            as_float32(a, f"{self.name}: activation"), as_float32(w, f"{self.name}: weight")
        )
        out = np.empty(activations.shape, np.float32)
        # Copies, since Numba would compile again for read-only views, and warns of broadcast ones.
        _elementwise(self.scalar)(activations.flatten(), weights.flatten(), out.reshape(-1))
        return out


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class IntegerMultiplier(Multiplier):
    """A unit of integer operands of one format; networks reach it through quantization.

    Defined by *scalar*, or where there is no formula by *values*. Up to `TABLE_BITS` bits the
    kernels look products up in `table`, which *scalar* fills once.

    Attributes
    ----------
    operands : IntegerFormat
        Width and signedness of activation and weight.
    scalar : jitted (int64, int64) -> int64, or None
        The definition on operand values.
    values : ndarray of int32, (2^bits, 2^bits), or None
        The definition as a table; see `table` for its order.
    """

    operands: IntegerFormat
    scalar: Callable[..., Any] | None = None
    values: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if (self.scalar is None) == (self.values is None):
            raise ConfigError(f"{self.name}: give either scalar or values, not both or none")
        size = 1 << self.operands.bits
        if self.values is not None and (
            self.values.shape != (size, size) or self.values.dtype != np.int32
        ):
            raise ConfigError(
                f"{self.name}: values must be int32 of shape {(size, size)} for "
                f"{self.operands.name} operands, got {self.values.dtype} of {self.values.shape}"
            )

    def product(self, a: ArrayLike, w: ArrayLike) -> NDArray[np.int64]:
        """Return the unit's product of activations *a* and weights *w*, element by element.

        Parameters
        ----------
        a, w : array_like of integers
            Operands inside the unit's format that broadcast against each other, in this order.

        Returns
        -------
        ndarray of int64, of the broadcast shape

        Raises
        ------
        DataError
            When a dtype is not an integer one, a value lies outside the format, or shapes do not
            fit.
        """
        activations, weights = self._broadcast(
            self.operands.checked(a, f"{self.name}: activation"),
            self.operands.checked(w, f"{self.name}: weight"),
        )
        if self.scalar is None:
            mask = (1 << self.operands.bits) - 1
            return self.table[activations & mask, weights & mask].astype(np.int64)
        out = np.empty(activations.shape, np.int64)
        _elementwise(self.scalar)(activations.flatten(), weights.flatten(), out.reshape(-1))
        return out

    @functools.cached_property
    def table(self) -> NDArray[np.int32]:
        """All products, int32 (2^bits, 2^bits): ``table[a & mask, w & mask]``, by bit patterns.

        Row: activation, column: weight; a negative operand's pattern is its two's complement.

        Raises
        ------
        ConfigError
            The operands have more than `TABLE_BITS` bits.
        """
        if self.values is not None:
            return self.values
        bits = self.operands.bits
        if bits > TABLE_BITS:
            raise ConfigError(
                f"{self.name}: a table of {bits}-bit operands would have 2^{2 * bits} entries; "
                f"tables go up to {TABLE_BITS} bits, use product() instead"
            )
        values = self.operands.values()
        return self.product(values[:, None], values).astype(np.int32)

    @functools.cached_property
    def greatest_product(self) -> int:
        """Greatest magnitude in `table`.

        Raises
        ------
        ConfigError
            The operands have more than `TABLE_BITS` bits.
        """
        return max(int(self.table.max()), -int(self.table.min()))


def _registered(name: str) -> Multiplier:
    from accelsim.multipliers import MULTIPLIERS

    return MULTIPLIERS[name]


def latency_cycles(delay_ps: float, clock_mhz: float) -> int:
    """Return ``ceil(delay_ps / period)``, at least 1.

    >>> latency_cycles(4055, 200), latency_cycles(5134, 200), latency_cycles(5000, 200)
    (1, 2, 1)
    """
    if not (math.isfinite(clock_mhz) and clock_mhz > 0):
        raise ConfigError(f"clock_mhz must be a finite number > 0, got {clock_mhz!r}")
    # 1e-9 of a cycle is no cycle: 0.1 + 0.2 must not cost one more than 0.3.
    return max(1, math.ceil(delay_ps * clock_mhz / 1e6 - 1e-9))


@functools.cache
def _elementwise(scalar: Callable[..., Any]) -> Callable[..., None]:
    """Return the loop ``out[i] = scalar(a[i], w[i])`` over 1-D arrays."""

    @jit
    def elementwise(a, w, out):  # type: ignore[no-untyped-def]
        for i in range(out.size):
            out[i] = scalar(a[i], w[i])

    return elementwise
