"""What the PE array does with a tile's values: psums of one ofmap tile, from channels to output.

A unit of integers gets its operands quantized as the feed hands them on; the words in the memories
stay float32. Beside the psums it keeps what the vector unit corrects them by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import Accumulator
from accelsim.dataflows.order import AccumulationOrder
from accelsim.kernels import finish
from accelsim.kernels.gemm import accumulate_groups
from accelsim.multipliers import Multiplier
from accelsim.quantization import LayerQuantization

__all__ = ["FloatSums", "IntegerSums", "Sums", "sums_of"]

Float = NDArray[np.float32]
Gather = Callable[..., NDArray[Any]]


class FloatSums:
    """Psums (filters, pixels) of a unit of floats."""

    def __init__(self, unit: Multiplier, adder: Accumulator, shape: tuple[int, int]) -> None:
        self.unit, self.adder = unit, adder
        self.psums = np.zeros(shape, adder.dtype)

    def add(
        self,
        ifmap: Float,
        weights: Float,
        gather: Gather,
        order: AccumulationOrder | None = None,
    ) -> None:
        """Add the products of some channels, in k order unless *order* says another.

        Parameters
        ----------
        ifmap : float32
            As *gather* takes it.
        weights : float32, (filters, k)
        gather : callable
            ``gather(ifmap, fill)`` returns the activations of each pixel, (k, pixels), with *fill*
            for padding.
        order : AccumulationOrder, optional
            Of the additions.
        """
        _accumulate(self, gather(ifmap, 0), weights, order)

    def finish(self, bias: Float | None) -> Float:
        """Return the outputs, float32 (filters, pixels)."""
        return finish(self.psums, bias)


class IntegerSums:
    """Psums (filters, pixels) of a unit of integers, with the sums of its operands."""

    def __init__(
        self,
        unit: Multiplier,
        adder: Accumulator,
        shape: tuple[int, int],
        layer: LayerQuantization,
    ) -> None:
        self.unit, self.adder, self.layer = unit, adder, layer
        self.psums = np.zeros(shape, adder.dtype)
        self.weight_sums = np.zeros(shape[0], np.int64)
        self.activation_sums = np.zeros(shape[1], np.int64)
        self.k = 0

    def add(
        self,
        ifmap: Float,
        weights: Float,
        gather: Gather,
        order: AccumulationOrder | None = None,
    ) -> None:
        """Add the products of some channels; parameters as of `FloatSums.add`."""
        codes = self.layer.quantize_activations(ifmap)
        activations = gather(codes, self.layer.fill)
        quantized = self.layer.quantize_weights(weights)
        _accumulate(self, activations, quantized, order)
        self.weight_sums += quantized.sum(axis=1, dtype=np.int64)
        if self.layer.needs_activation_sums:
            self.activation_sums += activations.sum(axis=0, dtype=np.int64)
        self.k += len(activations)

    def finish(self, bias: Float | None) -> Float:
        """Return the outputs, float32 (filters, pixels)."""
        return self.layer.dequantize(
            self.psums, self.activation_sums, self.weight_sums, self.k, bias
        )


Sums = FloatSums | IntegerSums


def _accumulate(
    sums: Sums,
    activations: NDArray[Any],
    weights: NDArray[Any],
    order: AccumulationOrder | None,
) -> None:
    """Add products (k, pixels) times (filters, k); operands out of the machine need no check."""
    accumulate_groups(
        sums.unit,
        sums.adder,
        activations[None],
        weights[None],
        sums.psums[None],
        order,
    )


def sums_of(
    unit: Multiplier,
    adder: Accumulator,
    shape: tuple[int, int],
    layer: LayerQuantization | None,
) -> Sums:
    """Return psums of zero for *shape* (filters, pixels); *layer* is that of these filters."""
    if layer is None:
        return FloatSums(unit, adder, shape)
    return IntegerSums(unit, adder, shape, layer)
