"""integer_circuit: signs, choices, and the cells that published gate models of the arrays have."""

import numpy as np
import pytest

from accelsim.circuits import Builder, integer_circuit, timing
from accelsim.circuits.integers import array_product, cleaned, gate_maker
from accelsim.errors import CircuitError, ConfigError

BYTES = np.arange(-128, 128)


def test_an_approximate_signed_unit_is_sign_and_magnitude():
    core = integer_circuit(8, False, "ama3").product
    a, w = BYTES[:, None], BYTES
    expected = np.where((a < 0) ^ (w < 0), -1, 1) * core(abs(a), abs(w))
    np.testing.assert_array_equal(integer_circuit(8, True, "ama3").product(a, w), expected)
    assert expected[0, 128] != 0  # an AMA3 core makes something of -128 x 0, and its sign counts


def test_an_approximate_core_may_exceed_a_signed_product():
    """-128 x -128 of the AMA5 array is 2^15, which 16 bits of two's complement do not hold."""
    assert int(integer_circuit(8, True, "ama5").product(-128, -128)) == 128 * 256
    tiled = integer_circuit(8, True, "ama5", style="tiled")
    assert int(tiled.product(-128, -128)) == 2 * 128 * 128


@pytest.mark.parametrize("style", ["ripple_row", "carry_save", "tiled", "kulkarni"])
def test_exact_products_by_sign_and_magnitude(style):
    a, w = BYTES[:, None], BYTES
    circuit = integer_circuit(8, True, style=style, signing="sign_magnitude")
    exact = np.multiply.outer(BYTES, BYTES)
    got = circuit.product(a, w)
    if style == "kulkarni":
        assert np.all(abs(got) <= abs(exact))
        assert np.all(np.sign(got) == np.sign(exact))
    else:
        np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize("bits", [2, 3, 5, 16])
@pytest.mark.parametrize("style", ["ripple_row", "carry_save"])
@pytest.mark.parametrize("signed", [False, True])
def test_exact_widths(bits, style, signed):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    a, w = np.random.default_rng(bits).integers(low, high + 1, (2, 2000))
    a[:4], w[:4] = [low, low, high, high], [low, high, low, high]
    np.testing.assert_array_equal(integer_circuit(bits, signed, style=style).product(a, w), a * w)


def mantissa(style, cells, cleanup):
    """A 24x24 array of the widths of float32 significands."""
    builder = Builder()
    a, w = builder.input("a", 24), builder.input("w", 24)
    gate = gate_maker(builder, cleanup)
    builder.output("p", array_product(gate, a, w, cells, style=style))
    return cleaned(builder.finish(), cleanup)


@pytest.mark.parametrize(
    ("style", "cells", "cleanup", "counts", "area_um2"),
    [
        ("ripple_row", "exact", "unread", {"AND2": 576, "FA": 552}, 2962),
        ("tiled", "exact", "unread", {"AND2": 576, "FA": 780}, 3933),
        ("tiled", "ama5", "unread", {"BUF": 540, "AND2": 252, "FA": 348}, 2180),
        ("ripple_row", "ama5", "unread", {"BUF": 575, "AND2": 47}, 509),
        ("carry_save", "exact", "constants", {"AND2": 576, "HA": 24, "FA": 528}, 2923.9),
        ("carry_save", "ama5", "none", {"BUF": 1152, "AND2": 576}, 1532.2),
    ],
)
def test_cells_and_areas_of_two_independent_gate_models(style, cells, cleanup, counts, area_um2):
    """24x24 arrays of two gate models made without this one: to the last cell and printed digit.

    The whole numbers: structural Verilog through Yosys, cells kept, unread ones removed. The
    others: another generator, which knows half adders.
    """
    netlist = mantissa(style, cells, cleanup)
    assert netlist.cell_counts() == counts
    assert timing.area_um2(netlist) == pytest.approx(
        area_um2, abs=0.51 if isinstance(area_um2, int) else 0.051
    )


def test_delay_of_the_carry_save_array_is_that_of_another_model():
    """44 full adders, 2 half adders and an AND gate: 4075 ps by the same nominal cell delays."""
    delay_ps = timing.delay_ps(mantissa("carry_save", "exact", "constants"))
    assert delay_ps == pytest.approx(4075, abs=0.51)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"style": "wallace"}, "style must be one of ripple_row, carry_save, tiled, kulkarni"),
        ({"buffers": "gone"}, "buffers must be one of kept, wires, got 'gone'"),
        ({"cleanup": "all"}, "cleanup must be one of none, unread, constants"),
        ({"signing": "booth"}, "signing must be one of auto, baugh_wooley, sign_magnitude"),
        ({"style": "tiled", "signing": "baugh_wooley"}, "style tiled has no baugh_wooley form"),
        ({"style": "kulkarni", "cells": "ama1"}, "style kulkarni has exact adders only"),
        ({"style": "tiled", "dropped": lambda i, j: True}, "cannot leave out partial products"),
    ],
)
def test_rejects_choices(choice, message):
    with pytest.raises(CircuitError, match=message):
        integer_circuit(8, True, **choice)


def test_rejects_a_width_that_no_integer_format_has():
    with pytest.raises(ConfigError, match="bits must lie in"):
        integer_circuit(1, False)
