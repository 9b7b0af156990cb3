"""Every operator against ONNX's own reference."""

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'accelsim[onnx]'")

from accelsim.onnx import read_onnx  # noqa: E402
from accelsim.onnx.operators import OPERATORS  # noqa: E402

RANDOM = np.random.default_rng(0)


def some(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


X, ROW, FLAT, POSITIVE = some(2, 4, 7, 6), some(2, 4, 9), some(3, 8), np.abs(some(2, 3, 4)) + 0.1
CUBE = np.arange(2 * 8 * 4 * 4, dtype=np.float32).reshape(2, 8, 4, 4)

# operator, opset, input, other inputs by position, attributes
CASES = [
    ("Conv", 11, X, [some(6, 4, 3, 3), some(6)], {}),
    ("Conv", 11, X, [some(6, 2, 3, 2)], {"group": 2, "strides": [2, 1], "pads": [1, 0, 1, 0]}),
    ("Conv", 22, X, [some(4, 1, 3, 3)], {"group": 4, "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    ("Conv", 7, X, [some(5, 4, 3, 3)], {"pads": [0, 1, 2, 0], "kernel_shape": [3, 3]}),
    ("Conv", 11, X, [some(5, 4, 4, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", 11, X, [some(5, 4, 4, 3)], {"auto_pad": "SAME_LOWER"}),
    ("Conv", 11, X, [some(5, 4, 4, 3)], {"auto_pad": "VALID", "strides": [2, 3]}),
    ("Conv", 11, ROW, [some(3, 4, 3), some(3)], {"pads": [2, 1], "strides": [2]}),
    ("ConvTranspose", 11, X, [some(4, 3, 3, 3), some(3)], {"strides": [2, 2]}),
    ("ConvTranspose", 11, X, [some(4, 3, 3, 2)], {"pads": [1, 0, 1, 1], "strides": [2, 2]}),
    ("ConvTranspose", 11, X, [some(4, 3, 3, 3)], {"pads": [0, 1, 1, 0], "strides": [3, 2],
        "output_padding": [2, 1]}),
    ("ConvTranspose", 11, X, [some(4, 3, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("ConvTranspose", 11, ROW, [some(4, 3, 3)], {"strides": [2], "pads": [1, 1]}),
    ("Gemm", 13, FLAT, [some(5, 8), some(5)], {"transB": 1}),
    ("Gemm", 13, FLAT, [some(8, 5), some(1, 5)], {"alpha": 0.5, "beta": 2.0}),
    ("Gemm", 7, FLAT, [some(5, 3), some(5)], {"transA": 1, "transB": 1}),
    ("Gemm", 13, FLAT, [some(8, 5), some(3, 1)], {}),
    ("Gemm", 11, FLAT, [some(8, 5)], {"beta": 0.0}),
    ("MatMul", 13, FLAT, [some(8, 5)], {}),
    ("MatMul", 9, POSITIVE, [some(4, 5)], {}),
    ("Add", 14, X, [some(4, 1, 1)], {}),
    ("Sub", 7, X, [np.float32(2.5)], {}),
    ("Mul", 13, X, [some(1, 4, 1, 6)], {}),
    ("Div", 14, X, [np.float32(3.0)], {}),
    ("Pow", 15, POSITIVE, [np.float32(1.5)], {}),
    ("Sum", 13, X, [some(4, 1, 1), some(6)], {}),
    ("Max", 13, X, [some(4, 1, 1), some(6)], {}),
    ("Min", 8, X, [some(4, 1, 1)], {}),
    ("Relu", 14, X, [], {}),
    ("LeakyRelu", 16, X, [], {"alpha": 0.2}),
    ("LeakyRelu", 7, X, [], {}),
    ("PRelu", 16, X, [some(4, 1, 1)], {}),
    ("PRelu", 9, X, [some(7, 6)], {}),
    ("PRelu", 16, X, [some(1)], {}),
    ("Elu", 6 + 1, X, [], {"alpha": 0.7}),
    ("Celu", 12, X, [], {"alpha": 0.7}),
    ("Selu", 7, X, [], {}),
    ("Selu", 7, X, [], {"alpha": 1.5, "gamma": 2.0}),
    ("Gelu", 20, X, [], {}),
    ("Gelu", 20, X, [], {"approximate": "tanh"}),
    ("ThresholdedRelu", 10, X, [], {"alpha": 0.3}),
    ("Clip", 7, X, [], {"min": -0.5, "max": 0.25}),
    ("Clip", 7, X, [], {"min": 0.0}),
    ("Clip", 13, X, [np.float32(0), np.float32(6)], {}),
    ("Clip", 11, X, [None, np.float32(0.5)], {}),
    ("Sigmoid", 13, X, [], {}),
    ("HardSigmoid", 7, X, [], {}),
    ("HardSigmoid", 14, X, [], {"alpha": 1 / 6, "beta": 0.5}),
    ("HardSwish", 14, X * 4, [], {}),
    ("Mish", 18, X, [], {}),
    ("Softplus", 7, X, [], {}),
    ("Softsign", 7, X, [], {}),
    ("Tanh", 13, X, [], {}),
    ("Erf", 13, X, [], {}),
    ("Exp", 13, X, [], {}),
    ("Log", 13, POSITIVE, [], {}),
    ("Sqrt", 13, POSITIVE, [], {}),
    ("Reciprocal", 13, POSITIVE, [], {}),
    ("Abs", 13, X, [], {}),
    ("Neg", 13, X, [], {}),
    ("Floor", 13, X, [], {}),
    ("Ceil", 13, X, [], {}),
    ("Round", 11, X * 4, [], {}),
    ("Softmax", 13, X, [], {}),
    ("Softmax", 13, X, [], {"axis": 1}),
    ("Softmax", 11, X, [], {"axis": 3}),
    ("LogSoftmax", 13, X, [], {"axis": -2}),
    ("ReduceMean", 13, X, [], {"axes": [2, 3]}),
    ("ReduceMean", 18, X, [ints(-1)], {"keepdims": 0}),
    ("ReduceSum", 13, X, [ints(1, 2)], {}),
    ("ReduceSum", 11, X, [], {"axes": [1]}),
    ("ReduceSum", 13, X, [], {"noop_with_empty_axes": 1}),
    ("ReduceMax", 13, X, [], {"axes": [1, 3], "keepdims": 0}),
    ("ReduceMin", 18, X, [ints(1)], {}),
    ("Cast", 13, X, [], {"to": onnx.TensorProto.FLOAT}),
    ("BatchNormalization", 15, X, [some(4), some(4), some(4), np.abs(some(4))], {"epsilon": 0.1}),
    ("LayerNormalization", 17, X, [some(6), some(6)], {}),
    ("LayerNormalization", 17, X, [some(7, 6)], {"axis": 2, "epsilon": 0.01}),
    ("GroupNormalization", 21, X, [some(4), some(4)], {"num_groups": 2}),
    ("InstanceNormalization", 7, X, [some(4), some(4)], {}),
    ("LRN", 13, some(4, 4, 3, 2), [], {"size": 3, "alpha": 0.1, "beta": 0.5, "bias": 2.0}),
    ("MaxPool", 12, X, [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("MaxPool", 12, X, [], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 3]}),
    ("MaxPool", 12, X, [], {"kernel_shape": [2, 2], "dilations": [2, 3]}),
    ("MaxPool", 12, X, [], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("MaxPool", 22, X, [], {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1}),
    ("MaxPool", 8, X, [], {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("MaxPool", 8, X, [], {"kernel_shape": [2, 2], "strides": [1, 1], "auto_pad": "SAME_LOWER"}),
    ("MaxPool", 8, ROW, [], {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    ("AveragePool", 11, X, [], {"kernel_shape": [2, 3]}),
    ("AveragePool", 11, X, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("AveragePool", 11, X, [], {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1], "strides": [2, 2]}),
    ("AveragePool", 11, X, [], {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0], "strides": [2, 2],
        "count_include_pad": 1}),
    ("AveragePool", 11, X, [], {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}),
    ("AveragePool", 11, X, [], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", 7, X, [], {"kernel_shape": [3, 3], "strides": [2, 2],
        "auto_pad": "SAME_UPPER"}),
    ("AveragePool", 11, ROW, [], {"kernel_shape": [2], "strides": [2]}),
    ("GlobalAveragePool", 7, X, [], {}),
    ("GlobalAveragePool", 7, ROW, [], {}),
    ("GlobalMaxPool", 7, X, [], {}),
    ("Resize", 11, X, [np.float32([]), np.float32([1, 1, 2, 3])], {"mode": "nearest",
        "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
    ("Resize", 13, X, [None, np.float32([1, 1, 2, 2])], {"mode": "nearest"}),
    ("Resize", 13, X, [None, None, ints(2, 4, 10, 8)], {"mode": "nearest"}),
    ("Resize", 18, X, [None, None, ints(14, 18)], {"mode": "nearest", "axes": [2, 3]}),
    ("Resize", 13, X, [None, np.float32([1, 1, 2, 2])], {"mode": "linear"}),
    ("Resize", 13, X, [None, np.float32([1, 1, 1.5, 1.7])], {"mode": "linear"}),
    ("Resize", 13, X, [None, None, ints(2, 4, 10, 3)], {"mode": "linear",
        "coordinate_transformation_mode": "align_corners"}),
    ("Resize", 13, X, [None, None, ints(2, 4, 14, 12)], {"mode": "cubic"}),
    ("Resize", 13, ROW, [None, np.float32([1, 1, 3])], {"mode": "linear"}),
    ("Upsample", 9, X, [np.float32([1, 1, 2, 2])], {"mode": "nearest"}),
    ("Reshape", 13, X, [ints(0, -1)], {}),
    ("Reshape", 14, X, [ints(-1, 4, 42)], {"allowzero": 1}),
    ("Flatten", 13, X, [], {}),
    ("Flatten", 13, X, [], {"axis": 2}),
    ("Flatten", 13, X, [], {"axis": -1}),
    ("Transpose", 13, X, [], {"perm": [0, 2, 3, 1]}),
    ("Transpose", 13, X, [], {}),
    ("Squeeze", 13, some(2, 1, 3, 1), [ints(1, -1)], {}),
    ("Squeeze", 11, some(2, 1, 3, 1), [], {"axes": [3]}),
    ("Squeeze", 11, some(2, 1, 3, 1), [], {}),
    ("Unsqueeze", 13, FLAT, [ints(0, 3)], {}),
    ("Unsqueeze", 11, FLAT, [], {"axes": [1, -1]}),
    ("Concat", 13, FLAT, [some(3, 2), some(3, 1)], {"axis": -1}),
    ("Slice", 13, X, [ints(1, -4), ints(4, 99), ints(1, 3), ints(1, 2)], {}),
    ("Slice", 13, X, [ints(-1), ints(-(2**63)), ints(3), ints(-1)], {}),
    ("Slice", 13, X, [ints(5), ints(1), ints(2), ints(-2)], {}),
    ("Slice", 9, X, [], {"starts": [0, 1], "ends": [2, -1]}),
    ("Gather", 13, X, [np.int64(2)], {"axis": 1}),
    ("Gather", 13, X, [ints(-2, -1)], {"axis": 2}),
    ("Gather", 11, X, [np.array([[3, 0], [1, 1]])], {"axis": 1}),
    ("Expand", 13, some(2, 1, 3), [ints(4, 1)], {}),
    ("Pad", 13, X, [ints(0, 0, 1, 2, 0, 1, 0, 1), np.float32(0.5)], {}),
    ("Pad", 10, X, [], {"pads": [0, 0, 1, 1, 0, 0, 2, 0], "mode": "reflect"}),
    ("Pad", 18, X, [ints(1, 2), None, ints(-1)], {"mode": "edge"}),
    ("Pad", 19, X, [ints(2, 1, 1, 2), None, ints(2, 3)], {"mode": "wrap"}),
    ("DepthToSpace", 13, CUBE, [], {"blocksize": 2}),
    ("DepthToSpace", 11, CUBE, [], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", 13, CUBE, [], {"blocksize": 2}),
    ("Identity", 16, X, [], {}),
    ("Dropout", 7, X, [], {"ratio": 0.3}),
    ("Dropout", 13, X, [np.float32(0.3)], {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "opset", "images", "others", "attributes"),
    CASES,
    ids=[f"{op}-{opset}-{number}" for number, (op, opset, *_) in enumerate(CASES)],
)
def test_agrees_with_the_reference(save, expected, op, opset, images, others, attributes):
    names = ["" if one is None else f"c{at}" for at, one in enumerate(others)]
    constants = {f"c{at}": one for at, one in enumerate(others) if one is not None}
    node = onnx.helper.make_node(op, ["x", *names], ["y"], **attributes)
    path = save([node], constants, ("N", *images.shape[1:]), opset=opset)
    made = read_onnx(path)(torch.from_numpy(images)).detach().numpy()
    wanted = expected(path, images)
    assert made.shape == wanted.shape
    assert made.dtype == wanted.dtype
    # Sums and functions of float32 in another order: some units in the last place.
    np.testing.assert_allclose(made, wanted, rtol=2e-5, atol=2e-6)


def made(save, op, opset, images, others, **attributes):
    names = [f"c{at}" for at in range(len(others))]
    node = onnx.helper.make_node(op, ["x", *names], ["y"], **attributes)
    path = save([node], dict(zip(names, others, strict=True)), images.shape, opset=opset)
    return read_onnx(path)(torch.from_numpy(images)).detach()


def test_every_operator_has_a_case():
    """Split has several outputs and the others give shapes: their cases are elsewhere."""
    assert set(OPERATORS) - {case[0] for case in CASES} == {"Split", "Shape", "Size"}


@pytest.mark.parametrize(("op", "function"), [
    ("Softmax", torch.softmax), ("LogSoftmax", torch.log_softmax)
])  # fmt: skip
def test_softmax_until_opset_12_is_over_all_dimensions_from_its_axis_on(save, op, function):
    """ONNX's reference has the form of opset 13 only."""
    wanted = function(torch.from_numpy(X).reshape(2 * 4, 42), 1).reshape(X.shape)
    torch.testing.assert_close(made(save, op, 11, X, [], axis=2), wanted)
    wanted = function(torch.from_numpy(X).reshape(2, -1), 1).reshape(X.shape)
    torch.testing.assert_close(made(save, op, 12, X, []), wanted)


@pytest.mark.parametrize("opset", [7, 9, 14])
def test_batch_normalization_of_older_opsets(save, opset):
    """ONNX's reference of opset 7 fails, that of 9 mixes in the batch's own statistics."""
    scale, bias, mean, variance = some(4), some(4), some(4), np.abs(some(4)) + 0.1
    along = (slice(None), None, None)
    wanted = (X - mean[along]) / np.sqrt(variance[along] + 1e-5) * scale[along] + bias[along]
    found = made(save, "BatchNormalization", opset, X, [scale, bias, mean, variance])
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("op", "opset"), [("Resize", 10), ("Upsample", 9), ("Upsample", 7)])
def test_nearest_pixels_of_older_opsets(save, op, opset):
    """ONNX's reference computes none of them."""
    scales = np.float32([1, 1, 2, 3])
    others, attributes = ([scales], {}) if opset > 7 else ([], {"scales": [*map(float, scales)]})
    found = made(save, op, opset, X, others, mode="nearest", **attributes)
    assert np.array_equal(found, X.repeat(2, axis=2).repeat(3, axis=3))


def test_an_output_shape_says_how_much_is_cut_off(save):
    """15 x 13 pixels to 14 x 12: one less, in front unless auto_pad is SAME_UPPER."""
    weight, common = some(4, 3, 3, 3), {"strides": [2, 2]}
    whole = made(save, "ConvTranspose", 11, X, [weight], **common)
    common["output_shape"] = [14, 12]
    lower = made(save, "ConvTranspose", 11, X, [weight], **common)
    torch.testing.assert_close(lower, whole[:, :, 1:, 1:])
    upper = made(save, "ConvTranspose", 11, X, [weight], auto_pad="SAME_UPPER", **common)
    torch.testing.assert_close(upper, whole[:, :, :-1, :-1])


@pytest.mark.parametrize(
    ("opset", "sizes", "attributes"),
    [
        (11, [], {"split": [1, 3]}),
        (13, [ints(3, 1)], {}),
        (13, [], {}),
        (18, [], {"num_outputs": 2}),
    ],
)
def test_split_gives_several(save, expected, opset, sizes, attributes):
    helper, constants = onnx.helper, dict(zip(["sizes"], sizes, strict=False))
    nodes = [
        helper.make_node("Split", ["x", *constants], ["a", "b"], axis=1, **attributes),
        helper.make_node("Concat", ["b", "a"], ["y"], axis=1),
    ]
    path = save(nodes, constants, X.shape, opset=opset)
    found = read_onnx(path)(torch.from_numpy(X)).detach()
    assert np.array_equal(found, expected(path, X))


def test_a_negative_pad_cuts_pixels_off(save):
    """ONNX's reference does not."""
    found = made(save, "Pad", 13, X, [ints(0, 0, -1, 2, 0, 0, 1, -2)])
    assert np.array_equal(found, np.pad(X[:, :, 1:, :-2], [(0, 0), (0, 0), (0, 1), (2, 0)]))


def test_groups_of_a_transposed_convolution_are_ones_of_their_own(save):
    """ONNX's reference fails for them."""
    weight, common = some(4, 3, 3, 2), {"strides": [2, 1], "dilations": [1, 2]}
    grouped = made(save, "ConvTranspose", 11, X, [weight], group=2, **common)
    halves = [
        made(save, "ConvTranspose", 11, X[:, half], [weight[half]], **common)
        for half in (slice(2), slice(2, 4))
    ]
    torch.testing.assert_close(grouped, torch.cat(halves, 1))
