"""Study: the table of outcomes that the checks look at, and what the attacks in it stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from accelsim.errors import ConfigError, DataError, nearest
from accelsim.robustness.attack import ACCESSES
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import KEYS, checked_outcomes, numbered, strongest_of_checked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SEEING", "Run", "Study", "overshoots", "worst_case"]

SEEING = ACCESSES[:3]
"""The accesses of all attacks but the control, random noise."""

EFFORTS = ("steps", "searches", "restarts", "queries", "rounds", "draws")
"""Settings that make an attack try longer, and do nothing else."""

OVERSHOOTS = ("confidence", "overshoot")
"""Settings that make an attack go further than what just fools its source."""

EVERYTHING = ("scenario", "source", "gradient", "attack", "settings", "seed")


class Run(NamedTuple):
    """An attack with its settings, as the table has them."""

    attack: str
    settings: str

    def __str__(self) -> str:
        return f"{self.attack} {self.settings}".strip()


@dataclass(frozen=True)
class Study:
    """A table of outcomes, the target in question, and what the attacks in the table stand for.

    Runs are told apart by attack and settings. What `ATTACKS` has tells by itself what it sees, its
    loss, and which runs are the same with more effort; the mappings are for attacks of other names,
    and come before what `ATTACKS` says.

    Attributes
    ----------
    outcomes : DataFrame
        Columns as `accelsim.robustness.outcomes.OUTCOMES`; ``access`` and ``loss`` are added here.
    target : str
        The unit whose robustness is in question.
    access : mapping
        Attack -> one of `accelsim.robustness.attack.ACCESSES`; none is random noise.
    loss : mapping
        Attack -> ``"cross entropy"``, ``"margin"`` (any loss that a gain of the logits does not
        saturate, DLR too) or ``"probability"`` (the softmax itself); others need none.
    iterated : mapping
        One-step attack -> the attack that takes many such steps.
    doubled : mapping
        Attack -> the same with twice the iterations, or twice the restarts.
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
    access: Mapping[str, str] = field(default_factory=dict)
    loss: Mapping[str, str] = field(default_factory=dict)
    iterated: Mapping[str, str] = field(default_factory=dict)
    doubled: Mapping[str, str] = field(default_factory=dict)
    baseline: str = "exact_fp32"
    controls: Sequence[str] = ()

    def __post_init__(self) -> None:
        table = checked_outcomes(self.outcomes)
        targets = list(table["target"].unique())
        if self.target not in targets:
            raise DataError(
                f"no outcome of target {self.target!r}; there are: {', '.join(targets)}."
                f"{nearest(self.target, targets)}"
            )
        number = numbered(table, ["attack", "settings"])
        first = np.unique(number, return_index=True)[1]
        runs = [Run(*pair) for pair in table[["attack", "settings"]].iloc[first].to_numpy()]
        for run in runs:
            if self._access(run) not in ACCESSES:
                raise DataError(
                    f"Study.access must give attack {run.attack!r} one of {', '.join(ACCESSES)}, "
                    f"got {self._access(run)!r}; only attacks of ATTACKS are known without"
                )
        for name, known in (("access", self._access), ("loss", self._loss)):
            table[name] = np.array([known(run) for run in runs], object)[number]
        object.__setattr__(self, "outcomes", table)

    def of_target(
        self, *scenarios: str, access: Sequence[str] = SEEING, scaled: bool = False
    ) -> pd.DataFrame:
        """Return the target's outcomes in *scenarios* (all, if none) by attacks of *access*.

        Parameters
        ----------
        scaled : bool
            Examples at other scales, too: not what the attack made.
        """
        table = self.outcomes[self.outcomes["target"] == self.target]
        if scenarios:
            table = table[table["scenario"].isin(scenarios)]
        table = table[table["access"].isin(access)]
        return table if scaled else table[table["scale"] == 1]

    def many_steps(self, attack: str) -> str | None:
        """Return the attack that takes many such steps as *attack* takes one, if it takes one."""
        known = ATTACKS[attack].many_steps if attack in ATTACKS else None
        return self.iterated.get(attack, known)

    def steps_and_one(self, runs: Iterable[Run]) -> list[tuple[Run, Run]]:
        """Return each run of one step beside each of the attack that takes many such steps."""
        return [
            (one, many)
            for one in runs
            for many in runs
            if self.many_steps(one.attack) == many.attack
        ]

    def twice_the_effort(self, runs: Iterable[Run]) -> list[tuple[Run, Run]]:
        """Return (run, run that tries at least twice as long), all else equal, of *runs*.

        Of a run with several settings of one kind of effort: the largest, beside the largest that
        is at most half of it. What was run elsewhere must not count as the most, so *runs* are
        those of one place.
        """
        pairs = [
            (one, two) for one in runs for two in runs if self.doubled.get(one.attack) == two.attack
        ]
        for name in EFFORTS:
            for chain in _chains(runs, name).values():
                most = max(chain)
                less = [effort for effort in chain if 2 * effort <= most]
                if less:
                    pairs.append((chain[max(less)], chain[most]))
        return pairs

    def _access(self, run: Run) -> str | None:
        known = ATTACKS[run.attack].access if run.attack in ATTACKS else None
        return self.access.get(run.attack, known)

    def _loss(self, run: Run) -> str:
        known = ""
        if run.attack in ATTACKS and run.attack not in self.loss:
            known = ATTACKS[run.attack].replace(**_given(run)).loss
        return self.loss.get(run.attack, known)


def worst_case(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return each image's worst case over all that an attacker may choose, see `strongest`.

    Without a row where the attempts, of one norm and epsilon, have no image in common.
    """
    images = outcomes.groupby("image").size()
    if images.empty or images.max() < len(outcomes.drop_duplicates(list(KEYS))):
        return outcomes[:0]
    return strongest_of_checked(outcomes, over=EVERYTHING)


def overshoots(runs: Iterable[Run]) -> dict[Run, tuple[str, float]]:
    """Return run -> (name of its curve, how far it goes), of runs that differ in that alone."""
    return {
        run: (f"{others} by {name}", far)
        for name in OVERSHOOTS
        for others, chain in _chains(runs, name).items()
        if len(chain) > 1
        for far, run in chain.items()
    }


def _chains(runs: Iterable[Run], name: str) -> dict[Run, dict[float, Run]]:
    """Return run without setting *name* (and without defaults) -> value of *name* -> run."""
    chains: dict[Run, dict[float, Run]] = {}
    for run in runs:
        usual = ATTACKS[run.attack].settings if run.attack in ATTACKS else {}
        settings = usual | _given(run)
        value = settings.pop(name, None)
        if isinstance(value, int | float):
            others = {key: one for key, one in settings.items() if usual.get(key) != one}
            text = json.dumps(others, sort_keys=True) if others else ""
            chains.setdefault(Run(run.attack, text), {})[value] = run
    return chains


def _given(run: Run) -> dict[str, Any]:
    """Return the settings that a run was given.

    Raises
    ------
    DataError
        If they are no JSON object, or not of the attack.
    """
    try:
        given = json.loads(run.settings or "{}")
        if not isinstance(given, dict):
            raise ValueError
        if run.attack in ATTACKS:
            ATTACKS[run.attack].replace(**given)
    except (ValueError, TypeError, ConfigError):
        raise DataError(
            f"outcomes: settings {run.settings!r} of attack {run.attack!r} are not those that "
            "`Plan.settings_text` writes; give attacks of your own another name"
        ) from None
    return given
