"""float_circuit: exponent rules, rounding, structures; the units' own are in contracts."""

import numpy as np
import pytest

from accelsim.circuits import FULL_ADDERS, Builder, FloatForm, FullAdder, evaluate, float_circuit
from accelsim.circuits.integers import array_product
from accelsim.errors import CircuitError
from accelsim.multipliers import MULTIPLIERS
from accelsim.multipliers.ax_fpm import ARRAY as TILED
from accelsim.multipliers.ax_fpm_flat import ARRAY as FLAT
from accelsim.multipliers.tiled import array_circuit


@pytest.fixture(scope="module")
def pairs():
    return np.random.default_rng(3).standard_normal((2, 20_000)).astype(np.float32)


def truncated(a, w):
    """Products of normal numbers cut to 24 significant bits."""
    exact = a.astype(np.float64) * w
    return (exact.view(np.int64) & ~np.int64((1 << 29) - 1)).view(np.float64).astype(np.float32)


@pytest.mark.parametrize("style", ["ripple_row", "carry_save", "tiled"])
@pytest.mark.parametrize("cleanup", ["none", "unread", "constants"])
@pytest.mark.parametrize("rounding", ["nearest_even", "truncate"])
def test_exact_products_in_all_structures(pairs, style, cleanup, rounding):
    a, w = pairs
    circuit = float_circuit(FloatForm(rounding=rounding), style=style, cleanup=cleanup)
    expected = a * w if rounding == "nearest_even" else truncated(a, w)
    np.testing.assert_array_equal(circuit.product(a, w), expected)


@pytest.mark.parametrize("buffers", ["kept", "wires"])
@pytest.mark.parametrize("cleanup", ["none", "unread", "constants"])
@pytest.mark.parametrize(
    ("unit", "array", "style"),
    [
        ("ax_fpm", TILED, "tiled"),
        ("ax_fpm_flat", FLAT, "ripple_row"),
        ("ax_fpm_flat", FLAT, "carry_save"),
    ],
)
def test_the_papers_units_in_all_structures(pairs, unit, array, style, cleanup, buffers):
    circuit = array_circuit(unit, array, style, buffers, cleanup)
    np.testing.assert_array_equal(circuit.product(*pairs), MULTIPLIERS[unit].product(*pairs))


def test_rounding_the_released_rule_is_on_offer(pairs):
    """The tiled sum rounded is the truncated one or its successor."""
    form = {"exponent": "carry", "zero_below": 0x03AA2425, "signed_zeros": False}
    cut, rounded = (
        float_circuit(FloatForm(rounding=rounding, **form), "ama5").product(*pairs)
        for rounding in ("truncate", "nearest_even")
    )
    steps = rounded.view(np.int32) - cut.view(np.int32)
    assert set(np.unique(steps).tolist()) == {0, 1}


def test_half_way_cases_go_to_even():
    """(1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: half way, to the even fraction below; 3 times it up."""
    circuit = MULTIPLIERS["exact_fp32"].circuit
    for a, w in ((1 + 2**-12, 1 + 2**-12), (1 + 2**-12, 1 + 3 * 2**-12), (1.5, 1 + 2**-23)):
        a, w = np.float32(a), np.float32(w)
        assert circuit.product(a, w) == a * w


def significand_sum(cells, form):
    """S of the ripple-row array that float_circuit builds, for arrays of significands."""
    builder = Builder()
    a, w = (builder.input(port, form.significand_bits) for port in "aw")
    builder.output("p", array_product(builder.gate, a, w, cells, style="ripple_row"))
    netlist = builder.finish()
    return lambda a, w: evaluate(netlist, {"a": a, "w": w})["p"]


def rounded_by_arithmetic(total, form):
    """(fraction, rise of the exponent over ea + ew - 127) of sums S > 0, one by one."""
    bits, results = form.significand_bits, []
    for value in total.tolist():
        place = value.bit_length() - 1
        low = place - bits + 1
        kept = value >> low if low >= 0 else value << -low
        if form.rounding == "nearest_even" and low > 0:
            rest = value & ((1 << low) - 1)
            kept += rest > 1 << low - 1 or (rest == 1 << low - 1 and kept & 1)
        if kept >> bits:
            kept, place = kept >> 1, place + 1
        results.append((kept & ((1 << bits - 1) - 1), place - (2 * bits - 2)))
    return np.array(results).T


@pytest.mark.parametrize("rounding", ["truncate", "nearest_even"])
@pytest.mark.parametrize("exponent", ["ieee", "leading"])
@pytest.mark.parametrize("cells", ["ama1", "ama3", "ama4", "ama5", "exact"])
def test_arrays_of_any_cells_are_normalized_and_rounded(exponent, rounding, cells):
    """All 128 x 128 significands of bfloat16; under ieee where S is a product's size."""
    form = FloatForm(8, 16, exponent, rounding)
    a, w = (x.ravel() for x in np.meshgrid(*[np.arange(128, 256)] * 2))
    total = significand_sum(cells, form)(a, w)
    usable = total >= (1 << 14 if exponent == "ieee" else 1)
    a, w, total = a[usable], w[usable], total[usable]
    assert total.size > 4000
    fraction, rise = rounded_by_arithmetic(total, form)
    expected = ((127 + rise) << 7 | fraction) << 16
    floats = [((127 << 7 | (x & 127)) << 16).astype(np.uint32).view(np.float32) for x in (a, w)]
    circuit = float_circuit(form, cells, "ripple_row")
    np.testing.assert_array_equal(circuit.product(*floats).view(np.uint32), expected)


def test_a_sum_of_zero_is_plus_zero(monkeypatch):
    """A cell that adds nothing leaves of S no more than the activation's lowest bit."""
    monkeypatch.setitem(FULL_ADDERS, "none", FullAdder("none", "0" * 8, "0" * 8, "0"))
    circuit = float_circuit(FloatForm(exponent="leading", signed_zeros=False), "none", "ripple_row")
    got = circuit.product(np.float32([-1.5, np.inf, 1.5 + 2**-23]), np.float32(1 + 2**-23))
    np.testing.assert_array_equal(got, np.float32([0, np.inf, 2.0**-46]))
    assert not np.signbit(got[0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port_bits": 24}, "FloatForm.port_bits must be one of 16, 32, got 24"),
        ({"exponent": "none"}, "FloatForm.exponent must be one of ieee, carry, released, leading"),
        ({"rounding": "up"}, "FloatForm.rounding must be one of nearest_even, truncate"),
        ({"least_exponent": 0}, "FloatForm.least_exponent must be one of 1, 2, got 0"),
        ({"significand_bits": 25}, r"significand_bits must lie in 4\.\.24 at ports of 32 bits"),
    ],
)
def test_rejects_forms(fields, message):
    with pytest.raises(CircuitError, match=message):
        FloatForm(**fields)
