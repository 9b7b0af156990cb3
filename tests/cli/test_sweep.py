"""accelsim sweep of a built-in network: grids, failed points, going on after an interruption.

Searches, and bad input, are in test_searches.py.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from accelsim.folders import read_manifest

COMMAND = [sys.executable, "-c", "from accelsim.cli import main; main()"]


@pytest.mark.usefixtures("in_this_process")
def test_sweep(accelsim, tmp_path):
    vary = ("--vary", "array.rows=4,8", "--vary", "array.pipelined=true,false")
    limits = ("--images", "1", "--workers", "1", "--timing-only", "--out", tmp_path / "s")
    code, out, _ = accelsim("sweep", "lenet5_digits", *vary, *limits)
    assert code == 0
    assert out.count("False") == 2
    assert read_manifest(tmp_path / "s", "sweep")["grid"]["array.rows"] == [4, 8]


@pytest.mark.usefixtures("in_this_process")
def test_a_sweep_with_failed_points_exits_1_and_tells_where(accelsim, tmp_path):
    arguments = ("--vary", "glb.ifmap_kib=0.5", "--images", "1", "--workers", "1")
    code, out, err = accelsim("sweep", "lenet5_digits", *arguments, "--out", tmp_path / "s")
    assert code == 1
    assert "failed" in out
    assert "1 of 1 points failed; their errors are in" in err


@pytest.mark.usefixtures("in_this_process")
def test_a_sweep_over_many_fields_fits_80_columns(accelsim, tmp_path):
    fields = ("array.rows=4", "array.cols=4", "clock_mhz=100, 200", "vector_unit.lanes=8")
    vary = [word for field in fields for word in ("--vary", field)]
    limits = ("--images", "1", "--workers", "1", "--timing-only", "--out", tmp_path / "s")
    code, out, _ = accelsim("sweep", "lenet5_digits", *vary, *limits)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "array.rows=4" in out


@pytest.mark.usefixtures("in_this_process")
def test_ctrl_c_in_a_sweep_keeps_what_was_done_and_goes_on(accelsim, tmp_path):
    rows = ",".join(str(size) for size in range(2, 26))
    arguments = [
        *("sweep", "lenet5_digits", "--vary", f"array.rows={rows}", "--images", "1"),
        *("--timing-only", "--workers", "1", "--out", str(tmp_path / "s"), "--json"),
    ]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        store, deadline = tmp_path / "s" / "points.sqlite", time.monotonic() + 120
        while _stored(store) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    kept = _stored(store)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"{kept} of 24 points are kept in {tmp_path / 's'}; the same command goes on" in err
    assert 2 <= kept < 24
    code, out, err = accelsim(*arguments)
    assert code == 0, err
    assert len(json.loads(out)) == 24


def _stored(path):
    import sqlite3

    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        try:
            return database.execute("SELECT count(*) FROM points").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


LETTERS = "a, 16, 16, 8\nb, 16, 16, 8\n"


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("search", ["grid", "random", "nsga2", "tpe"])
def test_a_sweep_over_the_multipliers_of_layers(accelsim, tmp_path, search):
    if search in ("nsga2", "tpe"):
        pytest.importorskip("optuna")
    path, out = tmp_path / "net.csv", tmp_path / "s"
    path.write_text(LETTERS)
    units = [f"--vary=layer_multipliers.{layer}=exact_fp32,ax_fpm" for layer in "ab"]
    how = [] if search == "grid" else ["--search", search, "--points", "4"]
    code, text, _ = accelsim("sweep", path, "--timing-only", *units, *how, "--out", out)
    assert code == 0
    assert "layer_multipliers.a" in text
    table = pd.read_csv(out / "results.csv").set_index(
        ["layer_multipliers.a", "layer_multipliers.b"]
    )
    if search != "grid":  # an optimizer may propose one twice
        assert len(table) == table.index.nunique() > 1
    else:
        saved = 1 - table["energy_multiplier_uj"] / table["energy_multiplier_uj"].iloc[0]
        assert list(saved) == pytest.approx(
            [0, saved.iloc[3] / 2, saved.iloc[3] / 2, 0.48], abs=0.1
        )
        assert table["layer_multipliers"].iloc[1] == "a=exact_fp32 b=ax_fpm"
        assert table["config_hash"].nunique() == 4
        leak = table["energy_leakage_uj"] / table["latency_us"]  # of both units where there are two
        assert leak.iloc[0] < 0.8 * leak.iloc[1]
        assert leak.iloc[1:].to_numpy() == pytest.approx(leak.iloc[1])


@pytest.mark.usefixtures("in_this_process")
def test_a_layer_that_no_network_has_is_told_before_the_first_point(accelsim, tmp_path):
    path, out = tmp_path / "net.csv", tmp_path / "s"
    path.write_text(LETTERS)
    vary = "layer_multipliers.aa=exact_fp32,ax_fpm"
    code, _, text = accelsim("sweep", path, "--timing-only", "--vary", vary, "--out", out)
    assert code == 2
    assert "layer_multipliers.aa=exact_fp32: 'aa' is none of the network's layers" in text
    assert not out.exists()
