"""Rows of energy tables: units, factors, and every fault with file and line."""

import pytest

from accelsim.energy import load_table, tables
from accelsim.energy.actions import ACTIONS, UNITS, is_power
from accelsim.energy.rows import COLUMNS, parse_rows, product_of, rows_to_csv
from accelsim.errors import EnergyTableError

MW = {"action": "leak", "unit": "mW"}
DRAM = {"component": "dram.ddr4_2400", "action": "activate", "technology_nm": ""}


@pytest.mark.parametrize(
    ("unit", "expected"), [("pJ", 3), ("fJ", 0.003), ("nJ", 3000), ("pJ/bit", 96)]
)
def test_an_energy_is_value_times_unit_times_width(write, unit, expected):
    table = load_table(write({"value": 3, "unit": unit}))
    assert table.energy_pj("rf", "read") == pytest.approx(expected)


@pytest.mark.parametrize(("unit", "expected"), [("mW", 3), ("uW", 0.003), ("nW", 3e-6)])
def test_a_power_is_value_times_unit(write, unit, expected):
    table = load_table(write({**MW, "value": 3, "unit": unit}))
    assert table.power_mw("rf", "leak") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("factor", "product"), [("", 1), ("0.5", 0.5), ("8/24 x 8/24 x 9", 1), ("4 x 1/16.1", 4 / 16.1)]
)
def test_a_factor_is_the_product_of_its_terms(write, factor, product):
    assert product_of(factor) == pytest.approx(product)
    row = {"value": 2, "factor": factor, "note": "why"}
    assert load_table(write(row)).energy_pj("rf", "read") == pytest.approx(2 * product)


@pytest.mark.parametrize("name", tables())
def test_a_table_written_and_read_is_the_same(name):
    table = load_table(name)
    text = rows_to_csv(table.rows)
    assert parse_rows(table.path, text.splitlines()) == table.rows
    assert text == table.path.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": ""}, "source must not be empty"),
        ({"source": "  "}, "source must not be empty"),
        ({"component": ""}, "component must not be empty"),
        ({"action": ""}, "action must not be empty"),
        ({"corner": ""}, "corner must not be empty"),
        ({"value": "-1"}, "value must be a finite number >= 0, got '-1'"),
        ({"value": "nan"}, "value must be a finite number >= 0, got 'nan'"),
        ({"value": "inf"}, "value must be a finite number >= 0, got 'inf'"),
        ({"value": ""}, "value must be a finite number >= 0, got ''"),
        ({"value": "1 pJ"}, "value must be a finite number >= 0, got '1 pJ'"),
        ({"unit": ""}, "unit of read, an energy, must be one of pJ, fJ, nJ, pJ/bit, got ''"),
        ({"unit": "J"}, "unit of read, an energy, must be one of pJ, fJ, nJ, pJ/bit, got 'J'"),
        ({"unit": "mW"}, "unit of read, an energy, must be one of .*, got 'mW'"),
        ({**MW, "unit": "pJ"}, "unit of leak, a power, must be one of mW, uW, nW, got 'pJ'"),
        ({"bits": "0"}, "bits must be a finite number > 0, got '0'"),
        ({"bits": "1.5"}, "bits must be a whole number, got '1.5'"),
        ({"capacity_bytes": "0"}, "capacity_bytes must be a finite number > 0"),
        ({"capacity_bytes": "9.5"}, "capacity_bytes must be a whole number"),
        ({"voltage_v": "-0.9"}, "voltage_v must be a finite number > 0, got '-0.9'"),
        ({"technology_nm": "45nm"}, "technology_nm must be a finite number > 0, got '45nm'"),
        ({"technology_nm": ""}, "technology_nm and voltage_v must not be empty"),
        ({"voltage_v": ""}, "technology_nm and voltage_v must not be empty"),
        ({"factor": "half"}, "factor must be positive numbers and quotients .*, got 'half'"),
        ({"factor": "0"}, "factor must be"),
        ({"factor": "-1"}, "factor must be"),
        ({"factor": "1/2/3"}, "factor must be"),
        ({"factor": "2 * 3"}, "factor must be"),
        ({"factor": "nan"}, "factor must be"),
        ({"confidence": ""}, "confidence must be one of published, derived, modelled, assumed"),
        ({"confidence": "sure"}, "confidence must be one of .*, got 'sure'"),
        ({"action": "raed"}, "unknown action 'raed' of rf; known: read, .* Did you mean 'read'"),
        ({"component": "rff"}, "unknown component 'rff'; known: .* Did you mean 'rf'"),
        ({"component": "multiplier"}, "unknown component 'multiplier'"),
        ({"component": "multiplier."}, "unknown component 'multiplier.'"),
        ({"component": "rf.x"}, "unknown component 'rf.x'"),
        ({"component": "dram.simple", "action": "activate"}, "unknown action 'activate' of dram.s"),
        ({**DRAM, "technology_nm": "45"}, "technology_nm must be empty: a DRAM is of no node"),
    ],
)
def test_rejects_a_bad_row_with_file_and_line(write, change, message):
    with pytest.raises(EnergyTableError, match=f"mine.csv:3: {message}"):
        load_table(write({"action": "write"}, change))


@pytest.mark.parametrize(
    "change",
    [
        {"source_technology_nm": "40"},
        {"source_voltage_v": "1.1"},
        {"source_technology_nm": ""},
        {"source_voltage_v": ""},
    ],
)
def test_rejects_mixed_sources_unless_scaled_by_a_stated_factor(write, change):
    rule = "mine.csv:2: the source is of .* mixed sources need a factor, and a note"
    for stated in ({}, {"factor": "0.7"}, {"note": "a law"}):
        with pytest.raises(EnergyTableError, match=rule):
            load_table(write({**change, **stated}))
    scaled = load_table(write({**change, "factor": "0.7", "note": "0.7: a law"}))
    assert scaled.energy_pj("rf", "read") == 0.7


@pytest.mark.parametrize("change", [{"technology_nm": "65"}, {"voltage_v": "1.1"}])
def test_rejects_two_nodes_or_voltages_in_one_table(write, change):
    other = {"action": "write", "factor": "2", "note": "a law", **change}
    rule = "mine.csv:3: .*, but line 2 is of 45 nm, 0.9 V: a table is of one node and one voltage"
    with pytest.raises(EnergyTableError, match=rule):
        load_table(write({}, other))


def test_a_dram_has_a_supply_of_its_own(write):
    table = load_table(write({}, {**DRAM, "voltage_v": "1.2", "source_voltage_v": ""}))
    assert (table.technology_nm, table.voltage_v) == (45, 0.9)


def test_rejects_a_key_that_is_there_already(write, memory):
    with pytest.raises(EnergyTableError, match="mine.csv:3: repeats line 2"):
        load_table(write({}, {"value": "2"}))
    with pytest.raises(EnergyTableError, match="mine.csv:4: repeats line 2"):
        load_table(write(memory(512, 32, 1.0), memory(512, 64, 2.0), memory(512, 32, 3.0)))
    with pytest.raises(EnergyTableError, match="mine.csv:3: repeats line 2"):
        load_table(write({}, {"bits": "16"}))


def test_rejects_capacities_in_some_rows_only(write, memory):
    with pytest.raises(EnergyTableError, match="mine.csv:3: capacity_bytes must be filled in all"):
        load_table(write(memory(512, 32, 1.0), memory("", 32, 1.0)))


def test_tells_every_fault_at_once_in_the_order_of_lines(write):
    with pytest.raises(EnergyTableError) as told:
        load_table(write({}, {"value": "x"}, {"unit": "", "source": ""}, {}))
    lines = str(told.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["3", "4", "4", "5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.csv:1: the table has no rows"),
        ("rf,read,1,pJ\n", "mine.csv:2: expected 15 cells"),
        (",".join("rf" for _ in range(16)) + "\n", "mine.csv:2: expected 15 cells"),
        ('rf,read,"1\n', "mine.csv:2: not valid CSV"),
    ],
)
def test_rejects_what_is_no_table(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text(",".join(COLUMNS) + "\n" + text)
    with pytest.raises(EnergyTableError, match=message):
        load_table(str(path))


@pytest.mark.parametrize("header", [["component", "action", "energy_pj"], [*COLUMNS, "more"], []])
def test_rejects_other_columns(write, header):
    with pytest.raises(EnergyTableError, match="mine.csv:1: expected the columns component,"):
        load_table(write({}, header=header))


def test_every_unit_is_one_of_energy_or_power():
    assert len(UNITS) == 7
    assert {action for actions in ACTIONS.values() for action in actions if is_power(action)} == {
        "leak",
        "background",
    }
