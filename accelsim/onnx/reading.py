"""An ONNX file, checked, as nodes and arrays.

Nothing in the file is trusted: it is parsed by protobuf and checked by ONNX's own checker, external
data are read from the file's own folder only, and no array is made that the file has no bytes for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from accelsim.errors import TraceError
from accelsim.onnx.operators import refusal

__all__ = ["OPSETS", "Graph", "read_graph"]

OPSETS = range(7, 24)
"""Versions of ONNX's operators that are read."""


@dataclass(frozen=True)
class Graph:
    """What a file says.

    Attributes
    ----------
    label : str
        Name of the file.
    opset : int
    nodes : tuple of onnx.NodeProto
        In the order in which they are computed.
    constants : dict
        Name -> array.
    input : str
    input_shape : tuple of int or None
        Declared shape of the input, (N, ...); None where the file leaves a size open.
    output : str
    output_shape : tuple of int or None
        The same of the output.
    """

    label: str
    opset: int
    nodes: tuple[Any, ...]
    constants: dict[str, np.ndarray]
    input: str
    input_shape: tuple[int | None, ...]
    output: str
    output_shape: tuple[int | None, ...]


def read_graph(path: str | PathLike[str]) -> Graph:
    """Return the graph in the file at *path*.

    Raises
    ------
    TraceError
        The file cannot be read, is damaged, or is none that can be modelled; it says why.
    """
    where = Path(path)
    model = _parsed(where)
    label, graph = where.name, model.graph
    _check_names(label, graph)
    opset = _opset(label, model)
    for node in graph.node:
        _check_node(label, node)
    for tensor in _tensors(label, graph):
        _load(label, tensor, where.parent)
    _check(label, model)
    constants = {one.name: _array(label, one) for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in constants]
    name, shape = _input(label, inputs)
    if len(graph.output) != 1:
        names = ", ".join(one.name for one in graph.output)
        raise TraceError(
            f"{label} must have one output, got {len(graph.output)}: {names}; cut the graph with "
            "onnx.utils.extract_model"
        )
    made = graph.output[0]
    return Graph(
        label, opset, tuple(graph.node), constants, name, shape, made.name, _declared(made)
    )


def _parsed(path: Path) -> Any:
    """Return the file's onnx.ModelProto."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise TraceError(
            f"{path.name}: reading ONNX files needs the onnx package ({error}); install it with: "
            'pip install "accelsim[onnx]"'
        ) from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TraceError(f"ONNX file {path} cannot be read: {error.strerror}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise TraceError(
            f"{path} is no ONNX file, or is damaged or cut off: protobuf cannot parse its "
            f"{len(content)} bytes ({error})"
        ) from None
    if not model.HasField("graph") or not model.graph.node:
        raise TraceError(f"{path} is no ONNX file, or an empty one: it holds no graph with nodes")
    return model


def _check_names(label: str, graph: Any) -> None:
    """Refuse names that are no text, which protobuf gives as bytes."""
    named = [*graph.initializer, *graph.input, *graph.output, *graph.node]
    names = [one.name for one in named]
    for node in graph.node:
        names += [node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    for name in names:
        if isinstance(name, bytes):
            raise TraceError(f"{label} is damaged: the name {name[:40]!r} is not UTF-8")


def _opset(label: str, model: Any) -> int:
    """Return the version of ONNX's own operators, the only ones there may be."""
    versions = {one.domain: one.version for one in model.opset_import}
    found = versions.get("", versions.get("ai.onnx"))
    if found is None or found not in OPSETS:
        raise TraceError(
            f"{label}: opsets {OPSETS[0]} to {OPSETS[-1]} are read, got {found}; convert the file "
            "with onnx.version_converter.convert_version, or export it with another opset"
        )
    if model.functions:
        raise TraceError(
            f"{label} defines functions of its own ({model.functions[0].name!r}); put their nodes "
            "into the graph with onnx.inliner.inline_local_functions"
        )
    if model.graph.sparse_initializer:
        raise TraceError(f"{label}: sparse initializers are not modelled; store them dense")
    return int(found)


def _check_node(label: str, node: Any) -> None:
    owner = f"{label}: node {node.name or '(without a name)'!r} ({node.op_type})"
    if node.domain not in ("", "ai.onnx"):
        raise TraceError(
            f"{owner}: domain {node.domain!r} is not ONNX's own, so nobody has modelled its "
            "operators; export the model with ONNX's operators"
        )
    reason = refusal(node.op_type)
    if reason:
        raise TraceError(f"{owner}: {reason}")


def _tensors(label: str, graph: Any) -> Iterable[Any]:
    """Return all onnx.TensorProto of the graph."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _load(label: str, tensor: Any, folder: Path) -> None:
    """Put external data into *tensor*; onnx refuses to leave the *folder*."""
    from onnx import TensorProto, checker, external_data_helper

    if tensor.data_location != TensorProto.EXTERNAL:
        return
    try:
        external_data_helper.load_external_data_for_tensor(tensor, str(folder))
    except (checker.ValidationError, OSError, ValueError) as error:
        raise TraceError(
            f"{label}: the external data of {tensor.name!r} cannot be read: {_line(error)}; they "
            "must lie whole in the file's own folder"
        ) from error
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _check(label: str, model: Any) -> None:
    from onnx import checker

    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise TraceError(f"{label} is not valid ONNX: {_line(error)}") from error


def _array(label: str, tensor: Any) -> np.ndarray:
    """Return the values of *tensor*, whose bytes the checker has counted."""
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(tensor)
    except (LookupError, TypeError, ValueError) as error:
        raise TraceError(
            f"{label}: initializer {tensor.name!r}, {_kind(tensor.data_type)} of shape "
            f"{tuple(tensor.dims)}, holds other data: {_line(error)}"
        ) from error


def _kind(number: int) -> str:
    """Return what ONNX calls its type *number*."""
    from onnx import TensorProto

    known = {value: key for key, value in TensorProto.DataType.items()}
    return known.get(number, f"type {number}")


def _input(label: str, inputs: list[Any]) -> tuple[str, tuple[int | None, ...]]:
    from onnx import TensorProto

    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        raise TraceError(
            f"{label} must have one input, the images, got {len(inputs)}: {names}; make the others "
            "initializers, or cut the graph with onnx.utils.extract_model"
        )
    kind = inputs[0].type.tensor_type
    if kind.elem_type != TensorProto.FLOAT:
        raise TraceError(
            f"{label}: its input {inputs[0].name!r} must be float32 images, got "
            f"{_kind(kind.elem_type)}; export the model in float32"
        )
    return inputs[0].name, _declared(inputs[0])


def _declared(value: Any) -> tuple[int | None, ...]:
    """Return the shape that an onnx.ValueInfoProto says, None for sizes that it leaves open."""
    return tuple(
        one.dim_value if one.HasField("dim_value") and one.dim_value > 0 else None
        for one in value.type.tensor_type.shape.dim
    )


def _line(error: Exception) -> str:
    """Return an error's text in one line."""
    text = " ".join(str(error).split()).partition(" ==> ")[0]
    return (text or type(error).__name__)[:300]
