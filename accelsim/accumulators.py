"""Accumulators: how a PE or a model of one adds products up.

The products come in the order the dataflow feeds them; each addition rounds to the accumulator's
dtype, starting from +0.

>>> ACCUMULATORS["float32"].bytes, ACCUMULATORS["float64"].bytes
(4, 8)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.compilation import jit
from accelsim.multipliers.base import latency_cycles
from accelsim.registry import Registry

__all__ = ["ACCUMULATORS", "Accumulator"]


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
        One addition, rounded to *dtype*; the product is a float32, or a float64 that is one.
    delay_ps : float
        Of one addition, ps.
    delay_source : str
        Where *delay_ps* comes from.
    """

    name: str
    title: str
    dtype: np.dtype[Any]
    add: Callable[..., Any]
    delay_ps: float
    delay_source: str

    @property
    def bytes(self) -> int:
        """Size of a psum in bytes."""
        return self.dtype.itemsize

    def latency_cycles(self, clock_mhz: float) -> int:
        """Return the whole cycles of a *clock_mhz* clock that one addition takes, at least 1."""
        return latency_cycles(self.delay_ps, clock_mhz)


@jit
def _add_float32(psum, product):  # type: ignore[no-untyped-def]
    return np.float32(np.float32(psum) + np.float32(product))


@jit
def _add_float64(psum, product):  # type: ignore[no-untyped-def]
    return np.float64(psum) + np.float64(product)


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
        delay_ps=5000,
        delay_source=(
            "assumed: 1.25 x the float32 adder, the ratio of log2 of the significand widths"
        ),
    ),
)
