"""The sanity checks: what tells real robustness from attacks that did not work."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.errors import DataError
from accelsim.robustness.checks.base import Check, Rule
from accelsim.robustness.checks.coverage import (
    adaptivity,
    gain_invariance,
    gradient_free,
    overshoot,
)
from accelsim.robustness.checks.evidence import controls, known_answer, statistics, valid_examples
from accelsim.robustness.checks.model import determinism, gradient_consistency, saturation
from accelsim.robustness.checks.network import NETWORK_IMAGES, NetworkChecks, network_checks
from accelsim.robustness.checks.strength import convergence, growth, ordering
from accelsim.robustness.checks.study import Study

__all__ = [
    "NETWORK_IMAGES",
    "RULES",
    "Check",
    "NetworkChecks",
    "Rule",
    "Study",
    "adaptivity",
    "controls",
    "convergence",
    "determinism",
    "gain_invariance",
    "gradient_consistency",
    "gradient_free",
    "growth",
    "known_answer",
    "network_checks",
    "ordering",
    "overshoot",
    "run_checks",
    "saturation",
    "statistics",
    "valid_examples",
]

OF_THE_NETWORK = (determinism, gradient_consistency, saturation)
"""Checks that need more than a table."""

OF_THE_TABLE = (
    *(ordering, convergence, growth, overshoot, adaptivity, gradient_free, gain_invariance),
    *(controls, statistics, valid_examples, known_answer),
)
"""Checks of a `Study`."""

RULES: dict[str, Rule] = {rule.name: rule for rule in (*OF_THE_NETWORK, *OF_THE_TABLE)}
"""Name -> check, in the order of their numbers."""


def run_checks(study: Study, of_the_network: Sequence[Check] = ()) -> list[Check]:
    """Return all checks in the order of `RULES`.

    Parameters
    ----------
    study : Study
        The outcomes and what they stand for. A check looks at every row of its target: keep out
        what has nothing to do with the question.
    of_the_network : sequence of Check
        Results of `determinism`, `gradient_consistency` and `saturation`, see `network_checks`;
        those that are missing are returned as not run.

    Raises
    ------
    DataError
        If *of_the_network* holds another check, or one twice.
    """
    given = {check.name: check for check in of_the_network}
    names = [rule.name for rule in OF_THE_NETWORK]
    if len(given) < len(of_the_network) or not set(given) <= set(names):
        got = ", ".join(check.name for check in of_the_network)
        raise DataError(f"checks of the network are {', '.join(names)}, each once; got {got}")
    missing = "it needs the network; give its result to run_checks"
    return [
        *(given.get(rule.name, rule.not_run(missing)) for rule in OF_THE_NETWORK),
        *(rule(study) for rule in OF_THE_TABLE),
    ]
