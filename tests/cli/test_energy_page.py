"""What `accelsim show` prints of an energy table: every figure, its source, what it is made of."""

import pytest

from accelsim.cli.energy_page import energy_page
from accelsim.energy import load_table, tables
from accelsim.energy.actions import is_power

TABLE_WIDTH = 80


@pytest.fixture
def shown(accelsim, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(TABLE_WIDTH))

    def shown(name):
        code, out, _ = accelsim("show", name)
        assert code == 0
        return out

    return shown


@pytest.mark.parametrize("name", tables())
def test_it_fits_80_columns_with_every_source_once(shown, name):
    out = shown(name)
    assert max(map(len, out.splitlines())) <= TABLE_WIDTH
    for row in load_table(name).rows:
        assert " ".join(out.split()).count(f"] {row.source} ") == 1, row.source


@pytest.mark.parametrize("name", tables())
def test_every_row_is_there_with_figure_unit_and_confidence(name):
    page = energy_page(name)
    lines = [line for line in page.rows if line[1]]
    rows = [row for row in load_table(name).rows if row.capacity_bytes is None]
    expected = sorted(
        (row.action, f"{row.amount:.4g}", "mW" if is_power(row.action) else "pJ", str(row.bits),
         row.confidence)
        for row in rows
    )  # fmt: skip
    assert sorted(tuple(line[1:6]) for line in lines) == expected
    names = [line[0] for line in page.rows if line[0]]
    assert len(names) == len({*names}), "rows of a component are not together"


def test_memories_are_a_grid_and_notes_say_what_a_figure_is_made_of(shown):
    out = shown("cmos45")
    grid = out[out.index("glb read, pJ by KiB and bits of an access; modelled") :].splitlines()
    assert grid[1].split() == ["KiB", "16", "bits", "32", "bits", "64", "bits"]
    assert grid[2].split() == ["0.5", "0.5011", "0.589", "0.9839"]
    assert grid[5].split() == ["16", "-", "-", "8.08"]
    text = " ".join(out.split())
    assert "multiplier.ax_fpm compute = 3.7 pJ x 0.52: fp32 multiply; 0.52: the gate" in text
    assert "glb read = each x 0.696: 0.696: Stillmaker-Baas, 45 nm 1.1 V to 45 nm 0.9 V" in text


def test_a_table_of_the_users_is_checked_and_shown(accelsim, shown, energies_of):
    path = energies_of("my_unit")
    out = shown(path)
    assert "mine: 45 nm, 0.9 V" in out
    assert "my_unit" in out
    path.write_text(path.read_text().replace("published", "certain", 1))
    code, out, err = accelsim("show", path)
    assert (code, out) == (2, "")
    assert "mine.csv:2: confidence must be one of published, derived," in err
