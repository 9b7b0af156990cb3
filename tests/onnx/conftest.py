"""ONNX files made on the spot, and what ONNX's own reference says of them."""

import numpy as np
import pytest


def model_of(nodes, constants, shape, opset=17, output="y", **changes):
    """Return a model of *nodes* from input ``x`` of *shape* to *output*, with named arrays."""
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, kind, ("N", None))],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)


@pytest.fixture
def save(tmp_path):
    """Save a model made by `model_of`; return its path."""

    import onnx

    def save(*args, **kwargs):
        path = tmp_path / "net.onnx"
        onnx.save(model_of(*args, **kwargs), path)
        return path

    return save


@pytest.fixture
def expected():
    """Return what ONNX's reference makes of images with the file at a path."""
    from onnx.reference import ReferenceEvaluator

    return lambda path, images: ReferenceEvaluator(str(path)).run(None, {"x": images})[0]
