"""Halved and doubled constants: against runs that are simulated with such a table."""

from dataclasses import replace

import pandas as pd
import pytest

import accelsim
from accelsim.energy import load_table, rows_to_csv
from accelsim.errors import DataError


def with_constant(tmp_path, component, action, factor):
    """Return the path of cmos45 with a row's value, of all sizes, changed."""
    rows = [
        replace(row, value=row.value * factor) if row.key[:2] == (component, action) else row
        for row in load_table("cmos45").rows
    ]
    path = tmp_path / f"{component}_{action}_{factor:g}.csv"
    path.write_text(rows_to_csv(rows))
    return str(path)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(
    ("constant", "component", "action"),
    [
        ("dram.simple read", "dram.simple", "read"),
        ("multiplier.ax_fpm compute", "multiplier.ax_fpm", "compute"),
        ("glb read (64 KiB, 32 bits)", "glb", "read"),
    ],
)
def test_a_changed_constant_is_a_simulation_with_a_changed_table(
    runs, small_trace, tmp_path, constant, component, action, factor
):
    """All partitions of edge_16x16 are of 64 KiB: they read at one constant."""
    found = accelsim.sensitivity(runs)
    own = found[(found["constant"] == constant) & (found["factor"] == factor)]
    path = with_constant(tmp_path, component, action, factor)
    for row in own.to_dict("records"):
        machine = runs[0].accelerator.replace(multiplier=row["multiplier"], energy_table=path)
        again = accelsim.simulate(small_trace, machine, values=False).summary
        assert row["energy_uj"] == pytest.approx(again["energy_uj"][0], rel=1e-9)
    energies = own["energy_uj"].to_list()
    assert own["ratio"].to_list() == pytest.approx([1, energies[1] / energies[0]])
    assert own["survives"].all()


def test_the_largest_shares_come_first_and_units_have_constants_of_their_own(runs):
    found = accelsim.sensitivity(runs)
    stated = found.iloc[:2]
    assert stated["constant"].to_list() == ["", ""]
    assert stated["energy_uj"].to_list() == pytest.approx(
        [run.summary["energy_uj"][0] for run in runs]
    )
    varied = found.iloc[2:]
    assert len(varied) == 5 * 2 * 2
    largest = varied.groupby("constant", sort=False)["share"].max()
    assert list(largest) == sorted(largest, reverse=True)
    assert largest.index[0] == "dram.simple read"
    own = varied[varied["constant"] == "multiplier.ax_fpm compute"].set_index("multiplier")
    assert (own.loc["exact_fp32", "share"] == 0).all()
    assert (own.loc["exact_fp32", "energy_uj"] == stated["energy_uj"].iloc[0]).all()
    assert own["energy_pj"].to_numpy() == pytest.approx(1.924)


def test_a_conclusion_may_not_survive(runs):
    """A unit that takes a little less than the exact one, by its products alone, takes more x 2."""
    exact = runs[0]
    dear = exact.actions.copy()
    dear["component"] = dear["component"].replace("multiplier.exact_fp32", "multiplier.ax_fpm")
    products = dear["action"] == "compute"
    dear.loc[products, ["energy_per_action_pj", "energy_pj"]] *= 0.9
    other = replace(runs[1], actions=dear)
    found = accelsim.sensitivity([exact, other])
    broken = found[~found["survives"]]
    pairs = broken[["constant", "factor"]].drop_duplicates().to_dict("split")["data"]
    unit = "multiplier.{} compute"
    assert sorted(pairs) == [[unit.format("ax_fpm"), 2.0], [unit.format("exact_fp32"), 0.5]]


def test_one_run_alone_has_its_totals(runs):
    found = accelsim.sensitivity(runs[1:])
    assert (found["ratio"] == 1).all()
    assert found["survives"].all()
    assert found["multiplier"].unique() == ["ax_fpm"]


def test_powers_are_constants_too(small_trace):
    machine = accelsim.Accelerator.preset("edge_16x16").replace(
        **{"dram.kind": "hbm2_2000", "dram.bytes_per_cycle": 64}
    )
    run = accelsim.simulate(small_trace, machine, values=False)
    found = accelsim.sensitivity([run]).set_index("constant")
    standby = found.loc["dram.hbm2_2000 background"]
    spent = run.actions[run.actions["action"] == "background"]
    change = standby["energy_uj"] - run.summary["energy_uj"][0]
    by = spent["energy_pj"].sum() / 1e6
    assert change.to_list() == pytest.approx([-0.5 * by, by])
    assert standby["energy_pj"].to_list() == pytest.approx(
        2 * [spent["energy_per_action_pj"].iloc[0]]
    )
    assert not any(name.endswith((" read", " write")) for name in found.index if "dram" in name)


def test_rejects_runs_that_it_cannot_compare(runs, small_trace):
    with pytest.raises(DataError, match="sensitivity needs at least one run"):
        accelsim.sensitivity([])
    with pytest.raises(DataError, match="two runs have the multiplier 'ax_fpm'; give one for"):
        accelsim.sensitivity([runs[1], runs[1]])
    wide = runs[1].accelerator.replace(**{"array.rows": 32})
    other = accelsim.simulate(small_trace, wide, values=False)
    with pytest.raises(DataError, match=r"differ in configuration: .* in 'ax_fpm'"):
        accelsim.sensitivity([runs[0], other])
    with pytest.raises(DataError, match="without its action counts"):
        accelsim.sensitivity([replace(runs[0], actions=None)])


def test_loaded_runs_have_the_same_sensitivity(runs, tmp_path):
    loaded = [accelsim.load_run(run.save(tmp_path / run.accelerator.multiplier)) for run in runs]
    pd.testing.assert_frame_equal(
        accelsim.sensitivity(loaded), accelsim.sensitivity(runs), check_exact=True
    )
