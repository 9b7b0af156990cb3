"""Controls: networks that differ from the exact one in a way that needs no approximate circuit.

A defense has to beat them: a constant factor in each layer, noise of the same power, weights of few
bits. Each is a `torch.nn.Module` that is attacked like any other, differentiable straight through,
on the exact float32 unit: deterministic, and the same bits however images are batched.
(``exact_bfloat16``, in `accelsim.MULTIPLIERS`, is a control that is a unit.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from accelsim.errors import DataError
from accelsim.formats import IntegerFormat
from accelsim.nn import ApproximateModule, approximate
from accelsim.nn.sums import AdjustedModule, LayerCall
from accelsim.quantizer import Quantizer
from accelsim.robustness.attack import checked_seed

__all__ = ["exact_times_gain", "gaussian_noise", "power_of_two_weights", "quantized_weights",
           "unit_over_gain"]  # fmt: skip


def exact_times_gain(model: nn.Module, layers: pd.DataFrame) -> AdjustedModule:
    """Return *model* with each layer's exact sums times the gain that a unit has there.

    Biases stay as they are, as on the unit.

    Parameters
    ----------
    model : torch.nn.Module
    layers : DataFrame
        From `accelsim.robustness.analyses.layer_gains`, of this model.

    Raises
    ------
    DataError
        A gain is not finite; when it is called, if *layers* are not this network's.
    """
    return _exact(model, _Scaled(_column(layers, "gain")))


def unit_over_gain(net: ApproximateModule, layers: pd.DataFrame) -> AdjustedModule:
    """Return *net* with the gain of its unit divided out of each layer's sums, before the bias.

    Parameters
    ----------
    net : ApproximateModule
    layers : DataFrame
        From `accelsim.robustness.analyses.layer_gains`, of this network and unit.

    Raises
    ------
    DataError
        As of `exact_times_gain`, or a gain is 0.
    """
    gains = _column(layers, "gain")
    if 0.0 in gains:
        raise DataError(f"layer {layers['layer'].iloc[gains.index(0.0)]!r} has gain 0: no factor "
                        "brings its sums back")  # fmt: skip
    scale = _Scaled(tuple(1 / gain for gain in gains))
    return AdjustedModule(net, adjust=scale, calls=len(gains))


def gaussian_noise(
    model: nn.Module, layers: pd.DataFrame, *, seed: int = 0, gain: bool = False
) -> AdjustedModule:
    """Return *model* with Gaussian noise on each layer's sums, as strong as what a unit leaves.

    Its standard deviation is ``noise * exact_rms`` of the layer: relative to the exact sums what
    the unit's residual is relative to its own. With *gain* it is added before the sums are
    multiplied by the gain, and is ``noise * scaled_rms``, since the gains of the layers before have
    made the sums larger. The residual's mean counts as noise (``offset`` of `layer_gains`), though
    this noise has none.

    The noise is a fixed function of *seed*, of the layer's place in the order of calls, and of the
    content of what the layer reads: of an image for a convolution, a row of activations for a
    linear layer, both matrices for a matmul. So an image always gets the same noise, whatever is
    beside it in a batch, and one that differs in a single bit gets another noise altogether. To
    gradients it is a constant.

    Parameters
    ----------
    model : torch.nn.Module
    layers : DataFrame
        From `accelsim.robustness.analyses.layer_gains`, of this model.
    seed : int
    gain : bool

    Raises
    ------
    ConfigError
        If *seed* is none.
    DataError
        As of `exact_times_gain`, or a noise is not finite.
    """
    noise, rms = _column(layers, "noise"), _column(layers, "scaled_rms" if gain else "exact_rms")
    deviations = tuple(one * scale for one, scale in zip(noise, rms, strict=True))
    gains = _column(layers, "gain") if gain else (1.0,) * len(deviations)
    return _exact(model, _Noisy(checked_seed(seed), deviations, gains))


def quantized_weights(model: nn.Module, bits: int) -> AdjustedModule:
    """Return *model* with weights rounded to *bits* bits, symmetric, a scale for each filter.

    Integers from ``-(2^(bits-1) - 1)`` to ``2^(bits-1) - 1``, as
    `accelsim.quantization.Scheme` has them; activations, sums and biases stay float32.

    Raises
    ------
    ConfigError
        If *bits* is not an int in 2..16.
    """
    return _exact(model, weights=_Rounded(IntegerFormat(bits, signed=True)))


def power_of_two_weights(model: nn.Module) -> AdjustedModule:
    """Return *model* with each weight rounded to the nearest power of two, ties away from zero."""
    return _exact(model, weights=_power_of_two)


def _exact(
    model: nn.Module,
    adjust: _Scaled | _Noisy | None = None,
    weights: Callable[[Tensor, int], Tensor] | None = None,
) -> AdjustedModule:
    net = approximate(model, multiplier="exact_fp32")
    calls = None if adjust is None else len(adjust.gains)
    return AdjustedModule(net, adjust=adjust, weights=weights, calls=calls)


def _column(layers: pd.DataFrame, name: str) -> tuple[float, ...]:
    """Return a column of the table of layers in the order of their calls, all finite."""
    missing = {"call", "layer", name} - set(layers.columns)
    if missing:
        raise DataError(
            f"layers must have the columns that layer_gains makes; {', '.join(sorted(missing))} "
            "missing"
        )
    if list(layers["call"]) != list(range(len(layers))):
        raise DataError(
            "layers must hold one row for each call, 0, 1, 2 ...; got "
            f"{', '.join(map(str, layers['call'])) or 'none'}: give those of one network and unit"
        )
    values = layers[name].to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(
            f"layer {layers['layer'].iloc[bad[0]]!r}: its {name} must be a finite number, got "
            f"{values[bad[0]]}; measure it on images on which the layer's sums are not all 0"
        )
    return tuple(values.tolist())


@dataclass(frozen=True)
class _Scaled:
    """Sums times the gain of their layer."""

    gains: tuple[float, ...]

    def __call__(self, call: LayerCall) -> Tensor:
        return call.sums * _of_call(self.gains, call)


@dataclass(frozen=True)
class _Noisy:
    """Sums with noise, times the gain of their layer."""

    seed: int
    deviations: tuple[float, ...]
    gains: tuple[float, ...]

    def __call__(self, call: LayerCall) -> Tensor:
        deviation = _of_call(self.deviations, call)
        noise = np.float32(deviation) * _noise(self.seed, call)
        return (call.sums + torch.from_numpy(noise)) * _of_call(self.gains, call)


def _of_call(values: tuple[float, ...], call: LayerCall) -> float:
    if call.index >= len(values):
        raise DataError(
            f"{call.name} is called as number {call.index + 1}, but there are numbers for "
            f"{len(values)} layers; measure this very network"
        )
    return values[call.index]


def _noise(seed: int, call: LayerCall) -> np.ndarray:
    """Return standard normal noise of the shape of the sums, a function of what is multiplied.

    What is computed by itself gets noise by itself: an image, a row, a pair of matrices.
    """
    shape = tuple(call.sums.shape)
    inner = {"linear": 1, "matmul": 2}.get(call.operator, call.second.dim() - 1)
    outer = shape[: len(shape) - inner]
    operands = [call.first.detach()]
    if call.operator == "matmul":
        operands.append(call.second.detach())
    parts = [
        one.expand(*outer, *one.shape[one.dim() - inner :]).reshape(-1, *one.shape[-inner:])
        for one in operands
    ]
    noise = np.empty((len(parts[0]), *shape[len(shape) - inner :]), np.float32)
    for index, own in enumerate(noise):
        digest = hashlib.blake2b(f"{seed} {call.index}".encode(), digest_size=16)
        for part in parts:
            digest.update(part[index].contiguous().numpy().tobytes())
        key = int.from_bytes(digest.digest(), "little")
        own[...] = np.random.Generator(np.random.Philox(key=key)).standard_normal(
            own.shape, np.float32
        )
    return noise.reshape(shape)


@dataclass(frozen=True)
class _Rounded:
    """Weights rounded to the integers of a format, with a scale for each filter."""

    operands: IntegerFormat

    def __call__(self, weight: Tensor, axis: int) -> Tensor:
        filters = weight.detach().movedim(axis, 0).contiguous().numpy()
        rows = filters.reshape(len(filters), -1)
        quantizer = Quantizer.of_range(
            rows.min(axis=1), rows.max(axis=1), self.operands, symmetric=True
        )
        codes = quantizer.quantize(filters, "weights").astype(np.float32)
        scale = quantizer.scale.reshape(-1, *[1] * (filters.ndim - 1))
        return torch.from_numpy(codes * scale).movedim(0, axis)


GREATEST_EXPONENT = 127
"""Of a power of two in float32."""


def _power_of_two(weight: Tensor, axis: int) -> Tensor:
    fraction, exponent = np.frexp(weight.detach().numpy())
    # The fraction lies in [0.5, 1): below 0.75 half of 2^exponent is nearer.
    exponent = np.minimum(exponent - (np.abs(fraction) < 0.75), GREATEST_EXPONENT)
    return torch.from_numpy(np.ldexp(np.sign(fraction), exponent).astype(np.float32))
