"""A whole trace through the kernels, without a machine: the reference for its bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.kernels.convolution import conv2d, linear
from accelsim.kernels.gemm import entries
from accelsim.kernels.quantized import conv2d_quantized, linear_quantized
from accelsim.kernels.vector import pool2d, relu
from accelsim.layer import INPUT, MacLayer, Trace, VectorLayer
from accelsim.multipliers import Multiplier
from accelsim.quantization import Scheme, layer_quantization

__all__ = ["run_trace"]


def run_trace(
    trace: Trace,
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    scheme: Scheme | None = None,
) -> NDArray[np.float32]:
    """Return the output of *trace* with a unit's products, float32 of the output layer's shape.

    The same bits as the machine in an output-stationary dataflow and as `accelsim.nn.approximate`:
    every sum in k order, bias last. A unit of integers quantizes by *scheme*.

    Raises
    ------
    DataError
        The unit takes integers, and a layer has no range of its activations.
    """
    unit, adder = entries(multiplier, accumulator)
    scheme = Scheme() if scheme is None else scheme
    tensors: dict[str, NDArray[np.float32]] = {INPUT: trace.images}
    for layer in trace.layers:
        ifmap = tensors[layer.source]
        if isinstance(layer, MacLayer):
            tensors[layer.name] = _run_mac(layer, ifmap, unit, adder, scheme)
        else:
            tensors[layer.name] = _run_vector(layer, ifmap.reshape(layer.input_shape))
    return tensors[trace.output]


def _run_mac(
    layer: MacLayer,
    ifmap: NDArray[np.float32],
    unit: Multiplier,
    adder: Accumulator,
    scheme: Scheme,
) -> NDArray[np.float32]:
    shape, quantization = layer.shape, layer_quantization(layer, unit, scheme)
    if layer.op == "linear":
        inputs = np.ascontiguousarray(ifmap).reshape(shape.n, shape.c)
        weight = layer.weight.reshape(shape.m, shape.c)
        if quantization is None:
            outputs = linear(unit, adder, inputs, weight, layer.bias)
        else:
            outputs = linear_quantized(unit, adder, quantization, inputs, weight, layer.bias)
        return outputs.reshape(layer.output_shape)
    images = np.ascontiguousarray(ifmap).reshape(shape.n, shape.c, shape.h, shape.w)
    window = (shape.stride, shape.padding, shape.dilation, shape.groups)
    if quantization is None:
        return conv2d(unit, adder, images, layer.weight, layer.bias, *window)
    return conv2d_quantized(unit, adder, quantization, images, layer.weight, layer.bias, *window)


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
