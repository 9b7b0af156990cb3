"""Pages of units: each with a netlist says what it costs, and under which conditions."""

import pytest

from accelsim.cli.pages import PAGES
from accelsim.costs import circuit_cost
from accelsim.multipliers import MULTIPLIERS

UNITS = [name for name, unit in MULTIPLIERS.items() if unit.build_circuit is not None]


@pytest.mark.parametrize("name", UNITS)
def test_delay_area_and_energy_at_the_cells_voltage(name):
    facts, cost = dict(PAGES["multipliers"](name).rows), circuit_cost(MULTIPLIERS[name])
    assert facts["circuit"].endswith("gates: NanGate 45 nm cells at 1.1 V, no wires")
    assert facts["circuit delay"].startswith(f"{cost.delay_ps:.4g} ps")
    assert facts["circuit area"].startswith(f"{cost.area_um2:.5g} um2")
    without, all_of_them = cost.energy_functional_pj, cost.energy_glitch_pj
    assert facts["circuit energy"].startswith(f"{without:.4g} pJ a product without glitches, ")
    assert f", {all_of_them:.4g} pJ with all;" in facts["circuit energy"]


def test_a_member_of_a_family_has_its_own():
    facts = dict(PAGES["multipliers"]("exact_uint4").rows)
    assert facts["circuit"].startswith("28 gates")
    assert facts["circuit area"].startswith("61.712 um2")  # 16 AND2, 4 HA, 8 FA


def test_a_unit_without_a_netlist_says_so():
    facts = dict(PAGES["multipliers"]("drum4_u8").rows)
    assert facts["circuit"] == "none is modeled"
    assert not {"circuit area", "circuit delay", "circuit energy"} & set(facts)
