"""Whether the layers of a trace fit each other: what is asked before anything is run."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from accelsim.errors import TraceError, nearest
from accelsim.layer import INPUT, Layer, Operand, Parameter, Trace, VectorLayer, View
from accelsim.vector_functions import VECTOR_FUNCTIONS

__all__ = ["check_trace"]


def check_trace(trace: Trace) -> None:
    """Raise unless every layer reads what an earlier one makes, with operands of its own shape.

    Raises
    ------
    TraceError
        Names the layer, what was expected and what was got.
    """
    images = trace.images
    if not isinstance(images, np.ndarray) or images.dtype != np.float32 or images.ndim < 2:
        raise TraceError(f"images of {trace.name} must be a float32 array (N, ...), got {images!r}")
    words = {INPUT: images.size}
    for layer in trace.layers:
        if layer.name in words:
            raise TraceError(f"layer {layer.name!r}: its name is taken; give each layer its own")
        found = next(_faults(layer, words, len(images)), None)
        if found:
            raise TraceError(
                f"layer {layer.name!r}: {found}; trace the network with accelsim.trace"
            )
        words[layer.name] = prod(layer.output_shape)
    if trace.output not in words:
        raise TraceError(
            f"{trace.name} returns the output of {trace.output!r}, which is none of its layers: "
            f"{', '.join(words)}.{nearest(trace.output, words)}"
        )


def _faults(layer: Layer, words: dict[str, int], images: int) -> Iterator[str]:
    """Yield what is wrong with *layer*; *words* are those of what was made before."""
    for source in layer.sources:
        if source not in words:
            known = ", ".join(words)
            yield f"it reads {source!r}, which nothing before it makes; made so far: {known}"
    if isinstance(layer, VectorLayer):
        yield from _misfit("ifmap", layer.ifmap, tuple(layer.input_shape), words[layer.source])
        if layer.input_shape[0] != images:
            yield f"its batch is {layer.input_shape[0]}, there are {images} images"
        yield from _function_faults(layer)
        own = [place.shape for place in layer.places[1:]]
        for number, one in enumerate(layer.others, 2):
            expected = own[number - 2] if len(own) >= number - 1 else tuple(layer.input_shape)
            if isinstance(one, Parameter):
                if one.values.dtype != np.float32:
                    yield f"its operand {number} must be float32, got {one.values.dtype}"
                held = one.values.size
            else:
                held = words[one.source]
            yield from _misfit(f"operand {number}", one.view, expected, held)
        return
    shape = layer.shape
    (m, n, k), batch = shape.gemm, layer.images
    if batch != images or (not isinstance(layer.weight, Operand) and shape.n != images):
        yield f"its batch is {shape.n}, there are {images} images"
    if isinstance(layer.weight, Operand):
        outer = layer.ifmap.shape[:-2]
        if prod(outer) != shape.groups:
            yield f"its first operand has {prod(outer)} matrices, its shape {shape.groups}"
        yield from _misfit("first operand", layer.ifmap, (*outer, m, k), words[layer.source])
        second = layer.weight.view
        yield from _misfit("second operand", second, (*outer, k, n), words[layer.weight.source])
        return
    place = (shape.n, shape.c, shape.h, shape.w)
    if layer.channels_last:
        place = (shape.n, shape.h, shape.w, shape.c)
    yield from _misfit("ifmap", layer.ifmap, place, words[layer.source], whole=layer.view is None)
    for what, array, expected in (
        ("weights", layer.weight, (shape.m, shape.c // shape.groups, shape.r, shape.s)),
        ("biases", layer.bias, (shape.m,)),
    ):
        if array is None and what == "biases":
            continue
        got = (getattr(array, "shape", None), str(getattr(array, "dtype", type(array).__name__)))
        if got != (expected, "float32"):
            yield f"its {what} must be float32 of shape {expected}, got {got[1]} of {got[0]}"


def _concat_faults(layer: VectorLayer) -> Iterator[str]:
    """Yield what is wrong with a concatenation: its operands must fill the output."""
    if len(layer.places) != 1 + len(layer.others):
        yield f"it has {len(layer.places)} places for {1 + len(layer.others)} operands"
    words, filled = prod(layer.output_shape), sum(prod(one.shape) for one in layer.places)
    if filled != words:
        yield f"its operands have {filled} words, its output {words}"
    for number, place in enumerate(layer.places, 1):
        yield from _misfit(f"place of operand {number}", place, place.shape, words)


def _function_faults(layer: VectorLayer) -> Iterator[str]:
    """Yield what is wrong with a layer that is not a window's as one of a vector function."""
    given = len(layer.others) + len(layer.settings)
    if layer.window is not None:
        if given:
            yield f"it is a {layer.op}, which reads one operand, got {given} more"
        return
    if layer.op not in VECTOR_FUNCTIONS:
        known = ", ".join(VECTOR_FUNCTIONS)
        yield (
            f"its op must be a vector function, got {layer.op!r}; known: {known}."
            f"{nearest(layer.op, VECTOR_FUNCTIONS)}"
        )
        return
    if layer.places or layer.op == "concat":
        yield from _concat_faults(layer)
        return
    wanted = VECTOR_FUNCTIONS[layer.op].arguments
    if 1 + given != wanted:
        yield f"{layer.op} takes {wanted} operands and settings together, got {1 + given}"
    if layer.output_shape != layer.input_shape:
        yield f"{layer.op} gives {layer.input_shape} as it reads, got {layer.output_shape}"


def _misfit(
    what: str, view: View, expected: tuple[int, ...], words: int, *, whole: bool = False
) -> Iterator[str]:
    """Yield what is wrong with an operand that is read by *view* out of so many *words*."""
    if view.shape != expected:
        yield f"its {what} must have shape {expected}, got {view.shape}"
    last = view.offset + sum(
        (count - 1) * stride for count, stride in zip(view.shape, view.strides, strict=True)
    )
    if last >= words or (whole and prod(view.shape) != words):
        yield f"its {what} {view.shape} does not fit what it reads, which has {words} words"
