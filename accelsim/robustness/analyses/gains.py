"""Gain and noise of a unit in each layer: how much of its error is a constant factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from accelsim.nn import ApproximateModule
from accelsim.nn.sums import AdjustedModule, LayerCall
from accelsim.robustness.analyses.sums import compare_sums, exactly

__all__ = ["layer_gains"]


def layer_gains(
    net: ApproximateModule, images: NDArray[np.float32], batch_size: int = 50
) -> pd.DataFrame:
    """Return what a unit does to each layer's sums: a factor, and the noise that it leaves.

    Over all outputs of a layer, without bias, with exact sums e and the unit's sums u of the same
    operands::

        gain  = sum(u e) / sum(e^2)
        noise = rms(u - gain e) / rms(gain e)

    A shift, the same for all outputs, is no factor and so part of the noise:
    ``noise^2 = spread^2 + (offset / gain)^2``.

    Parameters
    ----------
    net : ApproximateModule
        The network on the unit.
    images : (N, ...) float32
        Training images, if the gains are to be used on test images.
    batch_size : int

    Returns
    -------
    DataFrame
        A row per call of a layer, in their order: ``call`` (from 0), ``layer``, ``operator``,
        ``multiplier``, ``images``; ``outputs`` (finite ones that were compared) and ``not_finite``
        (those where the exact sum or the unit's is not); ``exact_rms``, ``unit_rms`` of the sums;
        ``scaled_rms`` of the exact sums where each layer before multiplies its own by its gain;
        ``bias_rms`` of the biases; ``gain``; ``offset``, the mean of ``u - gain e`` over
        ``exact_rms``; ``noise``; ``spread``, that of the noise about its mean; ``snr_db``,
        ``-20 log10(noise)``, infinite without noise. NaN where all exact sums are 0.

    Raises
    ------
    ConfigError
        If *batch_size* is not an int >= 1.
    DataError
        If *images* cannot be used.
    """
    fits: dict[int, _Fit] = {}

    def see(call: LayerCall, unit: Tensor) -> None:
        fits.setdefault(call.index, _Fit.of(call)).add(call.sums, unit)

    compare_sums(net, images, see, batch_size)
    table = pd.DataFrame([fits[index].row() for index in sorted(fits)])
    table.insert(3, "multiplier", [net.multiplier_of(index) for index in sorted(fits)])
    table.insert(4, "images", len(images))
    scaled = _scaled_rms(net, table["gain"].to_numpy(), images, batch_size)
    table.insert(list(table).index("bias_rms"), "scaled_rms", scaled)
    return table


def _scaled_rms(
    net: ApproximateModule, gains: NDArray[np.float64], images: NDArray[np.float32], batch_size: int
) -> NDArray[np.float64]:
    """Return the rms of each layer's exact sums, those of the layers before it times *gains*."""
    if not np.isfinite(gains).all():
        return np.full(len(gains), np.nan)
    squares, outputs = np.zeros(len(gains)), np.zeros(len(gains))

    def scale(call: LayerCall) -> Tensor:
        squares[call.index] += float(call.sums.double().square().sum())
        outputs[call.index] += call.sums.numel()
        return call.sums * float(gains[call.index])

    scaled = AdjustedModule(exactly(net), adjust=scale, calls=len(gains))
    with torch.no_grad():
        for first in range(0, len(images), batch_size):
            scaled(torch.from_numpy(np.ascontiguousarray(images[first : first + batch_size])))
    return np.asarray(np.sqrt(squares / outputs))


@dataclass
class _Fit:
    """Sums from which the gain of a layer follows; d is the unit's sum less the exact one.

    With d instead of u nothing cancels where the unit is nearly exact.
    """

    call: int
    layer: str
    operator: str
    bias_rms: float
    outputs: int = 0
    not_finite: int = 0
    e: float = 0.0
    d: float = 0.0
    ee: float = 0.0
    ed: float = 0.0
    dd: float = 0.0

    @classmethod
    def of(cls, call: LayerCall) -> _Fit:
        bias = 0.0 if call.bias is None else float(call.bias.square().mean().sqrt())
        return cls(call.index, call.name, call.operator, bias)

    def add(self, exact: Tensor, unit: Tensor) -> None:
        e, u = exact.numpy().astype(np.float64), unit.numpy().astype(np.float64)
        finite = np.isfinite(u) & np.isfinite(e)
        self.not_finite += finite.size - int(finite.sum())
        e, u = e[finite], u[finite]
        d = u - e
        self.outputs += e.size
        self.e += float(e.sum())
        self.d += float(d.sum())
        self.ee += float(e @ e)
        self.ed += float(e @ d)
        self.dd += float(d @ d)

    def row(self) -> dict[str, Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.float64(self.ed) / self.ee
            gain = 1 + excess
            exact, left, unit = (
                np.sqrt(max(0.0, square) / np.float64(self.outputs))
                for square in (
                    self.ee,
                    self.dd - excess * self.ed,
                    self.ee + 2 * self.ed + self.dd,
                )
            )
            noise = left / (abs(gain) * exact)
            offset = (self.d - excess * self.e) / self.outputs / exact
            return {
                "call": self.call,
                "layer": self.layer,
                "operator": self.operator,
                "outputs": self.outputs,
                "not_finite": self.not_finite,
                "exact_rms": float(exact),
                "unit_rms": float(unit),
                "bias_rms": self.bias_rms,
                "gain": float(gain),
                "offset": float(offset),
                "noise": float(noise),
                "spread": float(np.sqrt(np.maximum(noise**2 - (offset / gain) ** 2, 0))),
                "snr_db": float(-20 * np.log10(noise)),
            }
