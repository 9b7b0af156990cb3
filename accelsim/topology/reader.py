"""Reading the CSV files of SCALE-Sim.

Convolutions
    Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter,
    Strides; and, as the header or the row says, Stride Width, Sparsity, Batch Size.
Matrix products, (M x K) times (K x N)
    Layer, M, N, K; and, as the header or the row says, Sparsity, Batch Size.

Sources
    SCALE-Sim 3.0.0, ``topology_utils.py``, for columns, for depthwise layers (``DP`` in the name)
    and for the number of windows, ceil((ifmap - filter + stride) / stride). Other than there, a row
    may end with a comma or without, and what cannot be read is told with its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from accelsim.errors import ConfigError, DataError
from accelsim.layer import INPUT, LayerShape, MacLayer, View
from accelsim.topology.columns import (
    BATCH,
    CONVOLUTION,
    SPARSITY,
    STRIDE_WIDTH,
    Column,
    Form,
    is_header,
    is_number,
)
from accelsim.topology.network import Topology

__all__ = ["read_topology"]

MOST_FAULTS = 10
"""Faults of a file that are told one by one."""
MOST_WORDS = 2**40
"""Words that an operand of one image may have."""


def read_topology(path: str | PathLike[str], images: int = 1) -> Topology:
    """Return the layers of a SCALE-Sim topology, convolutions or matrix products.

    Parameters
    ----------
    path : path
        The CSV file. Commas, tabs or semicolons separate columns; a line or the rest of a line that
        starts with ``#`` is a remark; a row of a name alone is a title. The header may be missing.
    images : int
        The batch: a layer's ifmaps, or matrices (M x K), one for each image.

    Returns
    -------
    Topology
        Called as the file is; its `notes` say what of the file was not read as it stands there.

    Raises
    ------
    ConfigError
        *images* is no int >= 1.
    DataError
        The file cannot be read or is no topology: every fault with its line.
    """
    if isinstance(images, bool) or not isinstance(images, int) or images < 1:
        raise ConfigError(f"images must be an int >= 1, got {images!r}")
    found, form = _Found(Path(path), images), None
    for line, cells in found.lines():
        if is_header(cells):
            form = Form.of_header(cells)
            if faults := form.faults(cells):
                found.faults.append((line, f"in the header: {'; '.join(faults)}"))
        elif not any(cells[1:]):
            found.title(line, cells[0])
        else:
            form = form or Form.of_row(cells)
            _read_row(line, cells, form, found)
    if not found.layers and not found.faults:
        found.faults.append((1, "it has no layers"))
    if found.faults:
        raise _refusal(found, form or CONVOLUTION)
    layers = list(found.layers.values())
    words = max(layer.shape.c * layer.shape.h * layer.shape.w for layer in layers)
    return Topology(
        found.path.stem,
        tuple(_reading(layer, images, words) for layer in layers),
        _zeros((images, words)),
        layers[-1].name,
        notes=found.notes(),
    )


def _refusal(found: _Found, form: Form) -> DataError:
    """Return the error that tells all faults, the first ones in full."""
    faults = sorted(found.faults)
    told = [f"{found.path}:{line}: {text}" for line, text in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        told.append(f"... and {len(faults) - MOST_FAULTS} lines more")
    columns = ", ".join(column.name for column in form.needed)
    told.append(f"A row is {columns}: correct it, or start it with # to leave it out")
    return DataError("\n".join(told))


class _Layer(NamedTuple):
    """A row that was read."""

    name: str
    op: str
    shape: LayerShape


@dataclass
class _Found:
    """What was found in a file so far."""

    path: Path
    images: int
    layers: dict[str, _Layer] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    """(line, what is wrong with it)."""
    noted: dict[str, list[int]] = field(default_factory=dict)
    """What is to be said -> its lines."""

    def note(self, line: int, text: str) -> None:
        """Keep something that is to be said of a line."""
        self.noted.setdefault(text, []).append(line)

    def notes(self) -> tuple[str, ...]:
        """Return every note once, with its first line and the number of the others."""
        told = []
        for text, lines in self.noted.items():
            more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
            told.append(f"{self.path}:{lines[0]}{more}: {text}")
        return tuple(told)

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, its cells without remarks and without blanks around them), where any are."""
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise DataError(f"topology {self.path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise DataError(
                f"topology {self.path} is no UTF-8 text (byte {error.start}); save it as CSV, UTF-8"
            ) from None
        delimiter = None
        for line, raw in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
            stripped = raw.strip()
            if not stripped or stripped.startswith("#"):
                continue
            delimiter = delimiter or next((one for one in ",\t;" if one in stripped), ",")
            try:
                (cells,) = csv.reader(
                    [raw], delimiter=delimiter, skipinitialspace=True, strict=True
                )
            except csv.Error as error:
                self.faults.append((line, f"no row of CSV: {error}"))
                continue
            cells = [cell.strip() for cell in cells]
            remark = next((at for at, cell in enumerate(cells) if cell.startswith("#")), None)
            if remark is not None:
                self.note(line, f"the remark {cells[remark]!r} is not read")
                cells = cells[:remark]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                yield line, cells

    def title(self, line: int, text: str) -> None:
        """Take the only cell of a row as a title, unless there are numbers in it."""
        if any(word.isdigit() for word in re.split(r"[\s,;]+", text)):
            self.faults.append(
                (line, f"one column, got {text!r}; commas, tabs or semicolons separate columns")
            )
        else:
            self.note(line, f"{text!r} has no numbers: a title, no layer")


def _read_row(line: int, cells: list[str], form: Form, found: _Found) -> None:
    """Add a row's layer to *found*, or what is wrong with it."""
    faults: list[str] = []
    needed = len(form.needed)
    name, *texts = cells[:needed] + [""] * (needed - len(cells))
    if not name:
        faults.append("the layer has no name")
    numbers = [
        _whole(column, text, faults) for column, text in zip(form.needed[1:], texts, strict=True)
    ]
    stride_width = _read_extras(line, cells[needed:], form, found, faults)
    if not faults and form.op == "conv2d":
        _check_filter(numbers, faults)
    if not faults:
        if form.op == "conv2d":
            shape = _convolution(line, name, numbers, stride_width, found)
        else:
            shape = LayerShape.of_matmul(1, *numbers)
        _check_room(shape, found.images, faults)
    if faults:
        owner = f"layer {name!r}: " if name else ""
        found.faults.append((line, owner + "; ".join(faults)))
        return
    own, count = name, 1
    while own in found.layers or own == INPUT:
        count += 1
        own = f"{name}#{count}"
    if count > 1:
        found.note(line, "its name is taken: numbered with #2, #3, ...")
    found.layers[own] = _Layer(own, form.op, shape)


def _whole(column: Column, text: str, faults: list[str]) -> int:
    """Return the number in a cell; ``3.0`` is one, as spreadsheets write it."""
    match = re.fullmatch(r"(\d{1,18})(\.0*)?", text)
    number = int(match[1]) if match else 0
    if number < 1:
        faults.append(f"{column.name} must be a whole number >= 1, got {text!r}")
    return number


def _check_filter(numbers: list[int], faults: list[str]) -> None:
    h, w, r, s = numbers[:4]
    if r > h or s > w:
        faults.append(
            f"the filter must not be larger than the ifmap, got {r}x{s} on {h}x{w} (padding is "
            "part of the ifmap)"
        )


def _check_room(shape: LayerShape, images: int, faults: list[str]) -> None:
    m, n, k = shape.gemm
    batch = images * max(shape.c * shape.h * shape.w, shape.groups * m * n)
    words = max(batch, shape.groups * n * k)
    if words > MOST_WORDS:
        faults.append(f"an operand must have at most {MOST_WORDS} words, got {words}")


def _read_extras(
    line: int, cells: list[str], form: Form, found: _Found, faults: list[str]
) -> int | None:
    """Read the cells behind those that are needed; return the stride in width if there is one."""
    stride_width = None
    for index, text in enumerate(cells):
        if not text:
            continue
        name, column = form.extra(index, text)
        place = f"column {len(form.needed) + index + 1}"
        if column is STRIDE_WIDTH:
            stride_width = _whole(STRIDE_WIDTH, text, faults)
        elif column is SPARSITY:
            found.note(line, "sparsity is not modelled: layers are timed dense")
        elif column is BATCH:
            if _whole(BATCH, text, faults) > 1:
                faults.append(f"Batch Size must be 1, got {text}; the batch is that of all layers")
        elif name:
            found.note(line, f"the column {name!r} is not read")
        elif is_number(text):
            faults.append(f"{place} must have a name in the header, got {text!r}")
        else:
            found.note(line, f"{text!r} in {place}, which has no name, is not read")
    return stride_width


def _convolution(
    line: int,
    name: str,
    numbers: list[int],
    stride_width: int | None,
    found: _Found,
) -> LayerShape:
    """Return the shape of a convolution, whose padding is part of the ifmap.

    The last window may reach beyond the ifmap, which then is as large as the windows need it.
    """
    h, w, r, s, c, m, stride_height = numbers
    stride = (stride_height, stride_height if stride_width is None else stride_width)
    height, width = (
        max(size, -((kernel - size) // step) * step + kernel)
        for size, kernel, step in ((h, r, stride[0]), (w, s, stride[1]))
    )
    if (height, width) != (h, w):
        found.note(
            line,
            "the last windows reach beyond the ifmap, which is taken to be that much larger: "
            "SCALE-Sim rounds the number of windows up",
        )
    groups = 1
    if "DP" in name:
        found.note(line, "DP in the name: depthwise, Num Filter filters on each channel")
        groups = c
    return LayerShape(1, m * groups, c, height, width, r, s, stride, groups=groups)


def _reading(layer: _Layer, images: int, words: int) -> MacLayer:
    """Return a layer of the batch that reads its ifmaps from the first of every image's *words*."""
    one = layer.shape
    place = (one.h, one.w, one.c) if layer.op == "linear" else (one.c, one.h, one.w)
    strides = View.dense((1, *place)).strides
    return MacLayer(
        layer.name,
        layer.op,
        INPUT,
        replace(one, n=images),
        _zeros((one.m, one.c // one.groups, one.r, one.s)),
        None,
        view=View((images, *place), (words, *strides[1:])),
    )


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros that take no room."""
    return np.broadcast_to(np.float32(0), shape)
