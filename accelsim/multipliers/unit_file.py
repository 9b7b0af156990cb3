"""The container of a unit file: a zip of two NumPy arrays, read without unpickling anything.

| member | holds |
|---|---|
| ``unit.npy`` | uint8: JSON with format version, declarations, measures, source, delay, netlist |
| ``table.npy`` | int32 (2^bits, 2^bits): ``table[activation, weight]`` by bit patterns |

What is read is checked whole: sizes before anything is read, version, fields and their types, shape
and dtype, and a checksum of the table.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import DataError
from accelsim.multipliers.base import TABLE_BITS

__all__ = ["FORMAT_VERSION", "SUFFIX", "pack", "unpack"]

SUFFIX = ".npz"
FORMAT = "accelsim unit"
FORMAT_VERSION = 1
MEMBERS = ("table.npy", "unit.npy")

_DAMAGE = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError
)  # fmt: skip
"""What zipfile raises for bytes that are no zip, or a damaged, encrypted or unknown one."""
_JSON_BYTES = 64 << 20
"""More than any netlist of 12-bit operands needs; a larger member is not read."""
_HEADER_BYTES = 4096


def pack(about: dict[str, Any], table: NDArray[np.int32]) -> bytes:
    """Return the unit file of *table* and of the fields *about* it."""
    table = np.ascontiguousarray(table, "<i4")
    fields = {"format": FORMAT, "version": FORMAT_VERSION, **about, "table_sha256": _digest(table)}
    text = np.frombuffer(json.dumps(fields, allow_nan=False).encode(), np.uint8)
    content = io.BytesIO()
    np.savez_compressed(content, table=table, unit=text)
    return content.getvalue()


def unpack(file: Path | BinaryIO, owner: str) -> tuple[dict[str, Any], NDArray[np.int32]]:
    """Return (fields, table) of the unit file *file*; *owner* names it in errors.

    Raises
    ------
    DataError
        It is no unit file, is damaged, or was written by a newer accelsim.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = sorted(archive.namelist())
            if names != sorted(MEMBERS):
                raise DataError(
                    f"{owner} is no unit file: it must hold {' and '.join(MEMBERS)}, "
                    f"got {', '.join(names)[:200] or 'nothing'}"
                )
            with archive.open("unit.npy") as member:
                about = _about(owner, _array(owner, member, "unit.npy", None))
            with archive.open("table.npy") as member:
                table = _array(owner, member, "table.npy", 1 << about["bits"])
    except _DAMAGE as error:
        raise DataError(f"{owner} is damaged or no unit file: {error}") from None
    if _digest(table) != about["table_sha256"]:
        raise DataError(f"{owner} is damaged: the table is not the one that was written")
    return about, table


def _array(owner: str, stream: Any, member: str, edge: int | None) -> NDArray[Any]:
    """Return the array in a member: a table of *edge* rows, or bytes; nothing is unpickled."""
    shape, dtype = _array_header(owner, stream, member)
    if edge is None:
        wanted, rule = "uint8", f"uint8 with one axis of at most {_JSON_BYTES} bytes"
        fits = len(shape) == 1 and shape[0] <= _JSON_BYTES
    else:
        wanted, rule = "<i4", f"int32 of shape {(edge, edge)}"
        fits = shape == (edge, edge)
    if dtype != np.dtype(wanted) or not fits:
        raise DataError(f"{owner}: {member} must be {rule}, got {dtype} of shape {shape}")
    count = math.prod(shape) * dtype.itemsize
    content = stream.read(count + 1)
    if len(content) != count:
        raise DataError(f"{owner} is damaged: {member} holds {len(content)} bytes, not {count}")
    return np.frombuffer(content, dtype).reshape(shape)


def _array_header(owner: str, stream: BinaryIO, member: str) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"array format {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(
            stream, max_header_size=_HEADER_BYTES
        )
    except ValueError as error:
        raise DataError(f"{owner} is damaged: {member} is no NumPy array ({error})") from None
    if dtype.hasobject or fortran:
        raise DataError(
            f"{owner}: {member} holds Python objects or another memory order; unit files hold "
            "plain arrays, and nothing was unpickled"
        )
    return shape, dtype


def _about(owner: str, content: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the fields of the JSON member, each of the type it must have."""
    try:
        about = json.loads(content.tobytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{owner} is damaged: its description is no JSON ({error})") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{owner} is no unit file: its description does not say {FORMAT!r}")
    version = about.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DataError(f"{owner}: version must be an int >= 1, got {version!r}")
    if version > FORMAT_VERSION:
        raise DataError(
            f"{owner} is a unit file of version {version}, written by a newer accelsim; this one "
            f"reads version {FORMAT_VERSION}: update it, or import the source again"
        )
    for field, kinds in _FIELDS.items():
        if field not in about:
            raise DataError(f"{owner} is damaged: its description lacks {field!r}")
        value = about[field]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise DataError(f"{owner}: {field} must not be {value!r:.60}")
    if not 2 <= about["bits"] <= TABLE_BITS:
        raise DataError(f"{owner}: bits must lie in 2..{TABLE_BITS}, got {about['bits']}")
    for field in ("delay_ps", "power_mw", "area_um2"):
        if about[field] is not None and not (math.isfinite(about[field]) and about[field] > 0):
            raise DataError(f"{owner}: {field} must be a finite number > 0, got {about[field]}")
    _check_texts(owner, "stated", about["stated"].values())
    _check_texts(owner, "warnings", about["warnings"])
    _check_texts(owner, "source", about["source"].values())
    return about


_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "bits": (int,),
    "signed": (bool,),
    "delay_ps": (int, float, type(None)),
    "delay_source": (str,),
    "power_mw": (int, float, type(None)),
    "area_um2": (int, float, type(None)),
    "errors": (dict,),
    "stated": (dict,),
    "source": (dict,),
    "warnings": (list,),
    "table_sha256": (str,),
    "netlist": (dict, type(None)),
}


def _check_texts(owner: str, field: str, values: Any) -> None:
    for value in values:
        if not isinstance(value, str):
            raise DataError(f"{owner}: {field} must hold texts, got {value!r:.60}")


def _digest(table: NDArray[np.int32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(table, "<i4").tobytes()).hexdigest()
