from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import TraceError
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.quantization import Calibration

SHAPES = {
    "n": st.integers(1, 3),
    "m": st.integers(1, 4),
    "c": st.integers(1, 4),
    "h": st.integers(1, 12),
    "w": st.integers(1, 12),
    "r": st.integers(1, 4),
    "s": st.integers(1, 4),
    "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
    "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
}


@given(st.fixed_dictionaries(SHAPES))
def test_ofmap_size_is_torchs(bounds):
    try:
        shape = LayerShape(**bounds)
    except TraceError:
        return
    out = torch.nn.functional.conv2d(
        torch.zeros(shape.n, shape.c, shape.h, shape.w),
        torch.zeros(shape.m, shape.c, shape.r, shape.s),
        None,
        shape.stride,
        shape.padding,
        shape.dilation,
    )
    assert out.shape == (shape.n, shape.m, shape.p, shape.q)


def test_macs_of_the_papers_lenet5():
    """4,467,664 MACs an image."""
    layers = [
        LayerShape(n=1, m=32, c=1, h=28, w=28, r=3, s=3, padding=(1, 1)),
        LayerShape(n=1, m=64, c=32, h=14, w=14, r=3, s=3, padding=(1, 1)),
        LayerShape(n=1, m=200, c=3136),
        LayerShape(n=1, m=10, c=200),
    ]
    assert sum(layer.macs for layer in layers) == 4_467_664


def test_groups_divide_the_product():
    shape = LayerShape(n=2, m=8, c=4, h=5, w=5, r=3, s=3, groups=4)
    assert shape.gemm == (2 * 9, 2, 9)
    assert shape.macs == 4 * 18 * 2 * 9


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"m": 0}, "LayerShape.m must be an int >= 1, got 0"),
        ({"groups": 3}, "groups must divide C and M, got groups=3, C=4, M=4"),
        ({"r": 9}, "a 9x3 kernel with dilation .* does not fit into a 8x8 ifmap"),
    ],
)
def test_rejects_impossible_bounds(bounds, message):
    base = {"n": 1, "m": 4, "c": 4, "h": 8, "w": 8, "r": 3, "s": 3}
    with pytest.raises(TraceError, match=message):
        LayerShape(**{**base, **bounds})


def small_trace(images=3):
    weight = np.ones((2, 4, 1, 1), np.float32)
    mac = MacLayer("fc", "linear", "input", LayerShape(n=images, m=2, c=4), weight, None)
    relu = VectorLayer("relu", "relu", "fc", (images, 2, 1, 1), (images, 2, 1, 1))
    return Trace("net", (mac, relu), np.zeros((images, 4, 1, 1), np.float32), "relu")


def test_a_batch_takes_the_first_images():
    trace = small_trace().batch(2)
    assert len(trace.images) == 2
    assert [layer.output_shape[0] for layer in trace.layers] == [2, 2]
    assert trace.macs == 2 * 8


def test_a_calibration_gives_every_mac_layer_its_range():
    trace = small_trace()
    calibrated = trace.calibrated(Calibration(((-1, 2),), "by hand"))
    assert calibrated.layers[0].activation_range == (-1, 2)
    assert calibrated.layers[1] == trace.layers[1]
    assert (trace.calibration, calibrated.calibration) == (None, "by hand")
    assert trace.layers[0].activation_range is None
    with pytest.raises(TraceError, match=r"calibration has 0 ranges, but net has 1 .* \(fc\)"):
        trace.calibrated(Calibration(()))


@pytest.mark.parametrize("images", [0, 4, -1, 1.0, True])
def test_rejects_a_batch_that_is_not_there(images):
    with pytest.raises(TraceError, match=r"images must be an int in 1..3"):
        small_trace().batch(images)


def test_the_fingerprint_sees_weights_images_and_wiring():
    one, same = small_trace(), small_trace()
    assert one.fingerprint == same.fingerprint
    changed = small_trace()
    changed.layers[0].weight[0, 0] = 2
    assert changed.fingerprint != one.fingerprint
    assert small_trace(2).fingerprint != one.fingerprint


def products(images=3, offset=0):
    """Two heads of (2 x 3) times (3 x 4) an image, and a linear layer on what they make."""
    first, second = (
        View((images, 2, 2, 3), (40, 6, 3, 1), offset),
        View((images, 2, 3, 4), (40, 12, 4, 1), 12),
    )
    shape = LayerShape.of_matmul(images * 2, 2, 4, 3)
    mul = MacLayer("mul", "matmul", INPUT, shape, Operand(INPUT, second), None, view=first)
    rows = View((images, 4, 1, 4), (16, 4, 1, 1))
    shape, weight = LayerShape(images, 5, 4, 4), np.ones((5, 4, 1, 1), np.float32)
    linear = MacLayer("fc", "linear", "mul", shape, weight, None, view=rows)
    return Trace("net", (mul, linear), np.zeros((images, 40, 1, 1), np.float32), "fc")


def test_a_batch_of_matmuls_has_a_group_for_each_image_and_head():
    trace = products().batch(2)
    assert trace.fingerprint == products(2).fingerprint
    mul, linear = trace.layers
    assert mul.shape == LayerShape.of_matmul(4, 2, 4, 3)
    assert (mul.images, mul.output_shape) == (2, (2, 2, 2, 4))
    assert (mul.ifmap.shape, mul.weight.view.shape) == ((2, 2, 2, 3), (2, 2, 3, 4))
    assert (linear.shape.n, linear.output_shape) == (2, (2, 4, 1, 5))
    assert trace.macs == 2 * (2 * 2 * 3 * 4 + 4 * 4 * 5)


def test_a_matmul_takes_a_range_for_each_operand():
    ranges = ((-1.0, 2.0), (-3.0, 4.0), (0.0, 5.0))
    mul, linear = products().calibrated(Calibration(ranges)).layers
    assert (mul.activation_range, mul.weight_range) == ranges[:2]
    assert (linear.activation_range, linear.weight_range) == (ranges[2], None)
    with pytest.raises(TraceError, match=r"2 ranges, but net has 2 .*\(mul, fc\), which read 3"):
        products().calibrated(Calibration(ranges[:2]))


def test_the_fingerprint_sees_where_operands_lie():
    assert products(offset=1).fingerprint != products().fingerprint
    mul, linear = products().layers
    moved = Operand(INPUT, mul.weight.view._replace(offset=11))
    layers = (replace(mul, weight=moved), linear)
    assert replace(products(), layers=layers).fingerprint != products().fingerprint
    ranged = products().calibrated(Calibration(((-1, 2), (-3, 4), (0, 5))))
    assert ranged.fingerprint != products().fingerprint
    assert ranged.network_fingerprint == products().fingerprint
