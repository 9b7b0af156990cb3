"""`accelsim.lanes`: one function, for numbers and for vectors of them, gives one result."""

from __future__ import annotations

import numpy as np

from accelsim import lanes
from accelsim.compilation import jit

RNG = np.random.default_rng(0)
DOUBLES = RNG.standard_normal((3, lanes.LANES)) * 1e3
SINGLES = RNG.standard_normal((3, lanes.LANES)).astype(np.float32)


@jit
def _mixed(x, y, z):  # type: ignore[no-untyped-def]
    """Use every operator and conversion."""
    word = lanes.word_at(lanes.bits_of(x * y + 3.0), 29) & 0x7FFFFF
    single = lanes.float32_of(word | lanes.bits_of(z))
    return lanes.as_float64(single) + lanes.as_float64(lanes.as_float32(x) * z)


@jit
def _as_numbers(doubles, singles, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = _mixed(doubles[1, i], doubles[2, 3], singles[1, i])


@jit
def _as_lanes(doubles, singles, out):  # type: ignore[no-untyped-def]
    x, y = lanes.load(doubles, lanes.LANES), lanes.spread(doubles, 2 * lanes.LANES + 3)
    lanes.store(out, 0, _mixed(x, y, lanes.load(singles, lanes.LANES)))


@jit
def _words(doubles, out):  # type: ignore[no-untyped-def]
    lanes.store(out, 0, lanes.load_word(doubles, 5) + lanes.spread_word(doubles, 17))


def test_a_function_gives_the_same_for_numbers_and_lanes():
    one, other = np.empty(lanes.LANES), np.empty(lanes.LANES)
    _as_numbers(DOUBLES, SINGLES, one)
    _as_lanes(DOUBLES, SINGLES, other)
    np.testing.assert_array_equal(one, other)
    assert len(set(one)) == lanes.LANES


def test_float32_in_the_place_of_float64():
    singles = np.arange(48, dtype=np.float32)
    out = np.empty(lanes.LANES, np.float32)
    _words(singles.view(np.float64), out)
    np.testing.assert_array_equal(out, np.arange(5, 13, dtype=np.float32) + 17)


def test_without_compilation_they_are_arrays():
    plain = {name: getattr(lanes, f"_plain_{name}") for name in lanes.__all__ if name != "LANES"}
    bits = plain["bits_of"](DOUBLES[0])
    assert plain["word_at"](bits, 29).tolist() == (bits >> 29).astype(np.int32).tolist()
    assert plain["float32_of"](plain["bits_of"](SINGLES[0])).tolist() == SINGLES[0].tolist()
    assert plain["load_word"](SINGLES[:, :4].copy(), 2).tolist() == [
        *SINGLES[0, 2:4], *SINGLES[1, :4], *SINGLES[2, :2]
    ]  # fmt: skip
    assert plain["spread_word"](SINGLES, 3).tolist() == [SINGLES[0, 3]] * lanes.LANES
    assert plain["as_float32"](DOUBLES[0]).dtype == np.float32
    out = np.zeros((2, lanes.LANES))
    plain["store"](out, lanes.LANES, plain["spread"](DOUBLES, 1))
    assert out.tolist() == [[0.0] * lanes.LANES, [DOUBLES[0, 1]] * lanes.LANES]
