"""What every sanity check is made of: its rule and its result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.statistics import holm, mcnemar

__all__ = [
    "ALPHA",
    "Check",
    "Outcome",
    "Rule",
    "excesses",
    "rule",
]

ALPHA = 0.05
"""Risk of a false alarm of a whole check, by convention; corrected for its tests after Holm."""

Outcome = tuple[bool | None, str]
"""What a check's function returns: passed (None: could not be run), and the reason."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    number : int
        1..13, as in docs/checks.md.
    name : str
    passed : bool or None
        None: not run.
    reason : str
        The numbers, or why it was not run.
    """

    number: int
    name: str
    passed: bool | None
    reason: str

    def __str__(self) -> str:
        state = {True: "pass", False: "FAIL", None: "not run"}[self.passed]
        return f"{self.number} {self.name}: {state}: {self.reason}"


class Rule:
    """A check: what it demands, and the function that looks; call it as that function.

    Attributes
    ----------
    number, name
        As in `Check`; the name is that of the function.
    demand : str
        When it passes, one line.
    bears_on : tuple of str
        The scenarios in which a claim that the network resists needs it.
    success : bool
        Whether a claim that an attack succeeds needs it too.
    """

    def __init__(
        self,
        function: Callable[..., Outcome],
        number: int,
        demand: str,
        bears_on: tuple[str, ...],
        success: bool,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.number, self.name = number, function.__name__
        self.demand, self.bears_on, self.success = demand, bears_on, success

    def __call__(self, *evidence: Any, **settings: Any) -> Check:
        """Return the check's result."""
        return Check(self.number, self.name, *self._function(*evidence, **settings))

    def not_run(self, reason: str) -> Check:
        """Return the check as one that was not run."""
        return Check(self.number, self.name, None, reason)


def rule(
    number: int, demand: str, bears_on: tuple[str, ...], success: bool = False
) -> Callable[[Callable[..., Outcome]], Rule]:
    """Make a function that returns an `Outcome` a `Rule`."""
    return lambda function: Rule(function, number, demand, bears_on, success)


def excesses(tests: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the tests in which the first count exceeds the second by more than chance explains.

    One-sided exact McNemar tests at a joint level of `ALPHA` (Holm).

    Parameters
    ----------
    tests : mapping
        What is compared -> images that only the one that must not be stronger fools, and images
        that only the other one fools.
    """
    p_values = [mcnemar(more, less, alternative="greater") for more, less in tests.values()]
    return [
        f"{name} ({more} images against {less}, p {p:.2g})"
        for (name, (more, less)), p in zip(tests.items(), holm(p_values), strict=True)
        if p < ALPHA
    ]
