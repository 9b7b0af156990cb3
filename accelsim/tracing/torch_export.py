"""A torch module through torch.export to a `Trace`.

torch.export gives the operators that the module calls for the given images, in order, with every
tensor's shape; each becomes a layer, or, where it only renames its input, nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import TraceError, nearest
from accelsim.layer import INPUT, Layer, LayerShape, MacLayer, Pooling, Trace, VectorLayer
from accelsim.workload import check_images

if TYPE_CHECKING:
    import torch

    from accelsim.quantization import Calibration

__all__ = ["trace"]


def trace(
    model: torch.nn.Module,
    images: np.ndarray,
    *,
    name: str | None = None,
    calibration: np.ndarray | torch.Tensor | Calibration | None = None,
) -> Trace:
    """Return the layers that *model* runs for *images*, with shapes, weights and operands.

    Parameters
    ----------
    model : torch.nn.Module
        Any wiring of conv2d, linear, ReLU, max and average pooling, flatten and (in evaluation
        mode) dropout. It is traced as it is; put it into evaluation mode first.
    images : float32 array, (N, C, H, W)
        The network's input.
    name : str, optional
        Name of the network in tables; the class name by default.
    calibration : images or Calibration, optional
        For units of integers: other images, on which the ranges of the activations are found, or
        what `accelsim.nn.calibrate` found before. They go into the layers.

    Raises
    ------
    TraceError
        An operator that is not modelled (named, with its module path), more than one input or
        output, or a module that torch.export cannot trace.
    DataError
        Images of the wrong rank or dtype, or with NaN or infinity; a calibration that cannot be
        used.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TraceError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    check_images(images)
    _check_parameters(model)
    label = name or type(model).__name__
    program = _export(model, torch.from_numpy(np.array(images)), label)
    builder = _Builder(program, label)
    for node in program.graph.nodes:
        builder.visit(node)
    output = builder.output()
    traced = Trace(label, tuple(builder.layers), np.ascontiguousarray(images), output)
    if calibration is None:
        return traced
    from accelsim.nn.calibration import as_calibration

    return traced.calibrated(as_calibration(model, calibration))


def _check_parameters(model: torch.nn.Module) -> None:
    """Refuse parameters that are not float32 on the CPU, before torch.export trips over them."""
    for name, value in model.named_parameters():
        if str(value.dtype) != "torch.float32" or value.device.type != "cpu":
            raise TraceError(
                f"parameter {name!r} must be float32 on the CPU, got {value.dtype} on "
                f"{value.device}; call model.float().cpu() first"
            )


def _export(model: torch.nn.Module, images: torch.Tensor, label: str) -> Any:
    import torch

    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(model, (images,))
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise TraceError(
            f"torch.export cannot trace {label} for images of shape {tuple(images.shape)}: "
            f"{type(error).__name__}: {reason.strip()[:300]}"
        ) from error


class _Builder:
    """Turns the nodes of an exported graph into layers."""

    def __init__(self, program: Any, label: str) -> None:
        self.label = label
        self.layers: list[Layer] = []
        self.tensors: dict[str, str] = {}
        """Graph node -> the layer whose output it is."""
        self.constants = _constants(program)
        self.inputs = set(program.graph_signature.user_inputs)
        self.returned: list[str] = []

    def visit(self, node: Any) -> None:
        """Add what *node* stands for."""
        if node.op == "placeholder":
            if node.name in self.inputs:
                self.tensors[node.name] = INPUT
        elif node.op == "output":
            self.returned = [getattr(value, "name", repr(value)) for value in node.args[0]]
        elif node.op == "call_function":
            handler = _HANDLERS.get(str(node.target))
            if handler is None:
                known = sorted({str(target).split(".")[1] for target in _HANDLERS})
                operator = str(node.target).removeprefix("aten.").rsplit(".", 1)[0]
                raise TraceError(
                    f"operator {operator!r} in {_path(node) or self.label} is not modelled; "
                    f"modelled: {', '.join(known)}.{nearest(operator, known)}"
                )
            handler(self, node, _Arguments(node))
        else:
            raise TraceError(f"node {node.name!r} ({node.op}) in {self.label} is not modelled")

    def output(self) -> str:
        """Return the name of the layer whose output the module returns."""
        if len(self.returned) != 1 or self.returned[0] not in self.tensors:
            raise TraceError(
                f"{self.label} must return one tensor that depends on the images, "
                f"got {len(self.returned)}: {', '.join(self.returned)}"
            )
        layer = self.tensors[self.returned[0]]
        if layer == INPUT:
            raise TraceError(f"{self.label} returns its input; there is nothing to simulate")
        return layer

    def add(self, node: Any, layer: Layer) -> None:
        """Append *layer*, whose output is *node*."""
        self.layers.append(layer)
        self.tensors[node.name] = layer.name

    def overwrite(self, old: str, new: str) -> None:
        """Let all names of the output of *old* (itself, reshaped) stand for that of *new*."""
        self.tensors = {
            node: new if layer == old else layer for node, layer in self.tensors.items()
        }

    def source(self, node: Any, value: Any) -> str:
        """Return the layer whose output *value* is."""
        if getattr(value, "name", None) not in self.tensors:
            raise TraceError(
                f"{_where(node)}: its input must come from the images, got {value!r}; "
                "a constant or a second input is not modelled"
            )
        return self.tensors[value.name]

    def constant(self, node: Any, value: Any, what: str) -> np.ndarray:
        """Return parameter or buffer *value* as float32."""
        tensor = self.constants.get(getattr(value, "name", ""))
        if tensor is None:
            raise TraceError(f"{_where(node)}: its {what} must be a parameter, got {value!r}")
        array = tensor.detach().cpu().numpy()
        if array.dtype != np.float32:
            raise TraceError(f"{_where(node)}: its {what} must be float32, got {array.dtype}")
        if not np.isfinite(array).all():
            raise TraceError(f"{_where(node)}: its {what} holds NaN or infinity")
        return np.ascontiguousarray(array)

    def name(self, node: Any) -> str:
        """Return a unique name: the module's path, or the operator's name if none is its own."""
        base = _path(node) or node.name
        taken = {layer.name for layer in self.layers} | {INPUT}
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        return name


class _Arguments:
    """Arguments of a node by the names of the operator's schema, defaults included."""

    def __init__(self, node: Any) -> None:
        self._values: dict[str, Any] = {}
        for position, argument in enumerate(node.target._schema.arguments):
            if position < len(node.args):
                self._values[argument.name] = node.args[position]
            else:
                default = argument.default_value if argument.has_default_value() else None
                self._values[argument.name] = node.kwargs.get(argument.name, default)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def pair(self, name: str) -> tuple[int, int]:
        """Return an int or int list as a pair."""
        value = self._values[name]
        values = [value] if isinstance(value, int) else list(value)
        return (int(values[0]), int(values[-1]))


def _conv2d(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    n, c, h, w = _shape(node, arguments["input"], rank=4)
    dilation, stride = arguments.pair("dilation"), arguments.pair("stride")
    kernel = (weight.shape[2], weight.shape[3])
    if isinstance(arguments["padding"], str):
        padding = _named_padding(node, arguments["padding"], kernel, dilation)
    else:
        padding = arguments.pair("padding")
    shape = LayerShape(
        n, weight.shape[0], c, h, w, *kernel, stride, padding, dilation, int(arguments["groups"])
    )
    _add_mac(builder, node, "conv2d", shape, weight, arguments)


def _linear(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    weight = builder.constant(node, arguments["weight"], "weight")
    n, c = _shape(node, arguments["input"], rank=2)
    shape = LayerShape(n, weight.shape[0], c)
    _add_mac(builder, node, "linear", shape, weight.reshape(*weight.shape, 1, 1), arguments)


def _add_mac(
    builder: _Builder,
    node: Any,
    op: str,
    shape: LayerShape,
    weight: np.ndarray,
    arguments: _Arguments,
) -> None:
    bias = arguments["bias"]
    if bias is not None:
        bias = builder.constant(node, bias, "bias")
    source = builder.source(node, arguments["input"])
    builder.add(node, MacLayer(builder.name(node), op, source, shape, weight, bias))


def _named_padding(
    node: Any, padding: str, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int]:
    if padding == "valid":
        return (0, 0)
    reach = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    if padding != "same" or any(total % 2 for total in reach):
        raise TraceError(
            f"{_where(node)}: padding {padding!r} with a {kernel[0]}x{kernel[1]} kernel is not the "
            "same on both sides; only symmetric padding is modelled"
        )
    return (reach[0] // 2, reach[1] // 2)


def _relu(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    shape = _four(_shape(node, arguments["self"]))
    source = builder.source(node, arguments["self"])
    layer = VectorLayer(builder.name(node), "relu", source, shape, shape)
    builder.add(node, layer)
    if str(node.target) == "aten.relu_.default":
        builder.overwrite(source, layer.name)


def _max_pool2d(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    pooling = Pooling(
        arguments.pair("kernel_size"),
        arguments.pair("stride") if arguments["stride"] else arguments.pair("kernel_size"),
        arguments.pair("padding"),
        arguments.pair("dilation"),
    )
    _add_pooling(builder, node, "max_pool2d", pooling, arguments)


def _avg_pool2d(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    pooling = Pooling(
        arguments.pair("kernel_size"),
        arguments.pair("stride") if arguments["stride"] else arguments.pair("kernel_size"),
        arguments.pair("padding"),
        count_include_pad=bool(arguments["count_include_pad"]),
        divisor=arguments["divisor_override"],
    )
    _add_pooling(builder, node, "avg_pool2d", pooling, arguments)


def _add_pooling(
    builder: _Builder, node: Any, op: str, pooling: Pooling, arguments: _Arguments
) -> None:
    before, after = _shape(node, arguments["self"], rank=4), _shape(node, node, rank=4)
    source = builder.source(node, arguments["self"])
    builder.add(
        node, VectorLayer(builder.name(node), op, source, _four(before), _four(after), pooling)
    )


def _reshape(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    """Rename the input: a row-major reshape that keeps the images moves no words."""
    before = _shape(node, node.args[0])
    after = _shape(node, node)
    if before[:1] != after[:1]:
        raise TraceError(
            f"{_where(node)}: reshape from {before} to {after} mixes images; "
            "only reshapes that keep the first dimension are modelled"
        )
    builder.tensors[node.name] = builder.source(node, node.args[0])


def _dropout(builder: _Builder, node: Any, arguments: _Arguments) -> None:
    if arguments["train"]:
        raise TraceError(f"{_where(node)}: dropout in training mode; call model.eval() first")
    builder.tensors[node.name] = builder.source(node, arguments["input"])


_HANDLERS: dict[str, Callable[[_Builder, Any, _Arguments], None]] = {
    "aten.conv2d.default": _conv2d,
    "aten.conv2d.padding": _conv2d,
    "aten.linear.default": _linear,
    "aten.relu.default": _relu,
    "aten.relu_.default": _relu,
    "aten.max_pool2d.default": _max_pool2d,
    "aten.avg_pool2d.default": _avg_pool2d,
    "aten.flatten.using_ints": _reshape,
    "aten.view.default": _reshape,
    "aten.reshape.default": _reshape,
    "aten.dropout.default": _dropout,
    "aten.dropout_.default": _dropout,
}


def _constants(program: Any) -> dict[str, Any]:
    """Return graph node -> tensor for parameters, buffers and lifted constants."""
    signature = program.graph_signature
    state = {**program.state_dict, **program.constants}
    named = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {node: state[name] for node, name in named.items() if name in state}


def _path(node: Any) -> str:
    """Return the path of the innermost module that called *node*, "" for the root."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return paths[-1] if paths else ""


def _where(node: Any) -> str:
    """Return what to call *node* in a message."""
    return _path(node) or f"the model ({node.name})"


def _shape(node: Any, value: Any, rank: int | None = None) -> tuple[int, ...]:
    """Return the shape of the tensor *value*, which *node* reads or makes."""
    tensor = getattr(value, "meta", {}).get("val")
    if tensor is None or not hasattr(tensor, "shape"):
        raise TraceError(f"{_where(node)}: expected a tensor, got {value!r}")
    shape = tuple(int(extent) for extent in tensor.shape)
    if rank is not None and len(shape) != rank:
        raise TraceError(
            f"{_where(node)}: expected a tensor of {rank} dimensions, got shape {shape}"
        )
    return shape


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return *shape* as (N, C, H, W); a matrix has 1 x 1 images."""
    n, *rest = shape
    padded = [*rest, 1, 1, 1][: max(3, len(rest))]
    if len(padded) > 3:
        raise TraceError(f"a tensor of {len(shape)} dimensions is not modelled, got shape {shape}")
    return (n, padded[0], padded[1], padded[2])
