"""Functions of torch's graph: the unit forward, the declared gradient backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from accelsim import kernels
from accelsim.dataflows.order import AccumulationOrder
from accelsim.quantization import LayerQuantization

if TYPE_CHECKING:
    from accelsim.nn.operators import Unit

__all__ = ["Conv2dFunction", "LinearFunction", "MatmulFunction", "array_of"]


class Conv2dFunction(torch.autograd.Function):
    """Forward on the unit; backward of the exact convolution, or through the unit's table."""

    @staticmethod
    def forward(
        ctx: Any,
        unit: Unit,
        layer: LayerQuantization | None,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
        order: AccumulationOrder | None,
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.settings = (stride, padding, dilation)
        ctx.groups, ctx.bias = groups, None if bias is None else list(bias.shape)
        ctx.unit, ctx.layer = unit, layer
        x, w, b = array_of(images), array_of(weight), None if bias is None else array_of(bias)
        window = (stride, padding, dilation, groups)
        if layer is None:
            output = kernels.conv2d(unit.multiplier, unit.accumulator, x, w, b, *window, order)
        else:
            output = kernels.conv2d_quantized(
                unit.multiplier, unit.accumulator, layer, x, w, b, *window, order
            )
        return torch.from_numpy(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[2:5])
        through = ctx.unit.gradient
        if through is None:
            gradients = torch.ops.aten.convolution_backward(
                grads[0], images, weight, ctx.bias, *ctx.settings, False, [0, 0], ctx.groups, wanted
            )
        else:
            settings = (*ctx.settings, ctx.groups)
            gradients = (
                *through.conv2d(ctx.layer, grads[0], images, weight, *settings),
                grads[0].sum((0, 2, 3)) if wanted[2] else None,
            )
        return None, None, *gradients, None, None, None, None, None


class LinearFunction(torch.autograd.Function):
    """Forward on the unit; backward of the exact linear layer, or through the unit's table."""

    @staticmethod
    def forward(
        ctx: Any,
        unit: Unit,
        layer: LayerQuantization | None,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        order: AccumulationOrder | None,
    ) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.unit, ctx.layer = unit, layer
        operands = (array_of(rows), array_of(weight), None if bias is None else array_of(bias))
        if layer is None:
            output = kernels.linear(unit.multiplier, unit.accumulator, *operands, order)
        else:
            output = kernels.linear_quantized(
                unit.multiplier, unit.accumulator, layer, *operands, order
            )
        return torch.from_numpy(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        (grad,) = grads
        wants_rows, wants_weight, wants_bias = ctx.needs_input_grad[2:5]
        to_bias = grad.sum(0) if wants_bias else None
        through = ctx.unit.gradient
        if through is not None:
            return None, None, *through.linear(ctx.layer, grad, rows, weight), to_bias, None
        to_rows = grad @ weight if wants_rows else None
        return None, None, to_rows, grad.T @ rows if wants_weight else None, to_bias, None


class MatmulFunction(torch.autograd.Function):
    """Forward on the unit; backward of the exact products, or through the unit's table."""

    @staticmethod
    def forward(
        ctx: Any,
        unit: Unit,
        layer: LayerQuantization | None,
        first: Tensor,
        second: Tensor,
        order: AccumulationOrder | None,
    ) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.unit, ctx.layer = unit, layer
        operands = (array_of(first), array_of(second))
        if layer is None:
            output = kernels.matmul(unit.multiplier, unit.accumulator, *operands, order)
        else:
            output = kernels.matmul_quantized(
                unit.multiplier, unit.accumulator, layer, *operands, order
            )
        return torch.from_numpy(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        first, second = ctx.saved_tensors
        (grad,) = grads
        wants_first, wants_second = ctx.needs_input_grad[2:4]
        through = ctx.unit.gradient
        if through is not None:
            return None, None, *through.matmul(ctx.layer, grad, first, second), None
        to_first = grad @ second.mT if wants_first else None
        return None, None, to_first, first.mT @ grad if wants_second else None, None


def array_of(tensor: Tensor) -> Any:
    """Return *tensor* as a C-contiguous array, without its graph."""
    return tensor.detach().contiguous().numpy()
