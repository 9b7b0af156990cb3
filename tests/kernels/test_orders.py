"""Sums in another order than k ascending: segments from zero, one after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.accumulators import ACCUMULATORS
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.kernels import accumulate, conv2d, gemm, linear
from accelsim.kernels.network import run_trace
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier

UNITS = ["exact_fp32", "ax_fpm", "exact_bfloat16", "exact_int8", "exact_uint8", "exact_int16"]


@st.composite
def orders(draw):
    """A permutation of up to 40 products, cut anywhere."""
    k = draw(st.integers(1, 40))
    permutation = np.random.default_rng(draw(st.integers(0, 99))).permutation(k)
    cuts = sorted(draw(st.sets(st.integers(1, k - 1), max_size=8))) if k > 1 else []
    return AccumulationOrder(permutation, np.diff([0, *cuts, k]))


def operands(rng, unit, shape):
    if isinstance(unit, IntegerMultiplier):
        form = unit.operands
        return rng.integers(form.low, form.high + 1, shape).astype(form.dtype)
    return rng.standard_normal(shape).astype(np.float32)


def in_order(unit, adder, activations, weights, psums, order):
    """Return the psums that the definition gives, product by product."""
    products = unit.product(activations[:, None, :], weights.T[:, :, None])
    totals, start = psums.copy(), 0
    for size in order.sizes:
        own = np.zeros_like(totals)
        for index in order.permutation[start : start + size]:
            for at in np.ndindex(own.shape):
                own[at] = adder.add(own[at], products[index][at])
        for at in np.ndindex(own.shape):
            totals[at] = adder.add(totals[at], own[at])
        start += size
    return totals


@pytest.mark.parametrize(
    ("unit", "adder"),
    [
        (unit, adder)
        for unit in UNITS
        for adder, entry in ACCUMULATORS.items()
        if entry.integer == isinstance(MULTIPLIERS[unit], IntegerMultiplier)
    ],
)
@settings(max_examples=15)
@given(order=orders(), bounds=st.tuples(st.integers(1, 5), st.integers(1, 9)), kept=st.booleans())
def test_sums_are_made_in_the_given_order(unit, adder, order, bounds, kept):
    """On top of what is there already, whatever number of segments is summed at a time."""
    (n, m), k, rng = bounds, len(order.permutation), np.random.default_rng(0)
    unit, adder = MULTIPLIERS[unit], ACCUMULATORS[adder]
    activations, weights = operands(rng, unit, (k, m)), operands(rng, unit, (n, k))
    top = np.iinfo(np.int32).max - 20_000 if adder.overflow == "saturates" else 3
    psums = np.full((n, m), top if kept else 0, adder.dtype)
    expected = in_order(unit, adder, activations, weights, psums, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm, "SEGMENT_SUMS", 2 * n * m)
        accumulate(unit, adder, activations, weights, psums, order)
    assert psums.tobytes() == expected.tobytes()


def test_the_order_shows_in_float32_and_not_in_sums_that_wrap_around():
    order = AccumulationOrder(np.arange(64)[::-1].copy(), np.full(8, 8))
    rng = np.random.default_rng(0)
    for unit, adder, same in (("exact_fp32", "float32", False), ("exact_int8", "int32", True)):
        activations = operands(rng, MULTIPLIERS[unit], (64, 20))
        weights = operands(rng, MULTIPLIERS[unit], (4, 64))
        plain, other = np.zeros((2, 4, 20), ACCUMULATORS[adder].dtype)
        accumulate(unit, adder, activations, weights, plain)
        accumulate(unit, adder, activations, weights, other, order)
        assert (plain.tobytes() == other.tobytes()) == same


def test_depthwise_and_grouped_convolutions_take_an_order():
    """Each output is that of its own channels and filter, in the order given."""
    rng = np.random.default_rng(0)
    order = AccumulationOrder(np.arange(9)[::-1].copy(), np.array([2, 2, 5]))
    images = rng.standard_normal((2, 4, 6, 6)).astype(np.float32)
    weights = rng.standard_normal((8, 1, 3, 3)).astype(np.float32)
    whole = conv2d("ax_fpm", "float32", images, weights, groups=4, order=order)
    for group in range(4):
        own = slice(2 * group, 2 * group + 2)
        part = conv2d("ax_fpm", "float32", images[:, group : group + 1], weights[own], order=order)
        assert part.tobytes() == whole[:, own].tobytes()


def test_rejects_an_order_of_another_sum():
    order = AccumulationOrder(np.arange(3), np.array([3]))
    with pytest.raises(DataError, match="order of additions is that of 3 products, .* has k=4"):
        linear("exact_fp32", "float32", *np.ones((2, 1, 4), np.float32), order=order)


def test_rejects_orders_of_another_trace(small_trace):
    machine = accelsim.Accelerator.preset("eyeriss_168")
    orders = accelsim.accumulation_orders(small_trace, machine)
    with pytest.raises(DataError, match="orders must be 4, one for each layer .* got 3"):
        run_trace(small_trace, "exact_fp32", "float32", orders=orders[:3])
