"""Tests of accelsim.robustness.summary."""

from __future__ import annotations

import math

import numpy as np
import pytest

from accelsim.errors import DataError
from accelsim.robustness.outcomes import KEYS, strongest
from accelsim.robustness.summary import compare, estimate, summarize
from accelsim.statistics import wilson

MINIMUM = {"aim": "minimum", "norm": "l2", "epsilon": math.nan, "attack": "deepfool"}


def test_rates_by_hand(run):
    """Five images: the source is right on four and fooled on three, of which two transfer."""
    table = run(
        [(1, 1), (1, 1), (1, 0), (0, 0), (1, 1)],
        scenario="transfer",
        source="torch",
        source_right=[True, True, True, True, False],
        target_right=[True, True, True, True, False],
        l2=[1.0, 3.0, 2.0, 9.0, 9.0],
        cause=["", "", "", "no gradient", ""],
    )
    (row,) = summarize(table).to_dict("records")
    assert {name: row[name] for name in ("images", "attacked", "fooled_source", "fooled_both")} == {
        "images": 5,
        "attacked": 4,
        "fooled_source": 3,
        "fooled_both": 2,
    }
    for name, (hits, of) in {
        "clean_accuracy": (4, 5),
        "robust_accuracy": (2, 5),
        "source_success": (3, 4),
        "transfer_success": (2, 3),
        "transfer_of_right": (2, 3),
    }.items():
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == wilson(hits, of)
    assert row["median_l2"] == 2.0
    assert row["mean_confidence_attacked"] == pytest.approx((0.1 * 3 + 0.6 * 2) / 5)
    assert row["mean_margin_clean"] == 4.0
    assert (row["forwards"], row["gradients"]) == (40.0, 40.0)
    failed = {name: row[name] for name in row if name.startswith("failed_")}
    assert failed == {
        "failed_no_gradient": 1,
        "failed_clipped": 0,
        "failed_budget": 0,
        "failed_gave_up": 0,
    }


def test_what_the_target_gets_wrong_by_itself_is_no_transfer_of_right(run):
    """Of four examples that fool the source two were wrong on the target before the attack."""
    table = run(
        [(1, 1), (1, 1), (1, 1), (1, 0)],
        scenario="transfer",
        source="torch",
        target_right=[False, False, True, True],
    )
    (row,) = summarize(table).to_dict("records")
    assert (row["fooled_both"], row["fooled_source"], row["transfer_success"]) == (3, 4, 0.75)
    assert (row["transferred"], row["transferable"], row["transfer_of_right"]) == (1, 2, 0.5)


def test_a_row_for_each_run_in_order(run, runs):
    table = runs(
        run([1], **MINIMUM), run([1], epsilon=0.2), run([1], epsilon=0.1), run([1], seed=1)
    )
    found = summarize(table)
    assert list(found.columns[: len(KEYS)]) == list(KEYS)
    assert list(found["epsilon"].fillna(0)) == [0, 0.2, 0.1, 0.1]
    assert list(found["seed"]) == [0, 0, 0, 1]


def test_nothing_fooled_says_nothing_of_transfer(run):
    (row,) = summarize(run([0, 0])).to_dict("records")
    assert math.isnan(row["transfer_success"])
    assert (row["transfer_success_low"], row["transfer_success_high"]) == (0, 1)
    assert math.isnan(row["median_l2"])


def test_targets_are_compared_image_by_image(run, runs):
    """Of 12 images that all get right 9 fool exact_fp32 alone, 1 both, none ax_fpm alone."""
    right = [True] * 12 + [False]
    transfer = {"scenario": "transfer", "source": "torch"}
    table = runs(
        run([1] * 10 + [0] * 3, target="exact_fp32", **transfer),
        run([0] * 9 + [1] + [0] * 3, target="ax_fpm", target_right=right, **transfer),
        run([1, 0, 0], target="exact_fp32", **transfer | {"attack": "fgsm"}),
        run([0, 1, 0], target="ax_fpm", **transfer | {"attack": "fgsm"}),
    )
    pgd, fgsm = compare(table, "exact_fp32", "ax_fpm").to_dict("records")
    assert (pgd["images"], pgd["fooled_baseline"], pgd["fooled_other"]) == (12, 10, 1)
    assert (pgd["only_baseline"], pgd["only_other"]) == (9, 0)
    assert pgd["p"] == pytest.approx(2 / 2**9)
    assert pgd["p_holm"] == pytest.approx(2 * 2 / 2**9)
    assert (fgsm["p"], fgsm["p_holm"]) == (1, 1)
    assert math.isnan(pgd["norm_ratio"])
    assert math.isnan(pgd["psnr_db"])


def test_ratios_of_minimal_perturbations(run, runs):
    """Ten images, twice the distance each: four times the squared error, 6.02 dB."""
    lengths = np.linspace(1, 2, 10)
    table = runs(
        run([1] * 10, target="exact_fp32", l2=lengths, mse=lengths**2 / 784, **MINIMUM),
        run([1] * 9 + [0], target="ax_fpm", l2=2 * lengths, mse=4 * lengths**2 / 784, **MINIMUM),
    )
    (row,) = compare(table, "exact_fp32", "ax_fpm").to_dict("records")
    assert row["source"] == "target"
    assert row["both_fooled"] == 9
    for bound in ("", "_low", "_high"):
        assert row[f"norm_ratio{bound}"] == pytest.approx(2)
        assert row[f"mse_ratio{bound}"] == pytest.approx(4)
        assert row[f"psnr_db{bound}"] == pytest.approx(20 * math.log10(2))
    (turned,) = compare(table, "ax_fpm", "exact_fp32").to_dict("records")
    assert turned["psnr_db"] == pytest.approx(-row["psnr_db"])


def test_one_pair_bounds_nothing(run, runs):
    table = runs(run([1], target="exact_fp32", **MINIMUM), run([1], target="ax_fpm", **MINIMUM))
    (row,) = compare(table, "exact_fp32", "ax_fpm").to_dict("records")
    assert (row["psnr_db"], row["psnr_db_low"], row["psnr_db_high"]) == (0, -math.inf, math.inf)


def test_sources_made_from_the_targets_are_paired(run, runs):
    table = runs(
        run([1], target="exact_fp32", source="proxy of exact_fp32", scenario="black_box"),
        run([1], target="ax_fpm", source="proxy of ax_fpm", scenario="black_box"),
        run([1], target="ax_fpm_flat", source="proxy of ax_fpm_flat", scenario="black_box"),
    )
    (row,) = compare(table, "exact_fp32", "ax_fpm").to_dict("records")
    assert row["source"] == "proxy of target"


def test_gradients_of_their_own_are_compared_by_the_strongest(run, runs):
    table = runs(
        run([1, 1], target="exact_fp32", gradient="exact"),
        run([1, 0], target="ax_fpm", gradient="effective"),
    )
    with pytest.raises(DataError, match=r"share no run .*take strongest\(outcomes, \('gradient"):
        compare(table, "exact_fp32", "ax_fpm")
    (row,) = compare(strongest(table, ("gradient",)), "exact_fp32", "ax_fpm").to_dict("records")
    assert (row["only_baseline"], row["only_other"]) == (1, 0)


def test_rejects_unknown_targets_and_one_with_itself(run):
    table = run([1])
    with pytest.raises(DataError, match="no outcome of target 'ax_fmp'.*Did you mean 'ax_fpm'"):
        compare(table, "ax_fmp", "ax_fpm")
    with pytest.raises(DataError, match="'ax_fpm' cannot be compared with itself"):
        compare(table, "ax_fpm", "ax_fpm")


def test_rejects_examples_that_equal_their_images(run, runs):
    table = runs(
        run([1, 1], target="exact_fp32", **MINIMUM),
        run([1, 1], target="ax_fpm", **MINIMUM | {"mse": 0.0}),
    )
    with pytest.raises(DataError, match="an example that equals its image fools a target"):
        compare(table, "exact_fp32", "ax_fpm")


def test_an_estimate_is_taken_from_a_row(run):
    row = summarize(run([1, 1, 0])).iloc[0]
    assert estimate(row, "source_success") == wilson(2, 3)
