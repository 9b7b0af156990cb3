"""A cell array on many operand pairs at once: one word holds the same bit of 64 pairs.

The definition, `cell_array.array_sum`, goes through the cells one product at a time. Here a cell is
AND and XOR on words, WORDS of them side by side, so that LLVM vectorizes it::

    operands -> transpose: word rows of one bit -> cells, row by row -> transpose: array outputs

What a cell does to words is its truth table as an XOR of ANDs (algebraic normal form), with masks
for the coefficients: one loop serves all kinds of cells and all cell maps, and is compiled once.
Both ways are equal in every bit, and tested to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from accelsim.circuits import FULL_ADDERS
from accelsim.compilation import jit
from accelsim.multipliers.cell_array import CellMap

__all__ = ["LANES", "WORDS", "sliced_array"]

WORDS = 64
"""Words that hold one bit: enough to hide the overhead of a cell's loop."""
LANES = 64 * WORDS
"""Pairs of operands per call."""

_TRANSPOSE_MASKS = tuple(
    (step, sum(1 << i for i in range(64) if not i & step)) for step in (32, 16, 8, 4, 2, 1)
)
"""(distance, the lower half of each group of 2 x distance bits)"""


@jit
def _exchange(low, high, step, mask):  # type: ignore[no-untyped-def]
    """Exchange the upper bits of the words *low* with the lower ones of *high*, in place."""
    for v in range(low.size):
        swapped = ((low[v] >> step) ^ high[v]) & mask
        high[v] ^= swapped
        low[v] ^= swapped << step


@jit
def _transpose(words):  # type: ignore[no-untyped-def]
    """Transpose the 64x64 bit matrices ``words[:, v]``, int64 (64, WORDS), in place.

    Lane ``i * WORDS + v`` is row i of matrix v: bit b of it goes to bit i of ``words[b, v]``.
    """
    for step, mask in _TRANSPOSE_MASKS:
        for row in range(64):
            if not row & step:
                _exchange(words[row], words[row + step], step, mask)


def _normal_form(table: str) -> list[int]:
    """Return the 8 coefficients (0, or -1 for all ones) of a truth table as XOR of ANDs.

    Coefficient i is that of the product of the inputs whose bits are set in i (A 4, B 2, Cin 1).

    >>> _normal_form("01101001")
    [0, -1, -1, 0, -1, 0, 0, 0]
    """
    values = [int(digit) for digit in table]
    for step in (1, 2, 4):
        for i in range(8):
            if i & step:
                values[i] ^= values[i - step]
    return [-value for value in values]


@jit
def _cell(bit, weight, running, carry, form):  # type: ignore[no-untyped-def]
    """Replace ``running`` and ``carry`` by a cell's outputs; *form*: (2, 8) normal forms."""
    s, t = form[0], form[1]
    s0, s1, s2, s3, s4, s5, s6, s7 = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
    t0, t1, t2, t3, t4, t5, t6, t7 = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
    for v in range(bit.size):
        a, b, c = bit[v] & weight[v], running[v], carry[v]
        bc = b & c
        running[v] = (s0 ^ (s1 & c) ^ (s2 & b) ^ (s3 & bc)) ^ (
            a & (s4 ^ (s5 & c) ^ (s6 & b) ^ (s7 & bc))
        )
        carry[v] = (t0 ^ (t1 & c) ^ (t2 & b) ^ (t3 & bc)) ^ (
            a & (t4 ^ (t5 & c) ^ (t6 & b) ^ (t7 & bc))
        )


@jit
def _array(forms, activations, weights, sums):  # type: ignore[no-untyped-def]
    """As `sliced_array`, with the cells' normal forms (bits - 1, bits, 2, 8)."""
    bits = forms.shape[1]
    for operands in (activations, weights):
        _transpose(operands)
    for i in range(64):
        for v in range(WORDS):
            sums[i, v] = activations[0, v] & weights[i, v] if i < bits else 0
    for r in range(1, bits):
        # The carry runs along the row in the place where the row's last one belongs.
        for j in range(bits):
            _cell(activations[r], weights[j], sums[r + j], sums[r + bits], forms[r - 1, j])
    _transpose(sums)


def sliced_array(cells: CellMap) -> Callable[..., Any]:
    """Return the jitted (activations, weights, sums) -> None: array outputs of LANES pairs.

    Parameters
    ----------
    cells : CellMap
        Of a bits x bits array, bits up to 31.

    Returns
    -------
    jitted function of three int64 arrays (64, WORDS)
        Operands on entry: lane ``i * WORDS + v`` at [i, v], from 0 to 2^bits - 1. On return *sums*
        holds the outputs in the same places; the operands have been overwritten.
    """
    kinds = {
        name: [_normal_form(cell.sum_table), _normal_form(cell.carry_table)]
        for name, cell in FULL_ADDERS.items()
    }
    forms = np.array([[kinds[name] for name in row] for row in cells], np.int64)

    @jit
    def array(activations, weights, sums):  # type: ignore[no-untyped-def]
        _array(forms, activations, weights, sums)

    return array
