"""Arguments of torch's operators by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Arguments"]


class Arguments:
    """Arguments of an operator's call by the names of its schema, defaults included.

    Parameters
    ----------
    operator : torch.ops.OpOverload
    args, kwargs
        What it is called with: nodes of a graph, or tensors.
    """

    def __init__(self, operator: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._values: dict[str, Any] = {}
        for position, argument in enumerate(operator._schema.arguments):
            if position < len(args):
                self._values[argument.name] = args[position]
            else:
                default = argument.default_value if argument.has_default_value() else None
                self._values[argument.name] = kwargs.get(argument.name, default)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def get(self, name: str, default: Any) -> Any:
        """Return an argument, or *default* where the operator has none of that name."""
        return self._values.get(name, default)

    @property
    def first_two(self) -> tuple[Any, Any]:
        """The operands of a binary operator."""
        first, second, *_ = self._values.values()
        return first, second

    def pair(self, name: str, rank: int = 2, missing: int = 1) -> tuple[int, int]:
        """Return an int or int list as a pair; of *rank* 1, *missing* stands for the columns."""
        value = self._values[name]
        values = [value] if isinstance(value, int) else list(value)
        return int(values[0]), missing if rank == 1 else int(values[-1])
