"""Arithmetic of the three operators: the unit's, bit by bit, or exact with effective weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

from accelsim import kernels
from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.multipliers import Multiplier
from accelsim.nn.effective import EffectiveWeights
from accelsim.nn.layer_unit import LayerUnit
from accelsim.quantization import LayerQuantization

__all__ = ["Arithmetic", "BitAccurate", "Call", "ExactOnEffective", "Window", "array_of"]

Pair = tuple[int, int]
Window = tuple[Pair, Pair, Pair, int]
"""Stride, padding, dilation and groups."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    operand : int
        Place of its first activation among all that the network's layers read.
    unit : LayerUnit
        What it runs on.
    layer : LayerQuantization or None
        Of a unit of integers.
    order : AccumulationOrder or None
        Of its additions, None: k ascending.
    arithmetic : Arithmetic
        Of its outputs.
    """

    operand: int
    unit: LayerUnit
    layer: LayerQuantization | None
    order: AccumulationOrder | None
    arithmetic: Arithmetic

    @property
    def adding(self) -> tuple[Multiplier, Accumulator]:
        """Multiplier and accumulator."""
        return self.unit.multiplier, self.unit.accumulator


class Arithmetic(Protocol):
    """What computes the outputs of a layer's call, without gradients."""

    def conv2d(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None, at: Window) -> Tensor: ...

    def linear(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor: ...

    def matmul(self, call: Call, x: Tensor, w: Tensor) -> Tensor: ...


class BitAccurate:
    """The unit's products, added by its accumulator."""

    def conv2d(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None, at: Window) -> Tensor:
        (unit, adder), layer, order = call.adding, call.layer, call.order
        images, weight, bias = array_of(x), array_of(w), None if b is None else array_of(b)
        if layer is None:
            output = kernels.conv2d(unit, adder, images, weight, bias, *at, order)
        else:
            output = kernels.conv2d_quantized(unit, adder, layer, images, weight, bias, *at, order)
        return torch.from_numpy(output)

    def linear(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        (unit, adder), layer, order = call.adding, call.layer, call.order
        rows, weight, bias = array_of(x), array_of(w), None if b is None else array_of(b)
        if layer is None:
            output = kernels.linear(unit, adder, rows, weight, bias, order)
        else:
            output = kernels.linear_quantized(unit, adder, layer, rows, weight, bias, order)
        return torch.from_numpy(output)

    def matmul(self, call: Call, x: Tensor, w: Tensor) -> Tensor:
        (unit, adder), layer, order = call.adding, call.layer, call.order
        first, second = array_of(x), array_of(w)
        if layer is None:
            output = kernels.matmul(unit, adder, first, second, order)
        else:
            output = kernels.matmul_quantized(unit, adder, layer, first, second, order)
        return torch.from_numpy(output)


class ExactOnEffective:
    """Torch's own products and sums, of clipped activations with effective weights."""

    # The guard of `accelsim.nn.interception` refuses products that are not a unit's: no modes here.

    def conv2d(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None, at: Window) -> Tensor:
        applied = _effective(call).of_weight(call.operand, call.layer, w)
        with _disable_current_modes():
            return functional.conv2d(_clipped(call, x), applied, b, *at)

    def linear(self, call: Call, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        applied = _effective(call).of_weight(call.operand, call.layer, w)
        with _disable_current_modes():
            return functional.linear(_clipped(call, x), applied, b)

    def matmul(self, call: Call, x: Tensor, w: Tensor) -> Tensor:
        applied = _effective(call).of_second(call.operand, call.layer, w)
        with _disable_current_modes():
            return _clipped(call, x) @ applied


def _effective(call: Call) -> EffectiveWeights:
    if call.unit.effective is None:
        raise TypeError(f"unit {call.unit.multiplier.name!r} has no effective weights")
    return call.unit.effective


def array_of(tensor: Tensor) -> Any:
    """Return *tensor* as a C-contiguous array, without its graph."""
    return tensor.detach().contiguous().numpy()


def _clipped(call: Call, activations: Tensor) -> Tensor:
    """Return *activations* within the range of the integers that would stand for them."""
    if call.layer is None:
        return activations
    return torch.from_numpy(call.layer.activations.clip(array_of(activations)))
