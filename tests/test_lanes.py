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
    single = lanes.float32_of(lanes.as_int32(word | lanes.bits_of(z)))
    sign = lanes.as_int32(lanes.as_int32(5 - lanes.as_int32(word & 7)) >> 31)
    total = lanes.as_float64(single) + lanes.as_float64(lanes.as_float32(x) * z)
    return total - lanes.as_float64(sign)


@jit
def _as_numbers(doubles, singles, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = _mixed(doubles[1, i], doubles[2, 3], singles[1, i])


@jit
def _as_lanes(doubles, singles, out):  # type: ignore[no-untyped-def]
    x, y = lanes.load(doubles, lanes.LANES), lanes.spread(doubles, 2 * lanes.LANES + 3)
    lanes.store(out, 0, _mixed(x, y, lanes.load(singles, lanes.LANES)))


@jit
def _words(singles, doubles, out):  # type: ignore[no-untyped-def]
    lanes.store_words(doubles, 5, lanes.load(singles, 1))
    lanes.store(doubles, 17, lanes.load(singles, 0))
    lanes.store(out, 0, lanes.load_words(doubles, 5) + lanes.spread_word(doubles, 18))


def test_a_function_gives_the_same_for_numbers_and_lanes():
    one, other = np.empty(lanes.LANES), np.empty(lanes.LANES)
    _as_numbers(DOUBLES, SINGLES, one)
    _as_lanes(DOUBLES, SINGLES, other)
    np.testing.assert_array_equal(one, other)
    assert len(set(one)) == lanes.LANES


def test_float32_in_the_place_of_float64():
    singles, doubles = np.arange(10, 20, dtype=np.float32), np.zeros(24)
    out = np.empty(lanes.LANES, np.float32)
    _words(singles, doubles, out)
    np.testing.assert_array_equal(out, singles[1:9] + singles[1])
    np.testing.assert_array_equal(doubles.view(np.float32)[17:25], singles[:8])
    assert sorted(doubles.view(np.float32)[5:13]) == list(singles[1:9])


def test_without_compilation_they_are_arrays():
    plain = {name: getattr(lanes, f"_plain_{name}") for name in lanes.__all__ if name != "LANES"}
    bits = plain["bits_of"](DOUBLES[0])
    assert plain["word_at"](bits, 29).tolist() == (bits >> 29).astype(np.int32).tolist()
    assert plain["float32_of"](plain["bits_of"](SINGLES[0])).tolist() == SINGLES[0].tolist()
    assert plain["load_words"](SINGLES[:, :4].copy(), 2).tolist() == [
        *SINGLES[0, 2:4], *SINGLES[1, :4], *SINGLES[2, :2]
    ]  # fmt: skip
    assert plain["spread_word"](SINGLES, 3).tolist() == [SINGLES[0, 3]] * lanes.LANES
    assert plain["as_float32"](DOUBLES[0]).dtype == np.float32
    assert plain["as_int32"](bits).tolist() == bits.astype(np.int32).tolist()
    assert plain["as_int32"](3) == 3
    out = np.zeros((2, lanes.LANES))
    plain["store"](out, lanes.LANES, plain["spread"](DOUBLES, 1))
    words = np.zeros(12)
    plain["store"](words, 3, SINGLES[1])
    assert words.view(np.float32)[3:11].tolist() == SINGLES[1].tolist()
    plain["store_words"](words, 3, SINGLES[1])
    assert plain["load_words"](words, 3).tolist() == SINGLES[1].tolist()
    assert out.tolist() == [[0.0] * lanes.LANES, [DOUBLES[0, 1]] * lanes.LANES]
