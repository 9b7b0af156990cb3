"""Modes of the multipliers' energy on the command line."""

import json

import pytest

SIMULATE = ("simulate", "lenet5_digits", "--images", "1")
FEW = ("--set", "multiplier_energy.transitions=2000")


def test_toggles_are_printed_with_both_bounds_and_their_intervals(accelsim):
    code, out, err = accelsim(*SIMULATE, "--multiplier-energy", "toggles", *FEW)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    flat = " ".join(out.split())
    assert "Toggles of exact_fp32, uJ at 0.9 V (0.696 of 1.1 V): of settled states (least)" in flat
    assert flat.count("conv2 ") == 2
    assert "exact " not in flat.partition("Toggles of exact_fp32")[2].partition("All layers")[0]


def test_toggles_of_several_units_as_json(accelsim):
    units = ("-m", "exact_int8", "-m", "ax_fpm")
    code, out, err = accelsim(*SIMULATE, *units, "--multiplier-energy", "toggles", *FEW, "--json")
    assert code == 0, err
    for run in json.loads(out):
        summary = run["summary"]
        assert summary["multiplier_energy"] == "toggles_functional"
        least, most = (summary[f"multiplier_{way}_uj"] for way in ("functional", "unit_delay"))
        assert 0 < summary["multiplier_functional_low_uj"] < least < most
        assert summary["energy_multiplier_uj"] == pytest.approx(least)


def test_gated_products_are_in_the_title(accelsim):
    code, out, err = accelsim(*SIMULATE, "--multiplier-energy", "zero_gated")
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "% of the MACs gated" in " ".join(out.split())
    assert "Toggles" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--multiplier-energy", "gated"), "multiplier_energy.mode: input should be 'fixed'"),
        (("--multiplier-energy", "toggles", "-m", "drum6_u16"), "'drum6_u16' has none; those"),
        (("--multiplier-energy", "toggles", "--timing-only"), "a timing-only simulation has none"),
        (("--multiplier-energy", "zero_gated", "--timing-only"), "simulate with values, or choose"),
    ],
)
def test_bad_input_is_one_clear_message(accelsim, arguments, said):
    code, out, err = accelsim(*SIMULATE, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.usefixtures("in_this_process")
def test_a_sweep_over_modes_has_a_row_for_each(accelsim, tmp_path):
    vary = ("--vary", "multiplier_energy.mode=fixed,zero_gated,toggles", *FEW)
    line = ("sweep", "lenet5_digits", "--images", "1", *vary, "--out", tmp_path / "w")
    code, out, err = accelsim(*line, "--json")
    assert code == 0, err
    rows = json.loads(out)
    modes = [row["multiplier_energy"] for row in rows]
    assert modes == ["fixed", "zero_gated", "toggles_functional"]
    energies = [row["energy_multiplier_uj"] for row in rows]
    assert energies[1] < energies[0]
    assert len({*energies}) == 3
    code, _, err = accelsim(*line, "--timing-only")
    assert (code, "a timing-only simulation has none" in err) == (2, True)
