"""Windows have torch's bits where they can, also when a layer is cut into rows."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from accelsim.kernels import windowed
from accelsim.windows import AdaptivePooling, Blend, Gather, Pooling, linear_taps

PAIR = st.tuples(st.integers(1, 4), st.integers(1, 4))
SIZES = st.tuples(st.integers(1, 11), st.integers(1, 11))


def values(draw, shape):
    found = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)
    if draw(st.booleans()):
        found[0, 0, 0] = np.nan
    return found.astype(np.float32)


@st.composite
def cases(draw):
    kernel, stride = draw(PAIR), draw(PAIR)
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    return kernel, stride, padding, dilation, draw(st.booleans()), values(draw, (3, *draw(SIZES)))


@st.composite
def images(draw):
    return values(draw, (3, *draw(SIZES)))


def by_rows(op, ifmap, window, out):
    """Return the ofmap row by row, each from just the ifmap rows that its window touches."""
    rows, height = [], ifmap.shape[1]
    for p in range(out.shape[1]):
        start, stop = (min(max(row, 0), height) for row in window.ifmap_rows(p, p + 1))
        where = {"slab_row": start, "height": height}
        rows.append(windowed(op, ifmap[:, start:stop], window, (p, p + 1), out.shape[2], **where))
    return np.concatenate(rows, axis=1)


def check(op, ifmap, window, expected):
    whole = windowed(op, ifmap, window, (0, expected.shape[1]), expected.shape[2])
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(by_rows(op, ifmap, window, expected), expected)


@given(cases())
def test_max_pool2d(case):
    kernel, stride, padding, dilation, ceil, ifmap = case
    try:
        expected = torch.max_pool2d(
            torch.from_numpy(ifmap)[None], kernel, stride, padding, dilation, ceil
        )[0].numpy()
    except RuntimeError:
        assume(False)
    check("max_pool2d", ifmap, Pooling(kernel, stride, padding, dilation), expected)


@given(cases(), st.booleans(), st.sampled_from([None, 3]))
def test_avg_pool2d(case, include_pad, divisor):
    kernel, stride, padding, _, ceil, ifmap = case
    try:
        expected = functional.avg_pool2d(
            torch.from_numpy(ifmap)[None], kernel, stride, padding, ceil, include_pad, divisor
        )[0].numpy()
    except RuntimeError:
        assume(False)
    pooling = Pooling(kernel, stride, padding, (1, 1), include_pad, divisor)
    check("avg_pool2d", ifmap, pooling, expected)


@given(images(), SIZES)
def test_adaptive_pooling(ifmap, sizes):
    """More windows than pixels, too. A single window is torch's mean, which adds otherwise."""
    window = AdaptivePooling(ifmap.shape[1:], sizes)
    expected = functional.adaptive_max_pool2d(torch.from_numpy(ifmap)[None], sizes)[0].numpy()
    check("max_pool2d", ifmap, window, expected)
    expected = functional.adaptive_avg_pool2d(torch.from_numpy(ifmap)[None], sizes)[0].numpy()
    if sizes == (1, 1):
        mean = windowed("avg_pool2d", ifmap, window, (0, 1), 1)
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)
    else:
        check("avg_pool2d", ifmap, window, expected)


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_operations_of_adaptive_pooling_are_those_of_its_windows(size, parts):
    window = AdaptivePooling((size, 4), (parts, 3))
    held = [(stop - start) for start, stop in window.rows]
    values_of = sum(h * w for h in held for w in (2, 2, 2))
    found = [window.operations("avg_pool2d", row, row + 1, 3) for row in range(parts)]
    assert sum(one["add"] for one in found) == values_of - 3 * parts
    assert sum(one["divide"] for one in found) == 2 * 3 * parts


@given(images(), st.data())
def test_gathering_moves_rows_and_columns(ifmap, data):
    rows, columns = (
        tuple(data.draw(st.lists(st.integers(-1, size - 1), min_size=1, max_size=9)))
        for size in ifmap.shape[1:]
    )
    expected = ifmap[:, rows][:, :, columns]
    expected[:, np.array(rows) < 0] = 7
    expected[:, :, np.array(columns) < 0] = 7
    check("pad", ifmap, Gather(rows, columns, 7), expected)


@settings(max_examples=50)
@given(images(), SIZES, st.booleans(), st.booleans())
def test_linear_interpolation(ifmap, sizes, align_corners, by_scale):
    """Torch fuses products and sums where the processor can: not its bits, but nearly."""
    ifmap = np.nan_to_num(ifmap)
    how = {"size": sizes}
    scales = (None, None)
    if by_scale:
        scales = (sizes[0] / 3, sizes[1] / 2)
        assume(all(int(size * s) for size, s in zip(ifmap.shape[1:], scales, strict=True)))
        how = {"scale_factor": scales}
    tensor = torch.from_numpy(ifmap)[None]
    expected = functional.interpolate(tensor, **how, mode="bilinear", align_corners=align_corners)[
        0
    ].numpy()
    rows, columns = (
        linear_taps(size, outputs, align_corners=align_corners, scale=scale)
        for size, outputs, scale in zip(ifmap.shape[1:], expected.shape[1:], scales, strict=True)
    )
    window = Blend(rows, columns)
    found = windowed("upsample_bilinear2d", ifmap, window, (0, len(rows)), len(columns))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=3e-6)
    check("upsample_bilinear2d", ifmap, window, found)


def test_blends_worked_by_hand():
    """Two rows of two values become three of three: corners stay, the rest lies halfway."""
    window = Blend(*[linear_taps(2, 3, align_corners=True)] * 2)
    found = windowed("upsample_bilinear2d", np.float32([[[1, 3], [5, 11]]]), window, (0, 3), 3)
    assert found.tolist() == [[[1, 2, 3], [3, 5, 7], [5, 8, 11]]]
    # Of the middle row: a blend across in either row, and three down.
    assert window.operations("", 1, 2, 3) == {"multiply": 10, "add": 5}
    assert window.operations("", 0, 1, 3) == {"multiply": 2, "add": 1}


def test_a_blend_of_weight_zero_takes_no_second_value():
    values = np.float32([[[1, np.inf, np.nan]]])
    window = Blend(linear_taps(1, 1, align_corners=True), linear_taps(3, 3, align_corners=True))
    found = windowed("upsample_bilinear2d", values, window, (0, 1), 3)
    np.testing.assert_array_equal(found, values)


def test_rejects_windows_of_no_kind():
    with pytest.raises(TypeError, match="window of an unknown kind: 3"):
        windowed("", np.ones((1, 1, 1), np.float32), 3, (0, 1), 1)
