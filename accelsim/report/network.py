"""What folders of scores say of a unit's network: checks 1 to 3, of all folders together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from accelsim.report.results import Score
from accelsim.robustness.checks import RULES, Check, NetworkChecks
from accelsim.robustness.checks.network import USUAL

__all__ = ["counting", "network_of"]

OWN = ("white_box", "adaptive")
"""Scenarios in which the unit's own network is attacked."""


def network_of(scores: Sequence[Score], target: str) -> NetworkChecks:
    """Return the checks of the network of *target*, in *scores* that keep outcomes.

    Settings may differ between folders, so each that judges the target has to have run a check of
    its own, and each in which attackers follow a gradient that gradient's; it passes where it did
    in all of them.
    """
    of_bits: dict[Path, Check | None] = {}
    of_slopes: dict[str, dict[Path, tuple[Check, Check] | None]] = {}
    without: list[str] = []
    attacked = False
    for score in scores:
        rows = pd.DataFrame() if score.outcomes is None else score.outcomes
        rows = rows[rows["target"] == target]
        if rows.empty:
            continue
        kept = score.checks.get(target)
        of_bits[score.folder] = None if kept is None else kept.determinism
        if kept is None:
            without.append(str(score.folder))
        slopes = {} if kept is None else kept.slopes
        own = rows[rows["scenario"].isin(OWN)]
        attacked = attacked or len(own) > 0
        followed = sorted({*own["gradient"], *slopes} - {"none"}) if len(own) else []
        for gradient in followed or [USUAL] * (len(own) > 0):
            of_slopes.setdefault(gradient, {})[score.folder] = slopes.get(gradient)
    slopes = {
        gradient: (
            _together("gradient_consistency", _nth(found, 0)),
            _together("saturation", _nth(found, 1)),
        )
        for gradient, found in sorted(of_slopes.items())
        if any(found.values())
    }
    lacking = "no score attacks the unit itself, and only claims on such need it"
    if attacked:
        lacking = _not_kept(without) if without else "no score kept it of that gradient"
    return NetworkChecks(_together("determinism", of_bits), slopes, lacking)


def counting(network: NetworkChecks, gradient: str) -> str:
    """Return whose slopes count for attacks by *gradient*: the usual one's where it is none."""
    if gradient != "none" or not network.slopes:
        return gradient
    return USUAL if USUAL in network.slopes else next(iter(network.slopes))


def _nth(found: Mapping[Path, tuple[Check, Check] | None], place: int) -> dict[Path, Check | None]:
    return {folder: pair and pair[place] for folder, pair in found.items()}


def _together(name: str, found: Mapping[Path, Check | None]) -> Check:
    """Return one check of those of several folders: the first that stands in the way, if any."""
    checks = [check for check in found.values() if check is not None]
    if failed := [check for check in checks if check.passed is False]:
        return failed[0]
    if without := [str(folder) for folder, check in found.items() if check is None]:
        return RULES[name].not_run(_not_kept(without))
    return next((check for check in checks if check.passed is None), checks[0])


def _not_kept(folders: Sequence[str]) -> str:
    are = f"{', '.join(folders)} keep{'s' if len(folders) == 1 else ''} none of the network"
    return f"{are}, as of an earlier accelsim; the same accelsim score adds them"
