"""drum<k>_<u|s><bits>: DRUM, an exact k x k multiplier behind a window on the leading one.

Of an operand of more than k bits the k bits from its leading one on are kept, the lowest of them
set to 1 (the mean of what is cut off), and multiplied exactly; the product is shifted back::

    t = floor(log2 operand);   window = ((operand >> (t - k + 1)) | 1) << (t - k + 1)   where t >= k
                               operand                                                 else
    product = window(a) * window(w)                                          2 <= k <= bits

>>> int(_core(3)(0b1000000, 3)), int(_core(3)(7, 7))
(240, 49)

Sources
-------
Hashemi, Bahar, Reda, "DRUM: A dynamic range unbiased multiplier for approximate applications",
ICCAD 2015.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from accelsim.compilation import jit
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.base import IntegerMultiplier
from accelsim.multipliers.integer_family import NUMBER, WIDTH, in_range, integer_unit, operands_of
from accelsim.multipliers.mitchell import floor_log2
from accelsim.registry import Family

__all__: list[str] = []

_DELAYS = {
    "drum6_u16": (
        1645.0,
        "scaled: exact_uint16's 3110 ps x 1.91 / 3.61, DRUM6's delay over that of the exact 16-bit "
        "multiplier beside it (65 nm, ns; Hashemi et al., ICCAD 2015)",
    ),
    "drum6_s16": (1645.0, "assumed: as drum6_u16, the signs beside its critical path"),
}


@functools.cache
def _core(k: int) -> Callable[..., Any]:
    """Return the unsigned product with windows of *k* bits."""

    @jit
    def window(value):  # type: ignore[no-untyped-def]
        shift = (floor_log2(value) if value else 0) - k + 1
        return ((value >> shift) | 1) << shift if shift > 0 else value

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        return window(a) * window(w)

    return product


def _member(name: str, k: str, sign: str, bits: str) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    width = in_range(name, "k", k, 2, operands.bits)
    return integer_unit(
        name,
        operands,
        _core(width),
        title=f"DRUM with windows of {width} bits",
        description=(
            f"The {width} bits from each operand's leading one on, the lowest set to 1, multiplied "
            "exactly and shifted back."
        ),
        sources=(
            'Hashemi, Bahar, Reda, "DRUM: A dynamic range unbiased multiplier for approximate '
            'applications", ICCAD 2015',
        ),
        delays=_DELAYS,
    )


MULTIPLIERS.register_family(
    Family(
        form="drum<k>_<u|s><bits>",
        pattern=rf"drum(?P<k>{NUMBER}){WIDTH}",
        title="DRUM, an exact multiplier of k bits behind leading-one windows",
        make=_member,
    )
)
MULTIPLIERS.register("drum4_u8", _member("drum4_u8", "4", "u", "8"))
MULTIPLIERS.register("drum4_s8", _member("drum4_s8", "4", "s", "8"))
MULTIPLIERS.register("drum6_u16", _member("drum6_u16", "6", "u", "16"))
