"""Convolution and linear layers against torch, and against im2col by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.accumulators import ACCUMULATORS
from accelsim.errors import DataError
from accelsim.kernels import accumulate, conv2d, finish, im2col, linear
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier

FLOAT_UNITS = [name for name, unit in MULTIPLIERS.items() if isinstance(unit, FloatMultiplier)]
FLOAT_ACCUMULATORS = [name for name, entry in ACCUMULATORS.items() if not entry.integer]


def assert_close(got, expected, terms):
    """Same within float32 rounding of *terms* products of magnitude about 1.

    The unit rounds each product once (2^-24 of it) and the float64 sum once; torch in float64
    rounds nothing that matters. Terms times 2^-24 times the largest product (below 32) bound it.
    """
    __tracebackhide__ = True
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=2.0**-23, atol=(terms + 1) * 32 * 2.0**-24)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def exact(*arrays):
    return (torch.from_numpy(array).double() for array in arrays)


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("unit", ["ax_fpm", "exact_fp32"])
@pytest.mark.parametrize("count", [1, 3])
def test_linear_is_accumulate_bit_for_bit(count, unit, accumulator):
    """And a convolution of one pixel; neither writes to what it is given."""
    given_arrays = normal(0, count, 30), normal(1, 20, 30), normal(2, 20)
    x, w, b = (array.copy() for array in given_arrays)
    psums = np.zeros((20, count), ACCUMULATORS[accumulator].dtype)
    accumulate(unit, accumulator, np.ascontiguousarray(x.T), w, psums)
    for bias in (b, None):
        got = linear(unit, accumulator, x, w, bias)
        np.testing.assert_array_equal(got.view(np.uint32), finish(psums, bias).T.view(np.uint32))
        pixel = conv2d(unit, accumulator, x[:, :, None, None], w[:, :, None, None], bias)
        np.testing.assert_array_equal(pixel[:, :, 0, 0].view(np.uint32), got.view(np.uint32))
    for array, before in zip((x, w, b), given_arrays, strict=True):
        np.testing.assert_array_equal(array, before)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(
    images=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(5, 9), st.integers(5, 9)),
    share=st.integers(1, 5),
    kernel=pairs,
    stride=pairs,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.integers(1, 3),
)
def test_conv2d_is_torchs(images, share, kernel, stride, padding, dilation, groups):
    count, channels, *size = images
    x = normal(0, count, channels * groups, *size)
    w = normal(1, share * groups, channels, *kernel)
    b = normal(2, share * groups)
    got = conv2d("exact_fp32", "float64", x, w, b, stride, padding, dilation, groups)
    expected = torch.nn.functional.conv2d(*exact(x, w, b), stride, padding, dilation, groups)
    assert_close(got, expected.numpy(), w[0].size)


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 20))
def test_linear_is_torchs(count, inputs, outputs):
    x, w, b = normal(0, count, inputs), normal(1, outputs, inputs), normal(2, outputs)
    got = linear("exact_fp32", "float64", x, w, b)
    assert_close(got, torch.nn.functional.linear(*exact(x, w, b)).numpy(), inputs)


@pytest.mark.parametrize("accumulator", FLOAT_ACCUMULATORS)
@pytest.mark.parametrize("unit", FLOAT_UNITS)
def test_conv2d_is_im2col_and_accumulate_bit_for_bit(unit, accumulator):
    """Also when images are taken together: 40 x 40 pixels, three images, two products."""
    x, w, b = normal(0, 5, 2, 40, 40), normal(1, 6, 2, 3, 3), normal(2, 6)
    got = conv2d(unit, accumulator, x, w, b, padding=(1, 1))
    for image, result in zip(x, got, strict=True):
        psums = np.zeros((6, 1600), ACCUMULATORS[accumulator].dtype)
        columns = im2col(image, (3, 3), (1, 1), (1, 1), (1, 1), (40, 40))
        accumulate(unit, accumulator, columns, w.reshape(6, -1), psums)
        expected = finish(psums, b).reshape(6, 40, 40)
        np.testing.assert_array_equal(result.view(np.uint32), expected.view(np.uint32))


def test_conv2d_takes_padding_on_one_side():
    x, w = normal(0, 2, 3, 8, 8), normal(1, 4, 3, 3, 3)
    padded = np.pad(x, ((0, 0), (0, 0), (2, 0), (0, 1)))
    got = conv2d("ax_fpm", "float32", x, w, padding=(2, 0, 0, 1))
    np.testing.assert_array_equal(got, conv2d("ax_fpm", "float32", padded, w))


@given(
    size=st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(3, 9)),
    kernel=pairs,
    stride=pairs,
    padding=st.tuples(*[st.integers(0, 4)] * 4),
    dilation=st.just((1, 1)),
    dtype=st.sampled_from([np.float32, np.int8, np.uint8, np.int16, np.uint16]),
    fill=st.integers(0, 100),
)
def test_im2col_columns_are_the_windows(size, kernel, stride, padding, dilation, dtype, fill):
    slab = (100 * normal(0, *size)).astype(np.int8).astype(dtype)
    top, bottom, left, right = padding
    sides = ((0, 0), (top, bottom), (left, right))
    padded = np.pad(slab, sides, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, (1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]
    out_hw = windows.shape[1:3]
    expected = windows.transpose(0, 3, 4, 1, 2).reshape(-1, out_hw[0] * out_hw[1])
    for shape in (None, out_hw):
        got = im2col(slab, kernel, stride, padding, dilation, shape, fill)
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == dtype


@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    above=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    left=st.integers(0, 12),
)
def test_im2col_where_rows_of_outputs_are_as_long_as_those_of_the_slab(
    size, kernel, dilation, above, left
):
    """Then whole planes are moved, whatever part of the padding lies on which side."""
    reach = [step * (taps - 1) for taps, step in zip(kernel, dilation, strict=True)]
    left = min(left, reach[1])
    height = size[1] + sum(above) - reach[0]
    assume(height > 0)
    slab = (100 * normal(0, *size)).astype(np.int8)
    padding = (*above, left, reach[1] - left)
    padded = np.pad(slab, ((0, 0), padding[:2], padding[2:]), constant_values=-7)
    expected = [
        padded[c, r : r + height, s : s + size[2]].ravel()
        for c in range(size[0])
        for r in range(0, reach[0] + 1, dilation[0])
        for s in range(0, reach[1] + 1, dilation[1])
    ]
    got = im2col(slab, kernel, (1, 1), padding, dilation, fill=-7)
    np.testing.assert_array_equal(got, expected)


def test_im2col_gives_fewer_outputs_on_request():
    """A tile's slab may hold rows that only the next tile uses."""
    slab = normal(0, 2, 6, 6)
    whole = im2col(slab, (3, 3)).reshape(-1, 4, 4)
    part = im2col(slab, (3, 3), out_hw=(2, 3)).reshape(-1, 2, 3)
    np.testing.assert_array_equal(part, whole[:, :2, :3])


X, W = np.zeros((1, 4, 5, 5), np.float32), np.zeros((2, 4, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": W[:, :3]}, r"expected C = 3 x groups = 3, got C=4"),
        ({"groups": 2}, "do not fit images"),
        ({"weights": np.zeros((3, 2, 3, 3), np.float32), "groups": 2}, "divisible by groups"),
        ({"weights": W.astype(np.float64)}, "weights must be a float32 ndarray"),
        ({"images": X[0]}, r"images .*\(N, C, H, W\), got \(4, 5, 5\)"),
        ({"dilation": (3, 1)}, "does not fit images"),
        ({"padding": (1,)}, "padding must be"),
        ({"padding": (1, -1)}, "none negative"),
        ({"stride": (0, 1)}, "at least 1, got 3, 0 and 1"),
        ({"bias": np.zeros(3, np.float32)}, "one value per filter"),
    ],
)
def test_conv2d_rejects_what_does_not_fit(arguments, message):
    with pytest.raises(DataError, match=message):
        conv2d("exact_fp32", "float32", **{"images": X, "weights": W} | arguments)


def test_im2col_rejects_more_outputs_than_there_are():
    with pytest.raises(DataError, match=r"at most \(3, 3\), which .* yields, got \(4, 3\)"):
        im2col(X[0], (3, 3), out_hw=(4, 3))


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.bool_])
def test_im2col_rejects_dtypes_that_no_unit_takes(dtype):
    with pytest.raises(DataError, match=f"slab must be .* got .* of {np.dtype(dtype)}"):
        im2col(X[0].astype(dtype), (3, 3))


@pytest.mark.parametrize("fill", [-1, 256, 0.5, float("nan")])
def test_im2col_rejects_a_fill_that_the_dtype_does_not_hold(fill):
    with pytest.raises(DataError, match="fill must be one value of the slab's dtype uint8"):
        im2col(X[0].astype(np.uint8), (3, 3), padding=(1, 1), fill=fill)


def test_linear_rejects_another_k():
    with pytest.raises(DataError, match="differ in K"):
        linear("exact_fp32", "float32", X[0, 0], np.zeros((2, 4), np.float32))


def test_linear_rejects_a_unit_of_integers():
    with pytest.raises(DataError, match=r"inputs.T must be a int8 ndarray \(K, N\), got .*float32"):
        linear("exact_int8", "auto", X[0, 0], X[0, 0])
