"""A network in an ONNX file as a workload: on the data that it is given, else on random images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from accelsim.onnx.module import read_onnx
from accelsim.onnx.reading import read_graph
from accelsim.workload import Workload

__all__ = ["onnx_workload"]


def onnx_workload(name: str) -> Workload:
    """Return the network in the ONNX file at path *name*, with the weights that are in it.

    Raises
    ------
    TraceError
        As `accelsim.read_onnx` raises it.
    """
    path = Path(name).absolute()
    graph = read_graph(path)
    shape = graph.input_shape[1:]
    sizes = [size for size in shape if size is not None]
    classes = graph.output_shape[1] if len(graph.output_shape) == 2 else None
    return Workload(
        name=name,
        title=f"the network in {path.name}, ONNX opset {graph.opset}, {len(graph.nodes)} nodes",
        dataset=f"random:{'x'.join(map(str, sizes))}" if len(sizes) == len(shape) == 3 else None,
        build=partial(read_onnx, path),
        weights=str(path),
        input_shape=shape,
        classes=classes,
        recipe=None,
        source="your own file",
        trained=True,
    )
