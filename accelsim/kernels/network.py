"""A whole trace through the kernels, without a machine: the reference for its bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.kernels.convolution import conv2d, linear
from accelsim.kernels.vector import pool2d, relu
from accelsim.layer import INPUT, Layer, MacLayer, Trace, VectorLayer
from accelsim.multipliers import Multiplier

__all__ = ["run_trace"]


def run_trace(
    trace: Trace, multiplier: Multiplier | str, accumulator: Accumulator | str
) -> NDArray[np.float32]:
    """Return the output of *trace* with a unit's products, float32 of the output layer's shape.

    The same bits as the machine in an output-stationary dataflow and as `accelsim.nn.approximate`:
    every sum in k order, bias last.
    """
    tensors: dict[str, NDArray[np.float32]] = {INPUT: trace.images}
    for layer in trace.layers:
        tensors[layer.name] = _run_layer(layer, tensors[layer.source], multiplier, accumulator)
    return tensors[trace.output]


def _run_layer(
    layer: Layer,
    ifmap: NDArray[np.float32],
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
) -> NDArray[np.float32]:
    if isinstance(layer, VectorLayer):
        return _run_vector(layer, ifmap.reshape(layer.input_shape))
    return _run_mac(layer, ifmap, multiplier, accumulator)


def _run_mac(
    layer: MacLayer,
    ifmap: NDArray[np.float32],
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
) -> NDArray[np.float32]:
    shape = layer.shape
    if layer.op == "linear":
        inputs = np.ascontiguousarray(ifmap).reshape(shape.n, shape.c)
        weight = layer.weight.reshape(shape.m, shape.c)
        outputs = linear(multiplier, accumulator, inputs, weight, layer.bias)
        return outputs.reshape(layer.output_shape)
    return conv2d(
        multiplier,
        accumulator,
        np.ascontiguousarray(ifmap).reshape(shape.n, shape.c, shape.h, shape.w),
        layer.weight,
        layer.bias,
        shape.stride,
        shape.padding,
        shape.dilation,
        shape.groups,
    )


def _run_vector(layer: VectorLayer, ifmap: NDArray[np.float32]) -> NDArray[np.float32]:
    if layer.pooling is None:
        return relu(ifmap)
    height = layer.input_shape[2]
    return np.stack(
        [
            pool2d(
                layer.op,
                image,
                layer.pooling,
                layer.output_shape[2:],
                first_row=-layer.pooling.padding[0],
                slab_row=0,
                height=height,
            )
            for image in ifmap
        ]
    )
