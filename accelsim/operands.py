"""Operand pairs that a unit is measured over: all of them, drawn at random, or as a layer has them.

>>> all_pairs(IntegerFormat(2, signed=False)).count
16
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import ConfigError, DataError, nearest
from accelsim.formats import FRACTION_BITS, IntegerFormat
from accelsim.kernels.network import read, run_layer
from accelsim.layer import INPUT, MacLayer, Operand, Trace
from accelsim.multipliers import IntegerMultiplier, Multiplier
from accelsim.quantization import LayerQuantization, Scheme, layer_quantization

__all__ = [
    "DISTRIBUTIONS",
    "MIN_PAIRS",
    "OperandPairs",
    "all_pairs",
    "check_sample",
    "choose_pairs",
    "given_pairs",
    "layer_pairs",
    "random_pairs",
]

MIN_PAIRS = 1000
"""Fewest pairs of a random sample: the intervals of means are normal approximations."""

MAX_EXHAUSTIVE_BITS = 12
"""Widest operands of which all pairs may be asked for: 16.8 million."""

CHUNK = 1 << 18
"""Pairs that are made and measured at a time."""

Chunk = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class OperandPairs:
    """(activation, weight) pairs, made in chunks as they are needed.

    Attributes
    ----------
    text : str
        What they are, for people: ``"all 65,536 pairs of uint8"``.
    count : int
    exhaustive : bool
        These are all the pairs there are; otherwise a sample.
    chunks : callable
        Returns an iterator over (activations, weights), 1-D arrays of the unit's operand dtype;
        the same ones at every call.
    """

    text: str
    count: int
    exhaustive: bool
    chunks: Callable[[], Iterator[Chunk]]


def _uniform(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return rng.uniform(-1.0, 1.0, count).astype(np.float32)


def _significand(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return (1 + rng.integers(0, 1 << FRACTION_BITS, count) / (1 << FRACTION_BITS)).astype(
        np.float32
    )


def _normal(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return rng.standard_normal(count, np.float32)


DISTRIBUTIONS: dict[str, tuple[str, Callable[[np.random.Generator, int], NDArray[np.float32]]]] = {
    "uniform": ("uniform in (-1, 1)", _uniform),
    "significand": ("uniform significands in [1, 2)", _significand),
    "normal": ("standard normal", _normal),
}
"""Name -> what it is, and a draw, for floating-point operands; integers are always uniform."""


def choose_pairs(
    unit: Multiplier,
    count: int = 1_000_000,
    seed: int = 0,
    distribution: str = "uniform",
    exhaustive_bits: int = 8,
) -> OperandPairs:
    """Return all pairs where the operands are integers of few bits, else a random sample.

    Parameters
    ----------
    count, seed, distribution
        Of the sample, see `random_pairs`.
    exhaustive_bits : int
        Integer operands of up to so many bits are paired exhaustively, 0 (never) to 12.

    Raises
    ------
    ConfigError
        A number is out of range, or the distribution is not one of the unit's.
    """
    check_sample(count, seed)
    if not (_is_int(exhaustive_bits) and 0 <= exhaustive_bits <= MAX_EXHAUSTIVE_BITS):
        raise ConfigError(
            f"exhaustive_bits must be an int in 0..{MAX_EXHAUSTIVE_BITS}, got {exhaustive_bits!r}"
        )
    sample = random_pairs(unit, count, seed, distribution)
    if isinstance(unit, IntegerMultiplier) and unit.operands.bits <= exhaustive_bits:
        return all_pairs(unit.operands)
    return sample


def check_sample(count: int, seed: int) -> None:
    """Raise ConfigError unless so many pairs can be drawn with that seed."""
    if not (_is_int(count) and count >= MIN_PAIRS):
        raise ConfigError(
            f"pairs must be an int >= {MIN_PAIRS}, got {count!r}; fewer say little, and their 95 % "
            "intervals would be wrong"
        )
    if not (_is_int(seed) and seed >= 0):
        raise ConfigError(f"seed must be an int >= 0, got {seed!r}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def all_pairs(operands: IntegerFormat) -> OperandPairs:
    """Return every pair of two operands of a format, activations in the outer loop."""
    values = np.sort(operands.values())
    rows = max(1, CHUNK // values.size)

    def chunks() -> Iterator[Chunk]:
        for first in range(0, values.size, rows):
            some = values[first : first + rows]
            yield np.repeat(some, values.size), np.tile(values, some.size)

    count = values.size**2
    return OperandPairs(f"all {count:,} pairs of {operands.name}", count, True, chunks)


def random_pairs(
    unit: Multiplier, count: int, seed: int = 0, distribution: str = "uniform"
) -> OperandPairs:
    """Return *count* pairs, each operand drawn independently.

    Parameters
    ----------
    unit : Multiplier
        Says what operands are: for an integer unit all values of its format are equally likely.
    distribution : str
        Key of `DISTRIBUTIONS`, for floating-point units; an integer unit has ``"uniform"`` only.

    Raises
    ------
    ConfigError
        The distribution is unknown, or not one of the unit's.
    """
    if distribution not in DISTRIBUTIONS:
        raise ConfigError(
            f"no distribution {distribution!r}; known: {', '.join(DISTRIBUTIONS)}."
            f"{nearest(distribution, DISTRIBUTIONS)}"
        )
    text, draw = DISTRIBUTIONS[distribution]
    if isinstance(unit, IntegerMultiplier):
        if distribution != "uniform":
            raise ConfigError(
                f"{unit.name}: integer operands are drawn uniformly from {unit.operands.name}, "
                f"got distribution {distribution!r}; leave it out"
            )
        draw = _integers(unit.operands)
        text = f"uniform over {unit.operands.name}"

    def chunks() -> Iterator[Chunk]:
        rng = np.random.default_rng(seed)
        for first in range(0, count, CHUNK):
            size = min(CHUNK, count - first)
            yield draw(rng, size), draw(rng, size)

    return OperandPairs(f"{count:,} pairs, {text}, seed {seed}", count, False, chunks)


def _integers(operands: IntegerFormat) -> Callable[[np.random.Generator, int], NDArray[Any]]:
    def draw(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        return rng.integers(operands.low, operands.high + 1, count)

    return draw


def given_pairs(activations: ArrayLike, weights: ArrayLike) -> OperandPairs:
    """Return the pairs of two arrays, taken as a sample of whatever they stand for.

    Parameters
    ----------
    activations, weights : array_like
        Of the unit's operand dtype, broadcast against each other.

    Raises
    ------
    DataError
        Shapes do not fit, there is no pair, or an operand is NaN or infinite.
    """
    a, w = np.asarray(activations), np.asarray(weights)
    try:
        a, w = np.broadcast_arrays(a, w)
    except ValueError:
        raise DataError(
            f"activations of shape {a.shape} do not broadcast with weights of shape {w.shape}; "
            "reshape one of them"
        ) from None
    if a.size == 0:
        raise DataError(f"operands must hold at least one pair, got shape {a.shape}")
    for role, array in (("activations", a), ("weights", w)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{role} must be finite, got NaN or infinity among them; drop these")
    a, w = a.ravel(), w.ravel()

    def chunks() -> Iterator[Chunk]:
        for first in range(0, a.size, CHUNK):
            yield a[first : first + CHUNK], w[first : first + CHUNK]

    return OperandPairs(f"{a.size:,} given pairs", a.size, False, chunks)


def layer_pairs(
    trace: Trace, unit: Multiplier, count: int, seed: int = 0, scheme: Scheme | None = None
) -> list[tuple[MacLayer, OperandPairs]]:
    """Return *count* operand pairs of every MAC layer of *trace*, as they meet in an exact run.

    Each pair is one of the layer's products, all of them equally likely, drawn with replacement:
    zeros of padding and of a ReLU before come as often as they do in the layer. The layers before
    are computed by ``exact_fp32`` and float32 sums. For a *unit* of integers the operands are those
    integers that stand for them by *scheme*, ``Scheme()`` by default.

    Raises
    ------
    DataError
        The unit takes integers and the trace is not calibrated.
    """
    found = []
    tensors = {INPUT: trace.images}
    scheme = scheme or Scheme()
    for index, layer in enumerate(trace.layers):
        tensors[layer.name] = run_layer(layer, tensors, "exact_fp32", "float32", scheme)
        if isinstance(layer, MacLayer):
            rng = np.random.default_rng([seed, index])
            quantization = layer_quantization(layer, unit, scheme)
            pairs = given_pairs(*_products(layer, quantization, tensors, count, rng))
            text = f"{count:,} products of {layer.name}, seed {seed}"
            found.append((layer, replace(pairs, text=text)))
    return found


def _products(
    layer: MacLayer,
    quantization: LayerQuantization | None,
    tensors: Mapping[str, NDArray[np.float32]],
    count: int,
    rng: np.random.Generator,
) -> Chunk:
    """Return activations and weights of *count* of the layer's products."""
    shape, second = layer.shape, layer.weight
    activations = read(tensors[layer.source], layer.ifmap)
    weights = read(tensors[second.source], second.view) if isinstance(second, Operand) else second
    fill = np.float32(0.0)
    if quantization is not None:
        activations = quantization.quantize_activations(activations)
        weights = quantization.quantize_weights(weights)
        fill = activations.dtype.type(quantization.fill)
    share = shape.c // shape.groups
    n, m, p, q, c, r, s = (
        rng.integers(0, bound, count)
        for bound in (shape.n, shape.m, shape.p, shape.q, share, shape.r, shape.s)
    )
    group, filter_ = np.divmod(m, shape.m // shape.groups)
    if isinstance(second, Operand):
        first, second = (one.reshape(-1, *one.shape[-2:]) for one in (activations, weights))
        return first[group, p, c], second[group, c, filter_]
    row = p * shape.stride[0] + r * shape.dilation[0] - shape.padding[0]
    col = q * shape.stride[1] + s * shape.dilation[1] - shape.padding[1]
    inside = (row >= 0) & (row < shape.h) & (col >= 0) & (col < shape.w)
    images = np.moveaxis(activations, -1, 1) if layer.channels_last else activations
    channel, row, col = group * share + c, np.where(inside, row, 0), np.where(inside, col, 0)
    taps = weights.reshape(shape.m, share, shape.r, shape.s)
    return np.where(inside, images[n, channel, row, col], fill), taps[m, c, r, s]
