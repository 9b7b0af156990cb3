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


def test_chance_alone_makes_a_calibrated_network_err_so_much():
    """Of 4 images 0 to 4 are right with (1, 12, 54, 108, 81) / 256, and (3, 2, 1, 0, 1) / 4 off."""
    row = confidence_summary({"exact": EXACT}, LABELS, "exact").iloc[0]
    assert row["ece_calibrated"] == pytest.approx((3 + 24 + 54 + 81) / 1024)


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


def test_images_without_a_class_are_in_no_bin_and_no_calibration_error():
    broken = EXACT.copy()
    broken[0] = np.nan
    summary = confidence_summary({"broken": broken, "none": broken * np.nan}, LABELS, "broken")
    row = summary.iloc[0]
    assert row["sure"] == pytest.approx(0.75)
    assert row["ece"] == pytest.approx(0.75 - 2 / 3)
    assert row["overconfidence"] == pytest.approx(0.75 - 2 / 3)
    last = ["sure", "ece", "ece_calibrated", "overconfidence"]
    assert summary.iloc[1][last].isna().all()
    table = reliability({"broken": broken, "none": broken * np.nan}, LABELS)
    assert table[["network", "images"]].to_numpy().tolist() == [["broken", 3]]


def test_quantiles_are_of_the_true_class():
    table = confidence_quantiles({"exact": EXACT}, LABELS)
    confidence = table[table["measure"] == "confidence"].set_index("share")["value"]
    assert confidence[0] == pytest.approx(0.25)
    assert confidence[0.25] == pytest.approx(0.25)
    assert confidence[0.3] == pytest.approx(0.75)
    margin = table[table["measure"] == "margin"].set_index("share")["value"]
    assert margin[0.25] == pytest.approx(-ODDS)
    assert margin[1] == pytest.approx(ODDS)


def test_quantiles_are_dense_at_both_ends():
    logits = np.stack([np.arange(1000.0), np.zeros(1000)], axis=1)
    table = confidence_quantiles({"one": logits}, np.zeros(1000, int))
    margin = table[table["measure"] == "margin"].set_index("share")["value"]
    assert margin[[0.001, 0.01, 0.99, 0.999]].tolist() == [0, 9, 989, 998]


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
    with pytest.raises(DataError, match="got 0 networks and 4 labels"):
        reliability({}, LABELS)
    with pytest.raises(DataError, match=r"must return logits \(N, classes\)"):
        logits_of(lenet[0].conv1, lenet[1], 8)


@pytest.mark.parametrize("function", [confidence_summary, confidence_quantiles])
def test_rejects_logits_of_no_image(function):
    more = ["exact"] if function is confidence_summary else []
    with pytest.raises(DataError, match="there is nothing to judge.*got 1 networks and 0 labels"):
        function({"exact": EXACT[:0]}, LABELS[:0], *more)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (np.full((4, 2), np.nan), "no image's logits are all finite"),
        (EXACT[:, :1], r"got shapes \(4, 2\) and \(4, 1\)"),
        (EXACT[:3], r"got shapes \(4, 2\) and \(3, 2\)"),
        (EXACT[:, 0], r"got shapes \(4, 2\) and \(4,\)"),
    ],
)
def test_rejects_logits_between_which_there_is_no_gain(unit, message):
    with pytest.raises(DataError, match=message):
        logit_gain(EXACT, unit)
    with pytest.raises(DataError, match="no image's logits are all finite"):
        logit_gain(EXACT[:0], EXACT[:0])
