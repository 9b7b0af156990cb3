"""A whole trace through the kernels, without a machine: the reference for its bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.kernels.convolution import conv2d, linear
from accelsim.kernels.gemm import entries
from accelsim.kernels.matmul import matmul, matmul_quantized
from accelsim.kernels.quantized import conv2d_quantized, linear_quantized
from accelsim.kernels.windows import windowed
from accelsim.layer import INPUT, Layer, MacLayer, Operand, Trace, VectorLayer, View
from accelsim.multipliers import Multiplier
from accelsim.quantization import LayerQuantization, Scheme, layer_quantization
from accelsim.vector_functions import VECTOR_FUNCTIONS
from accelsim.windows import Window

__all__ = ["read", "run_layer", "run_trace"]

Float = NDArray[np.float32]
Units = tuple[Multiplier, Accumulator]


def run_trace(
    trace: Trace,
    multiplier: Multiplier | str | Callable[[str], str],
    accumulator: Accumulator | str,
    scheme: Scheme | None = None,
    orders: Sequence[AccumulationOrder] | None = None,
) -> Float:
    """Return the output of *trace* with a unit's products, float32 of the output layer's shape.

    *multiplier* may be a function of a layer's name, such as `Accelerator.unit_of`.

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
    scheme = Scheme() if scheme is None else scheme
    tensors: dict[str, Float] = {INPUT: trace.images}
    for layer in trace.layers:
        order = order_of.get(layer.name)
        unit = multiplier(layer.name) if callable(multiplier) else multiplier
        tensors[layer.name] = run_layer(layer, tensors, unit, accumulator, scheme, order)
    return tensors[trace.output]


def run_layer(
    layer: Layer,
    tensors: Mapping[str, Float],
    multiplier: Multiplier | str,
    accumulator: Accumulator | str,
    scheme: Scheme,
    order: AccumulationOrder | None = None,
) -> Float:
    """Return one layer's output, as `run_trace` does; *tensors* holds what it reads, by name."""
    ifmap = read(tensors[layer.source], layer.ifmap)
    if isinstance(layer, VectorLayer):
        if layer.window is not None:
            return _run_window(layer, ifmap, layer.window)
        others = [
            read(tensors[one.source] if isinstance(one, Operand) else one.values, one.view)
            for one in layer.others
        ]
        if layer.places:
            return _run_concat(layer, [ifmap, *others])
        return VECTOR_FUNCTIONS[layer.op](ifmap, *others, *layer.settings)
    units = entries(multiplier, accumulator)
    quantization = layer_quantization(layer, units[0], scheme)
    if isinstance(layer.weight, Operand):
        second = read(tensors[layer.weight.source], layer.weight.view)
        return _run_matmul(layer, ifmap, second, units, quantization, order)
    return _run_mac(layer, ifmap, layer.weight, units, quantization, order)


def read(tensor: Float, view: View) -> Float:
    """Return the elements of a dense *tensor* that a layer reads by *view*, not to be written."""
    words = np.ascontiguousarray(tensor).reshape(-1)[view.offset :]
    strides = tuple(stride * words.itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(words, view.shape, strides)


def _run_mac(
    layer: MacLayer,
    ifmap: Float,
    weight: Float,
    units: Units,
    quantization: LayerQuantization | None,
    order: AccumulationOrder | None,
) -> Float:
    shape, (unit, adder) = layer.shape, units
    if layer.op == "linear":
        inputs, weight = ifmap.reshape(-1, shape.c), weight.reshape(shape.m, shape.c)
        if quantization is None:
            outputs = linear(unit, adder, inputs, weight, layer.bias, order)
        else:
            outputs = linear_quantized(unit, adder, quantization, inputs, weight, layer.bias, order)
        return outputs.reshape(layer.output_shape)
    window = (shape.stride, shape.padding, shape.dilation, shape.groups)
    if quantization is None:
        return conv2d(unit, adder, ifmap, weight, layer.bias, *window, order)
    return conv2d_quantized(unit, adder, quantization, ifmap, weight, layer.bias, *window, order)


def _run_matmul(
    layer: MacLayer,
    first: Float,
    second: Float,
    units: Units,
    quantization: LayerQuantization | None,
    order: AccumulationOrder | None,
) -> Float:
    first, second = (one.reshape(-1, *one.shape[-2:]) for one in (first, second))
    if quantization is None:
        outputs = matmul(*units, first, second, order)
    else:
        outputs = matmul_quantized(*units, quantization, first, second, order)
    return outputs.reshape(layer.output_shape)


def _run_concat(layer: VectorLayer, operands: list[Float]) -> Float:
    outputs = np.empty(layer.output_shape, np.float32)
    for place, operand in zip(layer.places, operands, strict=True):
        read(outputs, place)[...] = operand
    return outputs


def _run_window(layer: VectorLayer, ifmap: Float, window: Window) -> Float:
    planes = ifmap.reshape(-1, *layer.input_shape[-2:])
    *_, rows, columns = layer.output_shape
    outputs = windowed(layer.op, planes, window, (0, rows), columns)
    return outputs.reshape(layer.output_shape)
