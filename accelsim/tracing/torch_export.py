"""A torch module through torch.export to a `Trace`.

torch.export gives the operators that the module calls for the given images, in order, with every
tensor's shape; each becomes a layer, or, where it only says which words of its input are read, a
view of it. What no strides can say becomes a layer that copies.
"""

from __future__ import annotations

import operator
import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import AccelsimError, TraceError, nearest
from accelsim.layer import Trace
from accelsim.tracing.builder import Arguments, Builder, path_of, where
from accelsim.tracing.elementwise import ELEMENTWISE
from accelsim.tracing.operators import OPERATORS
from accelsim.tracing.views import VIEWS, take
from accelsim.tracing.words import MixedImagesError, NeedsCopyError
from accelsim.workload import check_images

if TYPE_CHECKING:
    import torch

    from accelsim.quantization import Calibration

__all__ = ["trace"]


def trace(
    model: torch.nn.Module | str | PathLike[str],
    images: np.ndarray,
    *,
    name: str | None = None,
    calibration: np.ndarray | torch.Tensor | Calibration | None = None,
) -> Trace:
    """Return the layers that *model* runs for *images*, with shapes, weights and operands.

    Parameters
    ----------
    model : torch.nn.Module, or path of an ONNX file
        Any wiring of conv2d, linear, matmul of two activations (``@``, bmm, mm), ReLU, max and
        average pooling, views (reshape, permute, expand, select, slice, split and their like) and
        (in evaluation mode) dropout. It is traced as it is; put it into evaluation mode first.
    images : float32 array, (N, C, H, W)
        The network's input; signals (N, C, L), or whatever else it takes, (N, ...).
    name : str, optional
        Name of the network in tables; the class's or the file's by default.
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

    if isinstance(model, str | PathLike):
        from accelsim.onnx import read_onnx

        name, model = name or Path(model).stem, read_onnx(model)
    if not isinstance(model, torch.nn.Module):
        raise TraceError(
            "model must be a torch.nn.Module or the path of an ONNX file, got "
            f"{type(model).__name__}"
        )
    check_images(images, any_rank=True)
    _check_parameters(model)
    label = name or type(model).__name__
    program = _export(model, torch.from_numpy(np.array(images)), label)
    builder, output = Builder(program, label), ""
    for node in program.graph.nodes:
        if node.op == "placeholder":
            builder.input(node)
        elif node.op == "call_function":
            _visit(builder, node)
        elif node.op == "output":
            output = builder.output(node)
        else:
            raise TraceError(f"node {node.name!r} ({node.op}) in {label} is not modelled")
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
    except AccelsimError:
        raise
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise TraceError(
            f"torch.export cannot trace {label} for images of shape {tuple(images.shape)}: "
            f"{type(error).__name__}: {reason.strip()[:300]}"
        ) from error


def _visit(builder: Builder, node: Any) -> None:
    """Add what *node*, the call of a function, stands for."""
    if node.target is operator.getitem:
        take(builder, node)
        return
    handler = _HANDLERS.get(str(node.target))
    name = str(node.target).removeprefix("aten.").rsplit(".", 1)[0]
    if handler is None:
        known = sorted({target.split(".")[1] for target in _HANDLERS})
        raise TraceError(
            f"operator {name!r} in {path_of(node) or builder.label} is not modelled; "
            f"modelled: {', '.join(known)}.{nearest(name, known)}"
        )
    try:
        handler(builder, node, Arguments(node))
    except (MixedImagesError, NeedsCopyError):
        # What needs a copy of a copy, needs the images between the words of one.
        shapes = [value.meta["val"].shape for value in node.args if hasattr(value, "meta")]
        read = ", ".join(str(tuple(shape)) for shape in shapes)
        raise TraceError(
            f"{where(node)}: {name} of {read} mixes images; every image must be computed for "
            "itself, so keep them in a dimension of their own, the first one"
        ) from None


_HANDLERS = {**OPERATORS, **ELEMENTWISE, **VIEWS}
