"""simulate --sensitivity on the command line."""

import json

import pytest

SIMULATE = ("simulate", "lenet5_digits", "--images", "1", "--timing-only", "--sensitivity")
UNITS = ("-m", "exact_fp32", "-m", "ax_fpm")


def test_a_table_of_80_columns_says_whether_the_order_survives(accelsim):
    code, out, err = accelsim(*SIMULATE, *UNITS)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    table = " ".join(out.partition("Sensitivity:")[2].split())
    assert "< exact_fp32 (1.000x); the order survives all of these" in table
    assert table.count(" exact_fp32 ") >= 6
    for constant in ("dram.simple read 650 ", "dram.simple write 650 "):
        assert constant in table


def test_what_does_not_survive_is_named(accelsim):
    """At a fast clock products alone make the difference: 2 x 1.924 pJ are more than 3.7."""
    fast = ("--set", "clock_mhz=500", "--set", "dram.bytes_per_cycle=64")
    code, out, err = accelsim(*SIMULATE, *UNITS, *fast, "--images", "4")
    assert code == 0, err
    table = " ".join(out.partition("Sensitivity:")[2].split())
    assert "the order does not survive multiplier.ax_fpm compute x 2 constant" in table


def test_one_unit_has_totals_only(accelsim):
    code, out, err = accelsim(*SIMULATE, "-m", "ax_fpm")
    assert code == 0, err
    table = out.partition("Sensitivity:")[2]
    assert "ratio" not in table
    assert "Energy as stated" not in table
    assert "dram.simple read" in table


def test_json_has_the_runs_and_the_sensitivity(accelsim):
    code, out, err = accelsim(*SIMULATE, *UNITS, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [run["summary"]["multiplier"] for run in found["runs"]] == ["exact_fp32", "ax_fpm"]
    rows = found["sensitivity"]
    assert len(rows) == 2 + 5 * 2 * 2
    assert rows[0]["energy_pj"] is None
    assert rows[0]["energy_uj"] == pytest.approx(found["runs"][0]["summary"]["energy_uj"])
    assert {row["factor"] for row in rows} == {0.5, 1, 2}
