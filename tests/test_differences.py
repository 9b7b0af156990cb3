"""One run beside another: values, ratios, and what may not differ."""

import numpy as np
import pytest

import accelsim
from accelsim.comparison import compare_results
from accelsim.errors import DataError


@pytest.fixture(scope="module")
def larger(small_trace):
    """The approximate run on another array, timing alone."""
    machine = accelsim.Accelerator.preset("edge_16x16")
    changed = machine.replace(multiplier="ax_fpm", **{"array.rows": 32})
    return accelsim.simulate(small_trace, changed, values=False)


def test_units_stand_beside_each_other_with_ratios(runs):
    exact, approximate = runs
    table = exact.compare(approximate)
    assert list(table.columns) == ["quantity", "unit", "exact_fp32", "ax_fpm", "ratio"]
    rows = table.set_index("quantity")
    one, other = (run.summary.iloc[0] for run in runs)
    for name, column in (("latency", "latency_us_per_image"), ("energy", "energy_uj_per_image")):
        assert rows.loc[name, "exact_fp32"] == one[column]
        assert rows.loc[name, "ax_fpm"] == other[column]
        assert rows.loc[name, "ratio"] == other[column] / one[column]
    assert rows.loc["accuracy", "unit"] == "%"
    assert rows.loc["accuracy", "ax_fpm"] == 100 * other["accuracy"]
    assert rows.loc["energy of dram", "ratio"] == 1
    back = approximate.compare(exact).set_index("quantity")
    assert back["ratio"]["latency"] == pytest.approx(1 / rows["ratio"]["latency"])


def test_the_parts_of_the_energy_are_all_of_it(runs):
    rows = runs[0].compare(runs[1]).set_index("quantity")
    parts = [name for name in rows.index if name.startswith("energy of ")]
    for unit in ("exact_fp32", "ax_fpm"):
        assert rows.loc[parts, unit].sum() == pytest.approx(rows.loc["energy", unit])


def test_it_says_what_accelsim_compare_says(runs, tmp_path):
    for run in runs:
        run.save(tmp_path / run.accelerator.multiplier)
    saved = compare_results([tmp_path]).set_index("quantity")
    table = runs[0].compare(runs[1]).set_index("quantity")
    assert set(saved.index) < set(table.index)
    for name in saved.index:
        assert table.loc[name, "ax_fpm"] == pytest.approx(saved.loc[name, "ax_fpm"], nan_ok=True)


def test_machines_are_called_by_the_fields_that_differ(runs, larger):
    table = runs[1].compare(larger)
    assert list(table.columns)[2:] == ["array.rows=16", "array.rows=32", "ratio"]
    rows = table.set_index("quantity")
    assert rows.loc["latency, array busy", "ratio"] < 1
    assert np.isnan(rows.loc["accuracy", "ratio"])


def test_a_run_beside_itself(runs):
    table = runs[0].compare(runs[0])
    assert list(table.columns)[2:4] == ["this", "other"]
    assert set(table["ratio"].dropna()) == {1}
    zero = table[table["this"] == 0]
    assert zero["ratio"].isna().all()


def test_rejects_other_images(runs, small_trace):
    machine = runs[0].accelerator
    with pytest.raises(DataError, match="differ in images: 2 and 1"):
        runs[0].compare(accelsim.simulate(small_trace, machine, images=1, values=False))
    model, images, _ = accelsim.load_workload("lenet5_digits", limit=2)
    other = accelsim.trace(model, images[::-1].copy(), name="lenet5_digits")
    with pytest.raises(DataError, match="weights or images differ"):
        runs[0].compare(accelsim.simulate(other, machine, values=False))
    other = accelsim.trace(model, images, name="lenet5")
    with pytest.raises(DataError, match="differ in workload: lenet5_digits and lenet5"):
        runs[0].compare(accelsim.simulate(other, machine, values=False))
