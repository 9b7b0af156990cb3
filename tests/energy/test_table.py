"""Look-ups in energy tables: interpolation, its range, and what is missing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.energy import EnergyTable, load_table, tables
from accelsim.energy.rows import EnergyRow
from accelsim.errors import EnergyTableError, UnknownNameError

CMOS45 = load_table("cmos45")


@pytest.mark.parametrize("name", tables())
def test_shipped_tables_say_where_every_number_is_from(name):
    table = load_table(name)
    assert table.name == name
    assert table.technology_nm
    assert table.voltage_v
    for row in table.rows:
        assert len(row.source) > 10
        if row.confidence != "published" or row.factor:
            assert row.note or row.source.startswith("CACTI"), row


def test_a_scaled_value_shows_its_factor():
    rows = {(row.component, row.action): row for row in CMOS45.rows}
    ax = rows["multiplier.ax_fpm", "compute"]
    assert (ax.value, ax.factor) == (rows["multiplier.exact_fp32", "compute"].value, "0.52")
    assert "CAVEAT" in ax.note


def test_energy_between_two_capacities_is_on_a_straight_log_log_line(write, memory):
    table = load_table(write(memory(100, 32, 1.0), memory(400, 32, 4.0)))
    assert table.energy_pj("glb", "read", 100, 32) == 1
    assert table.energy_pj("glb", "read", 400, 32) == 4
    assert math.isclose(table.energy_pj("glb", "read", 200, 32), 2)


def test_energy_between_two_widths_is_on_one_too_after_the_capacities(write, memory):
    """At 200 bytes 16 bits cost 2 and 64 bits 8: half way, 32 bits, 4."""
    points = [(100, 16, 1.0), (400, 16, 4.0), (50, 64, 4.0), (200, 64, 8.0), (800, 64, 9.0)]
    table = load_table(write(*(memory(*point) for point in points)))
    assert math.isclose(table.energy_pj("glb", "read", 200, 32), 4)


def test_next_to_a_zero_the_line_is_straight(write, memory):
    table = load_table(write(memory(100, 32, 0.0, "leak"), memory(300, 32, 4.0, "leak")))
    assert table.power_mw("glb", "leak", 200, 32) == 2


def growing(values):
    """Return positive numbers that grow, drawn as steps."""
    return st.lists(st.floats(0.01, 10), min_size=len(values), max_size=len(values)).map(
        lambda steps: [sum(steps[: at + 1]) for at in range(len(steps))]
    )


SIZES, WIDTHS = (512, 2048, 8192, 65536), (16, 32, 64)


@given(
    lines=st.lists(growing(SIZES), min_size=3, max_size=3),
    at=st.floats(512, 65536),
    other=st.floats(512, 65536),
    bits=st.floats(16, 64),
)
def test_interpolation_lies_between_neighbors_and_grows_with_capacity(lines, at, other, bits):
    rows = tuple(
        EnergyRow("glb", "read", value, "pJ", 45, 0.9, width, size, "c", "", "s", 45, 0.9, "d", "")
        for width, line in zip(WIDTHS, lines, strict=True)
        for size, value in zip(SIZES, line, strict=True)
    )
    table = EnergyTable("drawn", CMOS45.path, rows, "")
    below, above = max(s for s in SIZES if s <= at), min(s for s in SIZES if s >= at)
    narrow, wide = max(w for w in WIDTHS if w <= bits), min(w for w in WIDTHS if w >= bits)
    corners = [
        row.amount
        for row in rows
        if row.capacity_bytes in (below, above) and row.bits in (narrow, wide)
    ]
    found = table.energy_pj("glb", "read", at, bits)
    assert min(corners) * (1 - 1e-9) <= found <= max(corners) * (1 + 1e-9)
    more = table.energy_pj("glb", "read", max(at, other), bits)
    less = table.energy_pj("glb", "read", min(at, other), bits)
    assert less <= more * (1 + 1e-9)


@pytest.mark.parametrize("name", tables())
@pytest.mark.parametrize("action", ["read", "write", "leak"])
def test_at_its_points_a_table_gives_its_points(name, action):
    table = load_table(name)
    look_up = table.power_mw if action == "leak" else table.energy_pj
    points = [row for row in table.rows if (row.component, row.action) == ("glb", action)]
    assert len(points) >= 2
    for row in points:
        assert look_up("glb", action, row.capacity_bytes, row.bits) == row.amount


@pytest.mark.parametrize("capacity", [99, 401])
def test_rejects_a_capacity_outside_the_measured_range(write, memory, capacity):
    table = load_table(write(memory(100, 32, 1.0), memory(400, 32, 4.0)))
    rule = f"'mine' has glb read for memories of 100 to 400 bytes, got {capacity}"
    with pytest.raises(EnergyTableError, match=rule):
        table.energy_pj("glb", "read", capacity, 32)


@pytest.mark.parametrize("bits", [15, 65, 1024])
def test_rejects_a_width_outside_the_measured_range(bits):
    rule = rf"'cmos45' has glb read for accesses of 16 to 64 bits \(glb.word_bits\), got {bits}"
    with pytest.raises(EnergyTableError, match=rule):
        CMOS45.energy_pj("glb", "read", 1024, bits)


def test_rejects_a_look_up_without_the_size_that_it_goes_by():
    with pytest.raises(EnergyTableError, match="has glb read by capacity and width; state both"):
        CMOS45.energy_pj("glb", "read")


def test_rejects_the_wrong_dimension():
    with pytest.raises(EnergyTableError, match="rf leak is a power: ask power_mw for it"):
        CMOS45.energy_pj("rf", "leak")
    with pytest.raises(EnergyTableError, match="rf read is energy: ask energy_pj for it"):
        CMOS45.power_mw("rf", "read")


def test_rejects_a_missing_action_and_names_the_nearest(write):
    table = load_table(write({}))
    with pytest.raises(EnergyTableError, match="action 'raed'; add one .*'rf read'"):
        table.energy_pj("rf", "raed")


def test_rejects_an_unknown_name():
    with pytest.raises(UnknownNameError, match=r"no energy table named 'cmos54'.*'cmos45'\?"):
        load_table("cmos54")


def test_rejects_a_missing_file(tmp_path):
    with pytest.raises(EnergyTableError, match="cannot read energy table .*No such file"):
        load_table(str(tmp_path / "none.csv"))


def test_takes_a_table_with_a_byte_order_mark_and_windows_line_ends(write):
    path = write({})
    with open(path, encoding="utf-8") as stream:
        text = "\ufeff" + stream.read()
    with open(path, "wb") as stream:
        stream.write(text.replace("\n", "\r\n").encode())
    assert load_table(path).energy_pj("rf", "read") == 1


@pytest.mark.parametrize(
    ("capacity", "bits", "rows"),
    [
        (2048, 64, {(2048, 64)}),
        (3072, 64, {(2048, 64), (8192, 64)}),
        (3072, 48, {(2048, 32), (8192, 32), (2048, 64), (8192, 64)}),
    ],
)
def test_the_rows_behind_a_memory_are_its_neighbors(capacity, bits, rows):
    behind = CMOS45.rows_behind("glb", "read", capacity, bits)
    assert {(row.capacity_bytes, row.bits) for row in behind} == rows


def test_the_row_behind_a_figure_without_size_is_itself():
    (row,) = CMOS45.rows_behind("multiplier.ax_fpm", "leak")
    assert row.amount == CMOS45.power_mw("multiplier.ax_fpm", "leak")
