"""Convolutions, linear and matmul as torch calls them, on a unit with a declared gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from accelsim.accumulators import check_depth
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import DataError
from accelsim.nn.arithmetic import Arithmetic, BitAccurate, Call, Window, array_of
from accelsim.nn.functions import Conv2dFunction, LinearFunction, MatmulFunction
from accelsim.nn.layer_unit import LayerUnit
from accelsim.nn.lowering import padded, pair, transposed
from accelsim.quantization import quantize_layer, quantize_matmul
from accelsim.tracing.attention import additive_mask, check_attention, scale_of

__all__ = ["Unit", "Units"]

_OWN_ORDERS = "make those of this very network: accelsim.accumulation_orders(trace, accelerator)"
_OWN_UNITS = "make those of this very network: accelsim.layer_multipliers(trace, accelerator)"
Range = tuple[float, float]
Units = LayerUnit | tuple[LayerUnit, ...]
"""One for all layers, or one for each, as they are called."""


class Unit:
    """Convolutions, linear and matmul with torch's arguments, on a multiplier and an accumulator.

    Parameters
    ----------
    network : torch.nn.Module
        Whose layers are computed, for their names.
    units : LayerUnit or tuple of LayerUnit
        What computes them. Of several, those that ask for a calibration have the same.
    observe : callable, optional
        Called with (layer, activations) before each operator, for a matmul with either operand.
    orders : sequence of AccumulationOrder, optional
        Of the additions of each layer, as they are called; k ascending by default.
    arithmetic : Arithmetic, optional
        Of the outputs, `BitAccurate` by default.
    """

    def __init__(
        self,
        network: nn.Module,
        units: Units,
        observe: Callable[[str, Tensor], None] | None = None,
        orders: Sequence[AccumulationOrder] | None = None,
        arithmetic: Arithmetic | None = None,
    ) -> None:
        self.network = network
        self.units = units
        self.observe = observe
        self.orders = orders
        self.arithmetic = arithmetic or BitAccurate()
        self.calls = self.operands = 0
        """Layers called so far, and activations that they have read."""
        several = units if isinstance(units, tuple) else (units,)
        known = (one.calibration for one in several)
        self._calibration = next((one for one in known if one is not None), None)
        self._constants = _storages(network)

    def convolution(
        self,
        input: Tensor,  # noqa: A002 - torch's names, for they may be given by keyword
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Iterable[int] = 1,
        padding: str | int | Iterable[int] = 0,
        dilation: int | Iterable[int] = 1,
        groups: int = 1,
    ) -> Tensor:
        """Return conv1d or conv2d, as the weight has one dimension more or two."""
        rank = weight.dim() - 2
        images, kernel = self._as_images(f"conv{rank}d", input, weight, bias)
        steps = pair(dilation, rank)
        margins = padding if isinstance(padding, str) else pair(padding, rank, 0)
        images, margins = padded(images, kernel, margins, steps)
        window = pair(stride, rank), margins, steps, groups
        return self._convolve(f"conv{rank}d", input, weight, images, kernel, bias, window)

    def transposed(
        self,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Iterable[int] = 1,
        padding: int | Iterable[int] = 0,
        output_padding: int | Iterable[int] = 0,
        groups: int = 1,
        dilation: int | Iterable[int] = 1,
    ) -> Tensor:
        """Return conv_transpose1d or conv_transpose2d: a convolution of images with zeros in."""
        rank = weight.dim() - 2
        operator = f"conv_transpose{rank}d"
        images, kernel = self._as_images(operator, input, weight, bias)
        margins, more = pair(padding, rank, 0), pair(output_padding, rank, 0)
        steps = pair(dilation, rank)
        with self._named(operator, weight):
            images, kernel, margins = transposed(
                images, kernel, pair(stride, rank), margins, more, steps, groups
            )
        window = (1, 1), margins, steps, groups
        return self._convolve(operator, input, weight, images, kernel, bias, window)

    def linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
        self._check("linear", input, weight, bias)
        if input.dim() == 0:
            raise DataError(f"{self._name('linear', weight)}: input must be (..., K), got ()")
        rows = input.reshape(-1, input.shape[-1])
        call = self._call("linear", rows, weight, weight)
        with self._named("linear", weight):
            output = LinearFunction.apply(call, rows, weight, bias)
        return output.reshape(*input.shape[:-1], len(weight))

    def matmul(self, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
        """Return ``input @ other``: of an activation with a constant matrix what `linear` does."""
        owner = "a call of matmul"
        self._check("matmul", input, other, roles=("input", "other"))
        if min(input.dim(), other.dim()) < 2 or input.shape[-1] != other.shape[-2]:
            raise DataError(
                f"{owner}: operands must be (..., m, k) and (..., k, n), got {tuple(input.shape)} "
                f"and {tuple(other.shape)}; unsqueeze or transpose one"
            )
        if other.dim() == 2 and other.untyped_storage().data_ptr() in self._constants:
            return self.linear(input, other.t())
        try:
            batch = torch.broadcast_shapes(input.shape[:-2], other.shape[:-2])
        except RuntimeError:
            raise DataError(
                f"{owner}: batches {tuple(input.shape[:-2])} and {tuple(other.shape[:-2])} do not "
                "broadcast; expand or reshape one"
            ) from None
        first_operand, layer = self.operands, None
        unit, ranges = self._called("matmul", None, input.shape[-1], input, other)
        if unit.integers is not None:
            low, high = ranges
            own = unit.integers
            layer = quantize_matmul((low, high), own.operands, own.scheme, owner)
        first, second = (
            one.expand(*batch, *one.shape[-2:]).reshape(-1, *one.shape[-2:])
            for one in (input, other)
        )
        with self._named("matmul", None):
            order = self._order_of_call()
            call = Call(first_operand, unit, layer, order, self.arithmetic)
            output = MatmulFunction.apply(call, first, second)
        return output.reshape(*batch, input.shape[-2], other.shape[-1])

    def _as_images(
        self,
        operator: str,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return input and weight as (N, C, H, W); what has one dimension is a column."""
        self._check(operator, input, weight, bias)
        if input.dim() not in (weight.dim() - 1, weight.dim()):
            inner = ", ".join("CHW" if weight.dim() == 4 else "CL")
            raise DataError(
                f"{self._name(operator, weight)}: input must be (N, {inner}) or ({inner}), got "
                f"{tuple(input.shape)}"
            )
        images = input if input.dim() == weight.dim() else input.unsqueeze(0)
        if weight.dim() == 4:
            return images, weight
        return images.unsqueeze(3), weight.unsqueeze(3)

    def _convolve(
        self,
        operator: str,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        images: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        window: Window,
    ) -> Tensor:
        """Return the convolution of *images* with *kernel*, which *input* and *weight* became."""
        call = self._call(operator, images, kernel, weight)
        with self._named(operator, weight):
            output = Conv2dFunction.apply(call, images, kernel, bias, *window)
        if weight.dim() == 3:
            output = output.squeeze(3)
        return output if input.dim() == weight.dim() else output.squeeze(0)

    def baddbmm(
        self,
        input: Tensor,  # noqa: A002
        batch1: Tensor,
        batch2: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        """Return *input* added to the product, what `nn.MultiheadAttention` does with a mask."""
        products = self.matmul(batch1, batch2)
        if (beta, alpha) != (1, 1):
            return beta * input + alpha * products
        return products + input

    def attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Return the attention as `accelsim.trace` takes it apart: products on the unit."""
        check_attention(dropout_p, enable_gqa)
        mask = additive_mask(attn_mask, is_causal, (query.shape[-2], key.shape[-2]))
        scores = self.matmul(query, key.mT) * scale_of(scale, query.shape[-1])
        weights = (scores if mask is None else scores + mask).softmax(-1)
        return self.matmul(weights, value)

    def finish(self) -> None:
        """Check that the network has called as many layers as there are units and ranges for."""
        if isinstance(self.units, tuple) and self.calls != len(self.units):
            raise DataError(
                f"the network called {self.calls} convolutions, linear layers and matmuls, but "
                f"there are {len(self.units)} multipliers for them; {_OWN_UNITS}"
            )
        if self.orders is not None and self.calls != len(self.orders):
            raise DataError(
                f"the network called {self.calls} convolutions, linear layers and matmuls, but "
                f"there are {len(self.orders)} orders of additions; {_OWN_ORDERS}"
            )
        calibration = self._calibration
        if calibration is not None and self.operands != len(calibration.ranges):
            raise DataError(
                f"the network called {self.calls} convolutions, linear layers and matmuls, which "
                f"read {self.operands} activations, but calibration has ranges for "
                f"{len(calibration.ranges)}; calibrate it on images that take the "
                "same way through it"
            )

    def _call(self, operator: str, activations: Tensor, weight: Tensor, parameter: Tensor) -> Call:
        """Return the call of a layer; *weight* is what its unit gets of *parameter*."""
        operand, layer = self.operands, None
        depth = math.prod(weight.shape[1:])
        unit, ranges = self._called(operator, parameter, depth, activations)
        if unit.integers is not None:
            owner, own = self._name(operator, parameter), unit.integers
            layer = quantize_layer(ranges[0], array_of(weight), own.operands, own.scheme, owner)
        with self._named(operator, parameter):
            return Call(operand, unit, layer, self._order_of_call(), self.arithmetic)

    def _called(
        self, operator: str, weight: Tensor | None, depth: int, *activations: Tensor
    ) -> tuple[LayerUnit, tuple[Range, ...]]:
        """Count a call; return its unit, and the ranges of what it reads if anybody calibrated.

        *depth* products are summed for an output.
        """
        first, calibration = self.operands, self._calibration
        self.calls += 1
        self.operands += len(activations)
        if isinstance(self.units, tuple) and self.calls > len(self.units):
            raise DataError(
                f"{self._name(operator, weight)} is called as number {self.calls}, but there are "
                f"multipliers for {len(self.units)}; {_OWN_UNITS}"
            )
        unit = self.units[self.calls - 1] if isinstance(self.units, tuple) else self.units
        if self.observe is None and calibration is None:
            return unit, ()
        owner = self._name(operator, weight)
        if self.observe is not None:
            for one in activations:
                self.observe(owner, one)
        if calibration is None:
            return unit, ()
        ranges = calibration.ranges
        if self.operands > len(ranges):
            raise DataError(
                f"{owner} is called as number {self.calls}, but calibration has ranges for "
                f"{len(ranges)} activations of convolutions, linear layers and matmuls; calibrate "
                "this very network: accelsim.nn.calibrate(model, images)"
            )
        if unit.integers is not None:
            check_depth(unit.multiplier, unit.asked_for, depth, owner)
        return unit, ranges[first : self.operands]

    def _order_of_call(self) -> AccumulationOrder | None:
        """Return the order of additions of the layer that is called now, None: k ascending."""
        if self.orders is None:
            return None
        if self.calls > len(self.orders):
            raise DataError(
                f"called as number {self.calls}, but there are {len(self.orders)} orders of "
                f"additions; {_OWN_ORDERS}"
            )
        return self.orders[self.calls - 1]

    def _check(
        self,
        operator: str,
        *operands: Tensor | None,
        roles: tuple[str, ...] = ("input", "weight", "bias"),
    ) -> None:
        for role, tensor in zip(roles, operands, strict=True):
            if tensor is None:
                continue
            if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                raise DataError(
                    f"{self._name(operator, operands[1])}: {role} must be float32 on the CPU, got "
                    f"{tensor.dtype} on {tensor.device.type}; convert with .float().cpu()"
                )

    @contextmanager
    def _named(self, operator: str, weight: Tensor | None) -> Iterator[None]:
        """Put the layer's name before what the kernels have to say about shapes."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self._name(operator, weight)}: {error}") from None

    def _name(self, operator: str, weight: Tensor | None) -> str:
        for name, parameter in self.network.named_parameters():
            if weight is not None and (parameter is weight or parameter is weight._base):
                return f"layer {name.rpartition('.')[0] or type(self.network).__name__!r}"
        return f"a call of {operator}"


def _storages(network: nn.Module) -> set[int]:
    """Return where parameters, buffers and other tensors of *network*'s modules lie."""
    attributes = (value for module in network.modules() for value in vars(module).values())
    tensors = [value for value in attributes if isinstance(value, Tensor)]
    tensors += [*network.parameters(), *network.buffers()]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors}
