"""What a schedule can do wrong in the array, as the numbers that the kernels return."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from accelsim.errors import ScheduleError

__all__ = ["FINE", "Fault", "raise_fault"]

_TEXTS = {
    "feeder": "the edge should drive an operand while it still drives those of a pass before",
    "loader": "a row should be loaded while rows of another pass are loaded or drained",
    "operands_apart": "an operand arrives without the one that it is to be multiplied by",
    "multiplier_busy": "an operand pair enters a busy multiplier",
    "adder_busy": "a product enters a busy adder",
    "sum_pending": "a product arrives before its psum is in the psum register",
    "psum_missing": "a product arrives before the psum that it is to go on from is loaded",
    "overwritten": "a psum register is overwritten before it was shifted out",
    "shifted_early": "a psum register is shifted before its sum is complete or its pass drains",
    "not_stationary": "an operand arrives where the stationary operand is not there, or not yet",
    "sum_apart": "a psum arrives without the product that is to be added to it",
    "read_early": "a psum is read before it was stored",
    "stored_out_of_order": "a psum leaves before those of an earlier pass",
    "stored_twice": "two psums leave a column at once",
    "stuck": "psums are still in the array, though nothing moves any more",
}

# Jitted code reads global named tuples of numbers, but neither dicts nor classes.
_Numbers: Any = namedtuple("_Numbers", list(_TEXTS))
Fault = _Numbers(*range(1, len(_TEXTS) + 1))
"""The number of each fault."""
FINE = 0
"""No fault."""


def raise_fault(fault: int, one: int, i: int, j: int, cycle: int) -> None:
    """Raise what the kernels found: *fault* with pass *one* at PE (i, j) in *cycle*.

    Raises
    ------
    ScheduleError
    """
    raise ScheduleError(
        f"PE ({i}, {j}), cycle {cycle}, pass {one}: {list(_TEXTS.values())[fault - 1]}; start the pass later, or let "
        "the dataflow say when"
    )
