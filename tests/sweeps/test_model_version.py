"""Results of a few configurations, as this version of the model gives them.

Where this fails a change altered results: raise `MODEL_VERSION`, so that stores compute their
points anew, and put the new numbers here.
"""

import pytest

import accelsim
from accelsim.sweeps import driver
from accelsim.sweeps.points import point_of, run_points
from accelsim.version import MODEL_VERSION

NET = "c, 16, 16, 3, 3, 4, 24, 1\nd, 14, 14, 1, 1, 24, 8, 2\n"
EXPECTED = {
    ("os", "exact_fp32", "simple"): (3884, 9.179186764434613),
    ("ws", "ax_fpm", "simple"): (3796, 8.915174365301032),
    ("rs", "exact_int8", "ddr4_2400"): (6468, 17.16339316292709),
}


def test_results_are_those_of_this_version_of_the_model(tmp_path):
    net = tmp_path / "net.csv"
    net.write_text(NET)
    found = {}
    for flow, unit, dram in EXPECTED:
        fields = {"array.dataflow": flow, "multiplier": unit, "dram.kind": dram}
        base = accelsim.Accelerator.preset("edge_16x16")
        _, point = point_of(fields, base, str(net), None, None, values=False)
        (row,) = run_points([point])
        found[flow, unit, dram] = row["latency_cycles"], pytest.approx(row["energy_uj"], rel=1e-9)
    assert (MODEL_VERSION, found) == (1, EXPECTED)


def test_another_version_of_the_model_computes_anew(tmp_path, monkeypatch):
    net, asked = tmp_path / "net.csv", []
    net.write_text(NET)

    def evaluate(todo, *_):
        asked.append(len(todo))
        return ((key, {"error": ""}) for key in todo)

    monkeypatch.setattr(driver, "_evaluate", evaluate)
    for version in (1, 1, 2, 1):
        monkeypatch.setattr("accelsim.sweeps.points.MODEL_VERSION", version)
        accelsim.sweep(str(net), {"array.rows": [4, 8]}, out=tmp_path / "s", values=False)
    assert asked == [2, 0, 2, 0]


def test_a_worker_of_another_version_says_so(tmp_path, monkeypatch):
    """Also one that comes to a cluster when the sweep has begun."""
    net = tmp_path / "net.csv"
    net.write_text(NET)
    base = accelsim.Accelerator.preset("edge_16x16")
    _, point = point_of({}, base, str(net), None, None, values=False)
    monkeypatch.setattr("accelsim.sweeps.points.MODEL_VERSION", 1000)
    (row,) = run_points([point])
    assert row == {
        "error": "accelsim has model version 1000 here and 1 where the sweep was started; install "
        "the same version and start again"
    }
