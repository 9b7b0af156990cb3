"""conv2d and linear as torch calls them, computed on a functional unit with a declared gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from accelsim import kernels
from accelsim.accumulators import accumulator_of
from accelsim.errors import ConfigError, DataError
from accelsim.multipliers import MULTIPLIERS

__all__ = ["Unit"]


class Unit:
    """conv2d and linear with torch's arguments, on one multiplier and accumulator."""

    def __init__(self, multiplier: str, accumulator: str, network: nn.Module) -> None:
        self.multiplier = MULTIPLIERS[multiplier]
        self.accumulator = accumulator_of(self.multiplier, accumulator)
        self.network = network

    def conv2d(
        self,
        input: Tensor,  # noqa: A002 - torch's names, for they may be given by keyword
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Iterable[int] = 1,
        padding: str | int | Iterable[int] = 0,
        dilation: int | Iterable[int] = 1,
        groups: int = 1,
    ) -> Tensor:
        self._check("conv2d", input, weight, bias)
        if input.dim() not in (3, 4):
            raise DataError(
                f"{self._name('conv2d', weight)}: input must be (N, C, H, W) or (C, H, W), got "
                f"{tuple(input.shape)}"
            )
        dilation = _pair(dilation)
        images = input if input.dim() == 4 else input.unsqueeze(0)
        images, padding = _resolve_padding(images, weight, padding, dilation)
        with self._named("conv2d", weight):
            output = _Conv2d.apply(
                self, images, weight, bias, _pair(stride), padding, dilation, groups
            )
        return output if input.dim() == 4 else output.squeeze(0)

    def linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
        self._check("linear", input, weight, bias)
        if input.dim() == 0:
            raise DataError(f"{self._name('linear', weight)}: input must be (..., K), got ()")
        rows = input.reshape(-1, input.shape[-1])
        with self._named("linear", weight):
            output = _Linear.apply(self, rows, weight, bias)
        return output.reshape(*input.shape[:-1], len(weight))

    def _check(self, operator: str, *operands: Tensor | None) -> None:
        for role, tensor in zip(("input", "weight", "bias"), operands, strict=True):
            if tensor is None:
                continue
            if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                raise DataError(
                    f"{self._name(operator, operands[1])}: {role} must be float32 on the CPU, got "
                    f"{tensor.dtype} on {tensor.device.type}; convert with .float().cpu()"
                )

    @contextmanager
    def _named(self, operator: str, weight: Tensor) -> Iterator[None]:
        """Put the layer's name before what the kernels have to say about shapes."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self._name(operator, weight)}: {error}") from None

    def _name(self, operator: str, weight: Tensor | None) -> str:
        for name, parameter in self.network.named_parameters():
            if parameter is weight:
                return f"layer {name.rpartition('.')[0] or type(self.network).__name__!r}"
        return f"a call of {operator}"


class _Conv2d(torch.autograd.Function):
    """Forward on the unit; backward of the exact convolution."""

    @staticmethod
    def forward(
        ctx: Any,
        unit: Unit,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.settings = (None if bias is None else list(bias.shape), stride, padding, dilation)
        ctx.groups = groups
        output = kernels.conv2d(
            unit.multiplier,
            unit.accumulator,
            _array(images),
            _array(weight),
            None if bias is None else _array(bias),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        return torch.from_numpy(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        mask = list(ctx.needs_input_grad[1:4])
        gradients = torch.ops.aten.convolution_backward(
            grads[0], images, weight, *ctx.settings, False, [0, 0], ctx.groups, mask
        )
        return None, *gradients, None, None, None, None


class _Linear(torch.autograd.Function):
    """Forward on the unit; backward of the exact linear layer."""

    @staticmethod
    def forward(ctx: Any, unit: Unit, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        output = kernels.linear(
            unit.multiplier,
            unit.accumulator,
            _array(rows),
            _array(weight),
            None if bias is None else _array(bias),
        )
        return torch.from_numpy(output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        (grad,) = grads
        _, wants_rows, wants_weight, wants_bias = ctx.needs_input_grad
        return (
            None,
            grad @ weight if wants_rows else None,
            grad.T @ rows if wants_weight else None,
            grad.sum(0) if wants_bias else None,
        )


def _resolve_padding(
    images: Tensor, weight: Tensor, padding: str | int | Iterable[int], dilation: tuple[int, int]
) -> tuple[Tensor, tuple[int, int]]:
    """Return images and symmetric padding; where 'same' is lopsided the images come padded."""
    if not isinstance(padding, str):
        return images, _pair(padding)
    if padding == "valid":
        return images, (0, 0)
    totals = [d * (size - 1) for d, size in zip(dilation, weight.shape[2:], strict=True)]
    if all(total % 2 == 0 for total in totals):
        return images, (totals[0] // 2, totals[1] // 2)
    top, left = totals[0] // 2, totals[1] // 2
    return nn.functional.pad(images, (left, totals[1] - left, top, totals[0] - top)), (0, 0)


def _pair(value: int | Iterable[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    items = tuple(int(item) for item in value)
    if len(items) not in (1, 2):
        raise ConfigError(
            f"conv2d: stride, padding and dilation take one or two numbers, got {items}"
        )
    return items[0], items[-1]


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()
