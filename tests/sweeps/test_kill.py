"""kill -9 of a sweep at some moment: nothing is half-written, and only the rest is left to do."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pandas as pd

import accelsim
from accelsim.store import Store
from accelsim.sweeps import driver
from accelsim.sweeps.points import run_points

ROWS = list(range(2, 42))
CODE = """
import sys, accelsim
accelsim.sweep(sys.argv[1], {"array.rows": %r}, out=sys.argv[2], values=False, workers=1)
"""


def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    net, out = tmp_path / "net.csv", tmp_path / "s"
    net.write_text("a, 64, 64, 32\n")
    command = [sys.executable, "-c", CODE % ROWS, str(net), str(out)]
    # What it leaves in the temporary folder goes with the test's own.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment) as killed:
        deadline = time.monotonic() + 300
        while stored(out / driver.STORE) < 5 and time.monotonic() < deadline:
            assert killed.poll() is None
            time.sleep(0.02)
        os.kill(killed.pid, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "results.csv").exists()
    kept = stored(out / driver.STORE)
    assert 5 <= kept < len(ROWS)

    done, put = [], Store.put
    monkeypatch.setattr(Store, "put", lambda *a: done.append(a[1]) or put(*a))
    monkeypatch.setattr(
        driver, "_evaluate", lambda todo, *_: ((key, *run_points([todo[key]])) for key in todo)
    )
    table = accelsim.sweep(str(net), {"array.rows": ROWS}, out=out, values=False)
    assert len(done) == len(ROWS) - kept
    assert (table["error"] == "").all()
    whole = accelsim.sweep(str(net), {"array.rows": ROWS}, out=tmp_path / "t", values=False)
    pd.testing.assert_frame_equal(table, whole)


def stored(path):
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        try:
            return database.execute("SELECT count(*) FROM points").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
