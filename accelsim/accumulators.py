"""Accumulators: how a PE or a model of one adds products up.

The products come in the order the dataflow feeds them; each addition rounds to the accumulator's
dtype, starting from +0. Products of floating-point units are added by floating-point accumulators,
those of integer units by integer ones; ``auto`` is the usual one of a unit, which does not
overflow.

>>> ACCUMULATORS["float32"].bytes, ACCUMULATORS["float64"].bytes
(4, 8)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.lanes import as_float32, as_float64
from accelsim.multipliers.base import IntegerMultiplier, Multiplier, latency_cycles
from accelsim.registry import Registry

__all__ = ["ACCUMULATORS", "AUTO", "DEPTH", "Accumulator", "accumulator_of", "check_depth"]

AUTO = "auto"
"""Name that stands for the usual accumulator of whatever multiplier it is used with."""


DEPTH = 25_088
"""Products in a sum that ``auto`` always has room for: VGG's first fully connected layer."""

_GREATEST = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Accumulator:
    """An adder with its register.

    Attributes
    ----------
    name, title : str
        Registered name, and one line.
    dtype : numpy dtype
        Of a psum.
    add : jitted (psum, product) -> psum
        One addition, rounded to *dtype*, or for integers wrapped or saturated as the title says.
        The product is a float32 (or a float64 that is one), or an int64.
    delay_ps : float
        Of one addition, ps.
    delay_source : str
        Where *delay_ps* comes from.
    overflow : str
        What an integer sum does at the ends of *dtype*: ``"wraps"`` around or ``"saturates"``; then
        kernels may add in another order where the sum is the same. ``""``: one by one, always.
    lanes : bool
        Whether *add* compiles for `accelsim.lanes` as well.
    """

    name: str
    title: str
    dtype: np.dtype[Any]
    add: Callable[..., Any]
    delay_ps: float
    delay_source: str
    overflow: str = ""
    lanes: bool = False

    @property
    def integer(self) -> bool:
        """Whether it adds integers."""
        return self.dtype.kind == "i"

    @property
    def bytes(self) -> int:
        """Size of a psum in bytes."""
        return self.dtype.itemsize

    def latency_cycles(self, clock_mhz: float) -> int:
        """Return the whole cycles of a *clock_mhz* clock that one addition takes, at least 1."""
        return latency_cycles(self.delay_ps, clock_mhz)


def accumulator_of(multiplier: Multiplier, name: str = AUTO) -> Accumulator:
    """Return the accumulator *name*, or for ``auto`` the usual one of *multiplier*.

    ``float32`` for floating-point units. For integer units ``int32`` up to 8 bits, unless a sum of
    `DEPTH` products of an imported table might overflow it, and ``int64`` above; see `check_depth`
    for deeper sums.

    Raises
    ------
    UnknownNameError
        No accumulator has that name.
    ConfigError
        It adds floats and the multiplier makes integers, or the other way around.
    """
    integer = isinstance(multiplier, IntegerMultiplier)
    usual = _usual(multiplier)
    accumulator = ACCUMULATORS[usual if name == AUTO else name]
    if accumulator.integer != integer:
        raise ConfigError(
            f"accumulator {name!r} adds {'integers' if accumulator.integer else 'floats'}, but "
            f"multiplier {multiplier.name!r} makes {'integers' if integer else 'floats'}; "
            f"use {AUTO!r} or {usual!r}"
        )
    return accumulator


def check_depth(multiplier: Multiplier, name: str, depth: int, owner: str) -> None:
    """Raise if ``auto`` stands for an accumulator that *depth* products might overflow.

    An accumulator that is named does what its title says, wraps around or saturates, unasked.

    Parameters
    ----------
    multiplier : Multiplier
    name : str
        Of the accumulator, or ``auto``.
    depth : int
        Products in a sum of the layer.
    owner : str
        The layer, for the message.

    Raises
    ------
    ConfigError
    """
    if name != AUTO or depth <= DEPTH or not isinstance(multiplier, IntegerMultiplier):
        return
    if _usual(multiplier) == "int32" and depth * multiplier.greatest_product > _GREATEST:
        raise ConfigError(
            f"{owner}: sums of {depth} products of {multiplier.name}, each of magnitude up to "
            f"{multiplier.greatest_product}, might overflow int32, which accumulator {AUTO!r} "
            "stands for; use 'int64', or name 'int32' to have them wrap around"
        )


def _usual(multiplier: Multiplier) -> str:
    if not isinstance(multiplier, IntegerMultiplier):
        return "float32"
    # Products of units with a formula have at most 17 bits where their operands have 8.
    fits = multiplier.values is None or DEPTH * multiplier.greatest_product <= _GREATEST
    return "int32" if multiplier.operands.bits <= 8 and fits else "int64"


@jit(contract=True)  # fuses only with a product that allows it too, being exact
def _add_float32(psum, product):  # type: ignore[no-untyped-def]
    return as_float32(psum) + as_float32(product)


@jit
def _add_float64(psum, product):  # type: ignore[no-untyped-def]
    return as_float64(psum) + as_float64(product)


@jit
def _add_int32(psum, product):  # type: ignore[no-untyped-def]
    # Narrowed from 64 bits: wraps around as a 32-bit register does.
    return np.int32(np.int64(psum) + np.int64(product))


@jit
def _add_int32_saturating(psum, product):  # type: ignore[no-untyped-def]
    total = np.int64(psum) + np.int64(product)
    if total > (1 << 31) - 1:
        return np.int32((1 << 31) - 1)
    return np.int32(total) if total >= -(1 << 31) else np.int32(-(1 << 31))


@jit
def _add_int64(psum, product):  # type: ignore[no-untyped-def]
    return np.int64(psum) + np.int64(product)


def _register_own() -> None:
    """Nothing to import: the entries are registered below, in this file."""


ACCUMULATORS: Registry[Accumulator] = Registry("accumulator", _register_own)

ACCUMULATORS.register(
    "float32",
    Accumulator(
        name="float32",
        title="fp32 register and adder, as in a PE: fl32(psum + product) in feed order",
        dtype=np.dtype(np.float32),
        add=_add_float32,
        lanes=True,
        delay_ps=4000,
        delay_source=(
            "assumed: 4 ns. The fp32 adder of the Accelergy Aladdin tables (40 nm) exists from 1 "
            "ns (16.7 pJ) to 10 ns (7.70 pJ); from 4 ns (7.89 pJ) on it is within 3 % of its least "
            "energy"
        ),
    ),
)
ACCUMULATORS.register(
    "float64",
    Accumulator(
        name="float64",
        title="float64 sum of the products, as in the model released with Defensive Approximation",
        dtype=np.dtype(np.float64),
        add=_add_float64,
        lanes=True,
        delay_ps=5000,
        delay_source=(
            "assumed: 1.25 x the float32 adder, the ratio of log2 of the significand widths"
        ),
    ),
)
ACCUMULATORS.register(
    "int32",
    Accumulator(
        name="int32",
        title="32-bit integer register and adder, wraps around",
        dtype=np.dtype(np.int32),
        add=_add_int32,
        delay_ps=500,
        delay_source=(
            "the fastest 32-bit adder of the Accelergy Aladdin tables (40 nm): 0.5 ns, 0.142 pJ; "
            "a slower one of 2 ns takes 0.086 pJ"
        ),
        overflow="wraps",
    ),
)
ACCUMULATORS.register(
    "int32_saturating",
    Accumulator(
        name="int32_saturating",
        title="32-bit integer register and adder, stays at its least and greatest value",
        dtype=np.dtype(np.int32),
        add=_add_int32_saturating,
        delay_ps=500,
        delay_source="assumed: as int32, the clamp beside the carry chain",
        overflow="saturates",
    ),
)
ACCUMULATORS.register(
    "int64",
    Accumulator(
        name="int64",
        title="64-bit integer register and adder, for products of 16-bit operands",
        dtype=np.dtype(np.int64),
        add=_add_int64,
        delay_ps=600,
        delay_source="assumed: 1.2 x the int32 adder, the ratio of log2 of the widths",
        overflow="wraps",
    ),
)
