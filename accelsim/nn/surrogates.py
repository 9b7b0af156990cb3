"""Surrogate: what an attacker builds who knows the circuit but has no simulator of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from accelsim.accumulators import AUTO
from accelsim.nn.arithmetic import ExactOnEffective
from accelsim.nn.assembly import units_of
from accelsim.nn.interception import copied, run
from accelsim.nn.operators import Unit, Units
from accelsim.nn.wrapper import Wrapper
from accelsim.quantization import Calibration, Scheme

__all__ = ["SurrogateModule", "surrogate"]


def surrogate(
    model: nn.Module,
    multiplier: str | Sequence[str],
    calibration: NDArray[np.float32] | Tensor | Calibration | None = None,
    scheme: Scheme | None = None,
) -> SurrogateModule:
    """Return a copy of *model* whose exact layers have the weights that a unit effectively applies.

    Its products and sums are torch's own: it costs what the exact model costs, and its logits are
    near those of `accelsim.nn.approximate`, whose gradient ``"effective"`` is its gradient. The
    effective weights are those of that gradient; of a product of two activations the second operand
    is replaced by what the unit effectively applies of it. Biases stay. For a unit of
    integers activations are clipped to their calibrated range, but not rounded; what rounds weights
    is in the effective ones.

    Parameters
    ----------
    model : torch.nn.Module
        Any module, on the CPU in float32. It is copied and stays as it is.
    multiplier : str or sequence of str
        As of `accelsim.nn.approximate`.
    calibration : images or Calibration, optional
        Activations over which the slopes are taken, as for `accelsim.nn.approximate`; units of
        integers cannot do without.
    scheme : Scheme, optional
        How units of integers quantize; ``Scheme()`` by default.

    Returns
    -------
    SurrogateModule
        Differentiable once: the gradient of a weight goes straight through its effective value.

    Raises
    ------
    UnknownNameError, ConfigError, DataError
        As `accelsim.nn.approximate`.

    Notes
    -----
    The forward pass raises what that of `accelsim.nn.approximate` raises. Effective weights are
    computed once, and again when weights change.

    >>> import torch
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 1.5)
    >>> round(surrogate(layer, "mitchell_fp32")(torch.ones(1, 1)).item(), 3)
    1.414
    """
    network = copied(model)
    units = units_of(model, multiplier, AUTO, "effective", calibration, scheme)
    return SurrogateModule(network, multiplier, units)


class SurrogateModule(Wrapper):
    """A network with effective weights, made by `surrogate`.

    As with `accelsim.nn.ApproximateModule`, ``state_dict()`` is the original network's, and copies
    and pickles compute the same.

    Attributes
    ----------
    network : torch.nn.Module
        The copied network. Called by itself it has the weights as they are.
    multiplier : str or sequence of str
        As given to `surrogate`.
    units : LayerUnit or tuple of LayerUnit
        The unit itself and what it effectively applies, or one for each layer.
    """

    def __init__(self, network: nn.Module, multiplier: str | Sequence[str], units: Units) -> None:
        super().__init__(network)
        self.multiplier = multiplier
        self.units = units

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the network's outputs with effective weights."""
        unit = Unit(self.network, self.units, arithmetic=ExactOnEffective())
        outputs = run(unit, self.network, *args, **kwargs)
        unit.finish()
        return outputs

    def extra_repr(self) -> str:
        """Return the unit for the module's ``repr``."""
        return f"multiplier={self.multiplier!r}"
