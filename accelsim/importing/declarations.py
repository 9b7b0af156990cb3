"""What whoever imports a multiplier must say of it, because no file says it reliably."""

from __future__ import annotations

import re
from dataclasses import dataclass

from accelsim.errors import ConfigError
from accelsim.formats import IntegerFormat
from accelsim.multipliers.base import TABLE_BITS

__all__ = ["INDEX_ORDERS", "OPERANDS", "Declarations", "activation_first"]

OPERANDS = ("activation", "weight")
INDEX_ORDERS = ("pattern", "ascending")


@dataclass(frozen=True)
class Declarations:
    """Name, operands and orders, as declared and checked.

    Attributes
    ----------
    name : str
        Of the unit; its energy rows are those of component ``multiplier.<name>``.
    operands : IntegerFormat
    operand_order : str
        "activation,weight", "weight,activation" or by the source's own names
        ("A=activation,B=weight").
    index_order : str or None
        How the rows and columns of a signed table run; see `accelsim.importing`.
    """

    name: str
    operands: IntegerFormat
    operand_order: str
    index_order: str | None

    @classmethod
    def checked(
        cls,
        owner: str,
        name: str | None,
        bits: int | None,
        signed: bool | None,
        operand_order: str | None,
        index_order: str | None,
    ) -> Declarations:
        """Return the declarations, or raise for one that is missing or impossible.

        Raises
        ------
        ConfigError
            The message says how to declare it.
        """
        if not name:
            raise ConfigError(f"{owner}: name must be given, such as name='mul8s_x' (--name)")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise ConfigError(
                f"{owner}: name must be letters, digits and _, a letter first, got {name!r}"
            )
        if bits is None:
            raise ConfigError(f"{owner}: the operands' width must be declared: bits=8 (--bits 8)")
        if not isinstance(signed, bool):
            raise ConfigError(
                f"{owner}: signedness must be declared, since files that look unsigned may hold a "
                f"signed multiplier: signed=True or False (--signed or --unsigned), got {signed!r}"
            )
        if isinstance(bits, int) and bits > TABLE_BITS:
            raise ConfigError(
                f"{owner}: {bits}-bit operands have 2^{2 * bits} products, too many for a table; "
                f"imports go up to {TABLE_BITS} bits. Write wider units as a file in "
                "accelsim/multipliers with a scalar product"
            )
        if not operand_order:
            raise ConfigError(
                f"{owner}: the order of the operands must be declared, since no measure can tell "
                "it: operand_order='activation,weight' or 'weight,activation' for the first and "
                "the second parameter, port or index, or by name: 'A=activation,B=weight' (--order)"
            )
        if index_order is not None and index_order not in INDEX_ORDERS:
            raise ConfigError(
                f"{owner}: index_order must be 'pattern' or 'ascending', got {index_order!r}"
            )
        try:
            operands = IntegerFormat(bits, signed)
        except ConfigError as error:
            raise ConfigError(f"{owner}: {error}") from None
        return cls(name, operands, str(operand_order), index_order)


def activation_first(owner: str, operand_order: str, names: tuple[str, str]) -> bool:
    """Return whether the first of a source's two operands *names* is the activation.

    Raises
    ------
    ConfigError
        The order is malformed, or names an operand that the source does not have.

    >>> activation_first("x.c", "A=activation,B=weight", ("B", "A"))
    False
    """
    parts = [part.strip() for part in operand_order.split(",")]
    if sorted(parts) == list(OPERANDS):
        return parts[0] == OPERANDS[0]
    roles = dict(part.partition("=")[::2] for part in parts)
    if len(parts) != 2 or sorted(roles.values()) != list(OPERANDS):
        raise ConfigError(
            f"{owner}: operand_order must be 'activation,weight', 'weight,activation' or "
            f"'{names[0]}=activation,{names[1]}=weight', got {operand_order!r}"
        )
    if sorted(roles) != sorted(names):
        raise ConfigError(
            f"{owner}: operand_order names {' and '.join(roles)}, but the operands are called "
            f"{' and '.join(names)}"
        )
    return roles[names[0]] == OPERANDS[0]
