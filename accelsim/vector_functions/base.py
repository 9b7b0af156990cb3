"""What a vector function is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError
from accelsim.registry import Registry, modules_of

__all__ = ["OPERATIONS", "VECTOR_FUNCTIONS", "VectorFunction", "times", "together"]

Float = NDArray[np.float32]

OPERATIONS = ("add", "compare", "multiply", "divide")
"""Elementary operations of the vector unit; a lane does one in a cycle."""


@dataclass(frozen=True)
class VectorFunction:
    """A function of float32 arrays, with what the vector unit does for it.

    Attributes
    ----------
    name : str
        The ``op`` of its layers.
    title : str
        What it computes, one line.
    compute : callable
        Called with the operands and then with the settings, Python floats. The first operand is a
        float32 array, the others broadcast to it; returns an array of its shape, which is made
        float32. An element's bits depend on the elements that it reads alone.
    arguments : int
        How many operands and settings *compute* takes together.
    operations : mapping
        Elementary operation -> how many for each output.
    row_operations : mapping
        The same for each row, in addition, where it reduces one; may be negative.
    reduces : int
        How many of the last dimensions an output depends on as a whole: 0 where it depends on its
        own element alone, else 1 (rows) or 2 (planes). They then lie in a tile as a whole.
    """

    name: str
    title: str
    compute: Callable[..., NDArray[Any]]
    arguments: int = 1
    operations: Mapping[str, int] = field(default_factory=dict)
    row_operations: Mapping[str, int] = field(default_factory=dict)
    reduces: int = 0

    def __post_init__(self) -> None:
        for action in (*self.operations, *self.row_operations):
            if action not in OPERATIONS:
                raise ConfigError(
                    f"vector function {self.name!r}: operations must be among "
                    f"{', '.join(OPERATIONS)}, got {action!r}"
                )

    def __call__(self, *arguments: Float | float) -> Float:
        """Return the float32 results for operands and settings.

        Raises
        ------
        DataError
            *compute* returns an array of another shape than the first operand's.
        """
        first = np.asarray(arguments[0])
        with np.errstate(all="ignore"):
            result = np.asarray(self.compute(*arguments))
            result = result.astype(np.float32, copy=False)
        if result.shape != first.shape:
            raise DataError(
                f"vector function {self.name!r} must return an array of its first operand's shape "
                f"{first.shape}, got {result.shape}; repair the function it was registered with"
            )
        return result

    def count(self, outputs: int, rows: int) -> dict[str, int]:
        """Return the elementary operations for so many *outputs*, which are so many *rows*.

        >>> VECTOR_FUNCTIONS["add"].count(12, rows=3)
        {'add': 12}
        """
        found = {action: outputs * number for action, number in self.operations.items()}
        for action, number in self.row_operations.items():
            found[action] = found.get(action, 0) + rows * number
        return found


def together(*parts: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of several numbers of operations.

    >>> together({"add": 1}, {"add": 2, "divide": 1})
    {'add': 3, 'divide': 1}
    """
    found: dict[str, int] = {}
    for part in parts:
        for action, number in part.items():
            found[action] = found.get(action, 0) + number
    return found


def times(number: int, part: Mapping[str, int]) -> dict[str, int]:
    """Return *number* times the operations of *part*."""
    return {action: number * count for action, count in part.items()}


VECTOR_FUNCTIONS: Registry[VectorFunction] = Registry(
    "vector function", modules_of("accelsim.vector_functions")
)
"""Name -> vector function."""
