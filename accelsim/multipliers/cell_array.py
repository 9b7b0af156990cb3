"""The ripple-row array multiplier with any full adder in every place.

The rows of a *bits* x *bits* array belong to the activation's bits, its columns to the weight's.
Row 0 is the first partial product and has no adders; each row r from 1 on adds another one::

    running = a_0 * W
    for r = 1 .. bits - 1:                       # rows
        carry = 0
        for j = 0 .. bits - 1:                   # cells of a row, place r + j
            A, B, Cin = a_r & w_j, running[r + j], carry
            running[r + j], carry = cell(r, j).sum(A, B, Cin), cell(r, j).carry(A, B, Cin)
        running[r + bits] = carry

In every cell A is the new partial product and B the running sum, which matters: the approximate
cells are not symmetric. With exact cells the result is ``A * W``, with AMA5 in all places
``(A & 1) * W + 2^bits * (A & ~1) * (W >> (bits - 1))``. AMA1, AMA2 and AMA3 in low columns give
products other than 0 for operands 0.

A *cell map* is a table of names of `accelsim.circuits.FULL_ADDERS`: ``cells[r - 1][j]`` is the
adder of row r, column j, so that it has bits - 1 rows of bits names.

Sources
-------
The arrangement is that of the 4x4 arrays in the model released with Guesmi et al., "Defensive
Approximation", ASPLOS 2021; cells: Gupta et al., IEEE TCAD 32(1), 2013.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from accelsim.circuits import FULL_ADDERS
from accelsim.compilation import jit
from accelsim.errors import ConfigError, nearest

__all__ = ["CellMap", "array_sum", "cells_below", "checked_cells", "count_cells"]

CellMap = tuple[tuple[str, ...], ...]
"""``cells[r - 1][j]``: name of the adder in row r, column j."""


def cells_below(bits: int, bands: Sequence[tuple[int, str]]) -> CellMap:
    """Return the cell map with approximate cells in low columns, exact ones above.

    Parameters
    ----------
    bits : int
        Of an operand.
    bands : sequence of (int, str)
        (cut, cell), cuts ascending: *cell* where ``r + j < cut`` and no band before applies.

    Examples
    --------
    >>> cells_below(3, [(2, "ama5"), (3, "ama4")])
    (('ama5', 'ama4', 'exact'), ('ama4', 'exact', 'exact'))
    """

    def cell(place: int) -> str:
        return next((name for cut, name in bands if place < cut), "exact")

    return tuple(tuple(cell(r + j) for j in range(bits)) for r in range(1, bits))


def checked_cells(cells: Sequence[Sequence[str]], bits: int, owner: str) -> CellMap:
    """Return *cells* as a cell map of a *bits* x *bits* array.

    Raises
    ------
    ConfigError
        When there are not bits - 1 rows of bits cells, or a name is not that of a full adder.
    """
    rows = tuple(tuple(row) for row in cells)
    if len(rows) != bits - 1 or any(len(row) != bits for row in rows):
        lengths = sorted({len(row) for row in rows})
        raise ConfigError(
            f"{owner}: cells must be {bits - 1} rows of {bits} names (row 0, the first partial "
            f"product, has no adders), got {len(rows)} rows of {lengths}"
        )
    for r, row in enumerate(rows, start=1):
        for j, name in enumerate(row):
            if name not in FULL_ADDERS:
                raise ConfigError(
                    f"{owner}: no full adder named {name!r} (row {r}, column {j}); known: "
                    f"{', '.join(FULL_ADDERS)}.{nearest(name, FULL_ADDERS)}"
                )
    return rows


def count_cells(cells: CellMap) -> dict[str, int]:
    """Return how many cells of each kind there are.

    >>> count_cells(cells_below(3, [(3, "ama5")]))
    {'ama5': 3, 'exact': 3}
    """
    return dict(Counter(name for row in cells for name in row))


def _truth_bits(table: str) -> int:
    """Return eight digits as an integer whose bit i is the i-th digit.

    >>> _truth_bits("00110011")
    204
    """
    return sum(int(digit) << i for i, digit in enumerate(table))


def array_sum(cells: CellMap) -> Callable[..., Any]:
    """Return the jitted (activation, weight) -> array output, int64: the definition, cell by cell.

    Parameters
    ----------
    cells : CellMap
        Of a bits x bits array, bits up to 31.
    """
    adders = [[FULL_ADDERS[name] for name in row] for row in cells]
    sums = np.array([[_truth_bits(cell.sum_table) for cell in row] for row in adders])
    carries = np.array([[_truth_bits(cell.carry_table) for cell in row] for row in adders])
    bits = len(cells) + 1

    @jit
    def total(a, w):  # type: ignore[no-untyped-def]
        running = (a & 1) * w
        for r in range(1, bits):
            bit, carry = (a >> r) & 1, 0
            for j in range(bits):
                place = r + j
                inputs = 4 * (bit & (w >> j)) + 2 * ((running >> place) & 1) + carry
                output = (sums[r - 1, j] >> inputs) & 1
                carry = (carries[r - 1, j] >> inputs) & 1
                running = (running & ~(1 << place)) | (output << place)
            running |= carry << (r + bits)
        return running

    return total
