"""Logic: small functions of nets, and gates that fold constants away.

All functions here take a *gate maker*, ``gate(cell, *nets) -> nets``: either `Builder.gate`, which
places every gate it is asked for, or `folding(builder)`, which does without those that constant or
equal inputs make superfluous.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from accelsim.circuits.cells import CELLS
from accelsim.circuits.netlist import FIRST_NET, Builder, Netlist

__all__ = [
    "GateMaker",
    "add",
    "add_fast",
    "at_least",
    "conditional_negate",
    "folded",
    "folding",
    "function",
    "increment",
    "invert",
    "multiplex",
    "reduce_tree",
]

GateMaker = Callable[..., tuple[int, ...]]
"""(cell name, input nets ...) -> output nets."""

# Two-input functions that are no cell: inverts one input of the cell.
_INVERTED_INPUT = {"0010": ("NOR2", 0), "0100": ("NOR2", 1), "1011": ("NAND2", 0),
                   "1101": ("NAND2", 1)}  # fmt: skip


def folding(builder: Builder) -> GateMaker:
    """Return a gate maker that places no gate whose inputs are constant or equal.

    A gate with such inputs becomes what is left of its function: a constant, a wire, an inverter,
    a half adder, or `function` of the remaining inputs.

    >>> builder = Builder()
    >>> a, b = builder.input("a", 2)
    >>> gate = folding(builder)
    >>> gate("FA", a, 0, 0) == (a, 0), gate("AND2", b, 1) == (b,)
    (True, True)
    """

    def gate(cell: str, *inputs: int) -> tuple[int, ...]:
        live = tuple(dict.fromkeys(net for net in inputs if net >= FIRST_NET))
        if len(live) == len(inputs):
            return builder.gate(cell, *inputs)
        tables = tuple(_restricted(table, inputs, live) for table in CELLS[cell].tables)
        if tables == CELLS["HA"].tables:
            return builder.gate("HA", *live)
        return tuple(function(builder.gate, table, live) for table in tables)

    return gate


def folded(netlist: Netlist) -> Netlist:
    """Return *netlist* as `folding` would have made it, without gates that no output depends on.

    What synthesis does at the least: its circuit is made of no gate whose inputs are constant.

    >>> builder = Builder()
    >>> a, b = builder.input("a", 2)
    >>> builder.output("p", builder.gate("FA", a, 1, b))
    >>> [gate.cell for gate in folded(builder.finish()).gates]
    ['XNOR2', 'OR2']
    """
    builder = Builder()
    gate = folding(builder)
    nets = {0: 0, 1: 1}
    for name, port in netlist.inputs.items():
        nets |= dict(zip(port, builder.input(name, len(port)), strict=True))
    for number in netlist.order:
        cell, inputs, outputs = netlist.gates[number]
        nets |= dict(zip(outputs, gate(cell, *(nets[net] for net in inputs)), strict=True))
    for name, port in netlist.outputs.items():
        builder.output(name, (nets[net] for net in port))
    return builder.finish().without_unread()


def function(gate: GateMaker, table: str, nets: Sequence[int]) -> int:
    """Return the net of any function of *nets*, by its truth table as in `cells`.

    A cell where one fits, inverters before NAND2 or NOR2 for the other functions of two nets, and
    multiplexers over the first net for the rest (Shannon's expansion).
    """
    for i in range(len(nets)):
        low, high = _cofactors(table, len(nets), i)
        if low == high:
            return function(gate, low, (*nets[:i], *nets[i + 1 :]))
    if not nets:
        return int(table)
    if table == "01":
        return nets[0]
    for cell in CELLS.values():
        if len(cell.outputs) == 1 and len(cell.inputs) == len(nets):
            for order in itertools.permutations(nets):
                if _restricted(cell.tables[0], order, nets) == table:
                    return gate(cell.name, *order)[0]
    if table in _INVERTED_INPUT:
        name, which = _INVERTED_INPUT[table]
        return gate(name, *(invert(gate, n) if i == which else n for i, n in enumerate(nets)))[0]
    halves = [function(gate, half, nets[1:]) for half in _cofactors(table, len(nets), 0)]
    return gate("MUX2", *halves, nets[0])[0]


def _restricted(table: str, inputs: Sequence[int], live: Sequence[int]) -> str:
    """Return *table* of a gate's *inputs* as a function of the nets *live* among them."""
    digits = []
    for bits in itertools.product("01", repeat=len(live)):
        value = {0: "0", 1: "1", **dict(zip(live, bits, strict=True))}
        digits.append(table[int("".join(value[net] for net in inputs), 2)])
    return "".join(digits)


def _cofactors(table: str, count: int, which: int) -> tuple[str, str]:
    """Return *table* of *count* inputs with input *which* 0, and with it 1."""
    place = count - 1 - which
    ones = [row >> place & 1 for row in range(len(table))]
    low = "".join(digit for digit, one in zip(table, ones, strict=True) if not one)
    high = "".join(digit for digit, one in zip(table, ones, strict=True) if one)
    return low, high


def invert(gate: GateMaker, net: int) -> int:
    """Return the inverse of *net*."""
    return gate("INV", net)[0]


def multiplex(
    gate: GateMaker, low: Sequence[int], high: Sequence[int], select: int
) -> tuple[int, ...]:
    """Return *high* where *select* is 1, else *low*, bit by bit."""
    return tuple(gate("MUX2", x, y, select)[0] for x, y in zip(low, high, strict=True))


def reduce_tree(gate: GateMaker, cell: str, nets: Sequence[int]) -> int:
    """Return the AND (*cell* AND2) or OR (OR2) of all *nets*, as a balanced tree."""
    level = list(nets)
    while len(level) > 1:
        pairs = [gate(cell, x, y)[0] for x, y in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(level) // 2 * 2 :]
    return level[0]


def add(
    gate: GateMaker, x: Sequence[int], y: Sequence[int], carry: int = 0
) -> tuple[tuple[int, ...], int]:
    """Return (sum, carry out) of a ripple-carry adder of exact full adders.

    As wide as the wider operand; the other is extended with zeros.
    """
    total = []
    for a, b in itertools.zip_longest(x, y, fillvalue=0):
        bit, carry = gate("FA", a, b, carry)
        total.append(bit)
    return tuple(total), carry


def add_fast(
    gate: GateMaker, x: Sequence[int], y: Sequence[int], carry: int = 0
) -> tuple[tuple[int, ...], int]:
    """Return (sum, carry out) of two numbers of one width: a prefix adder, Sklansky's tree.

    Its depth grows with the logarithm of the width, its area faster than that of `add`.
    """
    halves = [gate("XOR2", a, b)[0] for a, b in zip(x, y, strict=True)]
    generates = [gate("AND2", a, b)[0] for a, b in zip(x, y, strict=True)]
    # The carry into bit 0 is a generate below all bits, which nothing propagates into.
    pairs = [(carry, 0), *zip(generates, halves, strict=True)]
    carries = [generate for generate, _ in _prefix_carries(gate, pairs)]
    bits = zip(halves, carries[:-1], strict=True)
    return tuple(gate("XOR2", half, below)[0] for half, below in bits), carries[-1]


def _prefix_carries(gate: GateMaker, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (generate, propagate) of positions 0 to i, for every i, from those of each."""
    if len(pairs) == 1:
        return list(pairs)
    middle = len(pairs) // 2
    low, high = _prefix_carries(gate, pairs[:middle]), _prefix_carries(gate, pairs[middle:])
    below_generates, below_propagates = low[-1]
    return low + [
        (
            gate("OR2", generates, *gate("AND2", propagates, below_generates))[0],
            gate("AND2", propagates, below_propagates)[0],
        )
        for generates, propagates in high
    ]


def increment(gate: GateMaker, x: Sequence[int], carry: int) -> tuple[tuple[int, ...], int]:
    """Return (x + carry, carry out).

    Bit i flips where *carry* and all bits below it are 1; those ANDs form a prefix tree that does
    not wait for *carry*.
    """
    below = _prefix_ands(gate, x)
    carries = [carry, *(gate("AND2", carry, ones)[0] for ones in below)]
    flipped = zip(x, carries[:-1], strict=True)
    return tuple(gate("XOR2", bit, flip)[0] for bit, flip in flipped), carries[-1]


def _prefix_ands(gate: GateMaker, x: Sequence[int]) -> list[int]:
    """Return the ANDs of bits 0 to i, for every i: Sklansky's tree."""
    if len(x) == 1:
        return list(x)
    middle = len(x) // 2
    low, high = _prefix_ands(gate, x[:middle]), _prefix_ands(gate, x[middle:])
    return low + [gate("AND2", low[-1], ones)[0] for ones in high]


def conditional_negate(gate: GateMaker, x: Sequence[int], negative: int) -> tuple[int, ...]:
    """Return -x where *negative* is 1, else x, two's complement of the same width."""
    flipped = [gate("XOR2", bit, negative)[0] for bit in x]
    return increment(gate, flipped, negative)[0]


def at_least(gate: GateMaker, x: Sequence[int], bound: int) -> int:
    """Return the net of ``x >= bound`` for an unsigned x: a balanced tree of comparisons."""

    def compare(low: int, high: int, strictly: bool) -> int:
        """Return x > bound (*strictly*) or x >= bound, of bits low to high - 1 alone."""
        if high - low == 1:
            one = bound >> low & 1
            return (0 if one else x[low]) if strictly else (x[low] if one else 1)
        middle = (low + high) // 2
        below = compare(low, middle, strictly)
        not_less = gate("AND2", compare(middle, high, False), below)[0]
        return gate("OR2", compare(middle, high, True), not_less)[0]

    return compare(0, len(x), False)
