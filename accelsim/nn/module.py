"""Torch modules whose products go through a functional unit, bit for bit as the hardware's do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from accelsim.accumulators import AUTO
from accelsim.dataflows.order import AccumulationOrder
from accelsim.errors import ConfigError, nearest
from accelsim.nn.assembly import units_of
from accelsim.nn.interception import copied, run
from accelsim.nn.layer_unit import Integers
from accelsim.nn.operators import Unit, Units
from accelsim.nn.wrapper import Wrapper
from accelsim.quantization import Calibration, Scheme

__all__ = ["GRADIENTS", "ApproximateModule", "approximate"]

GRADIENTS = ("exact", "effective", "unit", "none")


def approximate(
    model: nn.Module,
    *,
    multiplier: str | Sequence[str] = "ax_fpm",
    accumulator: str = AUTO,
    gradient: str = "exact",
    calibration: NDArray[np.float32] | Tensor | Calibration | None = None,
    scheme: Scheme | None = None,
    smoothing: int = 0,
    orders: Sequence[AccumulationOrder] | None = None,
) -> ApproximateModule:
    """Return a copy of *model* whose convolutions, linear layers and matmuls run on a unit.

    Parameters
    ----------
    model : torch.nn.Module
        Any module, on the CPU in float32. It is copied and stays as it is.
    multiplier : str or sequence of str
        Key of `accelsim.multipliers.MULTIPLIERS`; operands are (activation, weight). A unit file
        is read now, and not again. Or one for each convolution, linear layer and matmul as they are
        called: `accelsim.layer_multipliers`. Units of integers and of floats may be mixed.
    accumulator : str
        Key of `accelsim.accumulators.ACCUMULATORS`: the type in which the products are summed;
        ``"auto"``: the usual one of the multiplier, ``"float32"`` for floating-point units.
    gradient : str
        ``"exact"``: the backward pass is the exact layer's, as if the unit were exact
        (straight-through), with respect to inputs, weights and biases, and to both operands of a
        matmul. ``"effective"``: it is the exact layer's with the weights that the unit effectively
        applies, the slopes of its products by activation: see Notes. ``"unit"``: it goes through
        differences of the unit's product table, straight-through for the rounding and 0 where an
        operand was clipped; for units of integers of up to 8 bits. ``"none"``: outputs carry no
        gradient.
    calibration : images or Calibration, optional
        For units of integers, which cannot do without: images (N, C, H, W) on which the ranges of
        the activations are found, or what `accelsim.nn.calibrate` found before. Gradient
        ``"effective"`` takes its samples of activations from it. Others ignore it.
    scheme : Scheme, optional
        How units of integers quantize; ``Scheme()`` by default.
    smoothing : int
        With gradient ``"unit"``: neighbors on each side over which the table is averaged first.
    orders : sequence of AccumulationOrder, optional
        How a dataflow adds that does not add products as they come, one order for each convolution
        and linear layer as they are called: `accelsim.accumulation_orders`. Forward only.

    Returns
    -------
    ApproximateModule
        Call it as the original. Its outputs do not depend on how the images are batched.

    Raises
    ------
    UnknownNameError
        If no multiplier or accumulator has that name.
    ConfigError
        If *gradient* is unknown or a unit has no table for it, a unit of integers is not
        calibrated, or a module of *model* cannot be converted; it is named.
    DataError
        If *calibration* cannot be used, or a parameter holds NaN or infinity.

    Notes
    -----
    The forward pass raises `DataError` for operands that are not float32 on the CPU and for units
    or *orders* of another network, and `TraceError` for products other than convolutions in one or
    two dimensions, transposed ones too, linear, matmul and attention (conv3d, recurrent layers).
    Products that a module computes outside torch, or elementwise with ``*``, cannot be seen; those
    are the vector unit's, and exact.

    Attention is taken apart into two matmuls and a softmax. Softmax, norms and activation functions
    are computed as the vector unit does: in float64, rounded once; means and interpolations in
    float32, in its order. Their gradients are torch's.

    Of a matmul (``@``, bmm, mm) the first operand is the unit's activation, the second its weight.
    A second operand that is a matrix among the network's parameters makes it a linear layer.

    A transposed convolution is the convolution, with its kernel turned, of images with zeros
    between their pixels, and has products with these zeros: what they come to is up to the unit.

    Weights are quantized anew at every call, by their own ranges; those of the activations stay.

    With gradient ``"effective"`` weight w of a layer counts as ``sum(m(a, w) a) / sum(a a)`` over a
    sample of 256 activations a, m being the unit's (dequantized) product: what calibration drew of
    the layer's own activations, else numbers evenly over its calibrated range, else, for units of
    floats, quantiles of a standard normal. The slopes are computed at the first backward pass and
    again when weights change. Biases stay. Rounding passes straight through, and an activation that
    a unit of integers clips has gradient 0. Gradients of weights are the exact layer's. Of a matmul
    the gradient of either operand goes through what the unit effectively applies of the other,
    computed at every pass. `accelsim.nn.slope_ratio` measures how true a gradient is.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> approximate(layer, multiplier="exact_fp32")(torch.ones(1, 2)).item()
    1.0
    """
    if gradient not in GRADIENTS:
        raise ConfigError(
            f"gradient must be one of {', '.join(GRADIENTS)}, got {gradient!r}."
            f"{nearest(gradient, GRADIENTS)}"
        )
    network = copied(model)
    units = units_of(model, multiplier, accumulator, gradient, calibration, scheme, smoothing)
    orders = None if orders is None else tuple(orders)
    return ApproximateModule(network, multiplier, units, accumulator, gradient, orders)


class ApproximateModule(Wrapper):
    """A network on a functional unit, made by `approximate`.

    ``state_dict()`` has the names of the original network and loads its weights, so the two are
    exchangeable for whoever saves, loads or attacks them. Only a call of the whole module goes
    through the unit; parts of it are reached by approximating the part.

    Copies, pickles and `torch.save` of the whole module carry an imported unit with all its
    products, so that they compute the same bits when its file has changed or is gone; other units
    they name.

    Attributes
    ----------
    network : torch.nn.Module
        The copied network. Called by itself it is exact.
    multiplier : str or sequence of str
        As given to `approximate`.
    units : LayerUnit or tuple of LayerUnit
        The unit itself, as *multiplier* was when `approximate` was called, or one for each layer.
    accumulator, gradient : str
        As given to `approximate`.
    orders : tuple of AccumulationOrder or None
        Of the layers' additions; None: k ascending.
    """

    def __init__(
        self,
        network: nn.Module,
        multiplier: str | Sequence[str],
        units: Units,
        accumulator: str,
        gradient: str,
        orders: tuple[AccumulationOrder, ...] | None = None,
    ) -> None:
        super().__init__(network)
        self.multiplier = multiplier
        self.units = units
        self.accumulator = accumulator
        self.gradient = gradient
        self.orders = orders

    def multiplier_of(self, call: int) -> str:
        """Return the multiplier of the layer that is called as number *call*, from 0."""
        return self.multiplier if isinstance(self.multiplier, str) else self.multiplier[call]

    @property
    def integers(self) -> Integers | None:
        """Calibration and scheme of a unit of integers; None where there is none."""
        several = self.units if isinstance(self.units, tuple) else (self.units,)
        return next((one.integers for one in several if one.integers is not None), None)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the network's outputs, every product made by the unit."""
        unit = Unit(self.network, self.units, orders=self.orders)
        gradient = torch.is_grad_enabled() and self.gradient != "none"
        with torch.set_grad_enabled(gradient):
            outputs = run(unit, self.network, *args, **kwargs)
        unit.finish()
        return outputs

    def extra_repr(self) -> str:
        """Return the unit's settings for the module's ``repr``."""
        scheme = "" if self.integers is None else f", scheme={self.integers.scheme}"
        return (
            f"multiplier={self.multiplier!r}, accumulator={self.accumulator!r}, "
            f"gradient={self.gradient!r}{scheme}"
        )
