"""What every sanity check is made of: its rule, its result, and the study that it looks at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accelsim.errors import DataError, nearest
from accelsim.robustness.outcomes import checked_outcomes, strongest
from accelsim.statistics import holm, mcnemar

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ACCESSES",
    "ALPHA",
    "Check",
    "Outcome",
    "Rule",
    "Study",
    "excesses",
    "rule",
    "worst_case",
]

ALPHA = 0.05
"""Risk of a false alarm of a whole check, by convention; corrected for its tests after Holm."""

ACCESSES = ("gradient", "score", "label", "none")
"""What an attack sees of its source: gradients, logits, the class; none is random noise."""

EVERYTHING = ("scenario", "source", "gradient", "attack", "seed")

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


@dataclass(frozen=True)
class Study:
    """A table of outcomes, the target in question, and what the attacks in the table stand for.

    Attributes
    ----------
    outcomes : DataFrame
        Columns as `accelsim.robustness.outcomes.OUTCOMES`.
    target : str
        The unit whose robustness is in question.
    access : mapping
        Every attack of the table -> one of `ACCESSES`.
    loss : mapping
        Attack -> ``"cross entropy"``, ``"margin"`` (any loss that a gain of the logits does not
        saturate, DLR too) or ``"probability"`` (the softmax itself); others need none.
    iterated : mapping
        One-step attack -> the attack that takes many such steps.
    doubled : mapping
        Attack -> the same with twice the iterations, or twice the restarts.
    curves : mapping
        Name of a curve -> overshoot (scale of the perturbation, or confidence of C&W) -> attack.
    baseline : str
        The exact target.
    controls : sequence of str
        Targets that any defense must beat, since they cost nothing.

    Raises
    ------
    DataError
        If the outcomes cannot be used, the target is not among them, or an attack has no access.
    """

    outcomes: pd.DataFrame
    target: str
    access: Mapping[str, str]
    loss: Mapping[str, str] = field(default_factory=dict)
    iterated: Mapping[str, str] = field(default_factory=dict)
    doubled: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Mapping[float, str]] = field(default_factory=dict)
    baseline: str = "exact_fp32"
    controls: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcomes", checked_outcomes(self.outcomes))
        targets = list(self.outcomes["target"].unique())
        if self.target not in targets:
            raise DataError(
                f"no outcome of target {self.target!r}; there are: {', '.join(targets)}."
                f"{nearest(self.target, targets)}"
            )
        for attack in self.outcomes["attack"].unique():
            if self.access.get(attack) not in ACCESSES:
                raise DataError(
                    f"Study.access must give attack {attack!r} one of {', '.join(ACCESSES)}, got "
                    f"{self.access.get(attack)!r}"
                )

    def of_target(self, *scenarios: str, access: Sequence[str] = ACCESSES[:3]) -> pd.DataFrame:
        """Return the target's outcomes in *scenarios* (all, if none) by attacks of *access*."""
        table = self.outcomes[self.outcomes["target"] == self.target]
        if scenarios:
            table = table[table["scenario"].isin(scenarios)]
        return table[table["attack"].map(self.access).isin(access)]


def worst_case(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return each image's worst case over all that an attacker may choose, see `strongest`."""
    return strongest(outcomes, over=EVERYTHING)


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
