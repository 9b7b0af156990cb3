"""Costs from gate netlists: sums of the cells', and as the committed table has them."""

import csv
from pathlib import Path

import pytest

from accelsim.circuits import CELLS
from accelsim.circuits.cells import SUPPLY_V, TECHNOLOGY_NM
from accelsim.costs import CIRCUIT_CELLS, CIRCUIT_PAIRS, circuit_cost
from accelsim.multipliers import MULTIPLIERS

TABLE = Path(__file__).parents[1] / "plots" / "results" / "unit_costs.csv"


def test_the_area_of_an_array_is_that_of_its_cells():
    """exact_uint8, row by row: 64 products of bits, 7 rows of a half adder and 7 cells more.

    The first row adds two bits everywhere (7 half adders, and a bit passed on); each of the other
    six starts with a half adder and has 7 full adders.
    """
    cost = circuit_cost(MULTIPLIERS["exact_uint8"])
    expected = {"AND2": 64, "HA": 8, "FA": 48}
    assert MULTIPLIERS["exact_uint8"].circuit.netlist.cell_counts() == expected
    assert cost.area_um2 == pytest.approx(
        sum(count * CELLS[cell].area_um2 for cell, count in expected.items())
    )
    assert cost.area_um2 == pytest.approx(64 * 1.064 + 8 * 2.66 + 48 * 4.256)


def test_a_unit_without_a_netlist_costs_nothing_known():
    assert circuit_cost(MULTIPLIERS["drum4_u8"]) is None


def test_the_cells_are_named_with_node_and_voltage():
    assert CIRCUIT_CELLS == "NanGate 45 nm cells at 1.1 V"


def test_the_committed_table_has_every_unit_with_a_netlist():
    """``plots/unit_costs.py`` wrote it, to four digits."""
    with TABLE.open(newline="", encoding="utf-8") as stream:
        rows = {row["unit"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {name for name, unit in MULTIPLIERS.items() if unit.build_circuit}
    for name, row in rows.items():
        assert (float(row["technology_nm"]), float(row["voltage_v"]), int(row["pairs"])) == (
            TECHNOLOGY_NM,
            SUPPLY_V,
            CIRCUIT_PAIRS,
        )
        assert int(row["gates"]) == len(MULTIPLIERS[name].circuit.netlist.gates)
        for figure, value in circuit_cost(MULTIPLIERS[name])._asdict().items():
            assert float(row[figure]) == pytest.approx(value, rel=5e-4), f"{name} {figure}"
