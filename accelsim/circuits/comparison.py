"""Comparison: what the paper's unit costs relative to an exact one, by structure and baseline.

The ratio is no property of the cells alone. It moves by an order of magnitude with the array that
the AMA5 cells are put into, with whether their buffers are kept, with the exact array it is divided
by, and with whether glitches count. So each is a row or a column here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.circuits.arrays import Buffers, Style
from accelsim.circuits.circuit import Circuit
from accelsim.circuits.floats import FloatForm, float_circuit
from accelsim.circuits.integers import Cleanup
from accelsim.multipliers.tiled import TiledArray, array_circuit

__all__ = ["ComparisonRow", "Cost", "normal_operands", "paper_unit_comparison", "unit_cost"]

STRUCTURES: tuple[Style, ...] = ("tiled", "ripple_row", "carry_save")


class Cost(NamedTuple):
    """Cost of one circuit: area, delay, and energy of a product without and with glitches."""

    area_um2: float
    delay_ps: float
    energy_functional_pj: float
    energy_glitch_pj: float


class ComparisonRow(NamedTuple):
    """One circuit of the unit over one exact baseline; ratios are unit / baseline.

    Attributes
    ----------
    structure, buffers : str
        Array of the unit's AMA5 cells, and whether their buffers are ``kept`` or ``wires``. The
        tiled array is the function of `ax_fpm`, the two others that of `ax_fpm_flat`.
    baseline : str
        Array of the exact multiplier, of exact full adders.
    area_um2, delay_ps, energy_functional_pj, energy_glitch_pj : float
        Of the unit.
    area_ratio, delay_ratio, energy_functional_ratio, energy_glitch_ratio : float
    """

    structure: str
    buffers: str
    baseline: str
    area_um2: float
    delay_ps: float
    energy_functional_pj: float
    energy_glitch_pj: float
    area_ratio: float
    delay_ratio: float
    energy_functional_ratio: float
    energy_glitch_ratio: float


def normal_operands(count: int = 1200, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Return *count* activations N(0, 1) and weights N(0, 0.05), float32."""
    rng = np.random.default_rng(seed)
    activations = rng.standard_normal(count).astype(np.float32)
    return activations, (0.05 * rng.standard_normal(count)).astype(np.float32)


def unit_cost(circuit: Circuit, a: ArrayLike, w: ArrayLike) -> Cost:
    """Return what *circuit* costs, its energies over the stream of operands *a*, *w*."""
    return Cost(
        circuit.area_um2(),
        circuit.delay_ps(),
        circuit.energy_pj(a, w),
        circuit.energy_pj(a, w, glitches=True),
    )


def paper_unit_comparison(
    a: ArrayLike | None = None,
    w: ArrayLike | None = None,
    cleanup: Cleanup = "unread",
    rounding: Literal["truncate", "nearest_even"] = "truncate",
) -> list[ComparisonRow]:
    """Return a row per structure of the paper's fp32 unit, buffers or none, and exact baseline.

    Whole floating-point multipliers, mantissa array, exponents, normalizer and special values.

    Parameters
    ----------
    a, w : array_like of float32, optional
        Activations and weights in the order they are multiplied; both or none, then
        `normal_operands`.
    cleanup : str
        Of both mantissa arrays: see `accelsim.circuits.integers.Cleanup`. ``none`` charges the unit
        for cells whose outputs nobody reads.
    rounding : str
        Of the exact baseline. The unit truncates; ``truncate`` compares like with like,
        ``nearest_even`` with what `exact_fp32` does.

    Raises
    ------
    DataError, CircuitError
        Operands that are not float32, or fewer than two.
    """
    if a is None or w is None:
        a, w = normal_operands()
    exact = {
        style: unit_cost(
            float_circuit(FloatForm(rounding=rounding), "exact", style, cleanup=cleanup), a, w
        )
        for style in STRUCTURES
    }
    rows = []
    for structure in STRUCTURES:
        for buffers in get_args(Buffers):
            array = TiledArray(bits=24, carry=False, least_sum=127)
            unit = array_circuit("unit", array, structure, buffers, cleanup)
            cost = unit_cost(unit, a, w)
            for baseline, base in exact.items():
                ratios = (x / y for x, y in zip(cost, base, strict=True))
                rows.append(ComparisonRow(structure, buffers, baseline, *cost, *ratios))
    return rows
