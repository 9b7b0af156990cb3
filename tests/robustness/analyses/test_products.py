"""Inflated products over operands, where the answer is known."""

import numpy as np
import pytest

from accelsim.errors import DataError
from accelsim.multipliers import MULTIPLIERS
from accelsim.operands import all_pairs, given_pairs, random_pairs
from accelsim.robustness.analyses import product_inflation


def test_the_flat_unit_inflates_all_products_by_two_over_the_weights_significand():
    """The weight w in [1, 2) counts as 2, so that the error is 2 / w - 1 in each bin."""
    unit = MULTIPLIERS["ax_fpm_flat"]
    table = product_inflation(unit, random_pairs(unit, 60_000, distribution="significand"))
    weights = table[table["over"] == "weight"]
    assert len(weights) == 16
    assert weights["low"].tolist() == [1 + k / 16 for k in range(16)]
    assert (weights["inflated"] > 0.999).all()
    middle = (weights["low"] + weights["high"]) / 2
    assert weights["error"].to_numpy() == pytest.approx(2 / middle - 1, abs=0.01)
    activations = table[table["over"] == "activation"]
    assert activations["error"].to_numpy() == pytest.approx(2 * np.log(2) - 1, abs=0.02)


def test_the_papers_share_of_inflated_products():
    unit = MULTIPLIERS["ax_fpm"]
    table = product_inflation(unit, random_pairs(unit, 100_000))
    row = table[table["over"] == "all"].iloc[0]
    assert row["pairs"] == 100_000
    assert row["inflated_low"] < 0.9575 < row["inflated_high"]
    binades = table[table["over"] == "product"]
    assert (np.diff(np.log2(binades["low"])) == 1).all()
    assert (binades["high"] == 2 * binades["low"]).all()


def test_integers_are_binned_by_magnitude():
    """Truncated products are never larger; each bin of 16 x 256 pairs but for those with 0."""
    unit = MULTIPLIERS["truncated2_u8"]
    table = product_inflation(unit, all_pairs(unit.operands))
    rows = table[table["over"] == "activation"]
    assert rows["low"].tolist() == [16.0 * k for k in range(16)]
    assert rows["pairs"].tolist() == [15 * 255] + [16 * 255] * 15
    assert (rows["inflated"] == 0).all()
    assert (table["largest"] == 255).all()


def test_of_all_pairs_nothing_is_left_to_chance():
    """The interval is the share itself; a sample of the same unit has a wider one."""
    unit = MULTIPLIERS["drum4_u8"]
    whole = product_inflation(unit, all_pairs(unit.operands))
    assert (whole["inflated_low"] == whole["inflated"]).all()
    assert (whole["inflated_high"] == whole["inflated"]).all()
    sample = product_inflation(unit, random_pairs(unit, 1000))
    assert (sample["inflated_low"] < sample["inflated_high"]).all()


def test_every_pair_counts_once_in_each_binning_and_small_bins_are_left_out():
    unit = MULTIPLIERS["exact_fp32"]
    a = np.repeat(np.float32([1.0, 1.5, 0.0]), [200, 50, 30])
    table = product_inflation(unit, given_pairs(a, np.full_like(a, 3)))
    assert table[["over", "pairs"]].to_numpy().tolist() == [
        ["activation", 200],
        ["all", 250],
        ["product", 200],
        ["weight", 250],
    ]
    assert table["inflated"].tolist() == [0, 0, 0, 0]
    assert table["largest"].isna().all()


@pytest.mark.parametrize("operand", [0.0, 3e38])
def test_rejects_pairs_without_a_product_that_could_be_inflated(operand):
    unit = MULTIPLIERS["exact_fp32"]
    with pytest.raises(DataError, match="exact_fp32: no pair of 5 given pairs has an exact"):
        product_inflation(unit, given_pairs(np.full(5, operand, np.float32), np.float32(3)))
