"""Error metrics, on units small enough to be worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from accelsim.compilation import jit
from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.metrics import measure
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier, IntegerMultiplier
from accelsim.operands import all_pairs, choose_pairs, given_pairs, random_pairs

FACTS = {"title": "t", "description": "d", "delay_ps": None, "delay_source": "x", "sources": ("s",)}


def integer_unit(table, signed=False, name="tiny"):
    """A unit by its table, rows and columns in the order of the values' patterns."""
    values = np.asarray(table, np.int32)
    operands = IntegerFormat(int(math.log2(len(values))), signed)
    return IntegerMultiplier(name=name, operands=operands, values=values, **FACTS)


def measured(unit):
    return {name: metric.value for name, metric in measure(unit, all_pairs(unit.operands)).items()}


def test_two_bit_cell_of_kulkarni_by_hand():
    """3 x 3 = 7, all others exact: one of 16 pairs is wrong, by 2 of 9; 7 pairs have a zero."""
    table = np.outer(range(4), range(4))
    table[3, 3] = 7
    assert measured(integer_unit(table)) == pytest.approx(
        {
            "error_rate": 1 / 16,
            "med": 2 / 16,
            "nmed": 2 / 16 / 9,
            "nmed_span": 2 / 16 / 16,
            "mred": (2 / 9) / 9,
            "mred_all_pairs": (2 / 9) / 16,
            "mred_max_1": (2 / 9) / 16,
            "bias": -(2 / 9) / 9,
            "relative_error_std": math.sqrt((2 / 9) ** 2 / 9 - (2 / 81) ** 2),
            "mean_error": -2 / 16,
            "wce": 2,
            "wcre": 2 / 9,
            "mse": 4 / 16,
            "rmse": 1 / 2,
            "inflated": 0,
            "exact_zero": 7 / 16,
            "not_commuting": 0,
            "commutation_gap": 0,
            "zero_operand_wrong": 0,
            "zero_operand_worst": 0,
        }
    )


def test_a_unit_that_commutes_not_and_knows_no_zero_by_hand():
    """a * (w | 1), 2 bits: too large by a where w is 0 or 2.

    E is 1, 2, 3 for each of the two columns; relative to M = 2 a in the one with M != 0 that is
    1/2. a * (w | 1) = w * (a | 1) for both odd, both even and equal, or both operands 0.
    """
    a, w = np.arange(4)[:, None], np.arange(4)
    found = measured(integer_unit(a * (w | 1)))
    assert found["error_rate"] == found["inflated"] == 6 / 16
    assert found["med"] == found["mean_error"] == 12 / 16
    assert found["mse"] == 2 * (1 + 4 + 9) / 16
    assert found["bias"] == found["mred"] == pytest.approx(3 * 0.5 / 9)
    assert found["mred_all_pairs"] == pytest.approx(3 * 0.5 / 16)
    # Against max(1, 0) the errors of column 0 count whole.
    assert found["mred_max_1"] == pytest.approx((1 + 2 + 3 + 3 * 0.5) / 16)
    assert (found["zero_operand_wrong"], found["zero_operand_worst"]) == (3, 3)
    pairs = [(x, y) for x in range(4) for y in range(4)]
    changes = [abs(x * (y | 1) - y * (x | 1)) for x, y in pairs]
    assert found["not_commuting"] == sum(change > 0 for change in changes) / 16
    assert found["commutation_gap"] == sum(changes) / 16


def test_signed_products_by_hand():
    """2 bits signed: -2 x -2 = 3, and -2 x 1 = -3: one too small, one too large in magnitude."""
    values = np.array([0, 1, -2, -1])
    table = np.outer(values, values)
    table[2, 2], table[2, 1] = 3, -3
    found = measured(integer_unit(table, signed=True))
    assert found["mean_error"] == (-1 - 1) / 16
    assert found["bias"] == pytest.approx((-1 / 4 + 1 / 2) / 9)
    assert found["inflated"] == 1 / 16
    assert found["nmed"] == 2 / 16 / 4
    assert found["not_commuting"] == 2 / 16
    assert found["commutation_gap"] == 2 * 1 / 16


@jit
def _cleared(a, w):
    return (a & ~7) * (w & ~7)


CLEARED = IntegerMultiplier(
    name="cleared", operands=IntegerFormat(8, signed=False), scalar=_cleared, **FACTS
)


def test_95_percent_intervals_hold_the_exhaustive_value_as_often_as_they_say():
    """400 seeded samples of 1000 pairs: 95 % +- 3.3 % is three standard deviations."""
    truth = measure(CLEARED, all_pairs(CLEARED.operands))
    names = ("error_rate", "med", "nmed_span", "mred_all_pairs", "bias", "mean_error", "exact_zero")
    held = dict.fromkeys(names, 0)
    for seed in range(400):
        sample = measure(CLEARED, choose_pairs(CLEARED, 1000, seed, exhaustive_bits=0))
        assert not sample.exhaustive
        assert sample["wce"].value <= truth["wce"].value
        assert sample["wce"].high == math.inf
        for name in names:
            held[name] += sample[name].low <= truth[name].value <= sample[name].high
    for name, count in held.items():
        assert 0.917 <= count / 400 <= 0.983, (name, count)


def test_over_all_pairs_a_metric_is_its_interval():
    for metric in measure(CLEARED, all_pairs(CLEARED.operands)).values():
        assert metric.low == metric.value == metric.high
        assert metric.convention


def test_progress_tells_pairs():
    seen = []
    measure(CLEARED, random_pairs(CLEARED, 600_000), lambda *done: seen.append(done))
    assert seen == [(262_144, 600_000), (524_288, 600_000), (600_000, 600_000)]


def float_unit(scalar):
    return FloatMultiplier(name="float_unit", scalar=scalar, **FACTS)


@jit
def _twice(a, w):
    return np.float32(2.0) * a * w


@jit
def _overflowing(a, w):
    return np.float32(np.inf) if a > 1 else a * w


def test_a_doubling_unit_has_a_relative_error_of_one():
    found = measure(float_unit(_twice), choose_pairs(float_unit(_twice), 5000))
    for name in ("mred", "bias", "mred_all_pairs"):
        assert found[name].value == pytest.approx(1, abs=1e-6)
    for name in ("error_rate", "inflated"):
        assert found[name].value == 1
        assert found[name].low < 1
    assert found["relative_error_std"].value < 1e-7
    assert math.isnan(found["relative_error_std"].low)


def test_products_that_are_not_finite_are_wrong_and_in_no_mean():
    a = np.array([0.5, 1.0, 2.0, 4.0], np.float32)
    found = measure(float_unit(_overflowing), given_pairs(a, np.float32(3.0)))
    assert (found["not_finite"].value, found["error_rate"].value) == (0.5, 0.5)
    assert (found["med"].value, found["wce"].value) == (0, 0)


def test_exact_fp32_is_right_to_the_last_bit_and_its_rounding_is_an_error():
    found = measure(MULTIPLIERS["exact_fp32"], choose_pairs(MULTIPLIERS["exact_fp32"], 100_000))
    assert found["error_rate"].value == found["not_commuting"].value == 0
    assert 0 < found["mred"].value < 2**-25
    assert found["wcre"].value <= 2**-24


def test_a_sample_without_products_other_than_zero_has_no_relative_error():
    found = measure(MULTIPLIERS["exact_fp32"], given_pairs(np.zeros(5, np.float32), np.float32(1)))
    assert found["exact_zero"].value == 1
    assert math.isnan(found["mred"].value)
    assert found["mred_all_pairs"].value == 0


def test_rejects_operands_of_another_format():
    with pytest.raises(DataError, match="exact_fp32: activation must be float32, got float64"):
        measure(MULTIPLIERS["exact_fp32"], given_pairs(np.ones(3), np.ones(3)))
    with pytest.raises(DataError, match=r"cleared: activation must lie in 0\.\.255"):
        measure(CLEARED, given_pairs([256], [1]))
