"""Robustness: attacks, the scenarios in which they are scored, and how sure the scores are."""

from __future__ import annotations

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.evaluation import GRADIENTS, check_settings, evaluate, plans_of
from accelsim.robustness.outcomes import KEYS, OUTCOMES, strongest
from accelsim.robustness.pieces import Plan
from accelsim.robustness.scenarios import SCENARIOS, Proxies, Smoothing
from accelsim.robustness.summary import compare, summarize
from accelsim.statistics import wilson

__all__ = [
    "ATTACKS",
    "GRADIENTS",
    "KEYS",
    "OUTCOMES",
    "SCENARIOS",
    "Plan",
    "Proxies",
    "Smoothing",
    "check_settings",
    "compare",
    "evaluate",
    "plans_of",
    "strongest",
    "summarize",
    "wilson",
]
