"""Gupta et al., "Low-Power Digital Signal Processing Using Approximate Adders", IEEE TCAD 2013.

The cells' wrong entries, and the mean error of a ripple-carry adder whose y lowest cells are
approximate, for uniform operands: closed forms of the paper's appendix, exact for every width, so
that no tolerance is needed.
"""

from fractions import Fraction

import numpy as np
import pytest

from accelsim.circuits import FULL_ADDERS

PUBLISHED = {
    "ama1": ((2, 1), lambda y: Fraction(0)),
    "ama2": ((2, 0), lambda y: Fraction(y, 4)),
    "ama3": ((3, 1), lambda y: 1 - Fraction(1, 2**y)),
    "ama4": ((3, 2), lambda y: (1 - Fraction(2) ** (y - 1)) / 4),
    "ama5": ((4, 2), lambda y: Fraction(1, 2)),
}
"""Cell -> (wrong entries of Sum, of Cout), mean error of a sum with y approximate bits."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_wrong_entries(name):
    cell, exact = FULL_ADDERS[name], FULL_ADDERS["exact"]
    wrong = tuple(
        sum(x != y for x, y in zip(getattr(cell, table), getattr(exact, table), strict=True))
        for table in ("sum_table", "carry_table")
    )
    assert wrong == PUBLISHED[name][0]


@pytest.mark.parametrize("y", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", PUBLISHED)
def test_mean_error_of_a_ripple_carry_adder(name, y):
    """All pairs of y bits; what the exact cells above do with the carry is without error."""
    cell = FULL_ADDERS[name]
    sums, carries = (np.array([*map(int, t)]) for t in (cell.sum_table, cell.carry_table))
    a, b = np.meshgrid(np.arange(2**y), np.arange(2**y))
    total, carry = np.zeros_like(a), np.zeros_like(a)
    for bit in range(y):
        inputs = 4 * (a >> bit & 1) + 2 * (b >> bit & 1) + carry
        total, carry = total + (sums[inputs] << bit), carries[inputs]
    error = total + (carry << y) - (a + b)
    assert Fraction(int(error.sum()), error.size) == PUBLISHED[name][1](y)
