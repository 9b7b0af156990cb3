"""What functions beyond arithmetic count as: the operations of a named float32 algorithm.

No energy is invented for them: an exponential is so many multiplications, additions and comparisons
of the vector unit, each with the table's energy and a lane's cycle. The values are not those of
these algorithms but the correctly rounded ones, as far as float64 gives them.

Sources
-------
S. L. Moshier, Cephes library, single precision: ``expf.c`` (range reduction by two constants, a
polynomial of degree 5) and ``logf.c`` (degree 8). M. Abramowitz and I. A. Stegun, Handbook of
Mathematical Functions, 7.1.26 (error function, error below 1.5e-7). C. Lomont, Fast inverse square
root, 2003: the integer seed, with three Newton steps instead of one, which is full float32.
"""

from __future__ import annotations

from accelsim.vector_functions.base import together

__all__ = ["ERF", "EXP", "LOG", "RSQRT", "SIGMOID", "SQRT", "TANH"]

EXP = {"multiply": 10, "add": 12, "compare": 2}
"""Range: 2 compares; n = floor(x log2(e) + 1/2): 1 multiply, 2 adds; r = x - n C1 - n C2: 2 and 2;
r^2, the polynomial, its product with r^2, + r + 1: 7 and 7; the exponent: 1 add."""

LOG = {"multiply": 14, "add": 14, "compare": 1}
"""Reduction to [sqrt(1/2), sqrt(2)): 1 compare, 2 adds; x^2: 1 multiply; degree 8: 8 and 8; times
x^3: 2 multiplies; the exponent in two parts: 2 and 2; -x^2/2: 1 and 1; the sum: 1 add."""

RSQRT = {"multiply": 10, "add": 4}
"""x/2: 1 multiply; the seed: 1 add; three steps y (3/2 - x/2 y y): 3 multiplies and 1 add each."""

SQRT = together(RSQRT, {"multiply": 1})
"""x times its inverse square root."""

SIGMOID = together(EXP, {"add": 1, "divide": 1})
"""1 / (1 + exp(-x))."""

TANH = together(EXP, {"multiply": 1, "add": 2, "divide": 1})
"""1 - 2 / (exp(2 x) + 1)."""

ERF = together(EXP, {"multiply": 8, "add": 6, "divide": 1})
"""1 - t (a1 + t (... a5)) exp(-x^2) with t = 1 / (1 + p x): 1 multiply, 1 add, 1 divide; x^2: 1
multiply; degree 5 without constant: 5 and 4; times exp, from 1: 1 and 1."""
