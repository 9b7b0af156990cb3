"""Products of two activations against plain loops over the unit's scalar product."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.kernels import linear, linear_quantized, matmul, matmul_quantized
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.quantization import Scheme, quantize_matmul

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 20))
KINDS = st.sampled_from(["affine", "symmetric"])

# A unit without any structure: its product does not commute, and is not 0 at 0.
RANDOM = {
    signed: IntegerMultiplier(
        name="random", title="random", description="random", delay_ps=None, delay_source="none",
        sources=(), operands=IntegerFormat(6, signed),
        values=np.random.default_rng(0).integers(-4096, 4096, (64, 64), np.int32),
    )
    for signed in (True, False)
}  # fmt: skip


def drawn(size, seed=0):
    groups, m, n, k = size
    rng = np.random.default_rng(seed)
    shapes = (groups, m, k), (groups, k, n)
    return [rng.normal(0.3, 1, shape).astype(np.float32) for shape in shapes]


@given(SIZES, st.sampled_from(["ax_fpm", "exact_fp32", "mitchell_fp32"]))
def test_sums_run_over_ascending_k_with_the_first_operand_as_activation(size, name):
    first, second = drawn(size)
    unit = MULTIPLIERS[name]
    expected = np.zeros((*first.shape[:2], second.shape[2]), np.float32)
    for kk in range(first.shape[2]):
        expected += unit.product(first[:, :, kk, None], second[:, None, kk, :])
    got = matmul(unit, "float32", first, second)
    assert got.tobytes() == expected.tobytes()
    # And so it is the linear layer whose weights the second operand's columns are.
    for a, b, outputs in zip(first, second, got, strict=True):
        weights = np.ascontiguousarray(b.T)
        assert linear(unit, "float32", a, weights).tobytes() == outputs.tobytes()


@given(SIZES, st.booleans(), st.builds(Scheme, KINDS, KINDS))
def test_integers_are_the_plain_loops(size, signed, scheme):
    unit, (first, second) = RANDOM[signed], drawn(size)
    layer = quantize_matmul(((-2, 2.5), (-1, 3)), unit.operands, scheme, "mul")
    x = layer.activations.quantize(first, "x").astype(np.int64)
    w = layer.weights.quantize(second, "w").astype(np.int64)
    za, zw = int(layer.activations.zero_point), int(layer.weights.zero_point)
    expected = np.zeros((*first.shape[:2], second.shape[2]), np.float32)
    for g, i, j in np.ndindex(expected.shape):
        a, b = x[g, i], w[g, :, j]
        psum = int(unit.product(a, b).sum())
        total = psum - zw * a.sum() - za * b.sum() + a.size * za * zw
        expected[g, i, j] = np.float32(total) * (layer.activations.scale * layer.weights.scale)
    got = matmul_quantized(unit, "int64", layer, first, second)
    assert got.tobytes() == expected.tobytes()
    weights = np.ascontiguousarray(second[0].T)
    alone = linear_quantized(unit, "int64", layer, first[0], weights)
    assert alone.tobytes() == got[0].tobytes()


def test_operands_may_be_strided_and_are_left_alone():
    first, second = drawn((2, 4, 5, 6))
    turned = np.ascontiguousarray(second.swapaxes(1, 2)).swapaxes(1, 2)
    before = turned.copy()
    expected = matmul("ax_fpm", "float32", first, second)
    assert matmul("ax_fpm", "float32", first, turned).tobytes() == expected.tobytes()
    np.testing.assert_array_equal(turned, before)


def test_rejects_operands_that_do_not_fit():
    first, second = drawn((2, 3, 4, 5))
    with pytest.raises(
        DataError, match=r"first .G, m, k. \(2, 3, 5\) and second .* differ in G or"
    ):
        matmul("exact_fp32", "float32", first, second[:1])
    with pytest.raises(DataError, match="differ in G or k; transpose"):
        matmul("exact_fp32", "float32", first, second.swapaxes(1, 2))
    with pytest.raises(DataError, match=r"second must be a float32 ndarray \(G, k, n\), got .*int"):
        matmul("exact_fp32", "float32", first, second.astype(int))
    layer = quantize_matmul(((-2, 2), (-1, 3)), IntegerFormat(8, True), Scheme(), "mul")
    with pytest.raises(DataError, match="weights hold NaN"):
        matmul_quantized("exact_int8", "int32", layer, first, np.full_like(second, np.nan))
    with pytest.raises(DataError, match="mul: weight_range must be .least, greatest."):
        quantize_matmul(((-2, 2), (3, 1)), IntegerFormat(8, True), Scheme(), "mul")
