"""Reader of C: finds the multiplier function, compiles it, and has it fill the table.

The function takes two integers and returns one. A parameter of a signed type gets the operand's
value, one of an unsigned type its bit pattern; what an unsigned type returns for signed operands is
two's complement of 2 x bits. That serves EvoApproxLib's three styles::

    uint64_t mul8u_x(const uint64_t B, const uint64_t A)    unsigned; note the order (B, A)
    int16_t  mul8s_x(int8_t A, int8_t B)                    signed
    uint16_t mul8s_x(uint8_t A, uint8_t B)                  signed, in unsigned types: declare it

In that library's Verilog files the ports A and B come in this order, so "A=activation,B=weight"
means the same circuit in both, whereas "activation,weight" does not.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accelsim.errors import DataError, nearest
from accelsim.formats import IntegerFormat
from accelsim.importing.children import Ended, Limits, run_limited
from accelsim.importing.reading import Reading, as_signed, edge_of

__all__ = ["read_c"]

COMPILERS = ("cc", "gcc", "clang")
COMPILE_LIMITS = Limits(time_s=60, memory_mib=2048)
RUN_TIME_S = 60
RUN_MEMORY_MIB = 512

_IMPURE, _NO_MEMORY = 3, 4
"""Exit statuses of the generated program."""

_TYPES: dict[str, tuple[int, bool]] = {
    **{f"int{bits}_t": (bits, True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": (bits, False) for bits in (8, 16, 32, 64)},
    "signed char": (8, True), "unsigned char": (8, False),
    "short": (16, True), "unsigned short": (16, False),
    "int": (32, True), "unsigned int": (32, False), "unsigned": (32, False),
    "long": (64, True), "unsigned long": (64, False),
    "long long": (64, True), "unsigned long long": (64, False),
}  # fmt: skip
"""Integer type -> bits, signedness, where a long has 64 bits; a plain char may be either."""

_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
_FUNCTION = re.compile(r"(?P<type>[A-Za-z_][\w\s*]*?)\b(?P<name>[A-Za-z_]\w*)\s*"
                       r"\((?P<parameters>[^(){};]*)\)\s*\{\}")  # fmt: skip
_QUALIFIERS = {"const", "volatile", "register", "extern", "static", "inline", "__inline"}

_PROGRAM = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define main accelsim_main_of_the_source
#include "source.c"
#undef main

static {first} accelsim_first(long i) {{ return ({first})({first_value}); }}
static {second} accelsim_second(long i) {{ return ({second})({second_value}); }}

int main(void)
{{
    const long n = {edge}L;
    {wide} *table = malloc(sizeof({wide}) * n * n);
    if (!table) return {no_memory};
    for (long i = 0; i < n; i++)
        for (long j = 0; j < n; j++)
            table[i * n + j] = {name}(accelsim_first(i), accelsim_second(j));
    for (long j = n - 1; j >= 0; j--)
        for (long i = n - 1; i >= 0; i--)
            if (table[i * n + j] != ({wide}){name}(accelsim_first(i), accelsim_second(j)))
                return {impure};
    FILE *out = fopen("table.bin", "wb");
    if (!out) return 1;
    size_t written = fwrite(table, sizeof({wide}), (size_t)(n * n), out);
    return fclose(out) || written != (size_t)(n * n);
}}
"""


@dataclass(frozen=True)
class _Type:
    text: str
    bits: int
    signed: bool


@dataclass(frozen=True)
class _Function:
    name: str
    result: _Type
    parameters: tuple[_Type, _Type]
    names: tuple[str, str]

    @property
    def text(self) -> str:
        pairs = zip(self.parameters, self.names, strict=True)
        return f"{self.result.text} {self.name}({', '.join(f'{t.text} {n}' for t, n in pairs)})"


def read_c(
    text: str,
    operands: IntegerFormat,
    owner: str,
    function: str | None,
    time_limit_s: int,
    memory_limit_mib: int,
) -> Reading:
    """Return the products of the C function in *text*.

    Parameters
    ----------
    text : str
        The source, in one file.
    operands : IntegerFormat
        As declared.
    owner : str
        For messages.
    function : str or None
        Its name; needed where several could be the multiplier.
    time_limit_s, memory_limit_mib : int
        For filling the table.

    Raises
    ------
    DataError
        No or several functions; types that cannot hold the operands or the products; no compiler;
        code that does not compile, runs out of time or memory, or depends on more than operands.
    """
    chosen = _choose(_functions(text), function, owner)
    _check_types(chosen, operands, owner)
    compiler = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if compiler is None:
        raise DataError(
            f"{owner}: no C compiler ({', '.join(COMPILERS)}) on PATH; install one, or import a "
            "table of the products instead"
        )
    with tempfile.TemporaryDirectory(prefix="accelsim-import-") as name:
        folder = Path(name)
        (folder / "source.c").write_text(text, encoding="utf-8")
        (folder / "main.c").write_text(_program(chosen, operands), encoding="utf-8")
        arguments = ["-std=gnu11", "-O1", "-w", "-o", "unit", "main.c", "-lm"]
        ended = run_limited([compiler, *arguments], folder, COMPILE_LIMITS)
        if ended.code:
            raise DataError(f"{owner}: {_compile_failure(ended)}")
        limits = Limits(time_limit_s, memory_limit_mib, 8 * edge_of(operands) ** 2)
        ended = run_limited([str(folder / "unit")], folder, limits)
        if ended.code:
            raise DataError(f"{owner}: {chosen.name} {_run_failure(ended, limits)}")
        content = _output(folder / "table.bin", limits, owner, chosen)
    dtype = "<i8" if chosen.result.signed else "<u8"
    products = np.frombuffer(content, dtype).reshape(edge_of(operands), -1)
    if operands.signed and not chosen.result.signed:
        products = as_signed(products, 2 * operands.bits, owner)
    detail = f"C function {chosen.text}, compiled by {Path(compiler).name}"
    return Reading("c", products, chosen.names, detail, text)


def _functions(text: str) -> tuple[list[_Function], list[str]]:
    """Return the functions that could be a multiplier, and the names of all others.

    Static functions are helpers wherever there are others.
    """
    code = _outermost(_PREPROCESSOR.sub(" ", _NOISE.sub(" ", text)))
    found: list[tuple[bool, _Function]] = []
    others: list[str] = []
    for match in _FUNCTION.finditer(code):
        words = match["type"].replace("*", " * ").split()
        result, parameters = _type(words), match["parameters"].split(",")
        pairs = [_parameter(parameter) for parameter in parameters]
        name = match["name"]
        if name == "main" or result is None or len(pairs) != 2 or None in pairs:
            others.append(name)
            continue
        first, second = (pair for pair in pairs if pair is not None)
        function = _Function(name, result, (first[0], second[0]), (first[1], second[1]))
        found.append(("static" in words, function))
    public = [function for static, function in found if not static]
    return public or [function for _, function in found], others


def _outermost(code: str) -> str:
    """Return *code* without what is inside of braces."""
    depth, kept = 0, []
    for piece in re.split(r"([{}])", code):
        if piece == "{":
            kept += ["{}"] * (depth == 0)
            depth += 1
        elif piece == "}":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return "".join(kept)


def _parameter(text: str) -> tuple[_Type, str] | None:
    words = text.replace("*", " * ").split()
    kind = _type(words[:-1]) if words else None
    return None if kind is None else (kind, words[-1])


def _type(words: list[str]) -> _Type | None:
    """Return the integer type that *words* name, or None."""
    kept = [word for word in words if word not in _QUALIFIERS]
    if len(kept) > 1 and kept[-1] == "int" and kept != ["unsigned", "int"]:
        kept = kept[:-1]
    if len(kept) > 1 and kept[0] == "signed" and kept[1] != "char":
        kept = kept[1:]
    name = " ".join(kept)
    return _Type(name, *_TYPES[name]) if name in _TYPES else None


def _choose(
    found: tuple[list[_Function], list[str]], function: str | None, owner: str
) -> _Function:
    candidates, others = found
    names = [candidate.name for candidate in candidates]
    if function is not None:
        for candidate in candidates:
            if candidate.name == function:
                return candidate
        raise DataError(
            f"{owner}: no function {function!r} of two integers; those that could be the "
            f"multiplier: {', '.join(names) or 'none'}.{nearest(function, names)}"
        )
    if not candidates:
        seen = f"; it defines {', '.join(others)}" if others else ""
        raise DataError(
            f"{owner}: no function that takes two integers and returns one{seen}. Types must be "
            f"C's own or those of stdint.h"
        )
    if len(candidates) > 1:
        raise DataError(
            f"{owner}: {', '.join(names)} could each be the multiplier; choose one with "
            "function='...' (--function)"
        )
    return candidates[0]


def _check_types(function: _Function, operands: IntegerFormat, owner: str) -> None:
    """Raise where a type cannot hold what is declared."""
    for kind, name in zip(function.parameters, function.names, strict=True):
        if kind.bits < operands.bits + (kind.signed and not operands.signed):
            raise DataError(
                f"{owner}: parameter {name} of {function.name} is {kind.text}, which cannot hold "
                f"{operands.name}; declare the operands as they are (bits, signed)"
            )
    result, bits = function.result, 2 * operands.bits
    if result.bits < bits + (result.signed and not operands.signed):
        raise DataError(
            f"{owner}: {function.name} returns {result.text}, which cannot hold the product of two "
            f"{operands.name}; declare the operands as they are (bits, signed)"
        )


def _program(function: _Function, operands: IntegerFormat) -> str:
    first, second = function.parameters
    edge = edge_of(operands)

    def value(kind: _Type) -> str:
        return f"i < {edge // 2} ? i : i - {edge}" if operands.signed and kind.signed else "i"

    return _PROGRAM.format(
        first=first.text, second=second.text, first_value=value(first), second_value=value(second),
        name=function.name, edge=edge, impure=_IMPURE, no_memory=_NO_MEMORY,
        wide="int64_t" if function.result.signed else "uint64_t",
    )  # fmt: skip


def _compile_failure(ended: Ended) -> str:
    if ended.late or ended.code < 0:
        limits = COMPILE_LIMITS
        return (
            f"the compiler was stopped ({ended.reason}) at its limits of {limits.time_s} s and "
            f"{limits.memory_mib} MiB"
        )
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    marks = ("error", "undefined reference")
    wrong = [line for line in lines if any(mark in line for mark in marks)]
    first = (wrong or lines or [ended.reason])[0]
    return f"does not compile: {first.strip()[:300]}"


def _run_failure(ended: Ended, limits: Limits) -> str:
    if ended.late:
        return (
            f"ran for more than {limits.time_s} s without filling the table; does it end for all "
            "operands? (time_limit_s or --time-limit raises the limit)"
        )
    if ended.code == _IMPURE:
        return (
            "gives another product when it is called in another order; a multiplier must depend on "
            "its operands alone"
        )
    if ended.code == _NO_MEMORY:
        return f"left no memory for the table within {limits.memory_mib} MiB"
    if ended.reason == "SIGXFSZ":
        return f"wrote more than the {limits.file_bytes} bytes of the table"
    return (
        f"was stopped: {ended.reason} (a fault in the code, or more than the "
        f"{limits.memory_mib} MiB of memory it may use)"
    )


def _output(path: Path, limits: Limits, owner: str, function: _Function) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    if len(content) != limits.file_bytes:
        raise DataError(
            f"{owner}: {function.name} left a table of {len(content)} bytes, not "
            f"{limits.file_bytes}; does it end the program, or write files of its own?"
        )
    return content
