"""Gradients through a unit of integers: differences of its product table, by hand.

With y = s_a s_w (sum P(qa, qw) - zw sum qa - za sum qw + K za zw) + b and straight-through
rounding, qa = x / s_a + za inside the quantizer's range and constant outside of it::

    dy/dx = s_w (dP/dqa - zw)        dy/dw = s_a (dP/dqw - za)

Scales and zero points are held constant. For an exact unit these are the dequantized weight and the
dequantized activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from accelsim.formats import IntegerFormat
from accelsim.kernels import im2col
from accelsim.kernels.derivatives import difference_tables, sum_over, weigh_filters
from accelsim.multipliers import IntegerMultiplier
from accelsim.quantization import LayerQuantization
from accelsim.quantizer import Quantizer

__all__ = ["UnitGradient", "where_inside"]

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class UnitGradient:
    """Derivatives of one unit's products."""

    operands: IntegerFormat
    by_activation: Float
    by_weight: Float
    """(2^bits, 2^bits), ``table[w, a]``."""

    @classmethod
    def of(cls, unit: IntegerMultiplier, smoothing: int) -> UnitGradient:
        """Return the derivatives of *unit*, of its table smoothed over so many neighbors."""
        return cls(unit.operands, *difference_tables(unit, smoothing))

    def conv2d(
        self,
        layer: LayerQuantization,
        grads: Tensor,
        images: Tensor,
        weight: Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of images and weight, for *grads* of the outputs."""
        x, w = _codes(layer, images, weight)
        kernel, channels, share = w.shape[2:], w.shape[1], len(w) // groups
        matrix = w.reshape(len(w), -1)
        columns = np.zeros((len(x), groups, matrix.shape[1], grads[0, 0].numel()), np.float32)
        by_weight = np.zeros(matrix.shape, np.float32)
        own_grads = grads.detach().numpy().reshape(len(x), len(w), -1)
        for image, grad, column in zip(x, own_grads, columns, strict=True):
            for group in range(groups):
                own = slice(group * share, (group + 1) * share)
                slab = np.ascontiguousarray(image[group * channels : (group + 1) * channels])
                operands = im2col(slab, kernel, stride, padding, dilation, fill=layer.fill)
                to_input, to_weight = self._products(
                    layer.filters(own), operands, matrix[own], grad[own]
                )
                column[group] = to_input
                by_weight[own] += to_weight
        folded = functional.fold(
            torch.from_numpy(columns.reshape(len(x), -1, columns.shape[-1])),
            images.shape[2:],
            kernel,
            dilation,
            padding,
            stride,
        )
        return _inside(layer, folded, torch.from_numpy(by_weight), images, weight)

    def linear(
        self, layer: LayerQuantization, grads: Tensor, rows: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of rows and weight, for *grads* of the outputs."""
        x, w = _codes(layer, rows, weight)
        to_input, to_weight = self._products(
            layer, np.ascontiguousarray(x.T), w, grads.detach().numpy().T
        )
        to_rows = torch.from_numpy(np.ascontiguousarray(to_input.T))
        return _inside(layer, to_rows, torch.from_numpy(to_weight), rows, weight)

    def matmul(
        self, layer: LayerQuantization, grads: Tensor, first: Tensor, second: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of both operands, for *grads* of the outputs (G, m, n)."""
        x, w = _codes(layer, first, second)
        found = [
            self._products(layer, np.ascontiguousarray(a.T), np.ascontiguousarray(b.T), grad.T)
            for a, b, grad in zip(x, w, grads.detach().numpy(), strict=True)
        ]
        to_first, to_second = (
            torch.from_numpy(np.stack([one.T for one in some])) for some in zip(*found, strict=True)
        )
        return _inside(layer, to_first, to_second, first, second)

    def _products(
        self, layer: LayerQuantization, activations: NDArray, weights: NDArray, grads: Float
    ) -> tuple[Float, Float]:
        """Return the gradients of activations (k, m) and weights (n, k), for grads (n, m)."""
        scale, zero_point = (
            np.broadcast_to(value, len(weights))[:, None].astype(np.float32)
            for value in (layer.weights.scale, layer.weights.zero_point)
        )
        scaled = grads * scale
        by_activation = weigh_filters(
            self.by_activation, self.operands, activations, weights, scaled
        )
        by_weight = sum_over(self.by_weight, self.operands, activations, weights, grads)
        to_input = by_activation - (scaled * zero_point).sum(axis=0)
        to_weight = by_weight - np.float32(layer.fill) * grads.sum(axis=1, keepdims=True)
        return to_input, layer.activations.scale * to_weight


def _codes(layer: LayerQuantization, activations: Tensor, weight: Tensor) -> tuple[NDArray, ...]:
    return (
        layer.quantize_activations(activations.detach().numpy()),
        layer.quantize_weights(weight.detach().numpy()),
    )


def _inside(
    layer: LayerQuantization,
    to_input: Tensor,
    to_weight: Tensor,
    activations: Tensor,
    weight: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the gradients where nothing was clipped, 0 elsewhere."""
    return (
        where_inside(layer.activations, activations, to_input),
        where_inside(layer.weights, weight, to_weight.reshape(weight.shape)),
    )


def where_inside(quantizer: Quantizer, values: Tensor, grads: Tensor) -> Tensor:
    """Return *grads* where *values* are not clipped, 0 elsewhere."""
    return grads * torch.from_numpy(quantizer.inside(values.detach().numpy()))
