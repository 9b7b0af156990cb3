import pytest

from accelsim.config import Accelerator
from accelsim.energy import energy_by_component, load_table
from accelsim.energy.account import COMPONENTS, leakage_mw
from accelsim.errors import EnergyTableError

MACHINE = Accelerator.preset("tiny_4x4")
TABLE = load_table("cmos45")


def test_energy_is_count_times_table_and_nothing_else():
    counts = {
        ("multiplier.exact_fp32", "compute"): 10,
        ("accumulator.float32", "add"): 20,
        ("dram", "read"): 3,
        ("dram", "write"): 2,
    }
    energy = energy_by_component(counts, 0, MACHINE, TABLE)
    expected = dict.fromkeys(COMPONENTS, 0.0)
    expected.update(multiplier=37.0, accumulator=18.0, dram=5 * 650.0)
    assert energy == pytest.approx(expected)


def test_a_buffer_is_charged_at_its_own_capacity():
    wide = MACHINE.replace(**{"glb.weight_kib": 32})
    counts = {("glb.weight", "read"): 1}
    assert energy_by_component(counts, 0, wide, TABLE)["glb"] == pytest.approx(11.7855)


def test_leakage_by_hand():
    """16 PEs of a multiplier, an adder and three registers; three buffers of 4 KiB; 4 lanes.

    4096 bytes lie in the middle (on log axes) of the table's 2048 and 8192. 1 mW for 1 ns is 1 pJ,
    and 100 MHz make 10 ns a cycle.
    """
    buffer = (7.52517e-05 * 0.000254988) ** 0.5
    power_mw = 16 * (0.041263 + 0.015 + 3 * 0.001695) + 3 * buffer + 4 * 0.015
    assert leakage_mw(MACHINE, TABLE) == pytest.approx(power_mw, rel=1e-4)
    energy = energy_by_component({}, 1000, MACHINE, TABLE)
    assert energy["leakage"] == pytest.approx(power_mw * 10_000, rel=1e-4)
    assert sum(energy.values()) == energy["leakage"]
    wide = MACHINE.replace(accumulator="float64")
    more = leakage_mw(wide, TABLE) - leakage_mw(MACHINE, TABLE)
    assert more == pytest.approx(16 * (0.015 + 0.001695), rel=1e-3)


def test_register_files_leak_as_so_many_registers():
    """A PE of the rs dataflow has 12 + 224 + 24 words instead of three registers."""
    flows = [MACHINE.replace(**{"array.dataflow": flow}) for flow in ("os", "rs")]
    registers, files = (leakage_mw(machine, TABLE) for machine in flows)
    assert files - registers == pytest.approx(16 * (260 - 3) * 0.001695)


@pytest.mark.parametrize("count", [("rf", "erase"), ("multiplier.none", "compute")])
def test_rejects_an_action_without_a_row(count):
    with pytest.raises(EnergyTableError, match="has no row for component"):
        energy_by_component({count: 1}, 0, MACHINE, TABLE)


def test_rejects_a_buffer_outside_the_tables_range():
    huge = MACHINE.replace(**{"glb.ofmap_kib": 4096})
    with pytest.raises(EnergyTableError, match="covers glb leak from 512 to 1048576 bytes"):
        leakage_mw(huge, TABLE)
