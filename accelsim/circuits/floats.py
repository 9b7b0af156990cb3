"""Floating-point multipliers as circuits: sign, exponents, mantissa array, normalizer, rounder.

Numbers have 8 exponent bits and, at the ports, 23 or 7 fraction bits. ``n`` is the width of the
significands that the mantissa array multiplies; lower fraction bits are cut off, and zero in the
product. With the leading one of the array's sum S at bit ``t`` or ``t - 1``, which all rules but
the last take for granted::

    rule       t         biased exponent
    ieee       2n - 1    ea + ew - 127 + (leading one at t) + (rounding carries)
    carry      2n        ea + ew - 126 + (leading one at t) + (rounding carries)
    released   2n        ea + ew - 126                      + (rounding carries)
    leading    any       ea + ew - 127 + (place of the leading one - (2n - 2)) + (rounding carries)

``leading`` is for arrays of approximate cells whose S can be small: it counts the zeros above the
leading one of 2n bits and shifts; S = 0 makes the product zero.

The hidden bit is the OR of the exponent's bits. An exponent above 254 gives infinity; one below the
least gives zero: there are no subnormal products, and subnormal operands count as zeros. NaN and
infinite operands follow IEEE 754.

The mantissa array is one of `arrays`; everything else is built of two-input gates and multiplexers
(the exponents' adder and the incrementers are prefix trees) with constants folded away, whatever
*cleanup* says about the array.

Sources
-------
IEEE 754-2019, clauses 4.3.1 and 6. The rules carry and released are those of
`accelsim.multipliers.tiled`. The shifter is the textbook one, by 2^k places where as many top bits
are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from accelsim.circuits.arrays import Buffers, Cells, Style
from accelsim.circuits.circuit import Circuit, FloatPorts
from accelsim.circuits.integers import Cleanup, array_product, cleaned, gate_maker
from accelsim.circuits.logic import (
    GateMaker,
    add,
    add_fast,
    at_least,
    folding,
    increment,
    invert,
    multiplex,
    reduce_tree,
)
from accelsim.circuits.netlist import Builder
from accelsim.errors import CircuitError

__all__ = ["FloatForm", "float_circuit"]

EXPONENT_BITS = 8

ExponentRule = Literal["ieee", "carry", "released", "leading"]


@dataclass(frozen=True)
class FloatForm:
    """What surrounds the mantissa array of a floating-point multiplier.

    Attributes
    ----------
    significand_bits : int
        n, the hidden bit included.
    port_bits : int
        32 (float32) or 16 (bfloat16), of operands and product.
    exponent : str
        ``ieee``, ``carry``, ``released`` or ``leading``.
    rounding : str
        ``nearest_even`` or ``truncate``.
    zero_below : int, optional
        Pattern of the least magnitude that does not count as zero; None: the least normal number.
    least_exponent : int
        Least biased exponent of a product that is not flushed: 1, or 2.
    signed_zeros : bool
        Whether a product that is zero has the sign of the operands' xor, or is always +0.
    """

    significand_bits: int = 24
    port_bits: int = 32
    exponent: ExponentRule = "ieee"
    rounding: Literal["nearest_even", "truncate"] = "nearest_even"
    zero_below: int | None = None
    least_exponent: int = 1
    signed_zeros: bool = True

    def __post_init__(self) -> None:
        for field, value, choices in (
            ("port_bits", self.port_bits, (16, 32)),
            ("exponent", self.exponent, get_args(ExponentRule)),
            ("rounding", self.rounding, ("nearest_even", "truncate")),
            ("least_exponent", self.least_exponent, (1, 2)),
        ):
            if value not in choices:
                known = ", ".join(map(str, choices))
                raise CircuitError(f"FloatForm.{field} must be one of {known}, got {value!r}")
        if not 4 <= self.significand_bits <= self.port_bits - EXPONENT_BITS:
            raise CircuitError(
                f"FloatForm.significand_bits must lie in 4..{self.port_bits - EXPONENT_BITS} at "
                f"ports of {self.port_bits} bits, got {self.significand_bits}"
            )

    @property
    def top(self) -> int:
        """Place t of the leading one of the greatest sums."""
        return 2 * self.significand_bits - (self.exponent in ("ieee", "leading"))


class _Operand(NamedTuple):
    """Nets of one operand and what is known of it."""

    sign: int
    exponent: tuple[int, ...]
    significand: tuple[int, ...]
    live: int  # does not count as zero
    zero: int  # is a true zero
    greatest: int  # has the exponent of infinity and NaN
    nan: int


class _Rounded(NamedTuple):
    """Fraction, and what becomes of the exponent."""

    fraction: tuple[int, ...]
    rises: tuple[int, ...]  # by one for each net that is 1
    falls: tuple[int, ...]  # by the number that these nets are
    nonzero: int


def float_circuit(
    form: FloatForm,
    cells: Cells = "exact",
    style: Style = "tiled",
    buffers: Buffers = "kept",
    cleanup: Cleanup = "constants",
    name: str = "",
    domain: str = "",
) -> Circuit:
    """Return the floating-point multiplier of *form* around one mantissa array.

    Parameters
    ----------
    form : FloatForm
        Format, exponent rule and rounding.
    cells, style, buffers : see `integer_circuit`
        The mantissa array, of unsigned significands.
    cleanup : str
        ``none``, ``unread`` or ``constants``, see `Cleanup`: of the mantissa array's cells.
        Truncation leaves the lower half of S unread.
    name, domain : str
        What to call the circuit, and for which operands it equals the unit that it stands for.

    Returns
    -------
    Circuit
        Ports a, w and p of ``form.port_bits`` bits.

    Raises
    ------
    CircuitError
        As `integer_circuit`.
    """
    builder = Builder()
    gate = folding(builder)
    a = _operand(gate, builder.input("a", form.port_bits), form)
    w = _operand(gate, builder.input("w", form.port_bits), form)
    total = array_product(
        gate_maker(builder, cleanup),
        a.significand,
        w.significand,
        cells,
        style=style,
        buffers=buffers,
    )
    if form.exponent == "leading":
        rounded = _shift_and_round(gate, total, form)
    else:
        rounded = _normalize_and_round(gate, total, form, exact=cells == "exact")
    exponent = _exponent(gate, a, w, rounded, form)
    builder.output("p", _packed(gate, a, w, rounded, exponent, form))
    kind = cells if isinstance(cells, str) else "mixed"
    return Circuit(
        name=name or f"{kind} fp{form.port_bits} {style}",
        netlist=cleaned(builder.finish(), cleanup),
        ports=FloatPorts(form.port_bits),
        domain=domain or "all operands",
    )


def _operand(gate: GateMaker, nets: tuple[int, ...], form: FloatForm) -> _Operand:
    fraction_bits = form.port_bits - 1 - EXPONENT_BITS
    fraction, exponent = nets[:fraction_bits], nets[fraction_bits:-1]
    hidden = reduce_tree(gate, "OR2", exponent)
    any_fraction = reduce_tree(gate, "OR2", fraction)
    greatest = reduce_tree(gate, "AND2", exponent)
    magnitude = nets[:-1]
    live = hidden if form.zero_below is None else at_least(gate, magnitude, form.zero_below)
    return _Operand(
        sign=nets[-1],
        exponent=exponent,
        significand=(*fraction[fraction_bits - form.significand_bits + 1 :], hidden),
        live=live,
        zero=gate("NOR2", hidden, any_fraction)[0],
        greatest=greatest,
        nan=gate("AND2", greatest, any_fraction)[0],
    )


def _normalize_and_round(
    gate: GateMaker, total: tuple[int, ...], form: FloatForm, exact: bool
) -> _Rounded:
    """Return the fraction below the leading one of S at t or t - 1, rounded as *form* says."""
    bits, top = form.significand_bits, form.top
    total = (*total[: top + 1], *[0] * (top + 1 - len(total)))
    leading = total[top]
    fraction = multiplex(gate, total[top - bits : top - 1], total[top - bits + 1 : top], leading)
    rise = 0 if form.exponent == "released" else leading
    if form.rounding == "truncate":
        return _Rounded(fraction, (rise,), (), 1)
    half = gate("MUX2", total[top - bits - 1], total[top - bits], leading)[0]
    shifted_out = gate("AND2", leading, total[top - bits - 1])[0]
    fraction, carry = _rounded_up(gate, fraction, half, (*total[: top - bits - 1], shifted_out))
    if exact:
        # A product is at most 2^(t + 1) - 2^(t - n + 2) + 1: with its leading one at t it is never
        # rounded up to another digit.
        return _Rounded(fraction, gate("OR2", rise, carry), (), 1)
    return _Rounded(fraction, (rise, carry), (), 1)


def _shift_and_round(gate: GateMaker, total: tuple[int, ...], form: FloatForm) -> _Rounded:
    """Return the fraction below the leading one of S wherever it is, rounded as *form* says."""
    bits, width = form.significand_bits, form.top + 1
    total = total[:width]
    zeros = []
    for step in reversed(range((width - 1).bit_length())):
        places = 1 << step
        empty = invert(gate, reduce_tree(gate, "OR2", total[width - places :]))
        total = multiplex(gate, total, (*[0] * places, *total[:-places]), empty)
        zeros.append(empty)
    fraction, carry = total[width - bits : -1], 0
    if form.rounding == "nearest_even":
        fraction, carry = _rounded_up(
            gate, fraction, total[width - bits - 1], total[: width - bits - 1]
        )
    # A leading one at the top, no zeros above it, is one place above 2n - 2.
    return _Rounded(fraction, (1, carry), tuple(reversed(zeros)), total[-1])


def _rounded_up(
    gate: GateMaker, fraction: tuple[int, ...], half: int, rest: tuple[int, ...]
) -> tuple[tuple[int, ...], int]:
    """Return (fraction, carry) rounded to nearest even by the bit and the bits below it."""
    odd_or_more = gate("OR2", reduce_tree(gate, "OR2", rest), fraction[0])[0]
    return increment(gate, fraction, *gate("AND2", half, odd_or_more))


def _exponent(
    gate: GateMaker, a: _Operand, w: _Operand, rounded: _Rounded, form: FloatForm
) -> tuple[int, ...]:
    """Return the biased exponent of the product: 10 bits, two's complement.

    ``- 127`` is ``+ 1 - 128``: a carry into the adder, and 7 added to the top three bits. The
    exponent and its successor are there before the mantissa array is done; it only selects.
    """
    total, carry = add_fast(gate, a.exponent, w.exponent, carry=1)
    high, _ = add(gate, (total[7], carry, 0), (1, 1, 1))
    exponent = (*total[:7], *high)
    if form.exponent in ("carry", "released"):
        exponent, _ = increment(gate, exponent, 1)
    for rises in rounded.rises:
        if rises != 0:
            exponent = multiplex(gate, exponent, increment(gate, exponent, 1)[0], rises)
    if not rounded.falls:
        return exponent
    inverted = [invert(gate, net) for net in rounded.falls]
    negative = (*inverted, *[1] * (len(exponent) - len(inverted)))
    return add_fast(gate, exponent, negative, carry=1)[0]


def _packed(
    gate: GateMaker,
    a: _Operand,
    w: _Operand,
    rounded: _Rounded,
    exponent: tuple[int, ...],
    form: FloatForm,
) -> tuple[int, ...]:
    """Return the product's nets: fields, or zero, infinity and NaN."""
    negative = exponent[-1]
    least = form.least_exponent - 1  # 1: any bit; 2: any bit but the lowest
    positive = reduce_tree(gate, "OR2", exponent[least:-1])
    normal = gate("AND2", invert(gate, negative), positive)[0]
    all_ones = reduce_tree(gate, "AND2", exponent[:EXPONENT_BITS])
    above = gate("OR2", exponent[EXPONENT_BITS], all_ones)[0]
    overflow = gate("AND2", above, invert(gate, negative))[0]
    both_live = gate("AND2", rounded.nonzero, *gate("AND2", a.live, w.live))[0]
    special = gate("OR2", a.greatest, w.greatest)[0]
    infinite = gate("OR2", special, *gate("AND2", overflow, both_live))[0]
    nonzero = gate("OR2", special, *gate("AND2", both_live, normal))[0]
    finite = gate("AND2", nonzero, invert(gate, infinite))[0]
    invalid = gate("OR2", *gate("AND2", a.greatest, w.zero), *gate("AND2", w.greatest, a.zero))[0]
    nan = gate("OR2", invalid, *gate("OR2", a.nan, w.nan))[0]
    fraction = [gate("AND2", bit, finite)[0] for bit in rounded.fraction]
    fraction[-1] = gate("OR2", fraction[-1], nan)[0]
    fields = [
        gate("OR2", infinite, *gate("AND2", bit, nonzero))[0] for bit in exponent[:EXPONENT_BITS]
    ]
    sign = gate("XOR2", a.sign, w.sign)[0]
    if not form.signed_zeros:
        sign = gate("AND2", sign, nonzero)[0]
    cut = form.port_bits - EXPONENT_BITS - form.significand_bits
    return (*[0] * cut, *fraction, *fields, sign)
