"""The paper's unit over exact baselines: what moves the ratio, and which way."""

import itertools

import numpy as np
import pytest

from accelsim.circuits import FloatForm, float_circuit
from accelsim.circuits.comparison import normal_operands, paper_unit_comparison, unit_cost
from accelsim.errors import CircuitError, DataError


@pytest.fixture(scope="module")
def rows():
    table = paper_unit_comparison(*normal_operands(300))
    return {(row.structure, row.buffers, row.baseline): row for row in table}


def test_a_row_for_every_choice(rows):
    arrays = ("tiled", "ripple_row", "carry_save")
    assert list(rows) == list(itertools.product(arrays, ("kept", "wires"), arrays))


def test_ratios_are_those_of_unit_and_baseline(rows):
    a, w = normal_operands(300)
    exact = float_circuit(FloatForm(rounding="truncate"), style="carry_save", cleanup="unread")
    row = rows["tiled", "kept", "carry_save"]
    base = unit_cost(exact, a, w)
    for quantity, suffix in (
        ("area", "um2"), ("delay", "ps"), ("energy_functional", "pj"), ("energy_glitch", "pj")
    ):  # fmt: skip
        value = getattr(row, f"{quantity}_{suffix}")
        assert getattr(row, f"{quantity}_ratio") == value / getattr(base, f"{quantity}_{suffix}")


def test_the_ratio_moves_with_every_choice(rows):
    """As in other gate models the energy ratio lies anywhere between a few and most hundredths."""
    ratios = [row.energy_functional_ratio for row in rows.values()]
    ratios += [row.energy_glitch_ratio for row in rows.values()]
    assert min(ratios) < 0.05
    assert 0.6 < max(ratios) < 1
    for (structure, buffers, baseline), row in rows.items():
        # Exact arrays glitch more than arrays of wires, whose depth is small.
        assert row.energy_glitch_ratio < row.energy_functional_ratio
        assert row.area_ratio < 1
        assert row.delay_ratio < 1
        if buffers == "kept":
            wires = rows[structure, "wires", baseline]
            assert wires.energy_functional_ratio < row.energy_functional_ratio
            assert wires.area_ratio < row.area_ratio
        if structure != "tiled":
            tiled = rows["tiled", buffers, baseline]
            assert row.energy_functional_ratio < 0.5 * tiled.energy_functional_ratio
            assert row.delay_ratio < 0.5 * tiled.delay_ratio
    # Flat arrays without buffers are one and the same circuit.
    assert rows["ripple_row", "wires", "tiled"][3:] == rows["carry_save", "wires", "tiled"][3:]


def test_rejects_operands():
    with pytest.raises(DataError, match="activation must be float32, got float64"):
        paper_unit_comparison(np.ones(4), np.ones(4))
    with pytest.raises(CircuitError, match="give at least 2, got 1"):
        paper_unit_comparison(1.0, 1.0)
