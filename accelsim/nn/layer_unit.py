"""What a layer's products run on, how operands reach it, and what gradients go through."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.accumulators import AUTO, Accumulator, accumulator_of
from accelsim.formats import IntegerFormat
from accelsim.multipliers import Multiplier
from accelsim.nn.effective import EffectiveWeights
from accelsim.nn.gradients import UnitGradient
from accelsim.quantization import Calibration, Scheme

__all__ = ["Integers", "LayerUnit"]


@dataclass(frozen=True, eq=False)
class Integers:
    """How float32 operands reach a unit of integers, and gradients come back."""

    operands: IntegerFormat
    calibration: Calibration
    scheme: Scheme
    gradient: UnitGradient | None = None
    """None: the gradients are the exact layer's."""


@dataclass(frozen=True, eq=False)
class LayerUnit:
    """One unit of a network, which may have others in other layers."""

    multiplier: Multiplier
    asked_for: str = AUTO
    """Name of the accumulator, or ``auto``."""
    integers: Integers | None = None
    """How a unit of integers is reached; needed by those."""
    effective: EffectiveWeights | None = None
    """What gradients go through."""

    @property
    def accumulator(self) -> Accumulator:
        """What adds the products."""
        return accumulator_of(self.multiplier, self.asked_for)

    @property
    def gradient(self) -> UnitGradient | None:
        """How gradients come back through the unit, None: as the exact layer's."""
        return None if self.integers is None else self.integers.gradient

    @property
    def calibration(self) -> Calibration | None:
        """The ranges of the network's activations, where anybody asks for them."""
        if self.integers is not None:
            return self.integers.calibration
        return None if self.effective is None else self.effective.calibration
