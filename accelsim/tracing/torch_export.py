"""A torch module through torch.export to a `Trace`.

torch.export gives the operators that the module calls for the given images, in order, with every
tensor's shape; each becomes a layer, or, where it only says which words of its input are read, a
view of it. What no strides can say becomes a layer that copies. What depends on no image is
computed by torch, and is a constant.
"""

from __future__ import annotations

import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from os import PathLike
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import numpy as np

from accelsim.errors import AccelsimError, TraceError, nearest
from accelsim.layer import Trace
from accelsim.tracing.arguments import Arguments
from accelsim.tracing.attention import ATTENTION
from accelsim.tracing.builder import Builder, path_of, where
from accelsim.tracing.elementwise import ELEMENTWISE, add_vector_operator
from accelsim.tracing.operators import OPERATORS
from accelsim.tracing.rows import ROWS
from accelsim.tracing.vector_operators import VECTOR_OPERATORS
from accelsim.tracing.views import VIEWS, take
from accelsim.tracing.words import MixedImagesError, NeedsCopyError
from accelsim.workload import check_images

if TYPE_CHECKING:
    import torch

    from accelsim.quantization import Calibration

__all__ = ["exported", "is_modelled", "trace"]


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
        Any wiring of conv1d, conv2d, their transposed forms, linear, matmul of two activations
        (``@``, bmm, mm), attention, activation functions, arithmetic, softmax, layer, group and
        batch norm, pooling (max, average, adaptive, of all), padding, upsampling, concatenation,
        views (reshape, permute, expand, select, slice, split and their like) and dropout:
        docs/operators.md lists them, `accelsim.register_operator` adds one. It is traced as it is;
        put it into evaluation mode first.
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
    if isinstance(model, str | PathLike):
        from accelsim.onnx import read_onnx

        name, model = name or Path(model).stem, read_onnx(model)
    label = name or type(model).__name__
    program = exported(model, images, label)
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


def exported(model: torch.nn.Module, images: np.ndarray, label: str) -> Any:
    """Return what torch.export makes of *model*, called *label*; errors are those of `trace`."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TraceError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    check_images(images, any_rank=True)
    _check_parameters(model)
    return _export(model, torch.from_numpy(np.array(images)), label)


def is_modelled(operator: str) -> bool:
    """Return whether a node of *operator*, by torch's full name, becomes layers or views."""
    return operator in _HANDLERS or operator in VECTOR_OPERATORS


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
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(model, (images,))
    except AccelsimError:
        raise
    except GuardOnDataDependentSymNode as error:
        raise TraceError(
            f"the flow of control of {label} depends on what the images hold{_line(error)}; an "
            "accelerator's layers are the same for all images, so compute both ways and choose "
            "outside of the model, or take it apart and trace the parts"
        ) from error
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise TraceError(
            f"torch.export cannot trace {label} for images of shape {tuple(images.shape)}: "
            f"{type(error).__name__}: {reason.strip()[:300]}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging and printing what goes wrong: the error that is raised says it."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(level)


def _line(error: Exception) -> str:
    """Return where in the model's own code *error* arose, as far as Python knows."""
    import torch

    inside = str(Path(torch.__file__).parent), str(Path(__file__).parent)
    frames = [one for one in extract_tb(error.__traceback__) if not one.filename.startswith(inside)]
    return (
        f" ({frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line})" if frames else ""
    )


def _visit(builder: Builder, node: Any) -> None:
    """Add what *node*, the call of a function, stands for."""
    if node.target is operator.getitem:
        take(builder, node)
        return
    target = str(node.target)
    name = target.removeprefix("aten.").rsplit(".", 1)[0]
    # Products of constants are none of torch's, and views of them are views.
    foldable = target not in _HANDLERS or target in ELEMENTWISE or target in ROWS
    if foldable and builder.fold(node):
        return
    if node.target._schema.is_mutable and builder.is_constant(node.args[0]):
        raise TraceError(
            f"{where(node)}: operator {name!r} changes a parameter or buffer ({node.args[0]}), but "
            "a trace has them as they are; call model.eval() first, or call it out of place"
        )
    if not is_modelled(target):
        own = target.replace("_.", ".") if node.target._schema.is_mutable else target
        builder.refuse(node, _unknown(own, name, path_of(node) or builder.label))
        return
    arguments = Arguments(node.target, node.args, node.kwargs)
    try:
        if target in _HANDLERS:
            _HANDLERS[target](builder, node, arguments)
        else:
            add_vector_operator(builder, node, arguments, VECTOR_OPERATORS[target])
    except (MixedImagesError, NeedsCopyError):
        # What needs a copy of a copy, needs the images between the words of one.
        shapes = [value.meta["val"].shape for value in node.args if hasattr(value, "meta")]
        read = ", ".join(str(tuple(shape)) for shape in shapes)
        raise TraceError(
            f"{where(node)}: {name} of {read} mixes images; every image must be computed for "
            "itself, so keep them in a dimension of their own, the first one"
        ) from None


def _unknown(target: str, name: str, owner: str) -> str:
    """Return what to say of an operator that is not modelled."""
    found = f"operator {name!r} in {owner} is not modelled; "
    if name in _WAYS_OUT:
        return found + _WAYS_OUT[name]
    known = sorted({one.split(".")[1] for one in (*_HANDLERS, *VECTOR_OPERATORS)})
    return (
        f"{found}modelled: {', '.join(known)}.{nearest(name, known)} One that makes each element "
        f"of its own can be added: accelsim.register_operator({target!r}, function, operations)"
    )


_ONE_OR_TWO = "windows go along one dimension or two: make the third one channels or images"
_WAYS_OUT = {
    **dict.fromkeys(
        (
            "conv3d",
            "conv_transpose3d",
            "max_pool3d",
            "avg_pool3d",
            "adaptive_avg_pool3d",
            "adaptive_max_pool3d",
            "upsample_trilinear3d",
            "upsample_nearest3d",
        ),
        _ONE_OR_TWO,
    ),
    **dict.fromkeys(("max_unpool2d", "max_unpool3d"), "upsample, or use a transposed convolution"),
    **dict.fromkeys(
        ("upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler"),
        "interpolate with mode 'nearest' or 'bilinear', without antialias",
    ),
}
"""Operator that is not modelled -> what to do instead."""

_HANDLERS = {**OPERATORS, **ELEMENTWISE, **ROWS, **ATTENTION, **VIEWS}
