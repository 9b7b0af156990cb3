"""Energy is counts times a table: by hand, by component, with DRAM rows and widths of accesses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import accelsim
from accelsim.config import Accelerator
from accelsim.dataflows.row_pass import RF_OPERANDS
from accelsim.energy import check_node, energy_by_action, energy_by_component, load_table
from accelsim.energy.account import COMPONENTS, static_powers
from accelsim.errors import EnergyTableError
from accelsim.machine.dram_kinds import dram_kind, dram_kinds
from accelsim.machine.program import possible_actions

MACHINE = Accelerator.preset("tiny_4x4")
TABLE = load_table("cmos45")
DEVICES = [name for name in dram_kinds() if dram_kind(name)]


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


@given(
    data=st.data(),
    kind=st.sampled_from(dram_kinds()),
    flow=st.sampled_from(["os", "rs"]),
    cycles=st.integers(0, 10**9),
)
def test_the_breakdown_sums_to_the_total_and_every_part_is_one_product(data, kind, flow, cycles):
    """A count doubled doubles its own part and leaves the others as they are."""
    machine = MACHINE.replace(**{"dram.kind": kind, "array.dataflow": flow})
    actions = possible_actions(machine)
    counts = {pair: data.draw(st.integers(0, 10**9), str(pair)) for pair in actions}
    parts = energy_by_action(counts, cycles, machine, TABLE)
    energy = energy_by_component(counts, cycles, machine, TABLE)
    assert sum(energy.values()) == pytest.approx(sum(parts.values()))
    assert all(part >= 0 for part in parts.values())
    one = data.draw(st.sampled_from(actions))
    more = energy_by_action({**counts, one: 2 * counts[one]}, cycles, machine, TABLE)
    assert more == {pair: part * (2 if pair == one else 1) for pair, part in parts.items()}


def test_a_buffer_is_charged_at_its_own_capacity():
    wide = MACHINE.replace(**{"glb.weight_kib": 32})
    counts = {("glb.weight", "read"): 1}
    assert energy_by_component(counts, 0, wide, TABLE)["glb"] == pytest.approx(11.7855 * 0.696)


def test_a_wide_access_moves_several_words():
    """CACTI at 32 KiB: 11.79 pJ for 32 bits, 17.04 for 64, at 1.1 V."""
    counts = {("glb.weight", "read"): 10}
    wide = MACHINE.replace(**{"glb.weight_kib": 32, "glb.word_bits": 64})
    assert energy_by_component(counts, 0, wide, TABLE)["glb"] == pytest.approx(5 * 17.0418 * 0.696)
    wide = MACHINE.replace(**{"glb.weight_kib": 32, "glb.word_bits": 32})
    assert energy_by_component(counts, 0, wide, TABLE)["glb"] == pytest.approx(10 * 11.7855 * 0.696)


def test_leakage_by_hand():
    """16 PEs of a multiplier, an adder and three registers; three buffers of 4 KiB; 4 lanes.

    4096 bytes lie in the middle (on log axes) of the table's 2048 and 8192. 1 mW for 1 ns is 1 pJ,
    and 100 MHz make 10 ns a cycle. 0.696 brings 1.1 V to 0.9 V, 1.166 40 nm to 45 nm.
    """
    buffer = (7.52517e-05 * 0.000254988) ** 0.5 * 0.696
    adder, register = 0.015 * 1.166, 32 * 79.1e-6 * 0.696
    power_mw = 16 * (0.06164 * 0.696 + adder + 3 * register) + 3 * buffer + 4 * adder
    powers = static_powers(MACHINE, TABLE)
    assert {action for _, action in powers} == {"leak"}
    assert sum(powers.values()) == pytest.approx(power_mw)
    energy = energy_by_component({}, 1000, MACHINE, TABLE)
    assert energy["leakage"] == pytest.approx(power_mw * 10_000)
    assert sum(energy.values()) == energy["leakage"]
    wide = MACHINE.replace(accumulator="float64")
    more = sum(static_powers(wide, TABLE).values()) - power_mw
    assert more == pytest.approx(16 * (adder + register))


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_dram_is_charged_bursts_rows_and_standby_in_each_channel(kind, channels):
    machine = MACHINE.replace(**{"dram.kind": kind, "dram.channels": channels})
    counts = {
        ("dram", "read"): 123,
        ("dram", "write"): 45,
        ("dram", "read_burst"): 7,
        ("dram", "write_burst"): 5,
        ("dram", "activate"): 3,
    }
    component = f"dram.{kind}"
    expected = channels * (
        7 * TABLE.energy_pj(component, "read_burst")
        + 5 * TABLE.energy_pj(component, "write_burst")
        + 3 * TABLE.energy_pj(component, "activate")
        + 10_000 * TABLE.power_mw(component, "background")
    )
    assert energy_by_component(counts, 1000, machine, TABLE)["dram"] == pytest.approx(expected)


def test_the_machine_books_the_bursts_and_rows_that_it_reports(small_trace):
    machine = Accelerator.preset("edge_16x16").replace(
        **{"dram.kind": "ddr4_2400", "dram.bytes_per_cycle": 64}
    )
    result = accelsim.machine.run_machine(small_trace, machine, values=False)
    for record in result.layers:
        counts = record.counts
        bursts = counts["dram", "read_burst"] + counts["dram", "write_burst"]
        assert bursts == record.dram_row_hits + record.dram_row_misses
        assert counts["dram", "activate"] == record.dram_row_misses > 0
        words = counts["dram", "read"] + counts["dram", "write"]
        assert bursts * 16 >= words


@pytest.mark.parametrize("kind", DEVICES)
def test_a_rows_width_is_that_of_the_device(kind):
    device, rows = dram_kind(kind), {row.key[:2]: row for row in TABLE.rows}
    component = f"dram.{kind}"
    assert rows[component, "read_burst"].bits == 8 * device.burst_bytes
    assert rows[component, "write_burst"].bits == 8 * device.burst_bytes
    assert rows[component, "activate"].bits == 8 * device.row_bytes


def on_log_axes(low, high, at):
    """A figure between those at 512 and 2048 bytes, at 45 nm and 1.1 V, brought to 0.9 V."""
    return low * (high / low) ** math.log(at / 512, 4) * 0.696


@pytest.mark.parametrize(("words", "sram"), [(127, False), (128, True), (224, True)])
def test_rfs_leak_as_registers_or_as_srams(words, sram):
    """A PE of the rs dataflow has 12 + 24 words of registers, and an SRAM from 512 bytes on."""
    flows = [MACHINE.replace(**{"array.dataflow": flow}) for flow in ("os", "rs")]
    flows[1] = flows[1].replace(**{"spatial.filter_rf_words": words})
    registers, files = (static_powers(machine, TABLE) for machine in flows)
    register = 32 * 79.1e-6 * 0.696
    assert registers["rf", "leak"] == pytest.approx(16 * 3 * register)
    assert files["rf", "leak"] == pytest.approx(16 * (36 + (0 if sram else words)) * register)
    expected = on_log_axes(2.19439e-05, 7.52517e-05, 4 * words)
    assert files.get(("rf.filter", "leak")) == (pytest.approx(16 * expected) if sram else None)


@pytest.mark.parametrize("words", [127, 128, 224])
def test_rfs_are_charged_as_registers_or_as_srams(words):
    machine = MACHINE.replace(**{"array.dataflow": "rs", "spatial.filter_rf_words": words})
    pairs = [(f"rf.{name}", action) for name in RF_OPERANDS for action in ("read", "write")]
    energy = energy_by_action(dict.fromkeys(pairs, 10), 0, machine, TABLE)
    register = 10 * 32 * 0.009 * 1.166
    for pair in pairs[:2] + pairs[4:]:
        assert energy[pair] == pytest.approx(register)
    read, write = (energy["rf.filter", action] for action in ("read", "write"))
    if words < 128:
        assert (read, write) == pytest.approx((register, register))
    else:
        assert read == pytest.approx(10 * on_log_axes(0.846316, 2.23182, 4 * words))
        assert write == pytest.approx(10 * on_log_axes(1.75729, 2.63511, 4 * words))
    assert energy_by_component(dict.fromkeys(pairs, 10), 0, machine, TABLE)["rf"] == pytest.approx(
        sum(energy[pair] for pair in pairs)
    )


@pytest.mark.parametrize("count", [("rf", "erase"), ("multiplier.none", "compute")])
def test_rejects_an_action_without_a_row(count):
    with pytest.raises(EnergyTableError, match="has no row for component"):
        energy_by_component({count: 1}, 0, MACHINE, TABLE)


def test_the_clock_tree_is_charged_every_cycle_of_every_pe_where_the_machine_says_so():
    eyeriss = load_table("eyeriss65")
    plain = MACHINE.replace(multiplier="exact_int16", energy_table="eyeriss65")
    clocked = plain.replace(clock_tree=True)
    without, with_it = (energy_by_component({}, 1000, one, eyeriss) for one in (plain, clocked))
    assert set(without) == set(COMPONENTS)
    assert with_it.pop("clock") == pytest.approx(1000 * 16 * 686.04 / 168)
    assert with_it == without
    with pytest.raises(EnergyTableError, match="'cmos45' has no row for component 'clock'"):
        energy_by_component({}, 1000, MACHINE.replace(clock_tree=True), TABLE)


def test_rejects_a_buffer_outside_the_tables_range():
    huge = MACHINE.replace(**{"glb.ofmap_kib": 4096})
    rule = "has glb leak for memories of 512 to 1048576 bytes, got 4194304"
    with pytest.raises(EnergyTableError, match=rule):
        static_powers(huge, TABLE)


def test_rejects_a_table_of_another_node_than_the_machines():
    check_node(MACHINE, TABLE)
    check_node(MACHINE.replace(technology_nm=45), TABLE)
    rule = r"'tiny_4x4' is of 28 nm \(technology_nm\), its energy table 'cmos45' of 45 nm; choose"
    with pytest.raises(EnergyTableError, match=rule):
        check_node(MACHINE.replace(technology_nm=28), TABLE)
