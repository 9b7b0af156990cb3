"""Sums of products seen and changed where they leave the multipliers, before a layer's bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from accelsim.errors import DataError
from accelsim.nn.interception import run
from accelsim.nn.module import ApproximateModule
from accelsim.nn.operators import Unit

__all__ = ["AdjustedModule", "AdjustingUnit", "LayerCall"]


@dataclass(frozen=True)
class LayerCall:
    """One call of a convolution, linear layer or matmul, as the network made it.

    Attributes
    ----------
    index : int
        How many were called before it.
    name : str
        The layer, ``"conv1"``, or the operator where the weight is nobody's parameter.
    operator : str
        ``"convolution"``, ``"transposed"``, ``"linear"`` or ``"matmul"``.
    first, second : Tensor
        Activations, and weights; of a matmul both are activations.
    bias : Tensor or None
    sums : Tensor
        What the unit's products add up to, without the bias.
    compute : callable
        ``compute(unit, first, second)``: the same call without bias on another unit, or of other
        operands of the same shapes.
    """

    index: int
    name: str
    operator: str
    first: Tensor
    second: Tensor
    bias: Tensor | None
    sums: Tensor
    compute: Callable[[Unit, Tensor, Tensor], Tensor]


class AdjustingUnit(Unit):
    """A unit whose weights, and whose sums of products, pass through functions on their way.

    Parameters
    ----------
    base : ApproximateModule
        Its network, units and orders are taken.
    adjust : callable, optional
        Called with a `LayerCall`; returns what takes the place of its sums.
    weights : callable, optional
        Called with (weight, axis of its outputs); returns what takes the weight's place. Neither
        operand of a matmul of two activations is one.
    """

    def __init__(
        self,
        base: ApproximateModule,
        adjust: Callable[[LayerCall], Tensor] | None = None,
        weights: Callable[[Tensor, int], Tensor] | None = None,
    ) -> None:
        super().__init__(base.network, base.units, orders=base.orders)
        self.adjust = adjust
        self.weights = weights
        self._adjusted = 0

    def convolution(
        self,
        input: Tensor,  # noqa: A002 - torch's names, for they may be given by keyword
        weight: Tensor,
        bias: Tensor | None = None,
        *settings: Any,
        **named: Any,
    ) -> Tensor:
        def compute(unit: Unit, first: Tensor, second: Tensor) -> Tensor:
            return Unit.convolution(unit, first, second, None, *settings, **named)

        return self._layer_call("convolution", input, weight, bias, compute)

    def transposed(
        self,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        *settings: Any,
        **named: Any,
    ) -> Tensor:
        def compute(unit: Unit, first: Tensor, second: Tensor) -> Tensor:
            return Unit.transposed(unit, first, second, None, *settings, **named)

        return self._layer_call("transposed", input, weight, bias, compute)

    def linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
        return self._layer_call("linear", input, weight, bias, Unit.linear)

    def matmul(self, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
        before = self._adjusted
        sums = super().matmul(input, other)
        if self._adjusted > before:  # by a constant matrix: it went on to linear
            return sums
        return self._passed_on("matmul", "matmul", input, other, None, sums, Unit.matmul)

    def _layer_call(
        self,
        operator: str,
        first: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        compute: Callable[[Unit, Tensor, Tensor], Tensor],
    ) -> Tensor:
        """Return sums and bias of a call that has a weight."""
        name = self._name(operator, weight)
        name = name.removeprefix("layer ").removeprefix("a call of ").strip("'")
        if self.weights is not None:
            weight = self.weights(weight, 1 if operator == "transposed" else 0)
        sums = compute(self, first, weight)
        sums = self._passed_on(operator, name, first, weight, bias, sums, compute)
        if bias is None:
            return sums
        # Of an image the channels come first, of a row they are all there is.
        return sums + bias.reshape(-1, *[1] * (weight.dim() - 2))

    def _passed_on(self, operator: str, name: str, *parts: Any) -> Tensor:
        self._adjusted += 1
        call = LayerCall(self.calls - 1, name, operator, *parts)
        return call.sums if self.adjust is None else self.adjust(call)


class AdjustedModule(nn.Module):
    """A network on a unit, with what `AdjustingUnit` does to its weights and sums.

    Gradients are those of *base* through the adjusted sums: what the functions compute with torch
    is differentiated, and the weights are those that took the parameters' place.

    Parameters
    ----------
    base : ApproximateModule
        Made by `accelsim.nn.approximate`.
    adjust, weights : callable, optional
        As of `AdjustingUnit`.
    calls : int, optional
        How many layers the network has to call; another number is an error.
    """

    def __init__(
        self,
        base: ApproximateModule,
        *,
        adjust: Callable[[LayerCall], Tensor] | None = None,
        weights: Callable[[Tensor, int], Tensor] | None = None,
        calls: int | None = None,
    ) -> None:
        super().__init__()
        self.base = base
        self.adjust = adjust
        self.weights = weights
        self.calls = calls
        self.training = base.training

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the network's outputs.

        Raises
        ------
        DataError
            The network called another number of layers than *calls*.
        """
        base = self.base
        unit = AdjustingUnit(base, self.adjust, self.weights)
        with torch.set_grad_enabled(torch.is_grad_enabled() and base.gradient != "none"):
            outputs = run(unit, base.network, *args, **kwargs)
        unit.finish()
        if self.calls is not None and unit.calls != self.calls:
            raise DataError(
                f"the network called {unit.calls} convolutions, linear layers and matmuls, but "
                f"there are numbers for {self.calls}; measure this very network"
            )
        return outputs
