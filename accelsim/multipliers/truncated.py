"""truncated<t>_<u|s><bits>: an exact multiplier of operands whose t lowest bits are cleared.

::

    product = (a & ~(2^t - 1)) * (w & ~(2^t - 1))                     0 <= t < bits

Never above the exact product. Signed: the magnitude's bits are cleared, so that it rounds to zero.

>>> int(_core(2)(7, 9))
32

Sources
-------
The plain baseline of the literature on approximate multipliers, "truncated multiplier" (TruM) in
Jiang, Liu, Liu, Lombardi, Han, "A review, classification, and comparative evaluation of approximate
arithmetic circuits", ACM JETC 13(4), 2017.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import NUMBER, WIDTH, in_range, integer_unit, operands_of
from accelsim.registry import Family

__all__: list[str] = []

_DERIVED = "derived: exact_uint8's 1430 ps x {}, the ratio of the circuits' delays"
_DELAYS = {"truncated2_u8": (1013.0, _DERIVED.format(0.7083))}


@functools.cache
def _core(t: int) -> Callable[..., Any]:
    """Return the unsigned product of operands without their *t* lowest bits."""
    kept = -(1 << t)

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        return (a & kept) * (w & kept)

    return product


def _member(name: str, t: str, sign: str, bits: str) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    cleared = in_range(name, "t", t, 0, operands.bits - 1)
    return integer_unit(
        name,
        operands,
        _core(cleared),
        title=f"exact multiplier of operands without their {cleared} lowest bits",
        description=f"The {cleared} lowest bits of both operands cleared; never above exact.",
        sources=(
            'Jiang, Liu, Liu, Lombardi, Han, "A review, classification, and comparative evaluation '
            'of approximate arithmetic circuits", ACM JETC 13(4), 2017: TruM',
        ),
        delays=_DELAYS,
        style="carry_save",
        dropped=lambda a_bit, w_bit: min(a_bit, w_bit) < cleared,
    )


MULTIPLIERS.register_family(
    Family(
        form="truncated<t>_<u|s><bits>",
        pattern=rf"truncated(?P<t>{NUMBER}){WIDTH}",
        title="exact multiplier of operands without their t lowest bits",
        make=_member,
    )
)
MULTIPLIERS.register("truncated2_u8", _member("truncated2_u8", "2", "u", "8"))
