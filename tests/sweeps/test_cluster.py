"""Sweeps on a real scheduler with two workers on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import accelsim
from accelsim.errors import ConfigError, DataError
from accelsim.store import Store
from accelsim.sweeps.cluster import connected

ROOT = Path(__file__).parents[2]
NET = "a, 64, 64, 32\nb, 64, 32, 32\n"
GRID = {"array.rows": list(range(2, 26))}

pytest.importorskip("distributed", reason="needs pip install 'accelsim[cluster]'")


def started(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__LOGGING": "{}"}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def scheduler(tmp_path):
    """Its address, what starts a worker, and its process."""
    place = tmp_path / "scheduler.json"
    processes = [started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                         "--no-show", "--scheduler-file", str(place))]  # fmt: skip

    def worker():
        # Without a nanny, so that who is killed stays dead.
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        processes.append(started("worker", "--scheduler-file", str(place), *options))
        return processes[-1]

    try:
        deadline = time.monotonic() + 60
        while not (place.exists() and place.read_text().endswith("}")):
            assert time.monotonic() < deadline
            assert processes[0].poll() is None
            time.sleep(0.05)
        yield json.loads(place.read_text())["address"], worker, processes[0]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def test_every_point_arrives_once_though_workers_are_killed(scheduler, tmp_path, monkeypatch):
    """One of two workers, then the other: then an error. With a new one the rest is run."""
    address, worker, _ = scheduler
    net = tmp_path / "net.csv"
    net.write_text(NET)
    with pytest.raises(ConfigError, match="has no workers; start some"):
        accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False, scheduler=address)
    assert not (tmp_path / "s").exists()

    both = [worker(), worker()]
    wait_for_workers(address, 2)
    with monkeypatch.context() as other:
        other.setattr("accelsim.version.MODEL_VERSION", 1000)
        with pytest.raises(ConfigError, match=r"model version \d+\), but this is .* 1000\)"):
            accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False, scheduler=address)
    assert not (tmp_path / "s").exists()
    stored, put = Counter(), Store.put
    monkeypatch.setattr(Store, "put", lambda *a: stored.update([a[1]]) or put(*a))
    monkeypatch.setattr("accelsim.sweeps.cluster.POLL_S", 0.1)
    monkeypatch.setattr("accelsim.sweeps.cluster.PATIENCE_S", 1)

    def kill(done, total, failed):
        assert failed == 0
        if done in (3, 8):
            both[done == 8].kill()

    with pytest.raises(DataError, match=r"had no workers for 1 s; .* kept, and the same command"):
        accelsim.sweep(
            str(net), GRID, out=tmp_path / "s", values=False, scheduler=address, progress=kill
        )
    assert [one.wait(10) for one in both] == 2 * [-signal.SIGKILL]
    assert 8 <= len(stored) < len(GRID["array.rows"])
    assert len(pd.read_csv(tmp_path / "s" / "results.csv")) == len(stored)

    worker()
    wait_for_workers(address, 1)
    table = accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False, scheduler=address)
    assert table["array.rows"].tolist() == GRID["array.rows"]
    assert (table["error"] == "").all()
    assert len(stored) == len(table)
    assert set(stored.values()) == {1}

    # The same command without the scheduler has nothing to do; the rows are those of a local run.
    again = accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False)
    pd.testing.assert_frame_equal(again, table)
    assert set(stored.values()) == {1}
    run = accelsim.simulate(
        accelsim.read_topology(str(net)),
        accelsim.Accelerator.preset("edge_16x16").replace(**{"array.rows": 25}),
        values=False,
    )
    assert run.summary["latency_cycles"].iloc[0] == table["latency_cycles"].iloc[-1]
    assert run.summary["energy_uj"].iloc[0] == table["energy_uj"].iloc[-1]


def test_a_scheduler_that_goes_is_one_error(scheduler, tmp_path):
    address, worker, process = scheduler
    net = tmp_path / "net.csv"
    net.write_text(NET)
    worker()
    wait_for_workers(address, 1)

    def kill(done, total, failed):
        if done == 3:
            process.kill()

    with pytest.raises(DataError, match=r"scheduler at tcp.* is gone .* the same command goes on"):
        accelsim.sweep(
            str(net), GRID, out=tmp_path / "s", values=False, scheduler=address, progress=kill
        )
    assert len(pd.read_csv(tmp_path / "s" / "results.csv")) >= 3


def wait_for_workers(address, count):
    from distributed import Client

    with Client(address, timeout=10, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_rejects_an_unreachable_scheduler_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("accelsim.sweeps.cluster.TIMEOUT_S", 0.5)
    net = tmp_path / "net.csv"
    net.write_text(NET)
    for address in ("tcp://127.0.0.1:9", "nowhere", "htp://a:1"):
        with pytest.raises(ConfigError, match="no scheduler answers at") as caught:
            accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False, scheduler=address)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("address", ["nowhere", "htp://a:1", "tcp://a", ""])
def test_an_address_that_cannot_be_read_makes_no_client(address, monkeypatch):
    """Which would have a traceback of its own behind the error, when the program ends."""
    monkeypatch.setattr("distributed.Client", lambda *_, **__: pytest.fail("made a client"))
    with pytest.raises(ConfigError, match="no scheduler answers at"), connected(address):
        pass


def test_rejects_workers_beside_a_scheduler(tmp_path):
    net = tmp_path / "net.csv"
    net.write_text(NET)
    with pytest.raises(ConfigError, match="give one of them"):
        accelsim.sweep(
            str(net), GRID, out=tmp_path / "s", values=False, scheduler="tcp://a:1", workers=2
        )


def test_a_missing_package_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    net = tmp_path / "net.csv"
    net.write_text(NET)
    with pytest.raises(ConfigError, match=r"pip install 'accelsim\[cluster\]'"):
        accelsim.sweep(str(net), GRID, out=tmp_path / "s", values=False, scheduler="tcp://a:1")
