"""perforated_j<j>k<k>_<u|s><bits>: partial product perforation, k rows of an exact array left out.

A row is the activation times one bit of the weight; rows j to j + k - 1 are not generated::

    product = a * (w & ~(2^(j + k) - 2^j))                   1 <= k, j + k <= bits

Never above the exact product; the error is a times the weight's omitted bits.

>>> int(_core(1, 2)(5, 0b1111))
45

Sources
-------
Zervakis, Tsoumanis, Xydis, Soudris, Pekmestzi, "Design-efficient approximate multiplication
circuits through partial product perforation", IEEE TVLSI 24(10), 2016.
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
_DELAYS = {"perforated_j0k2_u8": (1221.0, _DERIVED.format(0.8542))}


@functools.cache
def _core(j: int, k: int) -> Callable[..., Any]:
    """Return the unsigned product without the *k* rows from row *j* on."""
    kept = ~((1 << (j + k)) - (1 << j))

    @jit
    def product(a, w):  # type: ignore[no-untyped-def]
        return a * (w & kept)

    return product


def _member(name: str, j: str, k: str, sign: str, bits: str) -> IntegerMultiplier:
    operands = operands_of(name, sign, bits)
    first = in_range(name, "j", j, 0, operands.bits - 1)
    omitted = in_range(name, "k", k, 1, operands.bits - first)
    return integer_unit(
        name,
        operands,
        _core(first, omitted),
        title=f"exact multiplier without {omitted} partial products from row {first} on",
        description=(
            f"The rows of {omitted} bits of the weight, from bit {first} on, are not generated; "
            "never above the exact product."
        ),
        sources=(
            'Zervakis, Tsoumanis, Xydis, Soudris, Pekmestzi, "Design-efficient approximate '
            'multiplication circuits through partial product perforation", IEEE TVLSI 24(10), 2016',
        ),
        delays=_DELAYS,
        style="carry_save",
        dropped=lambda a_bit, w_bit: first <= w_bit < first + omitted,
    )


MULTIPLIERS.register_family(
    Family(
        form="perforated_j<j>k<k>_<u|s><bits>",
        pattern=rf"perforated_j(?P<j>{NUMBER})k(?P<k>{NUMBER}){WIDTH}",
        title="exact multiplier without k partial products from row j on",
        make=_member,
    )
)
MULTIPLIERS.register("perforated_j0k2_u8", _member("perforated_j0k2_u8", "0", "2", "u", "8"))
