"""What an operator of ONNX is told, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.errors import TraceError

__all__ = ["MAX_ELEMENTS", "Call", "Operator", "Table", "Value", "torch_pads"]

Value = Any
"""A tensor that depends on the images, an array that does not, or None for an input left out."""

MAX_ELEMENTS = 1 << 28
"""Elements of the largest tensor that an operator may make out of none or of fewer: 1 GiB."""


@dataclass(frozen=True)
class Call:
    """A node of the graph, for the operator that computes it.

    Attributes
    ----------
    name : str
        The node's, as it stands in tables and messages.
    op : str
        Its operator.
    version : int
        The opset in which this form of the operator came up.
    attributes : mapping
        Those of the node, and the defaults of others.
    outputs : int
        How many of them somebody may read.
    batch : int or None
        Images that the file is for, where it fixes their number.
    images : int
        How many there are.
    """

    name: str
    op: str
    version: int
    attributes: Mapping[str, Any]
    outputs: int
    batch: int | None = None
    images: int = 0

    def __getitem__(self, name: str) -> Any:
        """Return an attribute that the node must have, or that has a default."""
        if name not in self.attributes:
            raise self.error(f"its attribute {name!r} is missing")
        return self.attributes[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute that may be missing."""
        return self.attributes.get(name, default)

    def ints(self, name: str, count: int, default: int) -> tuple[int, ...]:
        """Return an attribute of so many integers, all *default* where it is missing."""
        found = tuple(self.get(name) or (default,) * count)
        if len(found) != count:
            raise self.error(f"its attribute {name!r} must have {count} numbers, got {found}")
        return found

    def given(self, value: Value, name: str) -> tuple[int, ...] | None:
        """Return the integers that older opsets have in attribute *name*, newer ones as input."""
        found = self.get(name) if value is None else np.asarray(value).reshape(-1).tolist()
        return None if found is None else tuple(map(int, found))

    def axis(self, axis: int, rank: int) -> int:
        """Return *axis* of a tensor of *rank* dimensions, counted from the front."""
        if not -rank <= axis < rank:
            raise self.error(f"its axis must lie in {-rank}..{rank - 1}, got {axis}")
        return axis % rank

    def check_size(self, shape: Sequence[int]) -> None:
        """Refuse to make a tensor that no network needs, before memory is taken for it."""
        count = 1
        for extent in shape:
            count *= int(extent)
        if count > MAX_ELEMENTS:
            raise self.error(
                f"it makes a tensor of shape {tuple(map(int, shape))}, of {count} elements; at "
                f"most {MAX_ELEMENTS} are made"
            )

    def refuse(self, name: str, expected: Any) -> None:
        """Refuse an attribute that has another value than the one that can be computed."""
        got = self.get(name, expected)
        if got != expected:
            raise self.error(f"its attribute {name!r} must be {expected!r}, got {got!r}")

    def error(self, message: str) -> TraceError:
        """Return an error that names the node."""
        return TraceError(f"node {self.name!r} ({self.op}): {message}")


@dataclass(frozen=True)
class Operator:
    """How an operator is computed.

    Attributes
    ----------
    handle : callable
        Gets the `Call` and all inputs that the operator can have, None for those left out; returns
        a tensor or an array, or several.
    constants : tuple of int
        Inputs that must not depend on the images; they come as arrays.
    numbers : tuple of int
        Inputs that come as a number where they are a constant without dimensions.
    buffers : tuple of int
        Inputs that are no parameters: torch has no gradient to them.
    """

    handle: Callable[..., Any]
    constants: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    buffers: tuple[int, ...] = ()


Table = dict[str, Operator]


def torch_pads(amounts: Iterable[tuple[int, int]]) -> list[int]:
    """Return what to add before and after each dimension as torch has it, from the last one on.

    >>> torch_pads([(1, 2), (3, 4)])
    [3, 4, 1, 2]
    """
    return [amount for pair in reversed([*amounts]) for amount in pair]
