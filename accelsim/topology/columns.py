"""Columns of a topology's file: where they belong, and how headers spell them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = [
    "BATCH",
    "CONVOLUTION",
    "GEMM",
    "SPARSITY",
    "STRIDE_WIDTH",
    "Column",
    "Form",
    "is_header",
    "is_number",
]


class Column(NamedTuple):
    """A column that is read."""

    name: str
    spellings: str
    """Regular expression of its names: letters only, lower case."""


LAYER = Column("Layer name", r"layers?(names?)?|names?")
STRIDE_WIDTH = Column("Stride Width", r"strides?(w|width)")
SPARSITY = Column("Sparsity", r"sparsity(ratio)?")
BATCH = Column("Batch Size", r"batch(size)?")


@dataclass(frozen=True)
class Form:
    """The columns of a file."""

    op: str
    needed: tuple[Column, ...]
    optional: tuple[Column, ...]
    more: tuple[str, ...] = ()
    """Names of the columns behind those that are needed, as the header has them."""

    @classmethod
    def of_header(cls, cells: list[str]) -> Form:
        """Return the form of a header's file; `faults` says whether its columns are in order."""
        form = GEMM if _letters(cells[1]) == "m" else CONVOLUTION
        return replace(form, more=tuple(cells[len(form.needed) :]))

    @classmethod
    def of_row(cls, cells: list[str]) -> Form:
        """Return the form of a file without header, from its first row."""
        return CONVOLUTION if len(cells) > len(GEMM.needed) + 1 else GEMM

    def faults(self, header: list[str]) -> list[str]:
        """Return what is wrong with the order of a header's columns."""
        needed = len(self.needed)
        names = header[:needed] + [""] * (needed - len(header))
        return [
            f"column {number} must be {column.name}, got {name!r}"
            for number, (column, name) in enumerate(zip(self.needed, names, strict=True), start=1)
            if not re.fullmatch(column.spellings, _letters(name))
        ]

    def extra(self, index: int, text: str) -> tuple[str, Column | None]:
        """Return (name, column) of the cell *index* behind the needed ones; None: not known."""
        name = self.more[index] if index < len(self.more) else ""
        for column in self.optional:
            if re.fullmatch(column.spellings, _letters(name)):
                return name, column
        if not name and re.fullmatch(r"\d+\s*:\s*\d+", text):
            return name, SPARSITY
        if not name and index == 0 and STRIDE_WIDTH in self.optional and is_number(text):
            return name, STRIDE_WIDTH
        return name, None


# Some of the files that SCALE-Sim ships call both sizes of the ifmap its width.
_IFMAP = r"(ifmaps?|inputs?)"
CONVOLUTION = Form(
    "conv2d",
    (
        LAYER,
        Column("IFMAP Height", rf"{_IFMAP}(h|height|width)"),
        Column("IFMAP Width", rf"{_IFMAP}(w|width)"),
        Column("Filter Height", r"(filters?|kernel)(h|height)"),
        Column("Filter Width", r"(filters?|kernel)(w|width)"),
        Column("Channels", r"(num|input)?channels?"),
        Column("Num Filter", r"(num|numberof)?filters?"),
        Column("Strides", r"strides?(h|height)?"),
    ),
    (STRIDE_WIDTH, SPARSITY, BATCH),
)
GEMM = Form(
    "linear",
    (LAYER, Column("M", "m"), Column("N", "n"), Column("K", "k")),
    (SPARSITY, BATCH),
)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def is_number(text: str) -> bool:
    """Return whether a cell is meant to be a number."""
    return re.match(r"[-+.\d]", text) is not None


def is_header(cells: list[str]) -> bool:
    """Return whether the first three numbers of a row are words instead."""
    words = cells[1:4]
    return len(words) == 3 and all(re.match(r"[A-Za-z]", word) for word in words)
