"""Derivatives from a unit's table: against hand-made differences and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import ConfigError
from accelsim.formats import IntegerFormat
from accelsim.kernels.derivatives import difference_tables, sum_over, weigh_filters
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

SMALL = {
    signed: IntegerMultiplier(
        name="random", title="random", description="random", delay_ps=None, delay_source="none",
        sources=(), operands=IntegerFormat(4, signed),
        values=np.random.default_rng(0).integers(-99, 99, (16, 16), np.int32),
    )
    for signed in (True, False)
}  # fmt: skip


@pytest.mark.parametrize("smoothing", [0, 1, 3])
@pytest.mark.parametrize("signed", [True, False])
def test_differences_are_those_of_the_neighboring_operands(signed, smoothing):
    """At both ends one-sided; neighbors by value, though the tables lie by bit pattern."""
    unit = SMALL[signed]
    low, high = unit.operands.low, unit.operands.high
    by_activation, by_weight = difference_tables(unit, smoothing)

    def mean(product, at):
        near = range(max(low, at - smoothing), min(high, at + smoothing) + 1)
        return sum(int(product(one)) for one in near) / len(near)

    def slope(product, at):
        before, after = max(low, at - 1), min(high, at + 1)
        return (mean(product, after) - mean(product, before)) / (after - before)

    for a in range(low, high + 1):
        for w in range(low, high + 1):
            got = by_activation[w & 15, a & 15], by_weight[w & 15, a & 15]
            by_a = slope(lambda one, w=w: unit.product(one, w), a)
            by_w = slope(lambda one, a=a: unit.product(a, one), w)
            np.testing.assert_allclose(got, (by_a, by_w), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", ["exact_int8", "exact_uint8", "exact_int4"])
def test_differences_of_an_exact_unit_are_the_other_operand(name):
    unit = MULTIPLIERS[name]
    values = unit.operands.values()
    by_activation, by_weight = difference_tables(unit)
    np.testing.assert_array_equal(
        by_activation, np.broadcast_to(values[:, None], (len(values),) * 2)
    )
    np.testing.assert_array_equal(by_weight, np.broadcast_to(values, (len(values),) * 2))


def test_sums_are_the_plain_ones():
    rng = np.random.default_rng(1)
    table = rng.normal(0, 1, (16, 16)).astype(np.float32)
    a = rng.integers(-8, 8, (3, 5), np.int8)
    w = rng.integers(-8, 8, (4, 3), np.int8)
    grads = rng.normal(0, 1, (4, 5)).astype(np.float32)
    slopes = table[(w & 15)[:, :, None], (a & 15)[None]]  # (n, k, m)
    operands = IntegerFormat(4, signed=True)
    np.testing.assert_allclose(
        weigh_filters(table, operands, a, w, grads),
        np.einsum("ji,jki->ki", grads, slopes),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        sum_over(table, operands, a, w, grads), np.einsum("ji,jki->jk", grads, slopes), rtol=1e-5
    )


@pytest.mark.parametrize("name", ["exact_fp32", "exact_int16", "exact_int10"])
def test_rejects_units_without_a_table(name):
    with pytest.raises(ConfigError, match=f"multiplier '{name}' .* has no table of up to 8 bits"):
        difference_tables(MULTIPLIERS[name])


@pytest.mark.parametrize("smoothing", [-1, 8, 1.0, True])
def test_rejects_smoothing_over_more_than_there_is(smoothing):
    with pytest.raises(ConfigError, match=r"smoothing must be an int in 0\.\.7, got"):
        difference_tables(SMALL[True], smoothing)
