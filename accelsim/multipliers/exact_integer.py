"""exact_int<bits>, exact_uint<bits>: exact integer multipliers, the baselines of integer units.

The product of two *bits*-bit integers, all of its 2 x *bits* bits kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accelsim.compilation import jit
from accelsim.formats import IntegerFormat
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import NUMBER, operands_of
from accelsim.registry import Family

if TYPE_CHECKING:
    from accelsim.circuits import Circuit

__all__ = ["exact_integer", "product"]


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return ``a * w``.

    >>> product(-128, 127)
    -16256
    """
    return a * w


def exact_integer(
    name: str,
    operands: IntegerFormat,
    delay_ps: float | None = None,
    delay_source: str = "not stated for this width",
) -> IntegerMultiplier:
    """Return the exact multiplier of *operands*."""

    def circuit() -> Circuit:
        from accelsim.circuits import integer_circuit

        return integer_circuit(operands.bits, operands.signed, style="carry_save", name=name)

    return IntegerMultiplier(
        name=name,
        title=f"exact {operands.bits}x{operands.bits} {'signed' if operands.signed else 'unsigned'}"
        " integer multiplier",
        description="All bits of the product; two's complement where signed.",
        operands=operands,
        scalar=product,
        delay_ps=delay_ps,
        delay_source=delay_source,
        sources=("the definition of integer multiplication",),
        build_circuit=circuit,
    )


def _member(name: str, sign: str, bits: str) -> IntegerMultiplier:
    return exact_integer(name, operands_of(name, "u" if sign else "s", bits))


MULTIPLIERS.register_family(
    Family(
        form="exact_<int|uint><bits>",
        pattern=rf"exact_(?P<sign>u?)int(?P<bits>{NUMBER})",
        title="exact integer multiplier",
        make=_member,
    )
)

_EVOAPPROX = "EvoApproxLib {} (exact), FreePDK45 synthesis, as its header states"

for _signed, _bits, _delay_ps, _source in (
    (True, 8, 1480, _EVOAPPROX.format("mul8s_1KV8")),
    (False, 8, 1430, _EVOAPPROX.format("mul8u_1JFF")),
    (True, 16, 3110, "assumed: as exact_uint16"),
    (False, 16, 3110, _EVOAPPROX.format("mul16u_BMC")),
):
    _operands = IntegerFormat(_bits, _signed)
    _name = f"exact_{_operands.name}"
    MULTIPLIERS.register(_name, exact_integer(_name, _operands, _delay_ps, _source))
