"""Every unit that has a circuit: the gates make the same products as the definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from accelsim.multipliers import MULTIPLIERS, FloatMultiplier

UNITS = [name for name, unit in MULTIPLIERS.items() if unit.build_circuit is not None]
FLOATS = [name for name in UNITS if isinstance(MULTIPLIERS[name], FloatMultiplier)]
INTEGERS = [name for name in UNITS if name not in FLOATS]

LEAST_NORMAL = 2.0**-126
SPECIAL = np.array(
    [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x3FC00000, 0x3FFFFFFF, 0x7F7FFFFF, 0x7F800000,
     0x7F800001, 0x7FC00000, 0x03AA2424, 0x03AA2425, 0x1F000000, 0x20000000, 0x5F000000],
    np.uint32,
)  # fmt: skip
SPECIAL = np.concatenate([SPECIAL, SPECIAL | np.uint32(0x80000000)]).view(np.float32)


def float_pairs(count):
    """Any bits, normal distributions, products about the least and greatest, all special pairs."""
    rng = np.random.default_rng(45)
    words = rng.integers(0, 2**32, (2, count // 2), np.uint32).view(np.float32)
    usual = rng.standard_normal((2, count // 4)).astype(np.float32)
    edge = rng.integers(0, 2**25, (2, count // 4), np.uint32)
    edge |= np.array([0x1F000000, 0x5F000000], np.uint32)[rng.integers(0, 2, edge.shape)]
    special = np.array(list(itertools.product(SPECIAL, SPECIAL)), np.float32).T
    return np.concatenate([words, usual, edge.view(np.float32), special], axis=1)


def in_domain(circuit, a, w):
    """Where the circuit's documented domain holds: all pairs, or those without subnormals."""
    if circuit.domain == "all operands":
        return np.ones(a.shape, bool)
    assert "subnormals become zeros" in circuit.domain
    a, w = (circuit.ports.decode(circuit.ports.encode(x, ""), circuit.ports.bits) for x in (a, w))
    with np.errstate(all="ignore"):
        sizes = [np.abs(a), np.abs(w), np.abs(a.astype(np.float64) * w)]
    return np.logical_and.reduce([(size == 0) | ~(size < LEAST_NORMAL) for size in sizes])


@pytest.mark.parametrize("name", FLOATS)
def test_a_million_products_of_the_gates_are_the_units(name):
    unit = MULTIPLIERS[name]
    a, w = float_pairs(1_000_000)
    covered = in_domain(unit.circuit, a, w)
    assert covered.mean() > 0.6
    a, w = a[covered], w[covered]
    got, expected = unit.circuit.product(a, w), unit.product(a, w)
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(got.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])


@pytest.mark.parametrize("name", FLOATS)
def test_outside_of_its_domain_subnormals_are_zeros(name):
    """Where a circuit leaves the unit it does so only by flushing to a zero of the same sign."""
    unit = MULTIPLIERS[name]
    a, w = float_pairs(100_000)
    outside = ~in_domain(unit.circuit, a, w) & ~np.isnan(a) & ~np.isnan(w)
    outside &= ~np.isinf(a) & ~np.isinf(w)
    got, expected = (x.product(a[outside], w[outside]) for x in (unit.circuit, unit))
    flushed = got == 0
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))
    np.testing.assert_array_equal(got[~flushed], expected[~flushed])


@pytest.mark.parametrize("name", INTEGERS)
def test_products_of_the_gates_are_the_units(name):
    """All pairs up to 8 bits, else a million."""
    unit = MULTIPLIERS[name]
    kind = unit.operands
    if kind.bits <= 8:
        a, w = kind.values()[:, None], kind.values()
    else:
        a, w = np.random.default_rng(16).integers(kind.low, kind.high + 1, (2, 1_000_000))
        extremes = [kind.low, kind.low + 1, 0, 1, kind.high]
        a[:25], w[:25] = np.array(list(itertools.product(extremes, extremes))).T
    np.testing.assert_array_equal(unit.circuit.product(a, w), unit.product(a, w))


@pytest.mark.parametrize("name", UNITS)
def test_circuit_has_costs_and_verilog(name):
    circuit = MULTIPLIERS[name].circuit
    assert circuit is MULTIPLIERS[name].circuit
    assert circuit.name == name
    assert circuit.area_um2() > 0
    assert circuit.leakage_uw() > 0
    assert circuit.delay_ps() > 0
    a, w = (np.arange(50) % 7, np.arange(50) % 5)
    if name in FLOATS:
        a, w = a.astype(np.float32), w.astype(np.float32)
    settled, all_changes = (circuit.toggles(a, w, glitches=g) for g in (False, True))
    assert settled.sum() > 0
    # A glitch comes in pairs: up and down again.
    assert np.all(all_changes >= settled)
    assert np.all((all_changes - settled) % 2 == 0)
    assert 0 < circuit.energy_pj(a, w) <= circuit.energy_pj(a, w, glitches=True)
    assert circuit.energy_pj(a[:1].repeat(9), w[:1].repeat(9)) == 0
    assert f"module {name} (" in circuit.verilog()
