"""Operand pairs: which they are, and that a layer's are the layer's."""

from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.formats import IntegerFormat
from accelsim.layer import INPUT, LayerShape, MacLayer, Operand, Trace, View
from accelsim.multipliers import MULTIPLIERS
from accelsim.operands import (
    DISTRIBUTIONS,
    all_pairs,
    choose_pairs,
    given_pairs,
    layer_pairs,
    random_pairs,
)

FLOAT, INTEGER, WIDE = (MULTIPLIERS[name] for name in ("exact_fp32", "exact_int8", "exact_uint16"))


def joined(pairs):
    chunks = list(pairs.chunks())
    return tuple(np.concatenate([chunk[side] for chunk in chunks]) for side in (0, 1))


@pytest.mark.parametrize("operands", [IntegerFormat(3, True), IntegerFormat(10, False)])
def test_all_pairs_are_all_of_them_once(operands):
    pairs = all_pairs(operands)
    a, w = joined(pairs)
    assert len(a) == pairs.count == 4**operands.bits
    assert len(np.unique(a * 4096 + w)) == pairs.count
    assert (a.min(), a.max()) == (w.min(), w.max()) == (operands.low, operands.high)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_random_floats_are_of_their_distribution(name):
    a, w = joined(random_pairs(FLOAT, 300_000, 5, name))
    assert a.dtype == w.dtype == np.float32
    mean, deviation = {
        "uniform": (0, 1 / np.sqrt(3)),
        "significand": (1.5, 1 / np.sqrt(12)),
        "normal": (0, 1),
    }[name]
    for side in (a, w):
        assert side.mean() == pytest.approx(mean, abs=5 * deviation / np.sqrt(side.size))
        assert side.std() == pytest.approx(deviation, rel=0.01)
    assert abs(np.corrcoef(a, w)[0, 1]) < 0.01
    # All bits of the significand are drawn.
    assert np.mean(a.view(np.uint32) & 1) == pytest.approx(0.5, abs=0.01)


def test_a_seed_gives_the_same_pairs_each_time_and_another_others():
    pairs = random_pairs(WIDE, 2000, 1)
    first, again = joined(pairs), joined(pairs)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, joined(random_pairs(WIDE, 2000, 2)))
    assert first[0].max() > 60_000


def test_random_integers_are_all_of_their_format():
    for side in joined(random_pairs(INTEGER, 20_000)):
        assert np.unique(side).tolist() == list(range(-128, 128))


def test_few_bits_are_paired_exhaustively():
    assert choose_pairs(INTEGER).exhaustive
    assert not choose_pairs(INTEGER, exhaustive_bits=7).exhaustive
    assert not choose_pairs(WIDE).exhaustive
    assert not choose_pairs(FLOAT).exhaustive
    assert choose_pairs(MULTIPLIERS["exact_uint12"], exhaustive_bits=12).count == 1 << 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 999}, "pairs must be an int >= 1000, got 999"),
        ({"count": 1e6}, "pairs must be an int"),
        ({"count": True}, "pairs must be an int"),
        ({"seed": -1}, "seed must be an int >= 0"),
        ({"exhaustive_bits": 13}, r"exhaustive_bits must be an int in 0\.\.12, got 13"),
        ({"distribution": "gauss"}, "no distribution 'gauss'; known: uniform"),
    ],
)
def test_rejects_samples_that_cannot_be_drawn(arguments, message):
    with pytest.raises(ConfigError, match=message):
        choose_pairs(FLOAT, **arguments)


def test_rejects_float_distributions_for_integers():
    with pytest.raises(ConfigError, match="exact_uint16: integer operands are drawn uniformly"):
        choose_pairs(WIDE, distribution="normal")


def test_given_pairs_broadcast():
    a, w = joined(given_pairs([[1], [2]], [3, 4, 5]))
    assert a.tolist() == [1, 1, 1, 2, 2, 2]
    assert w.tolist() == [3, 4, 5, 3, 4, 5]


def test_rejects_given_pairs_that_are_none():
    with pytest.raises(DataError, match=r"shape \(2,\) do not broadcast with weights of shape"):
        given_pairs([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="at least one pair"):
        given_pairs([], [])
    with pytest.raises(DataError, match="weights must be finite"):
        given_pairs([1.0], [np.nan])


def brute_force(layer, images):
    """Every product of a convolution, by the loop nest that defines it."""
    shape, found = layer.shape, collections.Counter()
    per_group, filters = shape.c // shape.groups, shape.m // shape.groups
    loops = (shape.n, shape.m, shape.p, shape.q, per_group, shape.r, shape.s)
    for n, m, p, q, c, r, s in itertools.product(*map(range, loops)):
        y = p * shape.stride[0] + r * shape.dilation[0] - shape.padding[0]
        x = q * shape.stride[1] + s * shape.dilation[1] - shape.padding[1]
        inside = 0 <= y < shape.h and 0 <= x < shape.w
        activation = images[n, m // filters * per_group + c, y, x] if inside else 0.0
        found[float(activation), float(layer.weight[m, c, r, s])] += 1
    return found


def test_layer_pairs_are_the_layers_products_as_often_as_they_come():
    """Groups, stride, dilation and lopsided padding; every operand is another number."""
    shape = LayerShape(
        n=2, m=4, c=4, h=5, w=4, r=2, s=3, stride=(2, 1), padding=(1, 2), dilation=(2, 2), groups=2
    )
    images = np.arange(1, 161, dtype=np.float32).reshape(2, 4, 5, 4)
    weight = np.arange(1000, 1048, dtype=np.float32).reshape(4, 2, 2, 3)
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight, None)
    expected = brute_force(layer, images)
    assert sum(expected.values()) == shape.macs
    ((found, pairs),) = layer_pairs(Trace("t", (layer,), images, "conv"), FLOAT, 200_000, 1)
    assert found is layer
    counts = collections.Counter(zip(*(side.tolist() for side in joined(pairs)), strict=True))
    assert counts.keys() == expected.keys()
    # Pearson's chi-square of the frequencies: mean = degrees of freedom, variance twice that.
    cells = len(expected)
    chi = sum(
        (counts[pair] - share) ** 2 / share
        for pair, share in ((k, v * 200_000 / shape.macs) for k, v in expected.items())
    )
    assert abs(chi - cells) < 5 * np.sqrt(2 * cells)


def test_layer_pairs_come_from_the_exact_run(small_trace):
    """Their mean product is that of the layer: of its exact outputs without the bias."""
    from accelsim.kernels import conv2d

    found = {layer.name: joined(pairs) for layer, pairs in layer_pairs(small_trace, FLOAT, 200_000)}
    assert list(found) == [layer.name for layer in small_trace.layers if hasattr(layer, "weight")]
    first = small_trace.layers[0]
    outputs = conv2d(
        "exact_fp32", "float32", small_trace.images, first.weight, padding=first.shape.padding
    )
    mean = outputs.astype(float).sum() / first.shape.macs
    a, w = (side.astype(float) for side in found[first.name])
    assert (a * w).mean() == pytest.approx(mean, abs=4 * (a * w).std() / np.sqrt(a.size))
    # Behind a ReLU nothing is negative, and zeros are many.
    a, _ = found["linear2"]
    assert a.min() == 0
    assert 0.3 < (a == 0).mean() < 0.95


def test_layer_pairs_of_integers_stand_for_the_same_operands():
    """One 2 x 2 filter over one padded image; scales 1 and 0.5, by ranges of 127 and 63.5."""
    shape = LayerShape(n=1, m=1, c=1, h=2, w=2, r=2, s=2, padding=(1, 1))
    images = np.array([[[[127, -3], [2.4, 0]]]], np.float32)
    weight = np.array([[[[63.5, -1], [0.5, 0]]]], np.float32)
    layer = MacLayer("conv", "conv2d", INPUT, shape, weight, None, (-100.0, 127.0))
    trace = Trace("t", (layer,), images, "conv")
    ((_, pairs),) = layer_pairs(trace, INTEGER, 20_000)
    a, w = joined(pairs)
    assert set(a.tolist()) == {127, -3, 2, 0}
    assert set(w.tolist()) == {127, -2, 1, 0}
    # 36 products, 16 with a pixel; an affine format's zero is no zero.
    assert np.mean(a == 127) == pytest.approx(4 / 36, abs=0.01)
    ((_, pairs),) = layer_pairs(trace, MULTIPLIERS["exact_uint8"], 20_000)
    a, _ = joined(pairs)
    zero = round(100 / (227 / 255))
    assert np.mean(a == zero) == pytest.approx((20 + 4) / 36, abs=0.02)


def seen(trace, unit):
    """Return the set of pairs of the last layer's sample."""
    *_, (_, pairs) = layer_pairs(trace, unit, 50_000)
    return set(zip(*(side.tolist() for side in joined(pairs)), strict=True))


def test_layer_pairs_of_a_matmul_meet_in_k():
    """Two images of two heads, the second operand transposed; every word is another number."""
    values = np.arange(1, 97, dtype=np.float32).reshape(2, 48, 1, 1)
    first, second = View((2, 2, 3, 4), (48, 12, 4, 1)), View((2, 2, 4, 3), (48, 12, 1, 4), 24)
    shape = LayerShape.of_matmul(4, 3, 3, 4)
    layer = MacLayer(
        "mul", "matmul", INPUT, shape, Operand(INPUT, second), None, (-96, 96), (-96, 96), first
    )
    words = values.reshape(2, 2, 2, 3, 4)
    a, b = words[:, 0], words[:, 1]
    expected = {
        (float(a[g][i, k]), float(b[g][j, k]))
        for g in np.ndindex(2, 2)
        for i, j, k in np.ndindex(3, 3, 4)
    }
    trace = Trace("t", (layer,), values, "mul")
    assert seen(trace, FLOAT) == expected
    # 96 is 127: of symmetric integers every second number is one off.
    codes = {tuple(round(one * 127 / 96) for one in pair) for pair in expected}
    assert seen(trace, INTEGER) == codes


def test_layer_pairs_of_a_linear_layer_on_a_sequence():
    values = np.arange(1, 25, dtype=np.float32).reshape(2, 12, 1, 1)
    rows = View((2, 4, 1, 3), (12, 1, 1, 4))
    weight = np.arange(100, 106, dtype=np.float32).reshape(2, 3, 1, 1)
    layer = MacLayer("fc", "linear", INPUT, LayerShape(2, 2, 3, 4), weight, None, view=rows)
    tokens = values.reshape(2, 3, 4)
    expected = {
        (float(tokens[n, c, t]), float(weight[m, c, 0, 0])) for n, c, t, m in np.ndindex(2, 3, 4, 2)
    }
    assert seen(Trace("t", (layer,), values, "fc"), FLOAT) == expected
