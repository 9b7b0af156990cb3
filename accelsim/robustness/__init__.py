"""Robustness: attacks, the scenarios in which they are scored, and how sure the scores are."""

from __future__ import annotations

from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.evaluation import SCENARIOS, check_settings, evaluate, evaluate_rows
from accelsim.statistics import wilson

__all__ = ["ATTACKS", "SCENARIOS", "check_settings", "evaluate", "evaluate_rows", "wilson"]
