"""What families of integer units share: names by numbers, sign and magnitude, published delays.

A name ends with ``_u<bits>`` or ``_s<bits>``: operands of *bits* bits, 2 to 16. A signed unit is
*sign-magnitude* around the unsigned core of the same width::

    product(a, w) = sign(a) * sign(w) * core(|a|, |w|)          the sign of 0 is +

Operands are two's complement; ``|-2^(bits-1)| = 2^(bits-1)`` fits the unsigned core, so that all
patterns have a product. Whoever gives its core a product other than 0 for an operand 0 keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from accelsim.circuits import Circuit, integer_circuit
from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.formats import MAX_BITS, IntegerFormat
from accelsim.multipliers.base import IntegerMultiplier

__all__ = [
    "NUMBER",
    "WIDTH",
    "in_range",
    "integer_unit",
    "operands_of",
    "sign_magnitude",
]

NUMBER = r"0|[1-9]\d*"
"""A number in a name, as a regular expression without a group: no leading zeros."""

WIDTH = rf"_(?P<sign>[us])(?P<bits>{NUMBER})"
"""End of a name, as a regular expression with the groups ``sign`` and ``bits``."""

NO_FIGURE = "no published figure"


def operands_of(name: str, sign: str, bits: str) -> IntegerFormat:
    """Return the operands that *name* ends with; raise ConfigError for a width out of 2..16.

    >>> operands_of("mbm_s8", "s", "8").name
    'int8'
    """
    return IntegerFormat(in_range(name, "bits", bits, 2, MAX_BITS), signed=sign == "s")


def in_range(name: str, field: str, value: str, low: int, high: int) -> int:
    """Return the number *value*; raise unless it lies in *low*..*high*.

    Parameters
    ----------
    name, field : str
        The unit and the number's name, for the message.
    value : str
        Digits, as they stand in the name.

    Raises
    ------
    ConfigError
    """
    if not low <= int(value) <= high:
        raise ConfigError(f"multiplier {name!r}: {field} must lie in {low}..{high}, got {value}")
    return int(value)


def sign_magnitude(core: Callable[..., Any]) -> Callable[..., Any]:
    """Return the jitted signed product around the jitted unsigned *core*."""

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        magnitude = core(abs(a), abs(w))
        return -magnitude if (a < 0) != (w < 0) else magnitude

    return product


def integer_unit(
    name: str,
    operands: IntegerFormat,
    core: Callable[..., Any],
    *,
    title: str,
    description: str,
    sources: tuple[str, ...],
    delays: Mapping[str, tuple[float, str]] | None = None,
    **structure: Any,
) -> IntegerMultiplier:
    """Return the unit *name* around a jitted unsigned core.

    Parameters
    ----------
    core : jitted (int64, int64) -> int64
        The product of (activation, weight), both 0 to 2^bits - 1.
    title : str
        What it is, without width and signedness ("Mitchell's logarithmic multiplier").
    description : str
        One paragraph.
    sources : tuple of str
    delays : mapping of unit names to (ps, source), or None
        The family's published delays; units that are not among them have none.
    structure
        What `accelsim.circuits.integer_circuit` builds the unsigned core with (style, cells,
        dropped); nothing: the unit has no circuit.
    """
    unknown = f"{NO_FIGURE}; see the unit's circuit" if structure else NO_FIGURE
    delay_ps, delay_source = (delays or {}).get(name, (None, unknown))

    def circuit() -> Circuit:
        return integer_circuit(
            operands.bits, operands.signed, signing="sign_magnitude", name=name, **structure
        )

    signed = " Signed: sign-magnitude around the unsigned core." if operands.signed else ""
    kind = "signed" if operands.signed else "unsigned"
    return IntegerMultiplier(
        name=name,
        title=f"{title}, {operands.bits}x{operands.bits} {kind}",
        description=description + signed,
        operands=operands,
        scalar=sign_magnitude(core) if operands.signed else core,
        delay_ps=delay_ps,
        delay_source=delay_source,
        sources=sources,
        build_circuit=circuit if structure else None,
    )
