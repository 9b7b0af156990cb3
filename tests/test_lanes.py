"""`accelsim.lanes`: one function, for numbers and for vectors of them, gives one result."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from accelsim import lanes
from accelsim.compilation import jit

LANES = lanes.LANES
RNG = np.random.default_rng(0)
DOUBLES = RNG.standard_normal((3, LANES)) * 1e3
SINGLES = RNG.standard_normal((3, LANES)).astype(np.float32)


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
    x, y = lanes.load(doubles, LANES), lanes.spread(doubles, 2 * LANES + 3)
    lanes.store(out, 0, _mixed(x, y, lanes.load(singles, LANES)))


@jit
def _words(singles, doubles, out):  # type: ignore[no-untyped-def]
    lanes.store_words(doubles, 5, lanes.load(singles, 1))
    lanes.store(doubles, 5 + LANES, lanes.load(singles, 0))
    lanes.store(out, 0, lanes.load_words(doubles, 5) + lanes.spread_word(doubles, 6 + LANES))


def test_a_function_gives_the_same_for_numbers_and_lanes():
    one, other = np.empty(LANES), np.empty(LANES)
    _as_numbers(DOUBLES, SINGLES, one)
    _as_lanes(DOUBLES, SINGLES, other)
    np.testing.assert_array_equal(one, other)
    assert len(set(one)) == LANES


def test_float32_in_the_place_of_float64():
    singles, doubles = np.arange(10, 12 + LANES, dtype=np.float32), np.zeros(3 + LANES)
    out = np.empty(LANES, np.float32)
    _words(singles, doubles, out)
    np.testing.assert_array_equal(out, singles[1 : 1 + LANES] + singles[1])
    words = doubles.view(np.float32)
    np.testing.assert_array_equal(words[5 + LANES : 5 + 2 * LANES], singles[:LANES])
    assert sorted(words[5 : 5 + LANES]) == list(singles[1 : 1 + LANES])


def test_without_compilation_they_are_arrays():
    plain = {name: getattr(lanes, f"_plain_{name}") for name in lanes.__all__ if name != "LANES"}
    bits = plain["bits_of"](DOUBLES[0])
    assert plain["word_at"](bits, 29).tolist() == (bits >> 29).astype(np.int32).tolist()
    assert plain["float32_of"](plain["bits_of"](SINGLES[0])).tolist() == SINGLES[0].tolist()
    assert plain["load_words"](SINGLES, 2).tolist() == [*SINGLES[0, 2:], *SINGLES[1, :2]]
    assert plain["spread_word"](SINGLES, 3).tolist() == [SINGLES[0, 3]] * LANES
    assert plain["as_float32"](DOUBLES[0]).dtype == np.float32
    assert plain["as_int32"](bits).tolist() == bits.astype(np.int32).tolist()
    assert plain["as_int32"](3) == 3
    out = np.zeros((2, LANES))
    plain["store"](out, LANES, plain["spread"](DOUBLES, 1))
    words = np.zeros(LANES)
    plain["store"](words, 3, SINGLES[1])
    assert words.view(np.float32)[3 : 3 + LANES].tolist() == SINGLES[1].tolist()
    plain["store_words"](words, 3, SINGLES[1])
    assert plain["load_words"](words, 3).tolist() == SINGLES[1].tolist()
    assert out.tolist() == [[0.0] * LANES, [DOUBLES[0, 1]] * LANES]


_OTHER_PROCESSOR = """
import sys
import numba
import numpy as np

numba.config.CPU_FEATURES = sys.argv[1]
from accelsim import lanes
numba.config.CPU_FEATURES = None
assert lanes.LANES == int(sys.argv[2]), lanes.LANES

from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS

rng = np.random.default_rng(7)
activations = rng.standard_normal((45, 126)).astype(np.float32)
weights = rng.standard_normal((6, 45)).astype(np.float32)
for name in ("ax_fpm", "ax_fpm_carry"):
    expected, got = np.zeros((2, 6, 126), np.float32)
    for k in range(45):
        expected += MULTIPLIERS[name].product(activations[k], weights[:, k, None])
    accumulate(name, "float32", activations, weights, got)
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
"""


def test_another_number_of_lanes_changes_no_bit(tmp_path):
    """All other tests run with as many as this processor has; here it is taken for another one."""
    features, count = ("+avx512f", 16) if LANES == 8 else ("", 8)
    subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESSOR, features, str(count)],
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
