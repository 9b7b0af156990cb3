"""mbm_<u|s><bits>: the minimally biased multiplier, Mitchell's with one constant added.

With k and x as in `mitchell` and ``c = 0.078125 = 5 / 64``::

    product = 2^(k1 + k2) * (1 + x1 + x2 + c)            where x1 + x2 < 1
              2^(k1 + k2 + 1) * (x1 + x2 + c / 2)        else; 0 where an operand is 0

In both cases that is Mitchell's product plus ``c * 2^(k1 + k2)``. The fractions x are kept whole
(bits - 1 fraction bits hold every one of them); what the product has below its lowest integer bit
is cut off, so that the constant adds nothing while ``k1 + k2 < 4``. That is why the greatest error
of small operands is Mitchell's 1/9 (3 x 3 = 8), not the 7.81 % of the real-valued formula. Near the
greatest operands the product needs 2 x bits + 1 bits, and has them here.

>>> int(product(3, 3)), int(product(48, 48))
(8, 2128)

Sources
-------
Saadat, Bokhari, Parameswaran, "Minimally biased multipliers for approximate integer and
floating-point multiplication", IEEE TCAD 37(11), 2018.
"""

from __future__ import annotations

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import WIDTH, integer_unit, operands_of
from accelsim.multipliers.mitchell import floor_log2
from accelsim.multipliers.mitchell import product as mitchell_product
from accelsim.registry import Family

__all__ = ["product"]

_DELAY = (
    "assumed: as exact_uint{}, no delay is published at hand; Saadat et al. print power and area"
)
_DELAYS = {"mbm_u8": (1430.0, _DELAY.format(8)), "mbm_u16": (3110.0, _DELAY.format(16))}


@jit
def product(a, w):  # type: ignore[no-untyped-def]
    """Return the product of two unsigned operands: the core of all widths."""
    if a == 0 or w == 0:
        return 0
    return mitchell_product(a, w) + ((5 << (floor_log2(a) + floor_log2(w))) >> 6)


def _member(name: str, sign: str, bits: str) -> IntegerMultiplier:
    return integer_unit(
        name,
        operands_of(name, sign, bits),
        product,
        title="minimally biased multiplier (MBM)",
        description=(
            "Mitchell's logarithmic multiplier plus 0.078125 x 2^(k1 + k2), which takes its mean "
            "relative error to about zero; bits below one are cut off."
        ),
        sources=(
            'Saadat, Bokhari, Parameswaran, "Minimally biased multipliers for approximate integer '
            'and floating-point multiplication", IEEE TCAD 37(11), 2018',
        ),
        delays=_DELAYS,
    )


MULTIPLIERS.register_family(
    Family(
        form="mbm_<u|s><bits>",
        pattern=f"mbm{WIDTH}",
        title="minimally biased multiplier",
        make=_member,
    )
)
MULTIPLIERS.register("mbm_u8", _member("mbm_u8", "u", "8"))
MULTIPLIERS.register("mbm_u16", _member("mbm_u16", "u", "16"))
