"""Gain and noise of a unit in each layer: how much of its error is a constant factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from accelsim.nn import ApproximateModule
from accelsim.nn.sums import LayerCall
from accelsim.robustness.analyses.sums import compare_sums

__all__ = ["layer_gains"]


def layer_gains(
    net: ApproximateModule, images: NDArray[np.float32], batch_size: int = 50
) -> pd.DataFrame:
    """Return what a unit does to each layer's sums: a factor, and the noise that it leaves.

    Over all outputs of a layer, without bias, with exact sums e and the unit's sums u of the same
    operands::

        gain  = sum(u e) / sum(e^2)
        noise = rms(u - gain e) / rms(gain e)

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
        (those of the unit that are not); ``exact_rms``, ``unit_rms`` of the sums; ``bias_rms`` of
        the biases; ``gain``; ``offset``, the mean of ``u - gain e`` over ``exact_rms``; ``noise``;
        ``snr_db``, ``-20 log10(noise)``, infinite without noise. NaN where all exact sums are 0.

    Raises
    ------
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
    return table


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
        finite = np.isfinite(u)
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
                "offset": float((self.d - excess * self.e) / self.outputs / exact),
                "noise": float(noise),
                "snr_db": float(-20 * np.log10(noise)),
            }
