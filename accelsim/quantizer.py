"""Quantizer: one tensor's float32 numbers as integers, by scales and zero points.

An integer q stands for ``scale * (q - zero_point)``::

    q = clip(rne(x * fl32(1 / scale)) + zero_point)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat

__all__ = ["Quantizer"]

SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""The least scale: its reciprocal is a float32 too."""


@dataclass(frozen=True, eq=False)
class Quantizer:
    """Scales and zero points of one tensor.

    Attributes
    ----------
    operands : IntegerFormat
        Of the integers.
    scale : ndarray of float32, () or (n,)
        One for the tensor, or one for each entry of its first axis.
    zero_point : ndarray of int64, of the same shape
        The integer that stands for 0.0.
    least : ndarray of int64, of the same shape
        The least integer used; the greatest is the format's.
    """

    operands: IntegerFormat
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    least: NDArray[np.int64]

    @classmethod
    def of_range(
        cls,
        low: NDArray[np.float32] | np.float32,
        high: NDArray[np.float32] | np.float32,
        operands: IntegerFormat,
        *,
        symmetric: bool,
    ) -> Quantizer:
        """Return the quantizer of the ranges [*low*, *high*], zero added to them.

        Where there is nothing but zeros the scale is 1.
        """
        low64, high64 = np.minimum(np.float64(low), 0), np.maximum(np.float64(high), 0)
        if symmetric:
            zero_point = np.full(low64.shape, 0 if operands.signed else 1 << (operands.bits - 1))
            levels = operands.high - zero_point
            least = zero_point - levels
            size = np.maximum(-low64, high64)
        else:
            least = np.full(low64.shape, operands.low)
            levels = operands.high - least
            size = high64 - low64
        scale = np.maximum(size / levels, SMALLEST_SCALE).astype(np.float32)
        scale = np.where(size == 0, np.float32(1), scale)
        if not symmetric:
            zero_point = np.clip(least - np.rint(low64 / scale), operands.low, operands.high)
        return cls(operands, scale, zero_point.astype(np.int64), least.astype(np.int64))

    def quantize(self, values: NDArray[np.float32], owner: str) -> NDArray[Any]:
        """Return the integers that stand for *values*, rounded half to even and clipped.

        Parameters
        ----------
        values : ndarray of float32
            Of any shape; with a scale per entry of the first axis, n long there.
        owner : str
            What the values are, for the message.

        Returns
        -------
        ndarray of the format's dtype, of the same shape

        Raises
        ------
        DataError
            For NaN, which no integer stands for. Infinities are clipped.
        """
        if np.isnan(values).any():
            raise DataError(
                f"{owner} hold NaN, which no {self.operands.name} stands for; a floating-point "
                "unit computes with it"
            )
        codes, least, greatest = self._rounded(values)
        return np.clip(codes, least, greatest).astype(self.operands.dtype)

    def inside(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return whether each of *values* is not clipped."""
        codes, least, greatest = self._rounded(values)
        return (least <= codes) & (codes <= greatest)

    def clip(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return *values* within what the integers reach, not rounded; of a single scale."""
        low, high = (
            self.scale * (end - self.zero_point) for end in (self.least, self.operands.high)
        )
        return np.clip(values, np.float32(low), np.float32(high))

    def _rounded(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], np.floating]:
        """Return the integers before clipping, and their bounds, as float32."""
        scale, zero_point, least = (
            one.reshape(one.shape + (1,) * (values.ndim - 1)) if one.ndim else one
            for one in (self.scale, self.zero_point, self.least)
        )
        # Too large for float32 is infinity, which is clipped.
        with np.errstate(over="ignore"):
            codes = np.rint(values * (np.float32(1) / scale))
        # Exact: what is not clipped lies within 17 bits.
        codes += zero_point.astype(np.float32)
        return codes, least.astype(np.float32), np.float32(self.operands.high)

    def rows(self, own: slice) -> Quantizer:
        """Return the quantizer of the entries *own* of the first axis."""
        if self.scale.ndim == 0:
            return self
        return Quantizer(self.operands, self.scale[own], self.zero_point[own], self.least[own])
