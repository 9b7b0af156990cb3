"""A trace whose layers do not fit each other is refused by the layer's name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.config import Accelerator
from accelsim.consistency import check_trace
from accelsim.errors import TraceError
from accelsim.layer import (
    INPUT,
    LayerShape,
    MacLayer,
    Operand,
    Parameter,
    Trace,
    VectorLayer,
    View,
)
from accelsim.machine import run_machine
from accelsim.windows import Pooling

SHAPE = LayerShape(n=2, m=4, c=3, h=8, w=8, r=3, s=3)
IMAGES = np.zeros((2, 3, 8, 8), np.float32)
MACHINE = Accelerator.preset("tiny_4x4")


def mac(shape=SHAPE, weight=(4, 3, 3, 3), bias=4, source=INPUT, view=None, dtype=np.float32):
    weight = np.zeros(weight, dtype) if isinstance(weight, tuple) else weight
    bias = None if bias is None else np.zeros(bias, np.float32)
    return MacLayer("conv", "conv2d", source, shape, weight, bias, view=view)


def matmul(first=(2, 4, 6), second=(2, 6, 5), groups=2, words=0):
    views = [View(one, View.dense(one).strides, words) for one in (first, second)]
    shape = LayerShape.of_matmul(groups, 4, 5, 6)
    weight = Operand(INPUT, views[1])
    return MacLayer("mul", "matmul", INPUT, shape, weight, None, view=views[0])


def pool(images=2, size=8, source=INPUT):
    shape = (images, 3, size, size)
    return VectorLayer("relu", "relu", source, shape, shape)


def function(op="add", others=1, shape=(2, 3, 8, 8), source=INPUT, settings=(), **changes):
    read = (Operand(source, View.dense(shape)),) * others
    layer = VectorLayer("sum", op, INPUT, (2, 3, 8, 8), (2, 3, 8, 8), None, None, read, settings)
    return replace(layer, **changes)


def parameter(values=4, dtype=np.float32, shape=(2, 3, 8, 8)):
    view = View(shape, (0, 1, 0, 0))
    return replace(function(), others=(Parameter(np.zeros(values, dtype), view),))


def test_what_fits_is_let_through():
    layers = (
        mac(),
        pool(),
        matmul(),
        function(),
        replace(function("mul", 0, settings=(2.0,)), name="twice"),
    )
    check_trace(Trace("net", layers, IMAGES, "mul"))


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (
            mac(weight=(4, 3, 5, 5)),
            r"weights must be float32 of shape \(4, 3, 3, 3\), got float32 ",
        ),
        (mac(dtype=np.float64), r"weights must be float32 .* got float64 of \(4, 3, 3, 3\)"),
        (mac(weight=None), "weights must be float32 of shape .*, got NoneType of None"),
        (mac(bias=5), r"biases must be float32 of shape \(4,\), got float32 of \(5,\)"),
        (mac(source="conv0"), "reads 'conv0', which nothing before it makes; made so far: input"),
        (mac(LayerShape(n=1, m=4, c=3, h=8, w=8, r=3, s=3)), "batch is 1, there are 2 images"),
        (mac(LayerShape(n=2, m=4, c=3, h=9, w=8, r=3, s=3)), "ifmap .* which has 384 words"),
        (mac(LayerShape(n=2, m=4, c=3, h=7, w=8, r=3, s=3)), "ifmap .* which has 384 words"),
        (mac(view=View.dense((2, 8, 8, 3))), r"ifmap must have shape \(2, 3, 8, 8\)"),
        (pool(images=1), "batch is 1, there are 2 images"),
        (pool(size=9), "ifmap .* does not fit what it reads, which has 384 words"),
        (matmul(first=(2, 4, 7)), r"first operand must have shape \(2, 4, 6\), got \(2, 4, 7\)"),
        (matmul(second=(2, 5, 6)), r"second operand must have shape \(2, 6, 5\)"),
        (matmul(groups=3), "first operand has 2 matrices, its shape 3"),
        (matmul(words=340), "operand .* does not fit what it reads, which has 384 words"),
        (function("ad"), "op must be a vector function, got 'ad'; known: .*Did you mean 'add'"),
        (function(others=2), "add takes 2 operands and settings together, got 3"),
        (function(others=0), "add takes 2 operands and settings together, got 1"),
        (function(source="conv0"), "reads 'conv0', which nothing before it makes"),
        (
            function(shape=(2, 3, 8, 9)),
            r"operand 2 must have shape \(2, 3, 8, 8\), got \(2, 3, 8, 9",
        ),
        (function(output_shape=(2, 3, 8, 4)), r"add gives \(2, 3, 8, 8\) as it reads, got "),
        (function("max_pool2d", window=Pooling((1, 1), (1, 1))), "reads one operand, got 1 more"),
        (parameter(values=2), "operand 2 .* does not fit what it reads, which has 2 words"),
        (parameter(dtype=np.float64), "operand 2 must be float32, got float64"),
    ],
)
def test_what_does_not_fit_is_told_by_the_layers_name(layer, fault):
    trace = Trace("net", (layer,), IMAGES, layer.name)
    for run in (run_machine, accelsim.simulate):
        with pytest.raises(TraceError, match=f"^layer '{layer.name}': .*{fault}"):
            run(trace, MACHINE)


def test_names_and_output():
    with pytest.raises(TraceError, match="layer 'conv': its name is taken"):
        check_trace(Trace("net", (mac(), mac()), IMAGES, "conv"))
    with pytest.raises(TraceError, match="net returns the output of 'cnv', .*Did you mean 'conv'"):
        check_trace(Trace("net", (mac(),), IMAGES, "cnv"))
    with pytest.raises(TraceError, match="images of net must be a float32 array"):
        check_trace(Trace("net", (mac(),), IMAGES.astype(np.float64), "conv"))
