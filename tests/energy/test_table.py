import math

import pytest

from accelsim.energy import load_table, tables
from accelsim.errors import EnergyTableError, UnknownNameError

HEADER = "component,action,energy_pj,technology_nm,voltage_v,bits,capacity_bytes,source,note\n"


@pytest.fixture
def write(tmp_path):
    def write(text, header=HEADER):
        path = tmp_path / "mine.csv"
        path.write_text(header + text)
        return str(path)

    return write


@pytest.mark.parametrize("name", tables())
def test_shipped_tables_read_and_every_row_has_a_source(name):
    table = load_table(name)
    assert table.name == name
    assert all(len(row.source) > 10 for row in table.rows)


def test_a_scaled_or_assumed_value_says_so():
    rows = {(row.component, row.action): row for row in load_table("cmos45").rows}
    ax = rows["multiplier.ax_fpm", "compute"]
    exact = rows["multiplier.exact_fp32", "compute"]
    assert ax.energy_pj == pytest.approx(exact.energy_pj * 0.52)
    assert "x 0.52" in ax.note
    assert "CAVEAT" in ax.note


def test_energy_between_two_capacities_is_on_a_straight_log_log_line(write):
    table = load_table(
        write("glb,read,1,45,1,32,100,some source,\nglb,read,4,45,1,32,400,some source,\n")
    )
    assert table.energy_pj("glb", "read", 100) == 1
    assert table.energy_pj("glb", "read", 400) == 4
    assert math.isclose(table.energy_pj("glb", "read", 200), 2)


def test_next_to_a_zero_the_line_is_straight(write):
    table = load_table(write("glb,leak,0,45,1,32,100,s,\nglb,leak,4,45,1,32,300,s,\n"))
    assert table.energy_pj("glb", "leak", 200) == 2


@pytest.mark.parametrize("capacity", [99, 401])
def test_rejects_a_capacity_outside_the_measured_range(write, capacity):
    table = load_table(write("glb,read,1,45,1,32,100,s,\nglb,read,4,45,1,32,400,s,\n"))
    with pytest.raises(EnergyTableError, match=f"from 100 to 400 bytes, got {capacity}"):
        table.energy_pj("glb", "read", capacity)


def test_rejects_a_missing_action_and_names_the_nearest(write):
    table = load_table(write("rf,read,1,45,1,32,,source,\n"))
    with pytest.raises(EnergyTableError, match="action 'raed'; add one .*'rf read'"):
        table.energy_pj("rf", "raed")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("rf,read,1,45,1,32,,,\n", "mine.csv:2: source must not be empty"),
        (
            "rf,read,-1,45,1,32,,s,\n",
            "mine.csv:2: energy_pj must be a finite number >= 0, got '-1'",
        ),
        ("rf,read,nan,45,1,32,,s,\n", "mine.csv:2: energy_pj must be a finite number >= 0"),
        ("rf,read,,45,1,32,,s,\n", "mine.csv:2: energy_pj must be a finite number >= 0, got ''"),
        ("rf,read,1 pJ,45,1,32,,s,\n", "mine.csv:2: energy_pj must be a finite number"),
        ("rf,,1,45,1,32,,s,\n", "mine.csv:2: action must not be empty"),
        ("rf,read,1,45\n", "mine.csv:2: expected 9 cells"),
        ("rf,read,1,45,1,32,,s,,extra\n", "mine.csv:2: expected 9 cells"),
        ("rf,read,1,45,1,32,,s,\nrf,read,2,45,1,32,,s,\n", "mine.csv:3: repeats line 2"),
        ('rf,read,1,45,1,32,,"s,\n', "not valid CSV"),
        (
            "g,read,1,45,1,32,,s,\ng,read,1,45,1,32,8,s,\n",
            "mine.csv:3: capacity_bytes must",
        ),
        ("", "the table has no rows"),
    ],
)
def test_rejects_bad_rows_with_file_and_line(write, row, message):
    with pytest.raises(EnergyTableError, match=message):
        load_table(write(row))


def test_rejects_other_columns(write):
    with pytest.raises(EnergyTableError, match="mine.csv:1: expected the columns component,"):
        load_table(write("rf,read,1\n", header="component,action,energy\n"))


def test_rejects_an_unknown_name():
    with pytest.raises(UnknownNameError, match=r"no energy table named 'cmos54'.*'cmos45'\?"):
        load_table("cmos54")


def test_rejects_a_missing_file(tmp_path):
    with pytest.raises(EnergyTableError, match="cannot read energy table .*No such file"):
        load_table(str(tmp_path / "none.csv"))


def test_takes_a_table_with_a_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "mine.csv"
    text = "\ufeff" + HEADER + "rf,read,1,45,1,32,,some source,\n"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert load_table(str(path)).energy_pj("rf", "read") == 1
