"""Arrays: multipliers of unsigned or two's complement integers, cell by cell.

Partial product (i, j) is activation bit i AND weight bit j, at weight ``2^(i + j)``. Every adder
cell may be any of `FULL_ADDERS`; every partial product may be left out.

``ripple_row``   row r = 1 .. N-1 adds activation bit r times the weight; the carry ripples through
    the row. Cell (r, c), of weight ``2^(r + c)``: A = partial product (r, c), B = the running sum
    from the row above (in column N-1 that row's carry out; 0 under row 0), Cin = carry from (r,
    c-1). Row 0 are the partial products themselves.
``carry_save``   row r = 1 .. N-1 adds weight bit r times the activation; carries go down to the
    next row. Cell (r, c), again of weight ``2^(r + c)``: A = the sum above, B = partial product (c,
    r), Cin = the carry above. A last row r = N ripples: A = sum, B = carry from the right, Cin =
    carry above.
``tiled``   ripple-row arrays of 4x4, four of which exact ripple adders make 8x8, and those NxN.
``kulkarni``   blocks of 2x2 whose 3 x 3 is 7, put together by exact ripple adders, recursively.

With every cell AMA5 both flat arrays give ``(A & 1) W + 2^N (A & ~1) (W >> N-1)``, and a 4x4 tile
``(x & 1) y + 16 (y >> 3) (x & 14)``: the functions of `accelsim.multipliers.tiled`.

Sources
-------
Braun and carry-save arrays, Baugh-Wooley sign handling: textbook structures. Kulkarni, Gupta,
Ercegovac, "Trading Accuracy for Power with an Underdesigned Multiplier Architecture", VLSI Design
2011 (the 2x2 block). The tiling is that of the multiplier released with Guesmi et al., "Defensive
Approximation", ASPLOS 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from accelsim.circuits.full_adders import FULL_ADDERS
from accelsim.circuits.logic import GateMaker, add, function, invert
from accelsim.errors import CircuitError, nearest

__all__ = [
    "Buffers",
    "Cells",
    "Dropped",
    "Style",
    "carry_save",
    "full_adder",
    "kulkarni",
    "partial_products",
    "ripple_row",
    "tiled",
]

Buffers = Literal["kept", "wires"]
"""Whether an output that equals an input is driven by a buffer (BUF) or is that very wire."""

Cells = str | Callable[[int, int], str] | Sequence[Sequence[str]]
"""Full adder of cell (row, column): one name for all, a function, or a table ``[row][column]``."""

Dropped = Callable[[int, int], bool] | Sequence[Sequence[bool]] | None
"""Whether partial product (activation bit, weight bit) is left out: a function or a table."""

Style = Literal["ripple_row", "carry_save", "tiled", "kulkarni"]

TILE_BITS = 4
BLOCK_BITS = 8


def full_adder(
    gate: GateMaker, name: str, a: int, b: int, carry: int, buffers: Buffers = "kept"
) -> tuple[int, int]:
    """Return (sum, carry out) of the full adder *name* of `FULL_ADDERS`.

    Built so (exact: one FA cell)::

        ama1   Sum = Cin (A xnor B)              Cout = (B + A Cin)''         XNOR2 AND2 AOI21 INV
        ama2   Sum = (A B + Cin (A + B))'        Cout = Sum'                  OR2 AOI22 INV
        ama3   Sum = (B + A Cin)'                Cout = Sum'                  AOI21 INV
        ama4   Sum = (Cin (A' + B))''            Cout = A                     INV OAI21 INV BUF
        ama5   Sum = B                           Cout = A                     BUF BUF

    A cell that is none of these is built from its truth tables by `function`.
    """

    def same(net: int) -> int:
        return gate("BUF", net)[0] if buffers == "kept" else net

    match name:
        case "exact":
            total, carry_out = gate("FA", a, b, carry)
        case "ama1":
            total = gate("AND2", carry, *gate("XNOR2", a, b))[0]
            carry_out = invert(gate, gate("AOI21", b, a, carry)[0])
        case "ama2":
            total = gate("AOI22", a, b, carry, *gate("OR2", a, b))[0]
            carry_out = invert(gate, total)
        case "ama3":
            total = gate("AOI21", b, a, carry)[0]
            carry_out = invert(gate, total)
        case "ama4":
            total = invert(gate, gate("OAI21", carry, invert(gate, a), b)[0])
            carry_out = same(a)
        case "ama5":
            total, carry_out = same(b), same(a)
        case _:
            if name not in FULL_ADDERS:
                raise CircuitError(
                    f"no full adder named {name!r}; known: {', '.join(FULL_ADDERS)}."
                    f"{nearest(name, FULL_ADDERS)}"
                )
            cell = FULL_ADDERS[name]
            pins = (a, b, carry)
            total = function(gate, cell.sum_table, pins)
            carry_out = function(gate, cell.carry_table, pins)
    return total, carry_out


def partial_products(
    gate: GateMaker,
    a: Sequence[int],
    w: Sequence[int],
    dropped: Dropped = None,
    signed: bool = False,
) -> list[list[int]]:
    """Return the nets of all partial products, ``[activation bit][weight bit]``.

    *signed*: those of exactly one sign bit come inverted, as the Baugh-Wooley scheme asks for.
    """
    leave_out = _lookup(dropped, "dropped") if dropped is not None else lambda i, j: False
    top_a, top_w = len(a) - 1, len(w) - 1

    def product(i: int, j: int) -> int:
        if leave_out(i, j):
            return 0
        cell = "NAND2" if signed and (i == top_a) != (j == top_w) else "AND2"
        return gate(cell, a[i], w[j])[0]

    return [[product(i, j) for j in range(len(w))] for i in range(len(a))]


def ripple_row(
    gate: GateMaker,
    products: Sequence[Sequence[int]],
    cells: Cells = "exact",
    buffers: Buffers = "kept",
    signed: bool = False,
) -> tuple[int, ...]:
    """Return the 2N product nets of the ripple-row array of N x N partial *products*.

    *signed* adds the Baugh-Wooley constants ``2^N`` (in row 1) and ``2^(2N - 1)`` (an inverter).
    """
    kind = _lookup(cells, "cells")
    running = list(products[0])
    out = [running[0]]
    above = int(signed)
    for row in range(1, len(products)):
        carry, sums = 0, []
        for column, below in enumerate([*running[1:], above]):
            name = kind(row, column)
            total, carry = full_adder(gate, name, products[row][column], below, carry, buffers)
            sums.append(total)
        running, above = sums, carry
        out.append(running[0])
    return (*out, *running[1:], invert(gate, above) if signed else above)


def carry_save(
    gate: GateMaker,
    products: Sequence[Sequence[int]],
    cells: Cells = "exact",
    buffers: Buffers = "kept",
    signed: bool = False,
) -> tuple[int, ...]:
    """Return the 2N product nets of the carry-save array of N x N partial *products*.

    *signed* adds the Baugh-Wooley constants ``2^N`` and ``2^(2N - 1)`` in the free sum inputs of
    rows 1 and N.
    """
    kind = _lookup(cells, "cells")
    size = len(products)
    sums = [products[column][0] for column in range(size)]
    carries = [0] * size
    out = [sums[0]]
    for row in range(1, size):
        above = [*sums[1:], int(signed and row == 1)]
        for column in range(size):
            sums[column], carries[column] = full_adder(
                gate,
                kind(row, column),
                above[column],
                products[column][row],
                carries[column],
                buffers,
            )
        out.append(sums[0])
    ripple = 0
    for column, total in enumerate([*sums[1:], int(signed)]):
        total, ripple = full_adder(
            gate, kind(size, column), total, ripple, carries[column], buffers
        )
        out.append(total)
    return tuple(out)


def tiled(
    gate: GateMaker,
    a: Sequence[int],
    w: Sequence[int],
    cells: Cells = "exact",
    buffers: Buffers = "kept",
) -> tuple[int, ...]:
    """Return the nets of ``a * w`` made of 4x4 ripple-row arrays and exact ripple adders.

    One bit more than 2N, since tiles of approximate cells may add up to more than a product: four
    tiles give 17 bits. *cells* says what every tile is made of, row and column counted within it.
    N is 4 (one tile, 8 bits) or a multiple of 8.
    """
    size = len(a)
    if size != len(w) or (size != TILE_BITS and (size == 0 or size % BLOCK_BITS)):
        raise CircuitError(
            f"tiled arrays are 4x4 or of a multiple of 8 bits on both sides, got {size}x{len(w)}; "
            "use ripple_row or carry_save"
        )

    def tile(x: Sequence[int], y: Sequence[int]) -> tuple[int, ...]:
        return ripple_row(gate, partial_products(gate, x, y), cells, buffers)

    def block(x: Sequence[int], y: Sequence[int]) -> tuple[int, ...]:
        return _quad(gate, x, y, tile)

    if size == TILE_BITS:
        return tile(a, w)
    starts = range(0, size, BLOCK_BITS)
    rows = [_shifted_sum(gate, [block(a[i : i + 8], w[j : j + 8]) for j in starts]) for i in starts]
    return _shifted_sum(gate, rows)


def kulkarni(gate: GateMaker, a: Sequence[int], w: Sequence[int]) -> tuple[int, ...]:
    """Return the 2N product nets of recursive 2x2 blocks whose 3 x 3 is 7; N is a power of two."""
    size = len(a)
    if size != len(w) or size < 2 or size & (size - 1):
        raise CircuitError(
            "kulkarni arrays need the same power of two, at least 2, of bits on both sides, got "
            f"{size}x{len(w)}"
        )
    if size > 2:
        # The whole never exceeds the exact product, so that the bit above 2N is always 0.
        return _quad(gate, a, w, lambda x, y: kulkarni(gate, x, y))[: 2 * size]
    products = partial_products(gate, a, w)
    middle = gate("OR2", products[0][1], products[1][0])[0]
    return products[0][0], middle, products[1][1], 0


def _quad(
    gate: GateMaker,
    a: Sequence[int],
    w: Sequence[int],
    part: Callable[[Sequence[int], Sequence[int]], tuple[int, ...]],
) -> tuple[int, ...]:
    """Return 2N + 1 nets: four products of halves, the middle two added first."""
    half = len(a) // 2
    low, high = part(a[:half], w[:half]), part(a[half:], w[half:])
    middle, carry = add(gate, part(a[:half], w[half:]), part(a[half:], w[:half]))
    upper, top = add(gate, (*low[half:], *high), (*middle, carry))
    return (*low[:half], *upper, top)


def _shifted_sum(gate: GateMaker, terms: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the sum of *terms* of the same width, each 8 bits further up than the one before.

    No carry out: the terms leave room in their top bit.
    """
    out: tuple[int, ...] = ()
    total = terms[0]
    for term in terms[1:]:
        out += total[:BLOCK_BITS]
        total, _ = add(gate, total[BLOCK_BITS:], term)
    return out + total


def _lookup(table: object, what: str) -> Callable[[int, int], Any]:
    """Return (row, column) -> entry for a single name, a function or a table."""
    if isinstance(table, str):
        return lambda row, column: table
    if callable(table):
        return table

    def entry(row: int, column: int) -> Any:
        try:
            return table[row][column]  # type: ignore[index]
        except (IndexError, TypeError):
            raise CircuitError(
                f"{what} has no entry [{row}][{column}]; give a name, a function of (row, column), "
                "or a table that covers the array"
            ) from None

    return entry
