"""The vector unit has torch's bits; pooling also when it is cut into rows."""

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.kernels import pool2d, relu
from accelsim.layer import Pooling

PAIR = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def cases(draw):
    kernel, stride = draw(PAIR), draw(PAIR)
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    height, width = draw(st.integers(1, 11)), draw(st.integers(1, 11))
    values = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((3, height, width))
    if draw(st.booleans()):
        values[0, 0, 0] = np.nan
    return kernel, stride, padding, dilation, draw(st.booleans()), values.astype(np.float32)


def by_rows(op, ifmap, pooling, out):
    """Pool row by row, each from just the ifmap rows that its window touches."""
    rows = []
    height = ifmap.shape[1]
    for p in range(out.shape[1]):
        first = p * pooling.stride[0] - pooling.padding[0]
        stop = first + (pooling.kernel[0] - 1) * pooling.dilation[0] + 1
        start, stop = min(max(first, 0), height), min(max(stop, 0), height)
        slab = np.ascontiguousarray(ifmap[:, start:stop])
        shape = (1, out.shape[2])
        rows.append(
            pool2d(op, slab, pooling, shape, first_row=first, slab_row=start, height=height)
        )
    return np.concatenate(rows, axis=1)


@given(cases())
def test_max_pool2d(case):
    kernel, stride, padding, dilation, ceil, ifmap = case
    try:
        expected = torch.max_pool2d(
            torch.from_numpy(ifmap)[None], kernel, stride, padding, dilation, ceil
        )[0].numpy()
    except RuntimeError:
        assume(False)
    pooling = Pooling(kernel, stride, padding, dilation)
    np.testing.assert_array_equal(by_rows("max_pool2d", ifmap, pooling, expected), expected)


@given(cases(), st.booleans(), st.sampled_from([None, 3]))
def test_avg_pool2d(case, include_pad, divisor):
    kernel, stride, padding, _, ceil, ifmap = case
    try:
        expected = torch.nn.functional.avg_pool2d(
            torch.from_numpy(ifmap)[None], kernel, stride, padding, ceil, include_pad, divisor
        )[0].numpy()
    except RuntimeError:
        assume(False)
    pooling = Pooling(kernel, stride, padding, (1, 1), include_pad, divisor)
    np.testing.assert_array_equal(by_rows("avg_pool2d", ifmap, pooling, expected), expected)


def test_relu_has_torchs_bits(rng):
    values = rng.integers(0, 2**32, 4099, dtype=np.uint32).view(np.float32)
    values[:4] = (0.0, -0.0, np.inf, -np.inf)
    values[np.isnan(values)] = np.nan
    assert relu(values).tobytes() == torch.relu(torch.from_numpy(values)).numpy().tobytes()
