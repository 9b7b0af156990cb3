"""Files that are damaged, hostile or out of scope: one clear error each."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'accelsim[onnx]'")

import accelsim  # noqa: E402
from accelsim.errors import AccelsimError, DataError, TraceError  # noqa: E402

helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
WEIGHT = np.ones((2, 3), np.float32)
GEMM = helper.make_node("Gemm", ["x", "w"], ["y"], name="fc", transB=1)


def reject(path, message):
    with pytest.raises(TraceError, match=message):
        accelsim.read_onnx(path)


def changed(path, change):
    """Let *change* alter the model in the file at *path*, without any check."""
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def good(save):
    """Return the path of a file that can be read."""
    return save([GEMM], {"w": WEIGHT}, ("N", 3))


def test_reads_what_the_others_are_changed_from(good):
    assert accelsim.read_onnx(good)(torch.ones(4, 3)).shape == (4, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no graph with nodes"),
        (b"not a model, but some text", "no ONNX file"),
        (b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08pickled!\x94.", "no ONNX file"),
        (np.random.default_rng(0).bytes(1000), "no ONNX file"),
    ],
)
def test_rejects_what_is_no_onnx_file(tmp_path, content, message):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    reject(path, message)


def test_rejects_a_file_cut_off_anywhere(good):
    content = good.read_bytes()
    for length in range(0, len(content), 7):
        good.write_bytes(content[:length])
        reject(good, "net.onnx")


def test_a_flipped_bit_is_an_error_of_ours_or_another_network(good):
    content, x, rejected = good.read_bytes(), torch.ones(2, 3), 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        good.write_bytes(damaged)
        try:
            accelsim.read_onnx(good)(x)
        except AccelsimError:
            rejected += 1
    assert rejected > 4 * len(content)


def test_rejects_files_that_cannot_be_opened(tmp_path):
    reject(tmp_path / "none.onnx", "none.onnx cannot be read: No such file")
    reject(tmp_path, "cannot be read: Is a directory")


def test_says_how_to_install_onnx(good, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    reject(good, r'install it with: pip install "accelsim\[onnx\]"')


def test_no_module_needs_onnx_to_be_imported():
    package = Path(accelsim.__file__).parent / "onnx"
    for path in package.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "import onnx" not in ast.unparse(node)
                assert not ast.unparse(node).startswith("from onnx")


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../secret.bin", "points outside the directory"),
        ("/etc/passwd", "absolute path"),
        ("link.bin", "symbolic link"),
    ],
)
def test_rejects_external_data_outside_the_folder(good, location, reason):
    (good.parent.parent / "secret.bin").write_bytes(bytes(WEIGHT.nbytes))
    (good.parent / "link.bin").symlink_to(good.parent.parent / "secret.bin")

    def change(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    message = f"external data of 'w' cannot be read: .*{reason}"
    reject(changed(good, change), message)


def test_reads_external_data_of_the_folder_only_if_they_are_whole(good):
    def change(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")

    data = good.parent / "weights.bin"
    data.write_bytes((2 * WEIGHT).tobytes())
    changed(good, change)
    with torch.no_grad():
        assert accelsim.read_onnx(good)(torch.ones(1, 3)).tolist() == [[6.0, 6.0]]
    data.write_bytes(bytes(WEIGHT.nbytes - 4))
    reject(good, "raw_data size .20 bytes. is too small")
    data.unlink()
    reject(good, "external data of 'w' cannot be read")


def set_dims(*dims):
    def change(model):
        model.graph.initializer[0].dims[:] = dims

    return change


def set_type(kind):
    def change(model):
        model.graph.initializer[0].data_type = kind

    return change


def set_input(model):
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8


def add_input(model):
    model.graph.input.append(helper.make_tensor_value_info("mask", FLOAT, ("N", 3)))


def add_output(model):
    model.graph.output.append(helper.make_tensor_value_info("x", FLOAT, ("N", 3)))


def add_function(model):
    opsets = [helper.make_opsetid("", 17)]
    node = helper.make_node("Relu", ["a"], ["b"])
    model.functions.append(helper.make_function("mine", "Twice", ["a"], ["b"], [node], opsets))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_dims(10**9, 10**9), "raw_data size .24 bytes. is too small"),
        (set_dims(2**40, 2**40), "dimension product overflow"),
        (set_dims(-2, -3), "Negative dimension"),
        (set_dims(2, 2), "initializer 'w', FLOAT of shape .2, 2., holds other data"),
        (set_type(onnx.TensorProto.DOUBLE), "raw_data size .24 bytes. is too small"),
        (set_type(onnx.TensorProto.UNDEFINED), "UNDEFINED is not allowed"),
        (lambda model: model.graph.ClearField("initializer"), "input 'w' of node: name: fc"),
        (set_input, "input 'x' must be float32 images, got UINT8"),
        (add_input, "must have one input, the images, got 2: x, mask"),
        (lambda model: model.graph.ClearField("input"), "input 'x' of node: name: fc"),
        (add_output, "must have one output, got 2: y, x; cut"),
        (add_function, "defines functions of its own .'Twice'.; put their nodes"),
        (lambda model: model.graph.ClearField("node"), "holds no graph with nodes"),
        (set_type(112), "initializer 'w', type 112 of shape .2, 3., holds other data"),
        (lambda model: model.ClearField("opset_import"), "opsets 7 to 23 are read, got None"),
    ],
)  # fmt: skip
def test_rejects_models_that_are_not_what_they_say(good, change, message):
    reject(changed(good, change), message)


@pytest.mark.parametrize("opset", [1, 6, 24, 10**6, -1])
def test_rejects_other_opsets(good, opset):
    def change(model):
        model.opset_import[0].version = opset

    reject(changed(good, change), f"opsets 7 to 23 are read, got {opset}; convert the file")


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        ("Einsum", ["x"], "node 'it' .Einsum.: the operator is not modelled; modelled: Abs, "),
        ("Softmaks", ["x"], "Did you mean 'Softmax'"),
        ("If", ["x"], "control flow is not modelled"),
        ("Loop", ["x"], "control flow is not modelled"),
        ("QLinearConv", ["x"], "the file is quantized; give the float model"),
        ("DequantizeLinear", ["x"], "the file is quantized; give the float model"),
        ("Gemm", ["x"], "not valid ONNX"),
        ("Trilu", ["x"], "for shapes and constants only"),
    ],
)
def test_rejects_operators_by_node_and_name(save, op, inputs, message):
    path = save([helper.make_node(op, inputs, ["y"], name="it")], {}, ("N", 3))
    reject(path, message)


def test_rejects_operators_of_others(save):
    node = helper.make_node("FusedMatMul", ["x", "w"], ["y"], name="fm", domain="com.microsoft")
    message = "node 'fm' .FusedMatMul.: domain 'com.microsoft' is not ONNX's own"
    reject(save([node], {"w": WEIGHT}, ("N", 3)), message)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (["Relu y a", "Relu a y"], "topologically sorted, however input 'y'"),
        (["Add x,nowhere y"], "topologically sorted, however input 'nowhere'"),
        (["Relu x a", "Relu x a"], "'a' has been used as output names multiple times"),
        (["Relu x other"], "output 'y' is not an output of any node"),
        (["Shape x y"], "output 'y' does not depend on the images' values"),
    ],
)
def test_rejects_graphs_that_lead_nowhere(save, nodes, message):
    made = []
    for node in nodes:
        op, inputs, output = node.split()
        made.append(helper.make_node(op, inputs.split(","), [output]))
    reject(save(made, {}, ("N", 3)), message)


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("ConstantOfShape", {"a": np.array([10**6, 10**6])}, {}),
        ("Expand", {"a": np.ones((1, 1), np.float32), "b": np.array([10**6, 10**6])}, {}),
        ("Tile", {"a": np.ones(2, np.float32), "b": np.array([10**12])}, {}),
        ("Range", {"a": np.array(0), "b": np.array(10**13), "c": np.array(1)}, {}),
    ],
)
def test_makes_no_constant_that_fills_the_memory(save, op, constants, attributes):
    nodes = [
        helper.make_node(op, [*constants], ["big"], name="bomb"),
        helper.make_node("Add", ["x", "big"], ["y"]),
    ]
    reject(
        save(nodes, constants, ("N", 3)), f"node 'bomb' .{op}.: it makes a constant of [12]0+ ele"
    )


KERNEL = np.ones((1, 1, 3), np.float32)


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("Pad", {"pads": np.array([0, 0, 0, 0, 0, 10**13])}, {}),
        ("Conv", {"w": KERNEL}, {"pads": [0, 10**13]}),
        ("MaxPool", {}, {"kernel_shape": [3], "pads": [10**13, 10**13]}),
        ("ConvTranspose", {"w": KERNEL}, {"strides": [10**13]}),
        ("Upsample", {"scales": np.array([1, 1, 1e13], np.float32)}, {}),
    ],
)
def test_makes_no_tensor_that_fills_the_memory(save, op, constants, attributes):
    node = helper.make_node(op, ["x", *constants], ["y"], name="bomb", **attributes)
    net = accelsim.read_onnx(
        save([node], constants, ("N", 1, 3), opset=9 if op == "Upsample" else 17)
    )
    with pytest.raises(TraceError, match=rf"node 'bomb' .{op}.: it makes a tensor of shape"):
        net(torch.ones(2, 1, 3))


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int32])
def test_rejects_weights_of_other_types(save, kind):
    path = save([GEMM], {"w": WEIGHT.astype(kind)}, ("N", 3))
    reject(path, f"node 'fc' .Gemm.: its input 'w' is {np.dtype(kind)} and must be float32")


def test_weights_that_do_not_fit_are_named_with_their_node(save):
    net = accelsim.read_onnx(save([GEMM], {"w": np.ones((2, 4), np.float32)}, ("N", 3)))
    with pytest.raises(TraceError, match=r"node 'fc' \(Gemm\): cannot be computed of \(5, 3\)"):
        net(torch.ones(5, 3))


def test_weights_that_are_no_numbers_are_found_by_the_trace(save):
    path = save([GEMM], {"w": np.full((2, 3), np.nan, np.float32)}, ("N", 3))
    with pytest.raises(TraceError, match="fc: its weight holds NaN or infinity"):
        accelsim.trace(path, np.ones((1, 3), np.float32))


def test_rejects_images_of_another_shape(good):
    message = r"net.onnx takes images of shape \(N, 3\), got \(2, 4\)"
    with pytest.raises(DataError, match=message):
        accelsim.read_onnx(good)(torch.ones(2, 4))
    with pytest.raises(DataError, match=message):
        accelsim.trace(good, np.ones((2, 4), np.float32))


def test_rejects_shapes_that_depend_on_the_images_values(save):
    nodes = [
        helper.make_node("Cast", ["x"], ["sizes"], to=onnx.TensorProto.INT64),
        helper.make_node("Reshape", ["x", "sizes"], ["y"], name="rs"),
    ]
    net = accelsim.read_onnx(save(nodes, {}, (3,)))
    with pytest.raises(TraceError, match="node 'rs' .Reshape.: its input 'sizes' must not depend"):
        net(torch.ones(3))
