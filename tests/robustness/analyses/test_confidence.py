"""Confidence and calibration, on logits that can be checked by hand."""

import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.robustness.analyses import (
    confidence_quantiles,
    confidence_summary,
    logit_gain,
    reliability,
)
from accelsim.robustness.verdict import judge, logits_of

ODDS = np.log(3.0)
"""Of probability 3/4 beside 1/4."""
LABELS = np.array([0, 0, 1, 1])
EXACT = np.array([[ODDS, 0], [ODDS, 0], [ODDS, 0], [0, ODDS]])
"""Always 3/4 sure, three times of four rightly: perfectly calibrated."""


def test_a_calibrated_network_has_no_calibration_error():
    row = confidence_summary({"exact": EXACT}, LABELS, "exact").iloc[0]
    assert row["accuracy"] == 0.75
    assert row["sure"] == pytest.approx(0.75)
    assert row["ece"] == pytest.approx(0)
    assert row["overconfidence"] == pytest.approx(0)
    assert row["confidence"] == pytest.approx((3 * 0.75 + 0.25) / 4)
    assert row["margin"] == pytest.approx(ODDS)


def test_a_gain_alone_changes_confidence_and_calibration_but_no_class():
    """Logits doubled: odds 9, so 9/10 sure and right three times of four."""
    table = confidence_summary({"exact": EXACT, "twice": 2 * EXACT}, LABELS, "exact")
    row = table.iloc[1]
    assert row[["accuracy", "agree", "lost", "won"]].tolist() == [0.75, 4, 0, 0]
    assert row["sure"] == pytest.approx(0.9)
    assert row["ece"] == pytest.approx(0.15)
    assert row["overconfidence"] == pytest.approx(0.15)
    assert row["margin"] == pytest.approx(2 * ODDS)


def test_what_differs_from_the_baseline_is_counted():
    other = np.array([[ODDS, 0], [0, ODDS], [0, ODDS], [0, ODDS]])
    row = confidence_summary({"exact": EXACT, "other": other}, LABELS, "exact").iloc[1]
    assert row[["agree", "lost", "won"]].tolist() == [2, 1, 1]


def test_the_gain_of_logits_ignores_what_no_softmax_sees():
    shifted = 1.4 * EXACT + np.array([[5.0], [-3.0], [0.0], [1.0]])
    assert logit_gain(EXACT, shifted) == pytest.approx(1.4)
    shifted[0, 0] = np.inf
    assert logit_gain(EXACT, shifted) == pytest.approx(1.4)


def test_logits_that_are_not_finite_are_wrong_without_confidence():
    broken = EXACT.copy()
    broken[0] = np.nan
    row = confidence_summary({"exact": EXACT, "broken": broken}, LABELS, "exact").iloc[1]
    assert row[["accuracy", "agree", "lost"]].tolist() == [0.5, 3, 1]
    assert row["confidence"] == pytest.approx((0.75 + 0.25 + 0.75) / 4)
    assert row["margin"] == pytest.approx(0, abs=1e-12)  # of -inf, -odds, odds, odds


def test_quantiles_are_of_the_true_class():
    table = confidence_quantiles({"exact": EXACT}, LABELS)
    confidence = table[table["measure"] == "confidence"].set_index("share")["value"]
    assert confidence[0] == pytest.approx(0.25)
    assert confidence[0.25] == pytest.approx(0.25)
    assert confidence[0.3] == pytest.approx(0.75)
    margin = table[table["measure"] == "margin"].set_index("share")["value"]
    assert margin[0.25] == pytest.approx(-ODDS)
    assert margin[1] == pytest.approx(ODDS)


def test_bins_of_reliability():
    logits = np.array([[ODDS, 0], [9, 0], [0, 9], [0.0, 0.0]])
    table = reliability({"one": logits}, np.array([0, 0, 0, 0]), bins=4)
    # Even odds lie in the bin from 1/2, odds of 3 in the one from 3/4; e^9 to one there too.
    assert table["low"].tolist() == [0.5, 0.75]
    assert table["images"].tolist() == [1, 3]
    assert table["accuracy"].tolist() == [1.0, pytest.approx(2 / 3)]
    assert table["network"].tolist() == ["one", "one"]


def test_the_summary_agrees_with_the_judge_of_attacks(lenet):
    model, images, labels = lenet
    verdict = judge(model, images, labels, 8)
    row = confidence_summary({"exact": logits_of(model, images, 7)}, labels, "exact").iloc[0]
    assert row["accuracy"] == verdict.right.mean()
    assert row["confidence"] == pytest.approx(verdict.confidence.mean(), rel=1e-6)


def test_rejects_what_does_not_belong_together(lenet):
    with pytest.raises(DataError, match="baseline 'torch' is none of exact"):
        confidence_summary({"exact": EXACT}, LABELS, "torch")
    with pytest.raises(DataError, match="labels must be one an image: got 3 for 4"):
        confidence_quantiles({"exact": EXACT}, LABELS[:3])
    with pytest.raises(DataError, match=r"exact: logits must be \(N, classes\), got shape \(4,\)"):
        reliability({"exact": EXACT[:, 0]}, LABELS)
    with pytest.raises(ConfigError, match="bins must be an int >= 1, got 0"):
        reliability({"exact": EXACT}, LABELS, bins=0)
    with pytest.raises(DataError, match="no class from another"):
        logit_gain(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(DataError, match=r"must return logits \(N, classes\)"):
        logits_of(lenet[0].conv1, lenet[1], 8)
