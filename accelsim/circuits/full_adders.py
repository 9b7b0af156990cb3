"""Full adders: the exact one and the five approximate mirror adders AMA1 to AMA5.

A cell adds A, B and a carry Cin. Truth tables are written as in the literature: eight digits, for
(A, B, Cin) = 000, 001, ..., 111 from left to right.

Sources
-------
Gupta, Mohapatra, Raghunathan, Roy, "Low-Power Digital Signal Processing Using Approximate Adders",
IEEE TCAD 32(1), 2013: cells, and their count of wrong entries (Sum/Cout): 2/1, 2/0, 3/1, 3/2, 4/2.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL_ADDERS", "FullAdder"]


@dataclass(frozen=True)
class FullAdder:
    """One cell by its truth tables.

    Attributes
    ----------
    name : str
        ``exact`` or ``ama1`` to ``ama5``.
    sum_table, carry_table : str
        Eight digits, for (A, B, Cin) = 000 to 111.
    equations : str
        The same as formulas.

    >>> FULL_ADDERS["ama5"].sum(1, 0, 1), FULL_ADDERS["ama5"].carry(1, 0, 1)
    (0, 1)
    """

    name: str
    sum_table: str
    carry_table: str
    equations: str

    def sum(self, a: int, b: int, carry_in: int) -> int:
        """Return the sum output for three bits."""
        return int(self.sum_table[4 * a + 2 * b + carry_in])

    def carry(self, a: int, b: int, carry_in: int) -> int:
        """Return the carry output for three bits."""
        return int(self.carry_table[4 * a + 2 * b + carry_in])


FULL_ADDERS: dict[str, FullAdder] = {
    cell.name: cell
    for cell in (
        FullAdder("exact", "01101001", "00010111", "Sum = A ^ B ^ Cin; Cout = AB + Cin(A + B)"),
        FullAdder("ama1", "01000001", "00110111", "Sum = A'B'Cin + ABCin; Cout = B + ACin"),
        FullAdder("ama2", "11101000", "00010111", "Sum = Cout'; Cout = AB + Cin(A + B)"),
        FullAdder("ama3", "11001000", "00110111", "Sum = Cout'; Cout = B + ACin"),
        FullAdder("ama4", "01010001", "00001111", "Sum = Cin(A' + B); Cout = A"),
        FullAdder("ama5", "00110011", "00001111", "Sum = B; Cout = A"),
    )
}
"""Name -> cell."""
