"""mitchell_<u|s><bits>: Mitchell's multiplier, by straight lines for logarithm and antilogarithm.

With ``k = floor(log2 operand)`` and the fraction ``x = operand / 2^k - 1`` in [0, 1)::

    product = 2^(k1 + k2) * (1 + x1 + x2)          where x1 + x2 < 1
              2^(k1 + k2 + 1) * (x1 + x2)          else; 0 where an operand is 0

Both are integers, and computed as such: no fraction is cut off. The product is never above the
exact one and at most 1/9 (11.1 %) below it, which is reached where x1 = x2 = 1/2.

>>> int(product(3, 3)), int(product(4, 77))
(8, 308)

Sources
-------
Mitchell, "Computer multiplication and division using binary logarithms", IRE Transactions on
Electronic Computers EC-11, 1962.
"""

from __future__ import annotations

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import WIDTH, integer_unit, operands_of
from accelsim.registry import Family

__all__ = ["floor_log2", "product"]


@jit
def floor_log2(value):  # type: ignore[no-untyped-def]
    """Return the place of the leading one of a *value* from 1 to 2^31 - 1.

    >>> int(floor_log2(1)), int(floor_log2(255)), int(floor_log2(256))
    (0, 7, 8)
    """
    place = 0
    for step in (16, 8, 4, 2, 1):
        if value >> (place + step):
            place += step
    return place


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return the product of two unsigned operands: the core of all widths."""
    if a == 0 or w == 0:
        return 0
    k1, k2 = floor_log2(a), floor_log2(w)
    one = 1 << (k1 + k2)
    # x1 + x2, scaled by 2^(k1 + k2)
    fractions = ((a - (1 << k1)) << k2) + ((w - (1 << k2)) << k1)
    return one + fractions if fractions < one else 2 * fractions


def _member(name: str, sign: str, bits: str) -> IntegerMultiplier:
    return integer_unit(
        name,
        operands_of(name, sign, bits),
        product,
        title="Mitchell's logarithmic multiplier",
        description=(
            "Adds piecewise linear logarithms; never above the exact product, at most 11.1 % below."
        ),
        sources=(
            'Mitchell, "Computer multiplication and division using binary logarithms", IRE '
            "Transactions on Electronic Computers EC-11, 1962",
        ),
    )


MULTIPLIERS.register_family(
    Family(
        form="mitchell_<u|s><bits>",
        pattern=f"mitchell{WIDTH}",
        title="Mitchell's logarithmic multiplier",
        make=_member,
    )
)
MULTIPLIERS.register("mitchell_u8", _member("mitchell_u8", "u", "8"))
MULTIPLIERS.register("mitchell_s8", _member("mitchell_s8", "s", "8"))
