"""Claims: whether an interval and the sanity checks support or contradict what somebody says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.checks import RULES, Check
from accelsim.statistics import Estimate

__all__ = ["GRADES", "Claim", "Finding", "bearing", "verdict"]

GRADES = ("supported", "inconclusive", "contradicted")
SIDES = ("below", "above")
SCENARIOS = ("clean", "transfer", "black_box", "white_box")


@dataclass(frozen=True)
class Claim:
    """That a number lies on one side of a bound.

    Attributes
    ----------
    text : str
        The claim in words.
    scenario : str
        ``"transfer"``, ``"black_box"`` or ``"white_box"`` (adaptive attackers too), or ``"clean"``
        of images that nobody attacks: which checks bear on it.
    side : str
        ``"below"`` or ``"above"``.
    bound : float
    robust : bool
        Whether the claim says that the network resists: true of "transfer success is below 0.2",
        false of "transfer success is above 0.5".

    Raises
    ------
    ConfigError
        If one of them is something else.
    """

    text: str
    scenario: str
    side: str
    bound: float
    robust: bool

    def __post_init__(self) -> None:
        for name, value, known in (
            ("scenario", self.scenario, SCENARIOS),
            ("side", self.side, SIDES),
        ):
            if value not in known:
                raise ConfigError(f"Claim.{name} must be one of {', '.join(known)}, got {value!r}")
        if not math.isfinite(self.bound):
            raise ConfigError(f"Claim.bound must be a finite number, got {self.bound!r}")


@dataclass(frozen=True)
class Finding:
    """What became of a claim.

    Attributes
    ----------
    claim : Claim
    grade : str
        One of `GRADES`.
    reason : str
        The interval, and each check that stands in the way with its own reason.
    failing : tuple of Check
        Checks that bear on it and failed or were not run.
    """

    claim: Claim
    grade: str
    reason: str
    failing: tuple[Check, ...]

    def __str__(self) -> str:
        return f"{self.grade}: {self.claim.text}: {self.reason}"


def bearing(scenario: str, resists: bool) -> tuple[str, ...]:
    """Return the names of the checks that a conclusion about *scenario* needs.

    That a network resists needs all that could show the attacks to be weak or the number to be of
    another cause. That an attack succeeds needs no proof of its strength: only that examples are
    valid, their count is right, and the network is the same each time. What is said of images that
    nobody attacks needs the last alone.
    """
    if not resists and scenario != "clean":
        return tuple(name for name, rule in RULES.items() if rule.success)
    return tuple(name for name, rule in RULES.items() if scenario in rule.bears_on)


def verdict(
    checks: Sequence[Check], claim: Claim, measured: Estimate, of_exact: Sequence[Check] = ()
) -> Finding:
    """Return whether *claim* is supported, contradicted, or neither.

    If the whole interval lies on the claim's side of the bound, the evidence speaks for it; if it
    lies on the other side, against it; else it is inconclusive. Either direction counts only if the
    checks that bear on it passed (`bearing`): for a claim that the network resists, those of
    resisting decide whether it is supported, those of success whether it is contradicted; for a
    claim that an attack succeeds, the other way round. A check that is missing or was not run has
    not passed.

    Parameters
    ----------
    checks : sequence of Check
        As `accelsim.robustness.checks.run_checks` returns them.
    claim : Claim
    measured : Estimate
        The number and its interval.
    of_exact : sequence of Check
        Checks of the exact network that a contradiction needs as well. For a number that stands
        beside the exact network's, such as a ratio of smallest perturbations: a weak attack on that
        network makes it small, too.

    Raises
    ------
    DataError
        If a check is unknown or there twice.
    """
    given = {check.name: check for check in checks}
    if len(given) < len(checks) or not set(given) <= set(RULES):
        raise DataError(
            f"checks must be some of {', '.join(RULES)}, each once; got "
            f"{', '.join(check.name for check in checks)}"
        )
    told = f"{measured.value:.4g} in {measured.low:.4g}..{measured.high:.4g}"
    below, above = measured.high < claim.bound, measured.low > claim.bound
    if not below and not above:
        reason = f"{told} does not lie on one side of {claim.bound:.4g}"
        return Finding(claim, "inconclusive", reason, ())
    holds = below == (claim.side == "below")
    where = f"{told} lies {'below' if below else 'above'} {claim.bound:.4g}"
    failing = tuple(
        check
        for name in bearing(claim.scenario, resists=holds == claim.robust)
        if not (check := given.get(name, RULES[name].not_run("not among the checks"))).passed
    )
    if not holds:
        failing += tuple(check for check in of_exact if not check.passed)
    if failing:
        stops = "; ".join(f"check {check}" for check in failing)
        speaks = "for" if holds else "against"
        return Finding(
            claim, "inconclusive", f"{where}, which speaks {speaks} it, but {stops}", failing
        )
    return Finding(claim, "supported" if holds else "contradicted", where, ())
