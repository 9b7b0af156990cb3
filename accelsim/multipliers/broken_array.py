"""bam_h<h>v<v>_<u|s><bits>: the broken-array multiplier, an exact array with cells left out.

The cell of weight bit i (a row) and activation bit j adds ``2^(i + j)``. Cells of the first h rows
(above the horizontal break) and of the columns below v (right of the vertical break) are missing::

    product = sum over i >= h, i + j >= v of  w_i a_j 2^(i + j)        h <= bits, v <= 2 bits - 1

Never above the exact product. h and v are the breaks of the carry-save array as ArithsGen's
``UnsignedBrokenArrayMultiplier`` numbers them, whose rows are the second operand's bits.

>>> int(_core(8, 4, 4)(43, 84))
3440

Sources
-------
Mahdiani, Ahmadi, Fakhraie, Lucas, "Bio-inspired imprecise computational blocks for efficient VLSI
implementation of soft-computing applications", IEEE TCAS-I 57(4), 2010; the example 43 x 84 = 3440
is ArithsGen's (its README).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import NUMBER, WIDTH, in_range, integer_unit, operands_of
from accelsim.registry import Family

__all__: list[str] = []

_DERIVED = "derived: exact_uint8's 1430 ps x {}, the ratio of the circuits' delays"
_DELAYS = {"bam_h0v6_u8": (1430.0, _DERIVED.format(1.0))}


@functools.cache
def _core(bits: int, h: int, v: int) -> Callable[..., Any]:
    """Return the unsigned product without the first *h* rows and the columns below *v*."""
    kept = -(1 << v)

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        total = 0
        for i in range(h, bits):
            total += ((a << i) & kept) * ((w >> i) & 1)
        return total

    return product


def _member(name: str, h: str, v: str, sign: str, bits: str) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    rows = in_range(name, "h", h, 0, operands.bits)
    columns = in_range(name, "v", v, 0, 2 * operands.bits - 1)
    return integer_unit(
        name,
        operands,
        _core(operands.bits, rows, columns),
        title=f"broken-array multiplier without {rows} rows and {columns} columns",
        description=(
            f"Exact array without the cells of the weight's {rows} lowest bits and those that add "
            f"less than 2^{columns}; never above the exact product."
        ),
        sources=(
            'Mahdiani, Ahmadi, Fakhraie, Lucas, "Bio-inspired imprecise computational blocks for '
            'efficient VLSI implementation of soft-computing applications", IEEE TCAS-I 57(4), '
            "2010",
        ),
        delays=_DELAYS,
        style="carry_save",
        dropped=lambda j, i: i < rows or i + j < columns,
    )


MULTIPLIERS.register_family(
    Family(
        form="bam_h<h>v<v>_<u|s><bits>",
        pattern=rf"bam_h(?P<h>{NUMBER})v(?P<v>{NUMBER}){WIDTH}",
        title="broken-array multiplier without h rows and v columns",
        make=_member,
    )
)
MULTIPLIERS.register("bam_h0v6_u8", _member("bam_h0v6_u8", "0", "6", "u", "8"))
