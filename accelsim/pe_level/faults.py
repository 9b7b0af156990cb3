"""What a schedule can do wrong in the array, as the numbers that the kernels return."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.errors import ScheduleError

__all__ = ["FINE", "Fault", "raise_fault"]

FINE = 0
"""No fault."""


# Jitted code reads the numbers of a global tuple, but neither those of a class nor a dict.
class _Numbers(NamedTuple):
    feeder: int
    loader: int
    operands_apart: int
    multiplier_busy: int
    adder_busy: int
    sum_pending: int
    psum_missing: int
    overwritten: int
    shifted_early: int
    not_stationary: int
    sum_apart: int
    read_early: int
    stored_out_of_order: int
    stored_twice: int
    stuck: int


Fault = _Numbers(*range(1, len(_Numbers._fields) + 1))
"""The number of each fault."""

_TEXTS = {
    Fault.feeder: "the edge should drive an operand while it still drives those of a pass before",
    Fault.loader: "a row should be loaded while rows of another pass are loaded or drained",
    Fault.operands_apart: "an operand arrives without the one that it is to be multiplied by",
    Fault.multiplier_busy: "an operand pair enters a busy multiplier",
    Fault.adder_busy: "a product enters a busy adder",
    Fault.sum_pending: "a product arrives before its psum is in the psum register",
    Fault.psum_missing: "a product arrives before the psum that it is to go on from is loaded",
    Fault.overwritten: "a psum register is overwritten before it was shifted out",
    Fault.shifted_early: "a psum register is shifted before its sum is complete or its pass drains",
    Fault.not_stationary: "an operand arrives where its stationary operand is not there",
    Fault.sum_apart: "a psum arrives without the product that is to be added to it",
    Fault.read_early: "a psum is read before it was stored",
    Fault.stored_out_of_order: "a psum leaves before those of an earlier pass",
    Fault.stored_twice: "two psums leave a column at once",
    Fault.stuck: "psums are still in the array, though nothing moves any more",
}


def raise_fault(fault: int, one: int, i: int, j: int, cycle: int) -> None:
    """Raise what the kernels found: *fault* with pass *one* at PE (i, j) in *cycle*.

    Raises
    ------
    ScheduleError
    """
    raise ScheduleError(
        f"PE ({i}, {j}), cycle {cycle}, pass {one}: {_TEXTS[fault]}; start the pass later, or let "
        "the dataflow say when"
    )
