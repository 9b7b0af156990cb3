"""Tests of accelsim.robustness.claims."""

from __future__ import annotations

import math

import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.checks import RULES, Check
from accelsim.robustness.claims import Claim, bearing, verdict
from accelsim.statistics import Estimate

FEW = Claim("few examples transfer", "transfer", "below", 0.2, robust=True)
MANY = Claim("most examples transfer", "transfer", "above", 0.5, robust=False)


def checks(**states):
    """All checks passed, but those named."""
    return [
        Check(rule.number, name, states.get(name, True), "numbers") for name, rule in RULES.items()
    ]


@pytest.mark.parametrize(
    ("claim", "interval", "grade"),
    [
        (FEW, (0.1, 0.05, 0.15), "supported"),
        (FEW, (0.1, 0.05, 0.2), "inconclusive"),
        (FEW, (0.4, 0.25, 0.6), "contradicted"),
        (FEW, (math.nan, 0, 1), "inconclusive"),
        (MANY, (0.7, 0.6, 0.8), "supported"),
        (MANY, (0.5, 0.4, 0.6), "inconclusive"),
        (MANY, (0.4, 0.3, 0.45), "contradicted"),
    ],
)
def test_the_interval_decides_where_all_checks_pass(claim, interval, grade):
    finding = verdict(checks(), claim, Estimate(*interval))
    assert finding.grade == grade
    assert finding.failing == ()


@pytest.mark.parametrize("state", [False, None])
@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize(
    ("claim", "low", "resists", "grade"),
    [
        (FEW, 0.1, True, "supported"),
        (FEW, 0.4, False, "contradicted"),
        (MANY, 0.6, False, "supported"),
        (MANY, 0.3, True, "contradicted"),
    ],
)
def test_only_checks_that_bear_on_the_direction_stop_it(claim, low, resists, grade, name, state):
    finding = verdict(checks(**{name: state}), claim, Estimate(low + 0.02, low, low + 0.05))
    if name in bearing("transfer", resists):
        assert finding.grade == "inconclusive"
        assert [check.name for check in finding.failing] == [name]
        assert f"check {finding.failing[0]}" in str(finding)
    else:
        assert finding.grade == grade


@pytest.mark.parametrize(("low", "grade"), [(0.1, "supported"), (0.4, "inconclusive")])
def test_a_weak_attack_on_the_exact_network_stops_a_contradiction_alone(low, grade):
    weak = [RULES["convergence"].not_run("one run only")]
    finding = verdict(checks(), FEW, Estimate(low + 0.02, low, low + 0.05), weak)
    assert finding.grade == grade
    assert finding.failing == (() if grade == "supported" else tuple(weak))


def test_what_bears_on_what():
    assert bearing("white_box", resists=False) == ("determinism", "statistics", "valid_examples")
    assert set(RULES) - set(bearing("white_box", resists=True)) == {"overshoot"}
    assert "ordering" not in bearing("transfer", resists=True)
    assert "overshoot" in bearing("transfer", resists=True)


@pytest.mark.parametrize("resists", [True, False])
def test_what_nobody_attacks_needs_no_attack_that_works(resists):
    assert bearing("clean", resists) == ("determinism",)


def test_a_check_that_is_missing_has_not_passed():
    finding = verdict([], FEW, Estimate(0.1, 0.05, 0.15))
    assert finding.grade == "inconclusive"
    assert [check.name for check in finding.failing] == list(bearing("transfer", resists=True))
    assert finding.reason.startswith(
        "0.1 in 0.05..0.15 lies below 0.2, which speaks for it, but check 1 determinism: not run: "
        "not among the checks; check 5 convergence"
    )


def test_rejects_checks_that_nobody_knows():
    strange = Check(14, "luck", True, "")
    for given in ([strange], checks() * 2):
        with pytest.raises(DataError, match="checks must be some of determinism, .*, each once"):
            verdict(given, FEW, Estimate(0.1, 0.05, 0.15))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "scenario",
            "grey_box",
            "Claim.scenario must be one of clean, transfer, black_box, white_box",
        ),
        ("side", "under", "Claim.side must be one of below, above, got 'under'"),
        ("bound", math.nan, "Claim.bound must be a finite number, got nan"),
    ],
)
def test_rejects_a_claim_without_a_test(field, value, message):
    good = {"text": "", "scenario": "transfer", "side": "below", "bound": 0.2, "robust": True}
    with pytest.raises(ConfigError, match=message):
        Claim(**good | {field: value})
