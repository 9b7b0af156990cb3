"""Floating-point formats narrower than float32, and rounding to them, to nearest even.

A number of a format is ``(-1)^sign * 2^max(1 - bias, e - bias) * s / 2^fraction_bits`` with e the
exponent field and s the significand, less than ``2^fraction_bits`` where the number is subnormal.
Every such number is a float32.

>>> E4M3.greatest, E4M3.smallest, FLOAT16.greatest, TF32.bits
(448.0, 0.001953125, 65504.0, 19)

Sources
-------
binary16: IEEE 754-2019. bfloat16: Kalamkar et al., "A Study of BFLOAT16 for Deep Learning
Training", arXiv 1905.12322. TF32: NVIDIA A100 Tensor Core GPU Architecture, whitepaper, 2020. E4M3
and E5M2: OCP 8-bit Floating Point Specification (OFP8), revision 1.0, 2023; Micikevicius et al.,
"FP8 Formats for Deep Learning", arXiv 2209.05433.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.compilation import jit
from accelsim.errors import ConfigError
from accelsim.formats import (
    EXPONENT_FIELD,
    FRACTION_BITS,
    MAGNITUDE_FIELD,
    SIGN_FIELD,
    float32_bits,
    float32_from_bits,
    float64_bits,
    float64_from_bits,
)

__all__ = [
    "BFLOAT16",
    "E4M3",
    "E5M2",
    "FLOAT16",
    "TF32",
    "FloatFormat",
    "rounding",
    "rounding_float32",
]

FLOAT64_FRACTION_BITS = 52
FLOAT64_EXPONENT_FIELD = 0x7FF0000000000000


@dataclass(frozen=True)
class FloatFormat:
    """A sign, an exponent and a fraction, all of its numbers float32 numbers.

    Attributes
    ----------
    name : str
        For messages and descriptions.
    exponent_bits, fraction_bits, bias : int
    has_infinity : bool
        Whether the greatest exponent field is for infinity and NaN, as in IEEE 754. If not, all of
        its patterns are numbers but the one with the greatest fraction, which is NaN.
    saturating : bool
        Whether what is too large, infinity included, becomes the greatest number. If not, it
        becomes infinity, or NaN in a format without infinity.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    bias: int
    has_infinity: bool = True
    saturating: bool = False

    def __post_init__(self) -> None:
        if not (2 <= self.exponent_bits <= 8 and 1 <= self.fraction_bits < FRACTION_BITS):
            raise ConfigError(
                f"FloatFormat {self.name!r}: exponent_bits must lie in 2..8 and fraction_bits in "
                f"1..{FRACTION_BITS - 1}, got {self.exponent_bits} and {self.fraction_bits}"
            )
        # Narrower formats are rounded with numbers of up to 2^(23 - fraction_bits) times theirs.
        reach = 127 - (FRACTION_BITS - self.fraction_bits)
        if not self.is_float32_cut and not (
            self.smallest >= 2.0**-126 and self.greatest <= 2.0**reach
        ):
            raise ConfigError(
                f"FloatFormat {self.name!r}: its numbers must lie in 2^-126..2^{reach}, got "
                f"{self.smallest} to {self.greatest}; choose another bias than {self.bias} or "
                "fewer exponent_bits"
            )

    @property
    def is_float32_cut(self) -> bool:
        """Whether its patterns are the upper bits of float32 patterns."""
        cut = (self.exponent_bits, self.bias, self.has_infinity, self.saturating)
        return cut == (8, 127, True, False)

    @property
    def bits(self) -> int:
        """Width of a pattern."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def least_normal(self) -> float:
        """Least positive number that is not subnormal."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest(self) -> float:
        """Least positive number."""
        return 2.0 ** (1 - self.bias - self.fraction_bits)

    @property
    def greatest(self) -> float:
        """Greatest finite number."""
        top = (1 << self.exponent_bits) - 1 - self.bias
        if self.has_infinity:
            return (2.0 - 2.0**-self.fraction_bits) * 2.0 ** (top - 1)
        return (2.0 - 2.0 ** (1 - self.fraction_bits)) * 2.0**top

    @property
    def beyond(self) -> float:
        """What a number too large becomes: `greatest`, infinity or NaN."""
        if self.saturating:
            return self.greatest
        return np.inf if self.has_infinity else np.nan

    def values(self) -> NDArray[np.float32]:
        """Return the values of all patterns in their order, float32 (2^bits,).

        >>> FloatFormat("tiny", 2, 1, bias=1).values()[:8].tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf, nan]
        """
        fields = np.arange(1 << (self.bits - 1))
        exponent, fraction = fields >> self.fraction_bits, fields & ((1 << self.fraction_bits) - 1)
        significand = fraction + np.where(exponent > 0, 1 << self.fraction_bits, 0)
        sizes = np.ldexp(
            significand.astype(np.float64),
            np.maximum(exponent, 1) - self.bias - self.fraction_bits,
        )
        if self.has_infinity:
            sizes[exponent == exponent[-1]] = np.nan
            sizes[-(1 << self.fraction_bits)] = np.inf
        else:
            sizes[-1] = np.nan
        return np.concatenate([sizes, -sizes]).astype(np.float32)


FLOAT16 = FloatFormat("float16", exponent_bits=5, fraction_bits=10, bias=15)
BFLOAT16 = FloatFormat("bfloat16", exponent_bits=8, fraction_bits=7, bias=127)
TF32 = FloatFormat("TF32", exponent_bits=8, fraction_bits=10, bias=127)
E4M3 = FloatFormat("E4M3", 4, 3, bias=7, has_infinity=False, saturating=True)
E5M2 = FloatFormat("E5M2", exponent_bits=5, fraction_bits=2, bias=15)


def rounding(target: FloatFormat) -> Callable[..., Any]:
    """Return the jitted (float64) -> float64 rounding to *target*: the definition.

    For all numbers below 2^900, which products of float32 numbers are, infinities and NaN. Rounds
    to the nearest number of the format, to the even one of two; subnormals and the sign of a zero
    are kept.

    >>> nearest = rounding(E4M3)
    >>> nearest(1.0625), nearest(1.1875), nearest(500.0), nearest(-0.0009)
    (1.0, 1.25, 448.0, -0.0)
    """
    least_normal, greatest, beyond = target.least_normal, target.greatest, target.beyond
    # Added to and taken from a number it leaves fraction_bits bits of it: the sum has the number's
    # exponent plus this shift, and float64's own rounding does the rest.
    shift = 2.0 ** (FLOAT64_FRACTION_BITS - target.fraction_bits)

    @jit
    def rounded(value):  # type: ignore[no-untyped-def]
        value = np.float64(value)
        size = abs(value)
        power = float64_from_bits(float64_bits(size) & FLOAT64_EXPONENT_FIELD)
        shifter = max(power, least_normal) * shift
        nearest = (size + shifter) - shifter
        if nearest > greatest or size == np.inf:
            nearest = beyond
        return np.copysign(nearest, value)

    return rounded


def rounding_float32(target: FloatFormat, *, keep_nan: bool = True) -> Callable[..., Any]:
    """Return the jitted (float32) -> float32 rounding to *target* that LLVM vectorizes.

    Gives what `rounding` gives, for all float32 operands.

    Parameters
    ----------
    keep_nan : bool
        False saves a comparison where no NaN comes but the one that arithmetic makes: another NaN
        may then turn into a number.
    """
    if target.is_float32_cut:
        return _rounding_of_patterns(target, keep_nan)
    return _rounding_by_shifter(target)


def _rounding_of_patterns(target: FloatFormat, keep_nan: bool) -> Callable[..., Any]:
    """Return the rounding to upper bits of float32 patterns.

    The next greater number has the next pattern, infinity behind the greatest: so the pattern is
    rounded as an integer.
    """
    dropped = FRACTION_BITS - target.fraction_bits
    half, kept = (1 << (dropped - 1)) - 1, (1 << 32) - (1 << dropped)

    @jit
    def rounded(value):  # type: ignore[no-untyped-def]
        bits = float32_bits(value)
        return float32_from_bits((bits + half + ((bits >> dropped) & 1)) & kept)

    @jit
    def rounded_or_nan(value):  # type: ignore[no-untyped-def]
        return np.float32(value) if np.isnan(value) else rounded(value)

    return rounded_or_nan if keep_nan else rounded


def _rounding_by_shifter(target: FloatFormat) -> Callable[..., Any]:
    """Return the rounding to a format of fewer exponents: that of `rounding`, in float32."""
    least_normal, greatest = np.float32(target.least_normal), np.float32(target.greatest)
    beyond = np.float32(target.beyond)
    shift = np.float32(2.0 ** (FRACTION_BITS - target.fraction_bits))
    # Bounds the shifter; what has a greater exponent is too large, rounded this way or that.
    top = np.float32(2.0 ** np.ceil(np.log2(target.greatest)))

    @jit
    def rounded(value):  # type: ignore[no-untyped-def]
        bits = float32_bits(value)
        size = float32_from_bits(bits & MAGNITUDE_FIELD)
        power = float32_from_bits(bits & EXPONENT_FIELD)
        shifter = min(max(power, least_normal), top) * shift
        nearest = (size + shifter) - shifter
        nearest = beyond if nearest > greatest else nearest
        return float32_from_bits(float32_bits(nearest) | (bits & SIGN_FIELD))

    return rounded
