"""Pickles that hold data only: arrays of bytes, numbers, strings, lists and dicts.

A pickle names functions to be called. Here the few names that an array is made of stand for
objects of this file, which keep what they are given; any other name is refused. So no function of
NumPy or of anything else is ever called by a pickle.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError

__all__ = ["PlainArray", "read_plain"]

UINT8 = ("u1", "|u1", "uint8")


class PlainDtype:
    """Stands for `numpy.dtype`: the name of the type."""

    def __init__(self, name: str | bytes, *flags: object) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else name

    def __setstate__(self, state: object) -> None:
        """Keep nothing: byte order and fields do not matter for bytes, the one type allowed."""


class PlainArray:
    """Stands for `numpy.ndarray`: shape, type, order and bytes, turned into an array when asked."""

    def __init__(self, *empty: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def array(self) -> NDArray[np.uint8]:
        """Return the array.

        Raises
        ------
        ValueError
            If it is not one of unsigned bytes, or its parts do not fit.
        """
        if len(self.state) != 5:
            raise ValueError("an array without content")
        _, shape, dtype, fortran, content = self.state
        if not isinstance(dtype, PlainDtype) or dtype.name not in UINT8:
            raise ValueError(f"an array of {getattr(dtype, 'name', dtype)}, not of uint8")
        if not isinstance(content, bytes | bytearray) or len(content) != math.prod(shape):
            raise ValueError(f"an array of shape {shape} without as many bytes")
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: object, shape: object, code: object) -> PlainArray:
    return PlainArray()


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> PlainArray:
    array = PlainArray()
    array.state = (1, shape, dtype, order == "F", content)
    return array


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


ALLOWED = {
    ("numpy", "ndarray"): PlainArray,
    ("numpy", "dtype"): PlainDtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
}
"""Names in pickles -> what stands for them: arrays, and bytes as Python 3 writes them for 2."""


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes, where: object) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        found = ALLOWED.get((module, name))
        if found is None:
            raise DataError(
                f"{self._where}: refused, for its pickle asks for {module}.{name}; one of plain "
                "data (arrays, bytes, text, numbers, lists, dicts) does not. Nothing was run"
            )
        return found


def read_plain(content: bytes, where: object) -> Any:
    """Return what a pickle holds, arrays as `PlainArray`; *where* names it in messages.

    Strings that Python 2 wrote are bytes.

    Raises
    ------
    DataError
        If it is damaged, or asks for anything but plain data; nothing of it is run then.

    >>> read_plain(pickle.dumps({"labels": [1, 2]}), "batch")
    {'labels': [1, 2]}
    """
    try:
        return _PlainUnpickler(content, where).load()
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise DataError(
            f"{where}: not a whole pickle of plain data: {type(error).__name__}: {error}"
        ) from None
