"""Readers of tables: TFApprox ``.bin``, AdaPT ``.h``, ApproxTorch ``.txt``, NumPy ``.npy``.

All hold 2^bits rows of 2^bits products. Which operand is the row is declared. So is, for signed
operands, how the rows and the columns run:

``pattern``
    0, 1, ..., 127, -128, ..., -1: an operand's bits are its index, as in AdaPT's headers.
``ascending``
    -128, ..., -1, 0, ..., 127: an operand's value plus 128 is its index.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.formats import IntegerFormat
from accelsim.importing.declarations import Declarations
from accelsim.importing.reading import Reading, as_signed, edge_of

__all__ = ["TABLE_READERS", "decoded", "read_array"]

NAMES = ("row", "column")

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_NUMBERS = re.compile(r"[\s\d+,{}-]*")
_DIGITS = 10
"""Longest number that can be an int32."""


def read_bin(content: bytes, declared: Declarations, owner: str) -> Reading:
    """Read 16-bit little-endian products; for signed operands they are two's complement."""
    operands = declared.operands
    if operands.bits > 8:
        raise DataError(
            f"{owner}: a .bin table holds 16-bit products, too few for {operands.name}; convert "
            "it to .npy"
        )
    wanted = 2 * edge_of(operands) ** 2
    if len(content) != wanted:
        raise DataError(
            f"{owner}: a .bin table of {operands.name} operands must have {wanted} bytes (16-bit "
            f"products), got {len(content)}"
        )
    products = np.frombuffer(content, "<u2").reshape(edge_of(operands), -1)
    if operands.signed:
        products = as_signed(products, 16, owner)
    return _table("bin", products, declared, owner, "16-bit little-endian table")


def read_header_file(content: bytes, declared: Declarations, owner: str) -> Reading:
    """Read the one array in braces of a C header, whatever its integer type says."""
    text = decoded(content, owner)
    code = _COMMENT.sub(" ", text)
    arrays = re.findall(r"=\s*(\{[^;]*\})\s*;", code)
    if len(arrays) != 1:
        raise DataError(
            f"{owner}: a header must hold one array of numbers in braces, got {len(arrays)}"
        )
    products = _numbers(arrays[0], declared.operands, owner)
    return _table("header", products, declared, owner, "C array", text)


def read_text(content: bytes, declared: Declarations, owner: str) -> Reading:
    """Read integers between blanks or commas; ``//``, ``#`` and ``/* */`` start comments."""
    text = decoded(content, owner)
    products = _numbers(_COMMENT.sub(" ", text), declared.operands, owner)
    return _table("text", products, declared, owner, "text table", text)


def read_npy(content: bytes, declared: Declarations, owner: str) -> Reading:
    """Read a NumPy array of integers, (2^bits, 2^bits)."""
    try:
        products = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise DataError(f"{owner}: no NumPy array of plain numbers: {error}") from None
    return read_array(products, declared, owner)


def read_array(products: NDArray[np.integer], declared: Declarations, owner: str) -> Reading:
    """Take an array that is in memory: integers of any dtype, (2^bits, 2^bits)."""
    operands, edge = declared.operands, edge_of(declared.operands)
    if products.dtype.kind not in "iu":
        raise DataError(f"{owner}: products must be of an integer dtype, got {products.dtype}")
    if products.shape != (edge, edge):
        raise DataError(
            f"{owner}: a table of {operands.name} operands must have the shape {(edge, edge)}, "
            f"got {products.shape}"
        )
    if operands.signed and products.dtype.kind == "u":
        raise DataError(
            f"{owner}: dtype {products.dtype} cannot hold products of signed operands; if they are "
            "two's complement patterns, .view() them as a signed dtype"
        )
    return _table("npy", products, declared, owner, f"{products.dtype} array")


TABLE_READERS: dict[str, Callable[[bytes, Declarations, str], Reading]] = {
    ".bin": read_bin,
    ".h": read_header_file,
    ".txt": read_text,
    ".npy": read_npy,
}
"""Suffix -> reader."""


def _table(
    kind: str,
    products: NDArray[np.integer],
    declared: Declarations,
    owner: str,
    detail: str,
    text: str = "",
) -> Reading:
    """Return the reading with rows and columns by bit pattern."""
    if declared.operands.signed:
        if declared.index_order is None:
            raise ConfigError(
                f"{owner}: how the rows and columns of a signed table run must be declared: "
                "index_order='pattern' (0..127, -128..-1) or 'ascending' (-128..127) (--index)"
            )
        if declared.index_order == "ascending":
            # The index is the value plus half: rolling by half makes it the pattern.
            half = edge_of(declared.operands) // 2
            products = np.roll(products, (half, half), (0, 1))
    return Reading(kind, products, NAMES, detail, text)


def decoded(content: bytes, owner: str) -> str:
    """Return UTF-8 *content* as text, or raise DataError."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise DataError(f"{owner}: must be a text file, got binary content") from None


def _numbers(text: str, operands: IntegerFormat, owner: str) -> NDArray[np.int64]:
    """Return the integers in *text*, which holds nothing else but braces, commas and blanks."""
    match = _NUMBERS.match(text)
    end = match.end() if match else 0
    if end < len(text):
        raise DataError(
            f"{owner}: a table must hold decimal integers only, got {text[end : end + 20]!r}"
        )
    words = re.findall(r"[^\s,{}]+", text)
    for word in words:
        if not re.fullmatch(r"[+-]?\d+", word) or len(word.lstrip("+-0")) > _DIGITS:
            raise DataError(f"{owner}: products must be integers inside int32, got {word[:30]!r}")
    edge = edge_of(operands)
    if len(words) != edge * edge:
        raise DataError(
            f"{owner}: a table of {operands.name} operands must hold {edge}x{edge} = "
            f"{edge * edge} numbers, got {len(words)}"
        )
    return np.array(words, np.int64).reshape(edge, edge)
