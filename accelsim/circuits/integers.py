"""Integer multipliers as circuits, by one function of all structural choices."""

from __future__ import annotations

from typing import Literal, get_args

from accelsim.circuits.arrays import (
    Buffers,
    Cells,
    Dropped,
    Style,
    carry_save,
    kulkarni,
    partial_products,
    ripple_row,
    tiled,
)
from accelsim.circuits.circuit import Circuit, IntegerPorts
from accelsim.circuits.logic import GateMaker, conditional_negate, folding
from accelsim.circuits.netlist import Builder, Netlist
from accelsim.errors import CircuitError
from accelsim.formats import IntegerFormat

__all__ = ["Cleanup", "array_product", "cleaned", "gate_maker", "integer_circuit"]

Cleanup = Literal["none", "unread", "constants"]
"""What becomes of superfluous gates.

``none``: every cell of the structure is there. ``unread``: gates whose outputs nobody reads are
gone. ``constants``: these, and gates with constant inputs become what is left of their function.
"""

Signing = Literal["auto", "baugh_wooley", "sign_magnitude"]


def integer_circuit(
    bits: int,
    signed: bool,
    cells: Cells = "exact",
    dropped: Dropped = None,
    style: Style = "ripple_row",
    buffers: Buffers = "kept",
    cleanup: Cleanup = "constants",
    signing: Signing = "auto",
    name: str = "",
) -> Circuit:
    """Return the multiplier of two *bits*-bit integers.

    Parameters
    ----------
    bits : int
        Width of activation and weight.
    signed : bool
        Two's complement operands and product.
    cells : str, callable or table
        Full adder of each cell, by its name in `FULL_ADDERS`: one for all, a function of (row,
        column), or a table ``[row][column]``. Rows and columns are counted as `arrays` says: cell
        (row, column) has the weight ``2^(row + column)``, rows start at 1, and carry_save has a
        last row *bits*. In style tiled: within every 4x4 tile. Not for kulkarni.
    dropped : callable or table, optional
        Whether partial product (activation bit, weight bit) is left out (a broken array). Not for
        tiled and kulkarni.
    style : str
        ``ripple_row``, ``carry_save``, ``tiled`` or ``kulkarni``: see `arrays`.
    buffers : str
        ``kept``: an approximate cell's output that is one of its inputs is driven by a buffer;
        ``wires``: it is that wire.
    cleanup : str
        ``none``, ``unread`` or ``constants``: see `Cleanup`.
    signing : str
        How signed operands are done. ``baugh_wooley``: inverted partial products of the sign bits;
        ripple_row and carry_save only, and meant for exact cells. ``sign_magnitude``: the unsigned
        array between conditional negations, ``core(|a|, |w|)``, negated where the signs differ
        (that of 0 is +), with one product bit more, since an approximate core may exceed any
        product. ``auto``: baugh_wooley for
        exact, complete flat arrays, else sign_magnitude.
    name : str
        What to call the circuit; by default its cells, operands and style.

    Returns
    -------
    Circuit
        Ports a, w of *bits* bits, and p of 2 *bits*, one more where tiled from 8 bits up, and one
        more for sign_magnitude.

    Raises
    ------
    CircuitError
        A choice that is not on offer, or that does not fit the style.
    ConfigError
        *bits* outside of `IntegerFormat`.
    """
    operands = IntegerFormat(bits, signed)
    for what, value, choices in (
        ("style", style, Style),
        ("buffers", buffers, Buffers),
        ("cleanup", cleanup, Cleanup),
        ("signing", signing, Signing),
    ):
        if value not in get_args(choices):
            known = ", ".join(get_args(choices))
            raise CircuitError(f"{what} must be one of {known}, got {value!r}")
    flat = style in ("ripple_row", "carry_save")
    if signing == "auto":
        plain = flat and cells == "exact" and dropped is None
        signing = "baugh_wooley" if plain else "sign_magnitude"
    if signed and signing == "baugh_wooley" and not flat:
        raise CircuitError(f"style {style} has no baugh_wooley form; use sign_magnitude")
    builder = Builder()
    gate = gate_maker(builder, cleanup)
    a, w = builder.input("a", bits), builder.input("w", bits)
    if not signed:
        p = array_product(gate, a, w, cells, dropped, style, buffers)
    elif signing == "baugh_wooley":
        p = array_product(gate, a, w, cells, dropped, style, buffers, signed=True)
    else:
        sign = gate("XOR2", a[-1], w[-1])[0]
        a_size, w_size = (conditional_negate(gate, x, x[-1]) for x in (a, w))
        size = array_product(gate, a_size, w_size, cells, dropped, style, buffers)
        p = conditional_negate(gate, (*size, 0), sign)
    builder.output("p", p)
    kind = cells if isinstance(cells, str) else "mixed"
    return Circuit(
        name=name or f"{kind} {operands.name} {style}",
        netlist=cleaned(builder.finish(), cleanup),
        ports=IntegerPorts(operands),
    )


def array_product(
    gate: GateMaker,
    a: tuple[int, ...],
    w: tuple[int, ...],
    cells: Cells = "exact",
    dropped: Dropped = None,
    style: Style = "ripple_row",
    buffers: Buffers = "kept",
    signed: bool = False,
) -> tuple[int, ...]:
    """Return the product's nets of the array of *style*; *signed* is Baugh-Wooley's form.

    Raises
    ------
    CircuitError
        Cells or dropped partial products that the style does not have.
    """
    if dropped is not None and style in ("tiled", "kulkarni"):
        raise CircuitError(f"style {style} cannot leave out partial products; use a flat array")
    if style == "kulkarni":
        if cells != "exact":
            raise CircuitError("style kulkarni has exact adders only: leave cells at 'exact'")
        return kulkarni(gate, a, w)
    if style == "tiled":
        return tiled(gate, a, w, cells, buffers)
    products = partial_products(gate, a, w, dropped, signed)
    array = ripple_row if style == "ripple_row" else carry_save
    return array(gate, products, cells, buffers, signed)


def gate_maker(builder: Builder, cleanup: Cleanup) -> GateMaker:
    """Return how gates are placed under *cleanup*: folded, or each as it is asked for."""
    return folding(builder) if cleanup == "constants" else builder.gate


def cleaned(netlist: Netlist, cleanup: Cleanup) -> Netlist:
    """Return *netlist*, without unread gates unless *cleanup* is none."""
    return netlist if cleanup == "none" else netlist.without_unread()
