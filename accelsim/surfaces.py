"""Error surfaces: a unit's error over activation and weight, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FRACTION_BITS
from accelsim.metrics import exact_product
from accelsim.multipliers import IntegerMultiplier, Multiplier

__all__ = ["ErrorSurface", "error_surface"]

CELLS = 256
DRAWS = 16
SEED = 0


@dataclass(frozen=True)
class ErrorSurface:
    """The error of a unit over a square of operands.

    Attributes
    ----------
    unit : str
    error : ndarray of float64, (cells, cells)
        Mean error of each cell's pairs; row: activation, column: weight, both ascending.
    low, high : float
        Operands of the first cell's start and the last cell's end.
    relative : bool
        Whether the errors are (M' - M) / M, else M' - M; M' is the unit's product, M the exact one.
    draws : int
        Pairs a cell; 1 where a cell is one pair of operands.
    """

    unit: str
    error: NDArray[np.float64]
    low: float
    high: float
    relative: bool
    draws: int


def error_surface(unit: Multiplier) -> ErrorSurface:
    """Return the error surface of *unit*.

    Integers of up to 8 bits: the error of every pair. Wider ones: 256 x 256 cells of equal width,
    each with the mean of 16 random pairs. Floating-point units: relative errors over significands
    in [1, 2), the same number of cells and draws; operands are drawn from all of a cell, since
    those on a coarse grid have zeros for low bits, with which some units do something special.

    >>> from accelsim.multipliers import MULTIPLIERS
    >>> float(error_surface(MULTIPLIERS["ax_fpm_flat"]).error[128, 0].round(2))  # 1.5 x 1.0
    1.0
    """
    if isinstance(unit, IntegerMultiplier):
        low, steps, scale = unit.operands.low, 1 << unit.operands.bits, 1
    else:
        # Codes 2^23 to 2^24 - 1 are the 24-bit significands.
        low, steps, scale = 1 << FRACTION_BITS, 1 << FRACTION_BITS, 1 << FRACTION_BITS
    cells = min(CELLS, steps)
    width = steps // cells
    draws = DRAWS if width > 1 else 1
    relative = not isinstance(unit, IntegerMultiplier)
    rng = np.random.default_rng(SEED)
    starts = low + width * np.arange(cells)
    total = np.zeros((cells, cells))
    for _ in range(draws):
        codes = [start + rng.integers(0, width, total.shape) for start in (starts[:, None], starts)]
        a, w = [(code / scale).astype(np.float32) for code in codes] if relative else codes
        exact = exact_product(a, w)
        error = unit.product(a, w) - exact
        total += error / exact if relative else error
    return ErrorSurface(
        unit.name, total / draws, low / scale, (low + steps) / scale, relative, draws
    )
