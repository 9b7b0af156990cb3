"""Windows: which pixels of an image a pixel of the next one is made of, on the vector unit.

Each kind says which ifmap rows some ofmap rows look at, so that a layer can be cut into tiles, and
how many elementary operations they take. What they compute is in `accelsim.kernels.windows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["AdaptivePooling", "Blend", "Gather", "Pooling", "Tap", "Window", "linear_taps"]

Pair = tuple[int, int]


class Window(Protocol):
    """What every kind of window says."""

    def ifmap_rows(self, first: int, stop: int) -> Pair:
        """Return the ifmap rows [start, stop) that ofmap rows [first, stop) look at.

        They may lie outside the ifmap, in its padding.
        """

    def operations(self, op: str, first: int, stop: int, columns: int) -> dict[str, int]:
        """Return the elementary operations for ofmap rows [first, stop) of one channel."""


@dataclass(frozen=True)
class Pooling:
    """Window of a pooling layer, with torch's meaning of every field.

    A window of W values takes W - 1 operations, at the border too, where it may hold fewer.
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    count_include_pad: bool = True
    divisor: int | None = None

    def ifmap_rows(self, first: int, stop: int) -> Pair:
        """Return the rows of all windows, padding rows included."""
        start, last = (row * self.stride[0] - self.padding[0] for row in (first, stop - 1))
        return start, last + (self.kernel[0] - 1) * self.dilation[0] + 1

    def operations(self, op: str, first: int, stop: int, columns: int) -> dict[str, int]:
        """Return comparisons, or additions and a division for each output."""
        outputs = (stop - first) * columns
        steps = outputs * (self.kernel[0] * self.kernel[1] - 1)
        return {"compare": steps} if op == "max_pool2d" else {"add": steps, "divide": outputs}


@dataclass(frozen=True)
class AdaptivePooling:
    """Windows that divide the ifmap evenly, with torch's bounds: row p of P is made of

    ifmap rows floor(p H / P) to ceil((p + 1) H / P), and columns alike.

    >>> AdaptivePooling((7, 7), (3, 3)).rows
    ((0, 3), (2, 5), (4, 7))
    """

    ifmap: Pair
    """Rows and columns of the ifmap, H and W."""
    ofmap: Pair
    """Rows and columns of the ofmap, P and Q."""

    @property
    def rows(self) -> tuple[Pair, ...]:
        """The ifmap rows [start, stop) of each ofmap row."""
        return _even(self.ifmap[0], self.ofmap[0])

    @property
    def columns(self) -> tuple[Pair, ...]:
        """The ifmap columns [start, stop) of each ofmap column."""
        return _even(self.ifmap[1], self.ofmap[1])

    def ifmap_rows(self, first: int, stop: int) -> Pair:
        """Return the rows of all windows."""
        return self.rows[first][0], self.rows[stop - 1][1]

    def operations(self, op: str, first: int, stop: int, columns: int) -> dict[str, int]:
        """Return a comparison, or addition, for all values but the first of each window.

        A mean is divided by the window's rows and then by its columns, as torch does it.
        """
        outputs = (stop - first) * columns
        down, across = (
            sum(end - start for start, end in some)
            for some in (self.rows[first:stop], self.columns)
        )
        steps = down * across - outputs
        return {"compare": steps} if op == "max_pool2d" else {"add": steps, "divide": 2 * outputs}


def _even(size: int, parts: int) -> tuple[Pair, ...]:
    return tuple((at * size // parts, -(-(at + 1) * size // parts)) for at in range(parts))


@dataclass(frozen=True)
class Gather:
    """Every pixel is a pixel of the ifmap, or a constant: padding, zeros between pixels, nearest.

    Nothing is computed.
    """

    rows: tuple[int, ...]
    """The ifmap row of each ofmap row, -1 for a row of the constant."""
    columns: tuple[int, ...] | None
    """The same of the columns; None: as they are."""
    fill: float = 0.0
    """The constant."""

    def ifmap_rows(self, first: int, stop: int) -> Pair:
        """Return the rows from the first to the last one that is used."""
        used = [row for row in self.rows[first:stop] if row >= 0]
        return (min(used), max(used) + 1) if used else (0, 0)

    def operations(self, op: str, first: int, stop: int, columns: int) -> dict[str, int]:
        """Return none."""
        return {}


class Tap(NamedTuple):
    """A value between two others: ``(1 - weight) * first + weight * second``, in float32."""

    first: int
    second: int
    weight: float
    """Of the second; with 0 the first is taken as it is."""


@dataclass(frozen=True)
class Blend:
    """Every pixel lies between two rows and two columns of the ifmap: linear interpolation.

    A row is blended across first, two rows then down: each time two products and a sum.
    """

    rows: tuple[Tap, ...]
    columns: tuple[Tap, ...]

    def ifmap_rows(self, first: int, stop: int) -> Pair:
        """Return the rows from the first to the last one that is used."""
        taps = self.rows[first:stop]
        return min(tap.first for tap in taps), max(tap.second for tap in taps) + 1

    def operations(self, op: str, first: int, stop: int, columns: int) -> dict[str, int]:
        """Return two multiplications and an addition for each blend that is none of weight 0."""
        down = sum(tap.weight > 0 for tap in self.rows[first:stop])
        across = sum(tap.weight > 0 for tap in self.columns)
        blends = across * (stop - first + down) + down * columns
        return {"multiply": 2 * blends, "add": blends}


def linear_taps(
    size: int, outputs: int, *, align_corners: bool, scale: float | None = None
) -> tuple[Tap, ...]:
    """Return what torch's linear interpolation takes *outputs* values of a row of *size* from.

    Places are computed in float32, as torch does it: an output's center lies at
    ``(at + 0.5) / scale - 0.5``, or, if corners are aligned, at ``at (size - 1) / (outputs - 1)``.

    Parameters
    ----------
    scale : float, optional
        ``outputs / size`` by default; what a caller asks for may differ from it by rounding.

    >>> [tuple(tap) for tap in linear_taps(2, 3, align_corners=True)]
    [(0, 1, 0.0), (0, 1, 0.5), (1, 1, 0.0)]
    """
    number = np.float32
    if align_corners:
        step = number(size - 1) / number(outputs - 1) if outputs > 1 else number(0)
        places: Sequence[np.float32] = [step * number(at) for at in range(outputs)]
    else:
        step = number(1 / scale) if scale else number(size) / number(outputs)
        places = [
            max(number(0), step * (number(at) + number(0.5)) - number(0.5)) for at in range(outputs)
        ]
    taps = []
    for place in places:
        first = min(int(place), size - 1)
        weight = min(place - number(first), number(1))
        last = first == size - 1
        taps.append(Tap(first, first if last else first + 1, 0.0 if last else float(weight)))
    return tuple(taps)
