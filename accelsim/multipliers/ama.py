"""ama<1..5>_<u|s><bits>, ama<1..5>_cut<c>_<u|s><bits>: arrays of approximate mirror adders.

The ripple-row array of `cell_array`. Without a cut all cells are AMA1 to AMA5; with one those of
the columns below c are (cells that add less than 2^c), and the others are exact.

Arrays of AMA1, AMA2 and AMA3 have products other than 0 for operands 0.

>>> MULTIPLIERS["ama5_cut4_u8"].product([3, 5], [3, 5]).tolist()
[3, 21]

Sources
-------
Gupta, Mohapatra, Raghunathan, Roy, "Low-Power Digital Signal Processing Using Approximate Adders",
IEEE TCAD 32(1), 2013: the cells.
"""

from __future__ import annotations

from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.cell_array import array_sum, cells_below
from accelsim.multipliers.integer_family import NUMBER, WIDTH, in_range, integer_unit, operands_of
from accelsim.registry import Family

__all__: list[str] = []

_DERIVED = "derived: exact_uint8's 1430 ps x {}, the ratio of the circuits' delays"
_DELAYS = {
    "ama5_u8": (378.0, _DERIVED.format(0.264)),
    "ama5_cut8_u8": (1414.0, _DERIVED.format(0.9887)),
}


def _member(
    name: str, cell: str, sign: str, bits: str, cut: str | None = None
) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    columns = 2 * operands.bits
    where = "in all places"
    if cut is not None:
        columns = in_range(name, "c", cut, 0, columns)
        where = f"in the columns below {columns}, exact cells above"
    adder = f"ama{cell}"
    cells = cells_below(operands.bits, [(columns, adder)])
    return integer_unit(
        name,
        operands,
        array_sum(cells),
        title=f"ripple-row array with {adder.upper()} cells {where}",
        description=(
            f"Row by row over the activation's bits, {adder.upper()} cells {where}; cell input A "
            "is the new partial product, B the running sum."
        ),
        sources=(
            'Gupta, Mohapatra, Raghunathan, Roy, "Low-Power Digital Signal Processing Using '
            'Approximate Adders", IEEE TCAD 32(1), 2013: the cells',
        ),
        delays=_DELAYS,
        style="ripple_row",
        cells=lambda row, column: cells[row - 1][column],
    )


MULTIPLIERS.register_family(
    Family(
        form="ama<1..5>_<u|s><bits>",
        pattern=f"ama(?P<cell>[1-5]){WIDTH}",
        title="ripple-row array of approximate mirror adders",
        make=_member,
    )
)
MULTIPLIERS.register_family(
    Family(
        form="ama<1..5>_cut<c>_<u|s><bits>",
        pattern=rf"ama(?P<cell>[1-5])_cut(?P<cut>{NUMBER}){WIDTH}",
        title="ripple-row array, approximate mirror adders in the columns below c",
        make=_member,
    )
)
MULTIPLIERS.register("ama5_u8", _member("ama5_u8", "5", "u", "8"))
MULTIPLIERS.register("ama5_cut8_u8", _member("ama5_cut8_u8", "5", "u", "8", "8"))
