"""roba_<u|s><bits>: RoBA, a product of operands rounded to powers of two, with shifts and adds.

With ``r(x)`` the power of two nearest to x (of two equally near ones, 3 * 2^(p - 1), the greater;
but r(3) = 2), the identity ``a w = r(a) w + r(w) a - r(a) r(w) + (r(a) - a) (r(w) - w)`` loses its
last term::

    product = r(a) * w + r(w) * a - r(a) * r(w)               0 where an operand is 0

The error is at most 1/9 (11.1 %) of the exact product, of either sign.

>>> int(product(3, 3)), int(product(6, 6)), int(product(5, 5))
(8, 32, 24)

Sources
-------
Zendegani, Kamal, Bahadori, Afzali-Kusha, Pedram, "RoBA multiplier: A rounding-based approximate
multiplier for high-speed yet energy-efficient digital signal processing", IEEE TVLSI 25(2), 2017.
The signed unit is its S-RoBA: sign and magnitude, negated exactly.
"""

from __future__ import annotations

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import WIDTH, integer_unit, operands_of
from accelsim.multipliers.mitchell import floor_log2
from accelsim.registry import Family

__all__ = ["product"]

_DELAYS = {
    "roba_s16": (
        3216.0,
        "scaled: exact_int16's 3110 ps x 1.034; S-RoBA is 3.4 % slower than an exact Baugh-Wooley "
        "multiplier at 32 bits (45 nm; Zendegani et al., TVLSI 2017), taken for 16 (assumed)",
    ),
}


@jit
def _nearest_power(value):  # type: ignore[no-untyped-def]
    """Return the power of two nearest to a *value* of at least 1; 2 for 3, else up from ties."""
    floor = 1 << floor_log2(value)
    return 2 * floor if 2 * value >= 3 * floor and value != 3 else floor


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return the product of two unsigned operands: the core of all widths."""
    if a == 0 or w == 0:
        return 0
    a_power, w_power = _nearest_power(a), _nearest_power(w)
    return a_power * w + w_power * a - a_power * w_power


def _member(name: str, sign: str, bits: str) -> IntegerMultiplier:
    return integer_unit(
        name,
        operands_of(name, sign, bits),
        product,
        title="RoBA, a rounding-based multiplier",
        description=(
            "Operands rounded to powers of two, so that shifts and adds suffice; the product of "
            "the two rounding errors is left out. At most 11.1 % off."
        ),
        sources=(
            'Zendegani, Kamal, Bahadori, Afzali-Kusha, Pedram, "RoBA multiplier: A rounding-based '
            "approximate multiplier for high-speed yet energy-efficient digital signal "
            'processing", IEEE TVLSI 25(2), 2017',
        ),
        delays=_DELAYS,
    )


MULTIPLIERS.register_family(
    Family(
        form="roba_<u|s><bits>",
        pattern=f"roba{WIDTH}",
        title="RoBA, a rounding-based multiplier",
        make=_member,
    )
)
MULTIPLIERS.register("roba_u8", _member("roba_u8", "u", "8"))
MULTIPLIERS.register("roba_s8", _member("roba_s8", "s", "8"))
