"""Number formats: integers of any width, and the fields of IEEE 754 binary32 numbers.

A float32 is ``(-1)^sign * 2^(exponent - 127) * (2^23 + fraction) / 2^23``, its pattern
``sign << 31 | exponent << 23 | fraction``. The jitted casts hand patterns over as *signed 64-bit*
integers, since Numba widens ``uint32 & uint32`` to uint64 and ``uint64 + int64`` to float64; in
int64 every step of a 32-bit field computation is exact.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.compilation import jit
from accelsim.errors import ConfigError, DataError

__all__ = [
    "EXPONENT_FIELD",
    "FRACTION_BITS",
    "FRACTION_FIELD",
    "IMPLICIT_ONE",
    "MAGNITUDE_FIELD",
    "SIGN_FIELD",
    "IntegerFormat",
    "as_float32",
    "broadcast_operands",
    "float32_bits",
    "float32_from_bits",
    "float32_of_fields",
    "float64_bits",
    "float64_from_bits",
]

FRACTION_BITS = 23
IMPLICIT_ONE = 0x00800000
FRACTION_FIELD = 0x007FFFFF
EXPONENT_FIELD = 0x7F800000
MAGNITUDE_FIELD = 0x7FFFFFFF
SIGN_FIELD = 0x80000000

MAX_BITS = 16
"""Widest integer operand."""


@dataclass(frozen=True)
class IntegerFormat:
    """Integers of *bits* bits: two's complement when *signed*, else from zero up.

    >>> IntegerFormat(8, signed=True).name, IntegerFormat(4, signed=False).high
    ('int8', 15)
    """

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or not isinstance(self.bits, int):
            raise ConfigError(f"bits must be an int, got {self.bits!r}")
        if not 2 <= self.bits <= MAX_BITS:
            raise ConfigError(f"bits must lie in 2..{MAX_BITS}, got {self.bits}")

    @property
    def name(self) -> str:
        """``int8``, ``uint16``."""
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    @property
    def low(self) -> int:
        """Least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Greatest value."""
        return (1 << (self.bits - self.signed)) - 1

    @functools.cached_property
    def dtype(self) -> np.dtype[np.integer]:
        """Smallest numpy integer type that holds the values."""
        return np.dtype(f"{'int' if self.signed else 'uint'}{8 if self.bits <= 8 else 16}")

    def values(self) -> NDArray[np.int64]:
        """Return all values, int64 (2^bits,), in the order of their bit patterns.

        >>> IntegerFormat(2, signed=True).values().tolist()
        [0, 1, -2, -1]
        """
        patterns = np.arange(1 << self.bits, dtype=np.int64)
        return np.where(patterns > self.high, patterns - (1 << self.bits), patterns)

    def checked(self, values: ArrayLike, owner: str) -> NDArray[np.int64]:
        """Return *values* as int64; raise unless they are integers of this format.

        Raises
        ------
        DataError
            For a dtype that is not an integer one, or values outside of the format.
        """
        array = np.asarray(values)
        if array.dtype.kind not in "iu":
            raise DataError(
                f"{owner} must be of an integer dtype, got {array.dtype}; quantize it first"
            )
        self.check_range(array, owner)
        return array.astype(np.int64)

    def check_range(self, array: NDArray[np.integer], owner: str) -> None:
        """Raise DataError unless all values of the integer *array* are of this format."""
        if array.dtype == self.dtype and self.bits == 8 * self.dtype.itemsize:
            return
        if array.size and not (self.low <= array.min() and array.max() <= self.high):
            raise DataError(
                f"{owner} must lie in {self.low}..{self.high} ({self.name}), got "
                f"{array.min()}..{array.max()}; quantize it to {self.name}"
            )


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
def float32_of_fields(sign, exponent, fraction):  # type: ignore[no-untyped-def]
    """Return the float32 of these fields, int64; +0 below exponent 1, infinity above 254.

    *sign* is in its place (bit 31), *exponent* biased and of any size.

    >>> [float(float32_of_fields(0x80000000, e, 0x400000)) for e in (127, 0, 255)]
    [-1.5, 0.0, -inf]
    """
    if exponent < 1:
        return np.float32(0.0)
    if exponent > 254:
        return float32_from_bits(sign | EXPONENT_FIELD)
    return float32_from_bits(sign | (exponent << FRACTION_BITS) | fraction)


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


def broadcast_operands(
    owner: str, activations: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return *activations* and *weights* broadcast against each other, as read-only views.

    Raises
    ------
    DataError
        Their shapes do not fit; the message starts with *owner*.
    """
    try:
        activations, weights = np.broadcast_arrays(activations, weights)
    except ValueError:
        raise DataError(
            f"{owner}: activations of shape {activations.shape} do not broadcast with "
            f"weights of shape {weights.shape}; reshape one of them"
        ) from None
    return activations, weights
