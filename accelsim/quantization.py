"""Quantization: float32 operands as the integers of a unit, and its psums as float32 again.

An integer q stands for ``scale * (q - zero_point)``. A layer whose products go through a unit of
integers computes::

    q     = clip(rne(x * fl32(1 / scale)) + zero_point)        of activations and weights
    psum  = sum(unit(qa, qw))                                    over k, by the accumulator
    total = psum - zw * sum(qa) - za * sum(qw) + K * za * zw     za, zw: the zero points
    y     = fl32(fl32(fl32(total) * fl32(scale_a * scale_w)) + bias)

With an exact unit *total* is ``sum((qa - za) * (qw - zw))``. Only the first sum is made of the
unit's products; the three corrections are sums, which adders make exactly. A padding zero is the
integer za like any other zero, and its product goes through the unit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import ConfigError, DataError, nearest
from accelsim.formats import IntegerFormat
from accelsim.layer import Operand
from accelsim.multipliers import IntegerMultiplier, Multiplier
from accelsim.quantizer import Quantizer

if TYPE_CHECKING:
    from accelsim.config import Accelerator
    from accelsim.layer import MacLayer

__all__ = [
    "KINDS",
    "Calibration",
    "LayerQuantization",
    "Scheme",
    "layer_quantization",
    "quantize_layer",
    "quantize_matmul",
    "scheme_of",
]

KINDS = ("auto", "affine", "symmetric")


@dataclass(frozen=True)
class Scheme:
    """How real numbers are spread over the integers of a unit.

    Attributes
    ----------
    activations, weights : str
        ``"affine"``: the range, zero included, over all integers of the format, so that in general
        the zero point is not 0. ``"symmetric"``: the largest magnitude over the integers on both
        sides of a fixed zero point, 0 of a signed and 2^(bits - 1) of an unsigned format; of those
        the least one stays unused. ``"auto"``: symmetric for signed formats, affine for unsigned
        ones.
    per_channel : bool
        Weights have a scale and a zero point per filter, not one for the whole layer. Activations
        always have one, and so has the second operand of a matmul, which is quantized like weights
        otherwise.

    Raises
    ------
    ConfigError
        For a kind that does not exist.
    """

    activations: str = "auto"
    weights: str = "auto"
    per_channel: bool = True

    def __post_init__(self) -> None:
        for field in ("activations", "weights"):
            kind = getattr(self, field)
            if kind not in KINDS:
                raise ConfigError(
                    f"Scheme.{field} must be one of {', '.join(KINDS)}, got {kind!r}."
                    f"{nearest(str(kind), KINDS)}"
                )
        if not isinstance(self.per_channel, bool):
            raise ConfigError(f"Scheme.per_channel must be True or False, got {self.per_channel!r}")

    def symmetric(self, role: str, operands: IntegerFormat) -> bool:
        """Return whether *role* (``activations`` or ``weights``) is symmetric in that format.

        >>> Scheme().symmetric("weights", IntegerFormat(8, signed=False))
        False
        """
        kind = getattr(self, role)
        return operands.signed if kind == "auto" else bool(kind == "symmetric")

    def offset(self, role: str, operands: IntegerFormat) -> bool:
        """Return whether *role* may have a zero point other than 0, so that sums need correcting.

        >>> Scheme(weights="symmetric").offset("weights", IntegerFormat(8, signed=True))
        False
        """
        return not (operands.signed and self.symmetric(role, operands))


def scheme_of(accelerator: Accelerator) -> Scheme:
    """Return the scheme that the section ``quantization`` of *accelerator* describes."""
    return Scheme(**accelerator.quantization.model_dump())


@dataclass(frozen=True)
class Calibration:
    """Ranges of the activations that a network's convolutions, linear layers and matmuls read.

    Attributes
    ----------
    ranges : tuple of (float, float)
        Least and greatest activation, in the order in which the layers are called; for a matmul two
        ranges, of its first and of its second operand. Both bounds are taken as float32.
    source : str
        Where they come from.
    samples : tuple of tuples of float, optional
        Some of the activations behind each range, none of them 0: what slopes of approximate
        products are taken over, see `accelsim.nn.approximate`.

    Raises
    ------
    DataError
        For a range that is not two finite numbers in ascending order, or samples that are not one
        for each range and finite.
    """

    ranges: tuple[tuple[float, float], ...]
    source: str = "given"
    samples: tuple[tuple[float, ...], ...] = dataclasses.field(default=(), repr=False)

    def __post_init__(self) -> None:
        checked = tuple(
            _range(one, f"calibration: range {index}") for index, one in enumerate(self.ranges)
        )
        object.__setattr__(self, "ranges", checked)
        if self.samples and len(self.samples) != len(checked):
            raise DataError(
                f"calibration: samples must be one for each of the {len(checked)} ranges, or none "
                f"at all, got {len(self.samples)}"
            )
        for index, sample in enumerate(self.samples):
            if not np.isfinite(np.asarray(sample, np.float32)).all():
                raise DataError(f"calibration: sample {index} must hold finite numbers only")


@dataclass(frozen=True, eq=False)
class LayerQuantization:
    """Quantizers of a layer's activations and weights.

    Attributes
    ----------
    activations : Quantizer
        One scale.
    weights : Quantizer
        One scale, or one per filter.
    owner : str
        The layer, for messages, where those who catch them do not know it.
    """

    activations: Quantizer
    weights: Quantizer
    owner: str = ""

    def filters(self, own: slice) -> LayerQuantization:
        """Return the quantization of the filters *own*."""
        return replace(self, weights=self.weights.rows(own))

    def quantize_activations(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Return the integers that stand for activations, as `Quantizer.quantize`."""
        return self.activations.quantize(values, f"{self.owner}activations")

    def quantize_weights(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Return the integers that stand for the weights of its filters."""
        return self.weights.quantize(values, f"{self.owner}weights")

    @property
    def fill(self) -> int:
        """The integer that stands for the zeros of padding."""
        return int(self.activations.zero_point)

    @property
    def needs_activation_sums(self) -> bool:
        """Whether a zero point of the weights is not 0."""
        return bool(self.weights.zero_point.any())

    def dequantize(
        self,
        psums: NDArray[np.integer],
        activation_sums: NDArray[np.int64] | int,
        weight_sums: NDArray[np.int64],
        k: int,
        bias: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        """Return the outputs that *psums* stand for, float32 (n, m); the formula is at the top.

        Parameters
        ----------
        psums : ndarray of integers, (n, m)
            Sums of the unit's products.
        activation_sums : ndarray of int64, (m,) or (n, m), or 0
            Sums of the quantized activations of each output; any unless `needs_activation_sums`.
        weight_sums : ndarray of int64, (n,)
            Sums of the quantized weights of each filter.
        k : int
            Products in a sum.
        bias : ndarray of float32, (n,), or None
        """
        za = int(self.activations.zero_point)
        zw = np.broadcast_to(self.weights.zero_point, weight_sums.shape)[:, None]
        constant = k * za * zw - za * weight_sums[:, None]
        total = psums.astype(np.int64) + constant
        if self.needs_activation_sums:
            total -= zw * activation_sums
        # Too large for float32 is infinity, and infinity times zero NaN: results, not events.
        with np.errstate(over="ignore", invalid="ignore"):
            scale = np.atleast_1d(self.activations.scale * self.weights.scale)[:, None]
            outputs = total.astype(np.float32) * scale
            return outputs if bias is None else outputs + bias[:, None]


def quantize_layer(
    activation_range: tuple[float, float],
    weights: NDArray[np.float32],
    operands: IntegerFormat,
    scheme: Scheme,
    owner: str,
) -> LayerQuantization:
    """Return the quantization of a layer for a unit of *operands*.

    Parameters
    ----------
    activation_range : (float, float)
        Least and greatest activation.
    weights : ndarray of float32, (M, ...)
        Their ranges are their own.
    operands : IntegerFormat
    scheme : Scheme
    owner : str
        Name of the layer, for messages.

    Raises
    ------
    DataError
        For a range that is none, or weights that are not finite.

    Examples
    --------
    >>> weights = np.array([[-0.5, 0.25]], np.float32)
    >>> layer = quantize_layer((0, 1), weights, IntegerFormat(8, signed=True), Scheme(), "fc")
    >>> layer.weights.quantize(weights, "weights").tolist()
    [[-127, 64]]
    """
    activations = _of_activations(activation_range, "activations", operands, scheme, owner)
    table = weights.reshape(len(weights), -1) if scheme.per_channel else weights.reshape(1, -1)
    least, greatest = table.min(axis=1, initial=0), table.max(axis=1, initial=0)
    if not (np.isfinite(least).all() and np.isfinite(greatest).all()):
        raise DataError(f"{owner}: weights hold NaN or infinity, which cannot be quantized")
    if not scheme.per_channel:
        least, greatest = least[0], greatest[0]
    return LayerQuantization(
        activations,
        Quantizer.of_range(
            least, greatest, operands, symmetric=scheme.symmetric("weights", operands)
        ),
    )


def quantize_matmul(
    ranges: tuple[tuple[float, float], tuple[float, float]],
    operands: IntegerFormat,
    scheme: Scheme,
    owner: str,
) -> LayerQuantization:
    """Return the quantization of a product of two activations for a unit of *operands*.

    Parameters
    ----------
    ranges : pair of (float, float)
        Least and greatest element of the first operand, and of the second one.
    operands : IntegerFormat
    scheme : Scheme
        That of the activations holds for the first operand, that of the weights for the second.
    owner : str
        Name of the layer, for messages.

    Raises
    ------
    DataError
        For a range that is none.

    Examples
    --------
    >>> ranges, operands = ((0, 1), (-2, 2)), IntegerFormat(8, signed=True)
    >>> layer = quantize_matmul(ranges, operands, Scheme(), "scores")
    >>> layer.quantize_weights(np.float32([[-2, 1]])).tolist()
    [[-127, 64]]
    """
    return LayerQuantization(
        _of_activations(ranges[0], "activations", operands, scheme, owner),
        _of_activations(ranges[1], "weights", operands, scheme, owner),
    )


def _of_activations(
    values: tuple[float, float], role: str, operands: IntegerFormat, scheme: Scheme, owner: str
) -> Quantizer:
    """Return the quantizer of activations of a calibrated range, which have one scale."""
    what = "activation_range" if role == "activations" else "weight_range"
    low, high = _range(values, f"{owner}: {what}")
    symmetric = scheme.symmetric(role, operands)
    return Quantizer.of_range(np.float32(low), np.float32(high), operands, symmetric=symmetric)


def layer_quantization(
    layer: MacLayer, unit: Multiplier, scheme: Scheme
) -> LayerQuantization | None:
    """Return the quantization of a traced layer, None for a floating-point *unit*.

    Raises
    ------
    DataError
        The unit takes integers, and the layer has no range of its activations.
    """
    if not isinstance(unit, IntegerMultiplier):
        return None
    ranges = layer.ranges
    if len(ranges) < len(layer.sources):
        raise DataError(
            f"layer {layer.name!r}: multiplier {unit.name!r} takes {unit.operands.name}, so the "
            "range of the activations must be known, and the trace has none; calibrate it: "
            "accelsim.trace(model, images, calibration=other_images)"
        )
    owner = f"layer {layer.name!r}"
    if isinstance(layer.weight, Operand):
        found = quantize_matmul((ranges[0], ranges[1]), unit.operands, scheme, owner)
    else:
        found = quantize_layer(ranges[0], layer.weight, unit.operands, scheme, owner)
    return replace(found, owner=f"{owner}: ")


def _range(value: Iterable[float], owner: str) -> tuple[float, float]:
    """Return *value* as a range of two float32 numbers, else raise."""
    try:
        with np.errstate(over="ignore"):
            low, high = (float(np.float32(bound)) for bound in value)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise DataError(
            f"{owner} must be (least, greatest), two finite numbers in ascending order, got "
            f"{value!r}"
        )
    return low, high
