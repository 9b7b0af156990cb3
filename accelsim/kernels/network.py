"""A whole trace through the kernels, without a machine: the reference for its bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
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
    orders: Sequence[AccumulationOrder] | None = None,
) -> NDArray[np.float32]:
    """Return the output of *trace* with a unit's products, float32 of the output layer's shape.

    The same bits as the machine and as `accelsim.nn.approximate`: every sum in k order, or by
    *orders*, one for each MAC layer, where the dataflow has another
    (`accelsim.accumulation_orders`); bias last. A unit of integers quantizes by *scheme*.

    Raises
    ------
    DataError
        The unit takes integers, and a layer has no range of its activations; or *orders* are not
        those of this trace.
    """
    layers = [layer for layer in trace.layers if isinstance(layer, MacLayer)]
    if orders is not None and len(orders) != len(layers):
        raise DataError(
            f"orders must be {len(layers)}, one for each layer with products, got {len(orders)}; "
            "make them with accelsim.accumulation_orders(trace, accelerator)"
        )
    order_of = dict(zip((layer.name for layer in layers), orders or (), strict=False))
    unit, adder = entries(multiplier, accumulator)
    scheme = Scheme() if scheme is None else scheme
    tensors: dict[str, NDArray[np.float32]] = {INPUT: trace.images}
    for layer in trace.layers:
        ifmap = tensors[layer.source]
        if isinstance(layer, MacLayer):
            tensors[layer.name] = _run_mac(
                layer, ifmap, unit, adder, scheme, order_of.get(layer.name)
            )
        else:
            tensors[layer.name] = _run_vector(layer, ifmap.reshape(layer.input_shape))
    return tensors[trace.output]


def _run_mac(
    layer: MacLayer,
    ifmap: NDArray[np.float32],
    unit: Multiplier,
    adder: Accumulator,
    scheme: Scheme,
    order: AccumulationOrder | None,
) -> NDArray[np.float32]:
    shape, quantization = layer.shape, layer_quantization(layer, unit, scheme)
    if layer.op == "linear":
        inputs = np.ascontiguousarray(ifmap).reshape(shape.n, shape.c)
        weight = layer.weight.reshape(shape.m, shape.c)
        if quantization is None:
            outputs = linear(unit, adder, inputs, weight, layer.bias, order)
        else:
            outputs = linear_quantized(unit, adder, quantization, inputs, weight, layer.bias, order)
        return outputs.reshape(layer.output_shape)
    images = np.ascontiguousarray(ifmap).reshape(shape.n, shape.c, shape.h, shape.w)
    window = (shape.stride, shape.padding, shape.dilation, shape.groups)
    if quantization is None:
        return conv2d(unit, adder, images, layer.weight, layer.bias, *window, order)
    return conv2d_quantized(
        unit, adder, quantization, images, layer.weight, layer.bias, *window, order
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
