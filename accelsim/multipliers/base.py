"""What a multiplier is: a scalar product, its facts, and if it likes a faster form of itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from accelsim.compilation import jit
from accelsim.errors import ConfigError, DataError
from accelsim.formats import as_float32

__all__ = ["FastForm", "Multiplier", "latency_cycles"]


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
    exponent_sums : (int, int) or None
        Least and greatest sum of the two biased exponent fields that `combine` can do; None: it
        can do all operands, infinities and NaN too.
    zero_below : float
        Operands of smaller magnitude have the product zero with all finite operands.
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
    zero_below: float = 0.0
    neutral: float = -0.0


@dataclass(frozen=True, eq=False)
class Multiplier:
    """A functional unit: fp32 activation times fp32 weight, in that order.

    Attributes
    ----------
    name, title, description : str
        Registered name, one line, and a paragraph.
    scalar : jitted (float32, float32) -> float32
        The definition, bit by bit. All other forms are tested against it.
    delay_ps : float
        Combinational delay of the circuit, ps.
    delay_source : str
        Where *delay_ps* comes from.
    sources : tuple of str
        Where the arithmetic comes from.
    fast : FastForm or None
        None: the kernels call *scalar*.
    circuit : None
        Gate netlist, where one is modeled.
    """

    name: str
    title: str
    description: str
    scalar: Callable[..., Any]
    delay_ps: float
    delay_source: str
    sources: tuple[str, ...]
    fast: FastForm | None = None
    circuit: None = None

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
        activations = as_float32(a, f"{self.name}: activation")
        weights = as_float32(w, f"{self.name}: weight")
        try:
            activations, weights = np.broadcast_arrays(activations, weights)
        except ValueError:
            raise DataError(
                f"{self.name}: activations of shape {activations.shape} do not broadcast with "
                f"weights of shape {weights.shape}; reshape one of them"
            ) from None
        out = np.empty(activations.shape, np.float32)
        _elementwise(self.scalar)(activations.ravel(), weights.ravel(), out.reshape(-1))
        return out

    def latency_cycles(self, clock_mhz: float) -> int:
        """Return the whole cycles of a *clock_mhz* clock that one product takes, at least 1."""
        return latency_cycles(self.delay_ps, clock_mhz)


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
