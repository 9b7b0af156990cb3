"""kulkarni_<u|s><bits>: the underdesigned multiplier, built of 2x2 ones with 3 x 3 = 7.

A 2x2 multiplier without the fourth product bit is right but for 3 x 3 = 7. Four units of half the
width make one, their products added exactly::

    product(a, w) = ll + 2^(bits / 2) * (lh + hl) + 2^bits * hh        bits a power of two

Every pair of base-4 digits 3 loses ``2 * 4^(i + j)``, so that with ``t(x)`` the sum of 4^i over the
digits 3 of x it is ``product = a * w - 2 * t(a) * t(w)``.

>>> int(_core(3, 3)), int(_core(15, 15))
(7, 175)

Sources
-------
Kulkarni, Gupta, Ercegovac, "Trading accuracy for power with an underdesigned multiplier
architecture", VLSI Design 2011.
"""

from __future__ import annotations

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import WIDTH, integer_unit, operands_of
from accelsim.registry import Family

__all__: list[str] = []

_DELAY = "assumed: as exact_uint{}, no delay is published at hand; Kulkarni et al. print power"
_DELAYS = {"kulkarni_u8": (1430.0, _DELAY.format(8)), "kulkarni_u16": (3110.0, _DELAY.format(16))}


@jit
def _core(a, w):  # type: ignore[no-untyped-def]
    threes_a, threes_w = a & (a >> 1) & 0x5555, w & (w >> 1) & 0x5555
    return a * w - 2 * threes_a * threes_w


def _member(name: str, sign: str, bits: str) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    if operands.bits & (operands.bits - 1):
        raise ConfigError(f"multiplier {name!r}: bits must be a power of two, got {bits}")
    return integer_unit(
        name,
        operands,
        _core,
        title="Kulkarni's underdesigned multiplier",
        description="Built of 2x2 multipliers with 3 x 3 = 7, exact adders; never above exact.",
        sources=(
            'Kulkarni, Gupta, Ercegovac, "Trading accuracy for power with an underdesigned '
            'multiplier architecture", VLSI Design 2011',
        ),
        delays=_DELAYS,
        style="kulkarni",
    )


MULTIPLIERS.register_family(
    Family(
        form="kulkarni_<u|s><bits>",
        pattern=f"kulkarni{WIDTH}",
        title="Kulkarni's underdesigned multiplier, bits a power of two",
        make=_member,
    )
)
MULTIPLIERS.register("kulkarni_u8", _member("kulkarni_u8", "u", "8"))
