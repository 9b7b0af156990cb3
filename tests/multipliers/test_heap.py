"""heap: its scalar against lists of bits and other units, its batches and kernels against it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.circuits import FULL_ADDERS
from accelsim.errors import ConfigError
from accelsim.kernels import accumulate
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.cell_array import array_sum, cells_below
from accelsim.multipliers.cell_slices import LANES, WORDS, sliced_array
from accelsim.multipliers.heap import BANDS, heap, read_cells

NAMES = list(FULL_ADDERS)
RANDOM_MAP = np.random.default_rng(5).choice(NAMES, (23, 24)).tolist()
RANDOM = heap("random", RANDOM_MAP)
UNITS = {"heap": MULTIPLIERS["heap"], "random": RANDOM}
MAPS = {"heap": cells_below(24, BANDS), "random": RANDOM_MAP}
words = st.integers(0, 2**32 - 1)


def from_bits(bits):
    return np.array(bits, np.uint32).view(np.float32)


def assert_same_bits(got, expected):
    __tracebackhide__ = True
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(got.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])


def any_floats(count, seed):
    """Random patterns, and as many numbers of the magnitudes that occur in networks."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 2**32, count // 2, np.uint32).view(np.float32)
    return np.concatenate([patterns, rng.standard_normal(count - count // 2, np.float32)])


def array_output(a, w, cells):
    """The array with its bits in lists: a row takes the sums of the row above, shifted by one."""
    above = [a & 1 & w >> j for j in range(24)] + [0]
    result = [above.pop(0)]
    for r in range(1, 24):
        carry, row = 0, []
        for j in range(24):
            cell, inputs = FULL_ADDERS[cells[r - 1][j]], (a >> r & w >> j & 1, above[j], carry)
            row.append(cell.sum(*inputs))
            carry = cell.carry(*inputs)
        above = [*row, carry]
        result.append(above.pop(0))
    return sum(bit << i for i, bit in enumerate(result + above))


def by_bits(a_bits, w_bits, cells):
    """The pattern of a product of finite operands of at least 1e-36."""
    a, w = (bits & 0x7FFFFF | 0x800000 for bits in (a_bits, w_bits))
    total = array_output(a, w, cells)
    exponent = (a_bits >> 23 & 255) + (w_bits >> 23 & 255) - 127 + total.bit_length() - 47
    if total == 0 or exponent < 1:
        return 0
    sign = (a_bits ^ w_bits) & 0x80000000
    fraction = (total << 24 >> total.bit_length() - 1 + 1) & 0x7FFFFF
    return sign | (255 << 23 if exponent > 254 else exponent << 23 | fraction)


live = st.integers(0x03AA2425, 0x7F7FFFFF).flatmap(
    lambda size: st.sampled_from([size, size | 0x80000000])
)


@pytest.mark.parametrize("name", UNITS)
@given(live, live)
def test_equals_the_array_of_lists(name, a_bits, w_bits):
    got = UNITS[name].product(from_bits(a_bits), from_bits(w_bits)).view(np.uint32)
    assert int(got) == by_bits(a_bits, w_bits, MAPS[name])


def test_exact_cells_give_the_truncated_product():
    """float64 holds the product of two float32 significands whole."""
    a, w = np.random.default_rng(0).uniform(-4, 4, (2, 20_000)).astype(np.float32)
    exact = a.astype(np.float64) * w
    truncated = (exact.view(np.int64) & -(1 << 29)).view(np.float64)
    got = MULTIPLIERS["heap_ama1_cut0"].product(a, w)
    np.testing.assert_array_equal(got.astype(np.float64), truncated)


def test_ama5_in_all_places_is_the_flat_unit():
    a, w = any_floats(20_000, 1), any_floats(20_000, 2)[::-1].copy()
    with np.errstate(all="ignore"):
        flat = MULTIPLIERS["ax_fpm_flat"].product(a, w)
    assert_same_bits(MULTIPLIERS["heap_ama5_cut48"].product(a, w), flat)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("count", [1, LANES - 1, LANES, 2 * LANES + 77])
def test_a_batch_has_the_bits_of_the_scalar(name, count):
    a, w = any_floats(count, 3), any_floats(count, 4)
    np.random.default_rng(count).shuffle(w)
    out = np.empty(count, np.float32)
    UNITS[name].batch(a, w, out)
    with np.errstate(all="ignore"):
        assert_same_bits(out, UNITS[name].product(a, w))


@given(st.lists(st.tuples(words, words), min_size=1, max_size=40))
def test_a_batch_has_the_bits_of_the_scalar_whatever_they_are(pairs):
    a, w = from_bits(pairs).T.copy()
    out = np.empty(a.size, np.float32)
    RANDOM.batch(a, w, out)
    with np.errstate(all="ignore"):
        assert_same_bits(out, RANDOM.product(a, w))


@pytest.mark.parametrize("cell", NAMES)
def test_words_of_every_cell_equal_the_scalar_array(cell):
    """Arrays of 5 bits with this cell in a checkerboard among exact ones: all 1024 pairs."""
    cells = tuple(tuple(cell if (r + j) % 2 else "exact" for j in range(5)) for r in range(4))
    lanes = np.arange(LANES, dtype=np.int64).reshape(64, WORDS)
    a, w, sums = lanes & 31, lanes >> 5 & 31, np.empty_like(lanes)
    sliced_array(cells)(a.copy(), w.copy(), sums)
    scalar = array_sum(cells)
    assert sums.ravel().tolist()[:1024] == [
        scalar(x, y) for x, y in zip(a.ravel()[:1024], w.ravel()[:1024], strict=True)
    ]


@pytest.mark.parametrize("shape", [(3, 5, 7), (70, 3, 41), (1, 9000, 1), (5, 1, 4096)])
def test_the_kernel_adds_in_ascending_k(shape):
    n, k, m = shape
    rng = np.random.default_rng(8)
    a, w = rng.standard_normal((k, m), np.float32), rng.standard_normal((n, k), np.float32)
    expected = psums = rng.standard_normal((n, m), np.float32)
    for kk in range(k):
        expected = expected + RANDOM.product(a[kk], w[:, kk, None])
    accumulate(RANDOM, "float32", a, w, psums)
    assert_same_bits(psums, expected)


def test_specials_are_those_of_ax_fpm():
    special = from_bits(
        [0, 1, 0x7FFFFF, 0x800000, 0x03AA2424, 0x3F800000, 0x7F800000, 0x7FC00000, 0x80000000]
    )
    a, w = np.meshgrid(special, -special)
    with np.errstate(all="ignore"):
        expected = MULTIPLIERS["ax_fpm"].product(a, w)
    one = (np.abs(a) == 1) & (np.abs(w) == 1)
    with np.errstate(all="ignore"):
        got = MULTIPLIERS["heap"].product(a, w)
    assert_same_bits(got[~one], expected[~one])
    assert (got[one] == -1).all()


def test_flush_and_overflow():
    small, large, unit = from_bits(64 << 23), from_bits(190 << 23), MULTIPLIERS["heap"]
    assert unit.product(small, small).view(np.uint32) == 1 << 23
    assert unit.product(-small, from_bits(63 << 23)).view(np.uint32) == 0
    assert unit.product(large, from_bits(191 << 23)).view(np.uint32) == 254 << 23
    assert np.isneginf(unit.product(-large, from_bits(192 << 23)))


def test_an_array_that_yields_nothing_gives_plus_zero():
    """AMA1 makes 0 of a partial product alone (A = 1, B = Cin = 0): nothing is left of -1 x 1."""
    unit, one = MULTIPLIERS["heap_ama1_cut48"], np.ones(1, np.float32)
    out = np.empty_like(one)
    unit.batch(-one, one, out)
    for got in (unit.product(-one, one), out):
        assert got.view(np.uint32).tolist() == [0]


def test_errors_of_the_listed_map():
    """Uniform significands: MRED 1.03 %, bias +0.24 %, none more than 6.3 % off, as measured.

    200,000 seeded pairs; one relative error has a standard deviation of 1.3 %, four standard
    errors are 0.012 %.
    """
    a, w = np.random.default_rng(0).uniform(1, 2, (2, 200_000)).astype(np.float32)
    out = np.empty_like(a)
    MULTIPLIERS["heap"].batch(a, w, out)
    error = 100 * (out / (a.astype(np.float64) * w) - 1)
    assert np.abs(error).mean() == pytest.approx(1.035, abs=0.012)
    assert error.mean() == pytest.approx(0.225, abs=0.016)
    assert np.abs(error).max() < 6.5


def test_names_of_bands():
    bands = MULTIPLIERS["heap_ama5_cut36_ama4_cut42"]
    assert bands.title == MULTIPLIERS["heap"].title
    assert "51 ama4, 486 ama5, 15 exact cells" in bands.title
    assert bands.delay_ps is None


def test_cell_maps_from_files(tmp_path):
    rows = cells_below(24, [(30, "ama2")])
    (tmp_path / "map.json").write_text(json.dumps(rows))
    (tmp_path / "map.csv").write_text("\n".join(", ".join(row) for row in rows) + "\n\n")
    assert read_cells(tmp_path / "map.json") == rows
    assert heap("mine", str(tmp_path / "map.csv")).title == MULTIPLIERS["heap_ama2_cut30"].title


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("exact,exact\n", "must be 23 rows of 24 names.* got 1 rows of .2."),
        ("{", "cannot read cell map"),
        ('{"a": 1}', "must be an array of arrays of names"),
    ],
)
def test_rejects_files_that_are_no_cell_map(tmp_path, content, message):
    path = tmp_path / ("map.csv" if content.startswith("e") else "map.json")
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        heap("mine", path)


def test_rejects_bands_of_unknown_cells_even_unused_ones():
    with pytest.raises(ConfigError, match="multiplier 'x': no full adder named 'ama6'.*Did you"):
        heap("x", [(0, "ama6")])


def test_rejects_a_missing_file():
    with pytest.raises(ConfigError, match="cannot read cell map 'none.csv': .*No such file"):
        heap("mine", "none.csv")


def test_rejects_an_unknown_cell_and_says_where():
    cells = [["exact"] * 24 for _ in range(23)]
    cells[4][7] = "ama6"
    with pytest.raises(ConfigError, match=r"'mine': no full adder named 'ama6' \(row 5, column 7"):
        heap("mine", cells)


@pytest.mark.parametrize("name", ["heap_ama5_cut20_ama4_cut20", "heap_ama5_cut49"])
def test_rejects_cuts_that_do_not_ascend_or_leave_the_array(name):
    with pytest.raises(ConfigError, match=r"cuts must ascend within 0\.\.48, got"):
        MULTIPLIERS[name]


@pytest.mark.parametrize("cells", [RANDOM_MAP, [(48, "ama3")], [(30, "ama1"), (45, "ama2")]])
def test_gates_of_other_maps_are_the_unit(cells):
    """Also where S may be small: no exact cell in the top place."""
    unit = heap("other", cells)
    a, w = any_floats(20_000, 3), any_floats(20_000, 4)
    assert_same_bits(unit.circuit.product(a, w), unit.product(a, w))
