"""Whole networks: from torch to a file and back, traced, on a unit, and trained."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'accelsim[onnx]'")

import accelsim  # noqa: E402
from accelsim.errors import TraceError  # noqa: E402
from accelsim.machine import run_machine  # noqa: E402

helper = onnx.helper
IMAGES = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)


class LeNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 5),
        )  # fmt: skip


class Residual(nn.Module):
    """Batch norm with statistics that matter, a residual, pixels resized, a global pooling."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)
        for norm in (self.norm1, self.norm2):
            nn.init.uniform_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)

    def forward(self, x):
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(x + self.norm2(self.conv2(x)))
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Transformer(nn.Module):
    """Patches, a class token, heads, GELU and layer norm; its shapes are computed in the graph."""

    def __init__(self):
        super().__init__()
        self.patch, self.head = nn.Conv2d(1, 8, 4, 4), nn.Linear(8, 3)
        self.token, self.place = (
            nn.Parameter(torch.rand(1, 1, 8)),
            nn.Parameter(torch.rand(1, 5, 8)),
        )
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        y = self.norm(x)
        n, t, c = y.shape
        q, k, v = self.qkv(y).reshape(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = (q @ k.transpose(-2, -1) * 0.5).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(n, t, c))
        return self.head((x + self.mlp(self.norm(x)))[:, 0])


@pytest.fixture
def exported(tmp_path):
    """Return a torch module and the path of the file that torch makes of it."""

    def export(kind, opset=17, **settings):
        torch.manual_seed(0)
        net, path = kind().eval(), tmp_path / "net.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would rather use its other exporter
            torch.onnx.export(
                net, (torch.from_numpy(IMAGES[:1]),), path, dynamo=False, opset_version=opset,
                input_names=["x"], output_names=["y"], **settings,
            )  # fmt: skip
        return net, path

    return export


FREE = {"dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}


@pytest.mark.parametrize("opset", [9, 13, 18])
@pytest.mark.parametrize("kind", [LeNet, Residual, Transformer])
def test_comes_back_from_a_file_of_torch(exported, kind, opset):
    net, path = exported(kind, opset, **FREE)
    found = accelsim.read_onnx(path)
    x = torch.from_numpy(IMAGES)
    torch.testing.assert_close(found(x), net(x))
    assert found.input_shape == (None, 1, 8, 8)


@pytest.mark.parametrize("kind", [LeNet, Residual])
def test_a_file_for_one_image_runs_several(exported, kind):
    net, path = exported(kind)
    found = accelsim.read_onnx(path)
    assert found.input_shape == (1, 1, 8, 8)
    x = torch.from_numpy(IMAGES)
    torch.testing.assert_close(found(x), net(x))


def test_a_reshape_for_one_image_is_one_for_all(save):
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"]),
        helper.make_node("Reshape", ["a", "square"], ["b"]),
        helper.make_node("Reshape", ["b", "rows"], ["y"], name="rows"),
    ]
    shapes = {"flat": np.array([1, -1]), "square": np.array([1, 4, 16])}
    path = save(nodes, {**shapes, "rows": np.array([1, 64])}, (1, 1, 8, 8))
    x = torch.from_numpy(IMAGES)
    assert torch.equal(accelsim.read_onnx(path)(x), x.flatten(1))
    path = save(nodes, {**shapes, "rows": np.array([8, 8])}, (1, 1, 8, 8))
    with pytest.raises(TraceError, match="'rows'.*the file is for batches of 1, got 3 images"):
        accelsim.read_onnx(path)(x)


def test_the_machine_and_the_unit_compute_what_the_file_says(exported):
    """Layers carry the names of the nodes; their bits are those of the module of torch."""
    net, path = exported(LeNet, **FREE)
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(multiplier="exact_fp32")
    traced = accelsim.trace(path, IMAGES)
    assert traced.name == "net"
    names = [node.name for node in onnx.load(path).graph.node]
    assert [layer.name for layer in traced.layers] == [
        name.strip("/").replace("/", "_").replace(".", "_")
        for name in names
        if "Flatten" not in name
    ]
    outputs = run_machine(traced, machine).outputs
    assert np.array_equal(outputs, run_machine(accelsim.trace(net, IMAGES), machine).outputs)
    unit = accelsim.nn.approximate(accelsim.read_onnx(path), multiplier="exact_fp32")
    with torch.no_grad():
        assert unit(torch.from_numpy(IMAGES)).numpy().tobytes() == outputs.tobytes()


@pytest.mark.parametrize("kind", [Residual, Transformer])
def test_networks_of_many_operators_run_on_the_machine(exported, kind):
    net, path = exported(kind, **FREE)
    images = IMAGES[:2].copy()
    traced = accelsim.trace(path, images)
    machine = accelsim.Accelerator.preset("tiny_4x4").replace(multiplier="exact_fp32")
    outputs = run_machine(traced, machine).outputs
    unit = accelsim.nn.approximate(accelsim.read_onnx(path), multiplier="exact_fp32")
    with torch.no_grad():
        assert unit(torch.from_numpy(images)).numpy().tobytes() == outputs.tobytes()
        wanted = net(torch.from_numpy(images)).numpy()
    # Sums of a few hundred products of numbers below 1, in another order.
    np.testing.assert_allclose(outputs.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-6)


def test_gradients_flow_to_images_and_weights(exported):
    net, path = exported(Transformer, **FREE)
    found = accelsim.read_onnx(path)
    x, y = (torch.from_numpy(IMAGES).requires_grad_() for _ in range(2))
    found(x).square().sum().backward()
    net(y).square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    parameters = dict(found.named_parameters())
    assert all(one.grad is not None for one in parameters.values())
    token = next(one for name, one in parameters.items() if name.endswith("token"))
    torch.testing.assert_close(token.grad, net.token.grad)


def test_shared_weights_stay_shared(save):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="one"),
        helper.make_node("MatMul", ["a", "w"], ["y"], name="two"),
    ]
    found = accelsim.read_onnx(save(nodes, {"w": np.eye(3, dtype=np.float32)}, ("N", 3)))
    assert [name for name, _ in found.named_parameters()] == ["one.w"]
    assert found.one.w is found.two.w


def test_names_become_attributes_that_are_still_free(save):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="forward"),
        helper.make_node("Relu", ["a"], ["b"], name="/block.0/act"),
        helper.make_node("Relu", ["b"], ["c"], name="block/0/act"),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    found = accelsim.read_onnx(save(nodes, {}, ("N", 3)))
    assert list(found.nodes) == ["forward_2", "block_0_act", "block_0_act_2", "Relu_3"]


def test_what_needs_no_images_is_computed_once(save):
    nodes = [
        helper.make_node("Transpose", ["w"], ["wt"]),
        helper.make_node("Sqrt", ["wt"], ["root"]),
        helper.make_node("MatMul", ["x", "root"], ["y"], name="fc"),
    ]
    weight = np.array([[1, 4], [9, 16], [25, 36]], np.float32)
    found = accelsim.read_onnx(save(nodes, {"w": weight}, ("N", 2)))
    assert list(found.nodes) == ["fc"]
    assert torch.equal(found.fc.root, torch.from_numpy(weight.T).sqrt())


def test_sizes_that_the_file_leaves_open_come_with_the_images(save):
    """Twice the size, computed from the shape as torch's exporter writes it."""
    make = helper.make_node
    nodes = [
        make("Shape", ["x"], ["whole"]),
        make("Slice", ["whole", "two", "four"], ["pixels"]),
        make("Cast", ["pixels"], ["sizes"], to=onnx.TensorProto.FLOAT),
        make("Mul", ["sizes", "factor"], ["larger"]),
        make("Div", ["larger", "sizes"], ["by"]),
        make("Concat", ["ones", "by"], ["scales"], axis=0),
        make("Resize", ["x", "", "scales"], ["y"], mode="nearest"),
    ]
    constants = {
        "two": np.array([2]), "four": np.array([4]), "factor": np.float32(2),
        "ones": np.ones(2, np.float32),
    }  # fmt: skip
    found = accelsim.read_onnx(save(nodes, constants, ("N", 1, "H", "W")))
    assert found.input_shape == (None, 1, None, None)
    for size in (4, 8):
        x = torch.from_numpy(IMAGES[..., :size])
        assert torch.equal(found(x), functional.interpolate(x, scale_factor=2))


def test_can_be_copied_and_pickled(exported):
    _, path = exported(Transformer, **FREE)
    found = accelsim.read_onnx(path)
    x = torch.from_numpy(IMAGES)
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert torch.equal(other(x), found(x))


def test_rejects_outputs_that_are_for_training(save):
    nodes = [
        helper.make_node("Dropout", ["x"], ["a", "mask"], name="drop"),
        helper.make_node("Cast", ["mask"], ["y"], name="cast", to=onnx.TensorProto.FLOAT),
    ]
    found = accelsim.read_onnx(save(nodes, {}, ("N", 3)))
    with pytest.raises(TraceError, match="cast reads 'mask', an output that its operator has for"):
        found(torch.ones(2, 3))
