"""The fields of IEEE 754 binary32 numbers, and the casts between values and bit patterns.

A float32 is ``(-1)^sign * 2^(exponent - 127) * (2^23 + fraction) / 2^23``, its pattern
``sign << 31 | exponent << 23 | fraction``. The jitted casts hand patterns over as *signed 64-bit*
integers, since Numba widens ``uint32 & uint32`` to uint64 and ``uint64 + int64`` to float64; in
int64 every step of a 32-bit field computation is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.compilation import jit
from accelsim.errors import DataError

__all__ = [
    "EXPONENT_FIELD",
    "FRACTION_BITS",
    "FRACTION_FIELD",
    "IMPLICIT_ONE",
    "MAGNITUDE_FIELD",
    "SIGN_FIELD",
    "as_float32",
    "float32_bits",
    "float32_from_bits",
    "float64_bits",
    "float64_from_bits",
]

FRACTION_BITS = 23
IMPLICIT_ONE = 0x00800000
FRACTION_FIELD = 0x007FFFFF
EXPONENT_FIELD = 0x7F800000
MAGNITUDE_FIELD = 0x7FFFFFFF
SIGN_FIELD = 0x80000000


@jit
def float32_bits(value):  # type: ignore[no-untyped-def]
    """Return the pattern of a float32 as an int64 in [0, 2^32).

    >>> hex(float32_bits(np.float32(-1.5)))
    '0xbfc00000'
    """
    return np.int64(np.float32(value).view(np.uint32))


@jit
def float32_from_bits(bits):  # type: ignore[no-untyped-def]
    """Return the float32 with the pattern in the low 32 bits of an int64.

    >>> float(float32_from_bits(0xBFC00000))
    -1.5
    """
    return np.uint32(bits).view(np.float32)


@jit
def float64_bits(value):  # type: ignore[no-untyped-def]
    """Return the pattern of a float64 as an int64 (negative when the sign is set).

    >>> hex(float64_bits(1.0))
    '0x3ff0000000000000'
    """
    return np.float64(value).view(np.int64)


@jit
def float64_from_bits(bits):  # type: ignore[no-untyped-def]
    """Return the float64 with the pattern *bits* (int64).

    >>> float64_from_bits(0x3FF0000000000000)
    1.0
    """
    return np.int64(bits).view(np.float64)


def as_float32(values: ArrayLike, owner: str) -> NDArray[np.float32]:
    """Return *values* as a float32 array if that changes none of them, else raise.

    A plain Python float is taken as the float32 nearest to it: that is how one writes an operand.

    Parameters
    ----------
    values : array_like
        float32 or float16, any shape; or one Python float.
    owner : str
        What the values are, for the message ("ax_fpm: activation").

    Raises
    ------
    DataError
        For every other dtype: float64 and integers would be rounded without anybody noticing.
    """
    if type(values) is float:
        return np.asarray(values, dtype=np.float32)
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.dtype.itemsize > 4:
        raise DataError(
            f"{owner} must be float32, got {array.dtype}; round it first, "
            "for example with x.astype(numpy.float32)"
        )
    return array.astype(np.float32, copy=False)
