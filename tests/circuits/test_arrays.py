"""Arrays against plain loops over the cells' truth tables, and against closed forms."""

import numpy as np
import pytest

from accelsim.circuits import FULL_ADDERS, Builder, FullAdder, evaluate, integer_circuit
from accelsim.circuits.arrays import full_adder
from accelsim.errors import CircuitError
from accelsim.multipliers.tiled import TiledArray, tiled_sum

BYTES = np.arange(256)
NAMES = list(FULL_ADDERS)


def ripple_row_by_loops(a, w, bits, cells, dropped=lambda i, j: False):
    """The documented structure, one product, one cell at a time."""

    def partial(i, j):
        return 0 if dropped(i, j) else (a >> i & 1) & (w >> j & 1)

    running, above = [partial(0, j) for j in range(bits)], 0
    out = running[:1]
    for row in range(1, bits):
        below, carry, sums = [*running[1:], above], 0, []
        for column in range(bits):
            cell = FULL_ADDERS[cells(row, column)]
            pins = partial(row, column), below[column], carry
            sums.append(cell.sum(*pins))
            carry = cell.carry(*pins)
        running, above = sums, carry
        out.append(running[0])
    return sum(bit << k for k, bit in enumerate([*out, *running[1:], above]))


def carry_save_by_loops(a, w, bits, cells, dropped=lambda i, j: False):
    """The same, carries handed down; rows over the weight's bits."""

    def partial(i, j):
        return 0 if dropped(i, j) else (a >> i & 1) & (w >> j & 1)

    sums, carries = [partial(column, 0) for column in range(bits)], [0] * bits
    out = sums[:1]
    for row in range(1, bits):
        above = [*sums[1:], 0]
        for column in range(bits):
            cell = FULL_ADDERS[cells(row, column)]
            pins = above[column], partial(column, row), carries[column]
            sums[column], carries[column] = cell.sum(*pins), cell.carry(*pins)
        out.append(sums[0])
    ripple = 0
    for column, total in enumerate([*sums[1:], 0]):
        cell = FULL_ADDERS[cells(bits, column)]
        pins = total, ripple, carries[column]
        out.append(cell.sum(*pins))
        ripple = cell.carry(*pins)
    return sum(bit << k for k, bit in enumerate(out))


LOOPS = {"ripple_row": ripple_row_by_loops, "carry_save": carry_save_by_loops}


@pytest.mark.parametrize("buffers", ["kept", "wires"])
@pytest.mark.parametrize("name", NAMES)
def test_full_adder_is_its_truth_table(name, buffers):
    builder = Builder()
    carry, b, a = builder.input("x", 3)
    builder.output("y", full_adder(builder.gate, name, a, b, carry, buffers))
    got = evaluate(builder.finish(), {"x": np.arange(8)})["y"]
    cell = FULL_ADDERS[name]
    expected = [int(s) + 2 * int(c) for s, c in zip(cell.sum_table, cell.carry_table, strict=True)]
    assert got.tolist() == expected


def test_a_full_adder_of_any_table_can_be_built(monkeypatch):
    cell = FullAdder("odd_one", "10010110", "11101001", "Sum = (A ^ B ^ Cin)'; Cout: no name")
    monkeypatch.setitem(FULL_ADDERS, cell.name, cell)
    test_full_adder_is_its_truth_table(cell.name, "kept")


@pytest.mark.parametrize("style", list(LOOPS))
@pytest.mark.parametrize("cleanup", ["none", "unread", "constants"])
@pytest.mark.parametrize("seed", range(3))
def test_flat_arrays_of_random_cells_and_dropped_products(style, cleanup, seed):
    """4x4, every cell drawn at random, a quarter of the partial products left out."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(NAMES, (5, 4)).tolist()
    dropped = (rng.random((4, 4)) < 0.25).tolist()
    circuit = integer_circuit(4, False, cells, dropped, style, cleanup=cleanup)
    values = np.arange(16)
    expected = [
        [
            LOOPS[style](a, w, 4, lambda r, c: cells[r][c], lambda i, j: dropped[i][j])
            for w in range(16)
        ]
        for a in range(16)
    ]
    assert circuit.product(values[:, None], values).tolist() == expected


@pytest.mark.parametrize("style", list(LOOPS))
@pytest.mark.parametrize("name", NAMES)
def test_flat_arrays_of_one_cell_at_8_bits(style, name):
    rng = np.random.default_rng(8)
    a, w = rng.integers(0, 256, (2, 300))
    got = integer_circuit(8, False, name, style=style).product(a, w)
    loop = LOOPS[style]
    expected = [loop(x, y, 8, lambda r, c: name) for x, y in zip(a, w, strict=True)]
    assert got.tolist() == expected


@pytest.mark.parametrize("style", ["ripple_row", "carry_save", "tiled"])
@pytest.mark.parametrize("signed", [False, True])
def test_exact_arrays(style, signed):
    values = BYTES - 128 * signed
    circuit = integer_circuit(8, signed, style=style)
    np.testing.assert_array_equal(
        circuit.product(values[:, None], values), np.multiply.outer(values, values)
    )


@pytest.mark.parametrize("style", ["ripple_row", "carry_save"])
def test_flat_ama5_arrays_make_an_exact_product_of_one_row(style):
    a = BYTES[:, None]
    for buffers in ("kept", "wires"):
        got = integer_circuit(8, False, "ama5", style=style, buffers=buffers).product(a, BYTES)
        np.testing.assert_array_equal(got, (a & 1) * BYTES + ((a & ~1) << 8) * (BYTES >> 7))


def test_a_tile_of_ama5_cells_is_the_released_table():
    x, y = np.arange(16)[:, None], np.arange(16)
    got = integer_circuit(4, False, "ama5", style="tiled").product(x, y)
    np.testing.assert_array_equal(got, (x & 1) * y + 16 * (y >> 3) * (x & 14))


@pytest.mark.parametrize("bits", [8, 16])
def test_tiled_ama5_arrays_are_the_units_sum(bits):
    rng = np.random.default_rng(bits)
    a, w = rng.integers(0, 1 << bits, (2, 20_000))
    a[0] = w[0] = (1 << bits) - 1
    total = tiled_sum(TiledArray(bits=bits, carry=False, least_sum=127))
    got = integer_circuit(bits, False, "ama5", style="tiled").product(a, w)
    expected = [total(x, y) for x, y in zip(a.tolist(), w.tolist(), strict=True)]
    assert got.tolist() == expected
    assert got[0] >= 1 << (2 * bits)  # one bit more than a product has


def kulkarni_by_recursion(a, w, bits):
    """Sum of all 2x2 blocks at their places, with 3 x 3 = 7."""
    if bits == 2:
        return np.where((a == 3) & (w == 3), 7, a * w)
    half = bits // 2
    low = (1 << half) - 1
    parts = [(i, j) for i in (0, 1) for j in (0, 1)]
    return sum(
        kulkarni_by_recursion(a >> (half * i) & low, w >> (half * j) & low, half) << half * (i + j)
        for i, j in parts
    )


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_kulkarni_blocks(bits):
    values = np.arange(1 << bits)
    got = integer_circuit(bits, False, style="kulkarni").product(values[:, None], values)
    expected = kulkarni_by_recursion(values[:, None], values, bits)
    np.testing.assert_array_equal(got, expected)
    # The paper's 2x2 block is wrong once in 16.
    if bits == 2:
        assert np.count_nonzero(got != np.multiply.outer(values, values)) == 1


def test_a_broken_array_adds_what_is_left():
    """Exact cells, partial products below weight 2^5 left out: a truncated multiplier."""
    for style in LOOPS:
        circuit = integer_circuit(8, False, dropped=lambda i, j: i + j < 5, style=style)
        bits = [(i, j) for i in range(8) for j in range(8) if i + j >= 5]
        a, w = BYTES[:, None], BYTES
        expected = sum(((a >> i & 1) * (w >> j & 1)) << (i + j) for i, j in bits)
        np.testing.assert_array_equal(circuit.product(a, w), expected)
        assert circuit.area_um2() < integer_circuit(8, False, style=style).area_um2()


def test_rejects_cells_and_sizes():
    with pytest.raises(CircuitError, match=r"no full adder named 'ama6'.*Did you mean 'ama"):
        integer_circuit(4, False, "ama6")
    with pytest.raises(CircuitError, match=r"cells has no entry \[2\]\[0\]"):
        integer_circuit(4, False, [["exact"] * 4] * 2)
    with pytest.raises(CircuitError, match=r"dropped has no entry \[0\]\[2\]"):
        integer_circuit(4, False, dropped=[[False] * 2] * 4)
    with pytest.raises(CircuitError, match="multiple of 8 bits on both sides, got 12x12"):
        integer_circuit(12, False, style="tiled")
    with pytest.raises(CircuitError, match="same power of two.*got 6x6"):
        integer_circuit(6, False, style="kulkarni")
