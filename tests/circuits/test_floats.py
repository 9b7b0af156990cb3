"""float_circuit: exponent rules, rounding, structures; the units' own are in contracts."""

import numpy as np
import pytest

from accelsim.circuits import FloatForm, float_circuit
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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port_bits": 24}, "FloatForm.port_bits must be one of 16, 32, got 24"),
        ({"exponent": "none"}, "FloatForm.exponent must be one of ieee, carry, released"),
        ({"rounding": "up"}, "FloatForm.rounding must be one of nearest_even, truncate"),
        ({"least_exponent": 0}, "FloatForm.least_exponent must be one of 1, 2, got 0"),
        ({"significand_bits": 25}, r"significand_bits must lie in 4\.\.24 at ports of 32 bits"),
    ],
)
def test_rejects_forms(fields, message):
    with pytest.raises(CircuitError, match=message):
        FloatForm(**fields)
