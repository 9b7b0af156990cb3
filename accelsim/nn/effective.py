"""What a unit effectively applies in the layers of a network, kept for as long as it holds."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from accelsim.kernels.slopes import effective_activations, effective_weights
from accelsim.multipliers import Multiplier
from accelsim.nn.samples import sample_of
from accelsim.quantization import Calibration, LayerQuantization

__all__ = ["EffectiveWeights"]


class EffectiveWeights:
    """The weights, and operands of matmuls, that a unit effectively applies in one network.

    The weights of a layer are computed once, and again when one differs in any bit from what it
    was. Copies have what was computed so far, pickles compute it again.

    Parameters
    ----------
    unit : Multiplier
    calibration : Calibration, optional
        Where the samples of activations come from, see `accelsim.nn.samples.sample_of`.
    """

    def __init__(self, unit: Multiplier, calibration: Calibration | None = None) -> None:
        self.unit = unit
        self.calibration = calibration
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def of_weight(self, operand: int, layer: LayerQuantization | None, weight: Tensor) -> Tensor:
        """Return the effective weights of the layer that reads activation *operand*.

        Parameters
        ----------
        operand : int
            Place among all activations that the layers read, in the order of their calls.
        layer : LayerQuantization or None
            Of a unit of integers.
        weight : Tensor of float32
            What the unit is given, of any shape.
        """
        known = self._kept.get(operand)
        if known is not None and _same_bits(known[0], weight):
            return known[1]
        found = self.of_second(operand, layer, weight)
        self._kept[operand] = weight.detach().clone(memory_format=torch.contiguous_format), found
        return found

    def of_second(self, operand: int, layer: LayerQuantization | None, second: Tensor) -> Tensor:
        """Return what the unit applies of a second operand, for the first is activation *operand*.

        It is not kept.
        """
        values, sample = second.detach().numpy(), sample_of(self.calibration, operand)
        return torch.from_numpy(effective_weights(self.unit, sample, values, layer))

    def of_first(self, operand: int, layer: LayerQuantization | None, first: Tensor) -> Tensor:
        """Return what the unit applies of a first operand, for the second is activation *operand*.

        It is not kept.
        """
        values, sample = first.detach().numpy(), sample_of(self.calibration, operand)
        return torch.from_numpy(effective_activations(self.unit, values, sample, layer))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = type(self)(self.unit, self.calibration)
        # Nobody writes into these tensors.
        made._kept = dict(self._kept)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_kept": {}}


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.view(torch.int32), other.detach().contiguous().view(torch.int32))
