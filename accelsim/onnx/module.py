"""The graph of an ONNX file as a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import cast

import numpy as np
from torch import Tensor, nn

from accelsim.errors import DataError, TraceError
from accelsim.onnx.base import Value
from accelsim.onnx.nodes import OnnxNode, StaticNode, free_name
from accelsim.onnx.reading import Graph, read_graph
from accelsim.onnx.static import STATIC, evaluate
from accelsim.workload import fits

__all__ = ["OnnxModule", "read_onnx"]


def read_onnx(path: str | PathLike[str]) -> OnnxModule:
    """Return the network in an ONNX file as a torch module, in evaluation mode.

    Every node becomes a submodule of its name (``/`` and the like become ``_``), which holds the
    initializers it reads as parameters under their names. Shapes, indices and constants are
    computed once; the number of images, and sizes that the file leaves open, come with the images.

    Parameters
    ----------
    path : path
        Weights in other files must lie in the same folder.

    Raises
    ------
    TraceError
        The file is damaged, or has operators, types or inputs that are not modelled; the message
        names the node. Or the onnx package is not installed.
    """
    return OnnxModule(read_graph(path)).eval()


class OnnxModule(nn.Module):
    """A network whose submodules are the nodes of an ONNX graph.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    label : str
        Name of the file.
    input_shape : tuple of int or None
        Declared shape of the images, (N, ...); None where the file leaves a size open.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.label, self.input_shape = graph.label, graph.input_shape
        self._input, self._output = graph.input, graph.output
        self._add_nodes(graph)
        last = {one: name for name, node in self.nodes.items() for one in node.reads}
        self._done = {
            name: [one for one, reader in last.items() if reader == name and one != graph.output]
            for name in self.nodes
        }

    def _add_nodes(self, graph: Graph) -> None:
        """Add a submodule for every node; what only needs constants is computed right away."""
        constants, parameters = dict(graph.constants), dict[str, nn.Parameter]()
        static, made = set[str](), {graph.input}
        for number, proto in enumerate(graph.nodes):
            name = proto.name or f"{proto.op_type}_{number}"
            inputs = [one for one in proto.input if one]
            for one in inputs:
                if one not in constants and one not in made:
                    raise TraceError(
                        f"{graph.label}: node {name!r} reads {one!r}, which nothing before it "
                        "makes; the nodes must be in order, without cycles"
                    )
            depends = [one for one in inputs if one not in constants]
            if proto.op_type in STATIC and not depends:
                constants.update(evaluate(proto, name, graph.opset, constants))
                continue
            node: OnnxNode | StaticNode
            weights = [one for one in inputs if one in constants and _is_weight(constants[one])]
            if proto.op_type in STATIC and static.issuperset(depends) and not weights:
                node = StaticNode(proto, name, graph, constants)
                static.update(proto.output)
            else:
                node = OnnxNode(proto, name, graph, constants, parameters)
                static.update(proto.output if proto.op_type in ("Shape", "Size") else ())
            self.add_module(free_name(self, name), node)
            made.update(proto.output)
        if graph.output not in made - static - {graph.input}:
            raise TraceError(
                f"{graph.label}: its output {graph.output!r} does not depend on the images' values"
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return the graph's output for (N, ...) images."""
        self._check(images)
        values: dict[str, Value] = {self._input: images}
        for name, node in self.nodes.items():
            read = [self._value(values, one, name) for one in node.reads]
            values.update(zip(node.makes, node(images.shape[0], *read), strict=False))
            for one in self._done[name]:
                del values[one]
        return self._value(values, self._output, "output")

    @property
    def nodes(self) -> dict[str, OnnxNode | StaticNode]:
        """Its submodules by their names, in the order of the graph."""
        return cast("dict[str, OnnxNode | StaticNode]", dict(self.named_children()))

    def _value(self, values: Mapping[str, Value], name: str, reader: str) -> Value:
        if name not in values:
            raise TraceError(
                f"{self.label}: {reader} reads {name!r}, an output that its operator has for "
                "training only, or that is not modelled"
            )
        return values[name]

    def _check(self, images: Tensor) -> None:
        declared, got = self.input_shape, tuple(images.shape)
        if declared and not fits(got[1:], declared[1:]):
            inner = ", ".join("?" if size is None else str(size) for size in declared[1:])
            raise DataError(f"{self.label} takes images of shape (N, {inner}), got {got}")


def _is_weight(array: np.ndarray) -> bool:
    """Return whether *array* is a parameter, and no shape, scale or index."""
    return array.dtype == np.float32 and array.ndim > 1
