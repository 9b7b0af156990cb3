"""ONNX files made on the spot, and what ONNX's own reference says of them."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the onnx package: pip install 'accelsim[onnx]'")


def model_of(nodes, constants, shape, opset=17, output="y", **changes):
    """Return a model of *nodes* from input ``x`` of *shape* to *output*, with named arrays."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, kind, ("N", None))],
        [onnx.numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)


@pytest.fixture
def save(tmp_path):
    """Save a model made by `model_of`; return its path."""

    def save(*args, name="net.onnx", **kwargs):
        path = tmp_path / name
        onnx.save(model_of(*args, **kwargs), path)
        return path

    return save


@pytest.fixture
def expected():
    """Return what ONNX's reference makes of images with the file at a path."""
    from onnx.reference import ReferenceEvaluator

    return lambda path, images: ReferenceEvaluator(str(path)).run(None, {"x": images})[0]
