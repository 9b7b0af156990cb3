"""accelsim sweep of a tiny topology: searches, objectives, --fail-fast, --store and bad input.

Grids, and interruptions, are in test_sweep.py.
"""

import json

import pytest

from accelsim.folders import read_manifest
from accelsim.sweeps import driver


@pytest.fixture
def net(tmp_path, in_this_process):
    path = tmp_path / "net.csv"
    path.write_text("a, 3, 300, 3, 3, 1, 1, 1\n")
    return path


def test_an_optimizer_prints_the_best_and_keeps_all(accelsim, net, tmp_path):
    line = ("sweep", net, "--timing-only", "--out", tmp_path / "s", "--search", "nsga2")
    how = ("--points", "8", "--seed", "2", "--vary", "array.rows=2..9", "--vary", "array.cols=2..9")
    code, out, _ = accelsim(
        *line, *how, "--objective", "latency_us", "--objective", "utilization:max"
    )
    assert code == 0
    assert "Best points of the sweep" in out
    assert all(len(text) <= 80 for text in out.splitlines())
    manifest = read_manifest(tmp_path / "s", "sweep")
    assert manifest["grid"] == {"array.rows": "2..9", "array.cols": "2..9"}
    assert (manifest["search"], manifest["seed"]) == ("nsga2", 2)
    assert manifest["objectives"] == ["latency_us:min", "utilization:max"]
    code, out, _ = accelsim(*line, *how, "--json")
    assert 4 < len(json.loads(out)) <= 8
    assert {row["pareto"] for row in json.loads(out)} == {True, False}


def test_fail_fast_says_where_it_stopped(accelsim, net, tmp_path):
    vary = ("--vary", "glb.ifmap_kib=64,0.5,32")
    line = ("sweep", net, "--timing-only", *vary, "--out", tmp_path / "s")
    code, out, err = accelsim(*line, "--fail-fast")
    assert code == 1
    assert out.count("failed") == 1
    assert "1 of 2 points failed" in err
    assert "stopped after 2 of 3" in err
    code, out, err = accelsim(*line)
    assert (code, "1 of 3 points failed" in err, "stopped" in err) == (1, True, False)


def test_a_store_is_shared(accelsim, net, tmp_path):
    common = ("--timing-only", "--vary", "array.rows=4,8", "--store", tmp_path / "all.sqlite")
    for out in ("s", "t"):
        assert accelsim("sweep", net, *common, "--out", tmp_path / out)[0] == 0
        assert not (tmp_path / out / driver.STORE).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--vary array.rows=8..4", "a range is LOW..HIGH"),
        ("--vary clock_mhz=1.5..9", "has no step, so it has no grid"),
        ("--vary array.rows=4 --search nsga", "Did you mean 'nsga2'?"),
        ("--vary array.rows=4 --search random", "give points (--points)"),
        ("--vary array.rows=4 --points 3", "a grid has the points it has"),
        ("--vary array.rwos=4..8", "Did you mean 'array.rows'?"),
        ("--vary array.rows=4 --objective a:b", "COLUMN:max, got 'a:b'"),
        ("--vary workload=none.csv", "none.csv"),
        ("--vary array.rows=4 --store {0}/net.csv", "cannot be opened as a store"),
        ("--vary array.rows=4 --scheduler tcp://a:1 --workers 2", "give one of them"),
    ],
)
def test_rejects_with_one_message(accelsim, net, tmp_path, options, message):
    words = options.format(tmp_path).split()
    code, out, err = accelsim("sweep", net, "--timing-only", "--out", tmp_path / "s", *words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not (tmp_path / "s" / "results.csv").exists()
