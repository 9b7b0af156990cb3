"""The matrix product of an integer unit: by table up to 8 bits, by its scalar product above."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.compilation import jit
from accelsim.kernels.parts import plain_kernel
from accelsim.multipliers import IntegerMultiplier

__all__ = ["accumulate_integers"]


def accumulate_integers(
    unit: IntegerMultiplier,
    adder: Accumulator,
    activations: NDArray[Any],
    weights: NDArray[Any],
    psums: NDArray[Any],
) -> None:
    """Add the products of integer operands to *psums*, as `accumulate`, which checks them."""
    if unit.scalar is not None and unit.operands.bits > 8:
        plain_kernel_of(unit.scalar, adder)(
            activations.astype(np.int64), weights.astype(np.int64), psums
        )
        return
    mask = (1 << unit.operands.bits) - 1
    kind = np.dtype(f"u{activations.dtype.itemsize}")
    table = np.ascontiguousarray(unit.table.T)
    _table_kernel(adder)(
        activations.view(kind) & kind.type(mask), weights.view(kind) & kind.type(mask), table, psums
    )


@functools.cache
def plain_kernel_of(scalar: Callable[..., Any], adder: Accumulator) -> Callable[..., None]:
    """Return the loop over the scalar product."""
    return plain_kernel(scalar, adder.add)


@functools.cache
def _table_kernel(adder: Accumulator) -> Callable[..., None]:
    """Return the jitted ``(activations, weights, table[w, a], psums) -> None`` over patterns."""
    add = adder.add

    @jit
    def by_table(activations, weights, table, psums):  # type: ignore[no-untyped-def]
        for j in range(psums.shape[0]):
            out = psums[j]
            for kk in range(activations.shape[0]):
                row, x = table[weights[j, kk]], activations[kk]
                for i in range(out.size):
                    out[i] = add(out[i], row[x[i]])

    return by_table
