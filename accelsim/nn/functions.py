"""Functions of torch's graph: the unit forward, the declared gradient backward.

Backward of the exact layer, of the exact layer with effective operands, or through the unit's
table, as the unit says. With effective operands the gradient of an activation goes through what the
unit applies of the other operand, and is 0 where it was clipped; that of a weight is the exact
layer's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from accelsim.nn.arithmetic import Call
from accelsim.nn.gradients import where_inside

__all__ = ["Conv2dFunction", "LinearFunction", "MatmulFunction"]


class Conv2dFunction(torch.autograd.Function):
    """A convolution."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.settings = (stride, padding, dilation)
        ctx.groups, ctx.bias = groups, None if bias is None else list(bias.shape)
        ctx.call = call
        window = (stride, padding, dilation, groups)
        return call.arithmetic.conv2d(call, images, weight, bias, window)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[1:4])
        through, effective = ctx.call.unit.gradient, ctx.call.unit.effective
        if through is not None:
            settings = (*ctx.settings, ctx.groups)
            gradients = (
                *through.conv2d(ctx.call.layer, grads[0], images, weight, *settings),
                grads[0].sum((0, 2, 3)) if wanted[2] else None,
            )
        else:
            if effective is not None and wanted[0]:
                weight = effective.of_weight(ctx.call.operand, ctx.call.layer, weight)
            gradients = torch.ops.aten.convolution_backward(
                grads[0], images, weight, ctx.bias, *ctx.settings, False, [0, 0], ctx.groups, wanted
            )
            to_images, *others = gradients
            gradients = _unclipped(ctx, "activations", images, to_images), *others
        return None, *gradients, None, None, None, None


class LinearFunction(torch.autograd.Function):
    """A linear layer."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.call = call
        return call.arithmetic.linear(call, rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        (grad,) = grads
        wants_rows, wants_weight, wants_bias = ctx.needs_input_grad[1:4]
        to_bias = grad.sum(0) if wants_bias else None
        through, effective = ctx.call.unit.gradient, ctx.call.unit.effective
        if through is not None:
            return None, *through.linear(ctx.call.layer, grad, rows, weight), to_bias
        if effective is not None and wants_rows:
            weight = effective.of_weight(ctx.call.operand, ctx.call.layer, weight)
        to_rows = _unclipped(ctx, "activations", rows, grad @ weight if wants_rows else None)
        return None, to_rows, grad.T @ rows if wants_weight else None, to_bias


class MatmulFunction(torch.autograd.Function):
    """A product of two activations."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        first: Tensor,
        second: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.call = call
        return call.arithmetic.matmul(call, first, second)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        first, second = ctx.saved_tensors
        (grad,) = grads
        wants_first, wants_second = ctx.needs_input_grad[1:3]
        through, effective = ctx.call.unit.gradient, ctx.call.unit.effective
        if through is not None:
            return None, *through.matmul(ctx.call.layer, grad, first, second)
        by_first, by_second = second, first
        if effective is not None and wants_first:
            by_first = effective.of_second(ctx.call.operand, ctx.call.layer, second)
        if effective is not None and wants_second:
            by_second = effective.of_first(ctx.call.operand + 1, ctx.call.layer, first)
        to_first = grad @ by_first.mT if wants_first else None
        to_second = by_second.mT @ grad if wants_second else None
        to_first = _unclipped(ctx, "activations", first, to_first)
        return None, to_first, _unclipped(ctx, "weights", second, to_second)


def _unclipped(ctx: Any, role: str, values: Tensor, grads: Tensor | None) -> Tensor | None:
    """Return *grads* of *values*; effective ones are 0 where the quantizer of *role* clips."""
    if grads is None or ctx.call.unit.effective is None or ctx.call.layer is None:
        return grads
    return where_inside(getattr(ctx.call.layer, role), values, grads)
