"""The value change dump, read back: what every signal is at every cycle."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from accelsim.errors import ConfigError, DataError
from accelsim.timeline import activity, write_vcd

vcd = pytest.importorskip("vcd.reader", reason="needs pip install 'accelsim[vcd]'")


def read_back(path):
    """Return (header's texts, (scope, name) -> [(cycle, value)])."""
    scopes, names, found, texts = [], {}, {}, {}
    cycle = 0
    with path.open("rb") as file:
        for token in vcd.tokenize(file):
            kind, data = token.kind, token.data
            if kind is vcd.TokenKind.SCOPE:
                scopes.append(data.ident)
            elif kind is vcd.TokenKind.UPSCOPE:
                scopes.pop()
            elif kind is vcd.TokenKind.VAR:
                names[data.id_code] = (scopes[-1], data.reference)
                found[names[data.id_code]] = []
            elif kind is vcd.TokenKind.CHANGE_TIME:
                assert data >= cycle
                cycle = data
            elif kind.name.startswith("CHANGE_"):
                value = data.value
                if kind is vcd.TokenKind.CHANGE_STRING:
                    value = value.encode().decode("unicode_escape")
                found[names[data.id_code]].append((cycle, value))
            elif kind in (vcd.TokenKind.COMMENT, vcd.TokenKind.TIMESCALE):
                texts[kind.name] = str(data)
    return texts, found


def test_signals_of_a_block_change_when_it_starts_and_ends(timeline, machine, tmp_path):
    assert write_vcd(timeline, machine, tmp_path / "t.vcd", windows=4) is None
    texts, found = read_back(tmp_path / "t.vcd")
    assert "tiny_4x4 exact_fp32: 1 ns is 1 cycle" in texts["COMMENT"]
    assert {scope for scope, _ in found} == {"dram", "dma_read", "dma_write", "array", "counters"}
    busy = [(cycle, int(value)) for cycle, value in found["dram", "busy"]]
    # The second transfer follows at once: there it goes down and up in one cycle.
    assert busy == [(0, 1), (6, 0), (6, 1), (9, 0), (16, 1), (20, 0)]
    assert [v for _, v in found["dram", "what"]] == [
        "read ifmap",
        "read weight",
        "write ofmap",
    ]
    assert [(c, int(v)) for c, v in found["dram", "number"]] == [(0, 1), (6, 2), (16, 3)]
    assert [(c, v) for c, v in found["array", "layer"]] == [(0, ""), (10, "fc")]


def test_counters_hold_the_windows_means(timeline, machine, tmp_path):
    write_vcd(timeline, machine, tmp_path / "t.vcd", windows=4)
    _, found = read_back(tmp_path / "t.vcd")
    windows = activity(timeline, machine, windows=4)
    for name in ("dram_read", "dram_write", "glb", "dma_queue", "array_busy", "utilization"):
        held = dict(found["counters", name])
        value, at = 0.0, []
        for cycle in windows["cycle_start"]:
            value = held.get(cycle, value)
            at.append(value)
        assert at == pytest.approx(windows[name].tolist()), name


def test_a_network_has_a_number_for_every_stretch(runs, tmp_path):
    run = runs[0]
    _, found = read_back(run.to_vcd(tmp_path / "t.vcd", windows=5))
    for block, rows in run.timeline.groupby("block"):
        numbers = [int(value) for _, value in found[block, "number"]]
        assert numbers[-len(rows) :] == [*range(1, len(rows) + 1)]


@pytest.mark.skipif(shutil.which("vcd2fst") is None, reason="no GTKWave: apt-get install gtkwave")
def test_gtkwave_reads_the_run(runs, tmp_path):
    """GTKWave's own reader converts the file to its format, from which all comes back.

    Of each block every stretch of busy time, to the cycle; of the counters every window's mean,
    with the 16 digits that a file has.
    """
    run = runs[0]
    path, own, back = (tmp_path / name for name in ("t.vcd", "t.fst", "back.vcd"))
    run.to_vcd(path, windows=50)
    subprocess.run(["vcd2fst", path, own], check=True, timeout=60)
    subprocess.run(["fst2vcd", "-f", own, "-o", back], check=True, timeout=60)
    texts, found = read_back(back)
    assert texts["TIMESCALE"] == "1 ns"
    for block, rows in run.timeline.groupby("block"):
        rows = rows.sort_values("cycle_start", ignore_index=True)
        busy = [(cycle, int(value)) for cycle, value in found[block, "busy"]]
        starts = [cycle for cycle, up in busy if up]
        ends = [cycle for cycle, up in busy if not up and cycle]
        numbers = [int(value) for _, value in found[block, "number"]]
        assert (starts, ends) == (rows["cycle_start"].tolist(), rows["cycle_end"].tolist()), block
        assert numbers[-len(rows) :] == [*range(1, len(rows) + 1)]
        for name in ("what", "layer", "tile"):
            changes = pd.Series(dict(found[block, name]))
            at = changes.reindex(rows["cycle_start"], method="ffill")
            assert at.astype(rows[name].dtype).tolist() == rows[name].tolist(), (block, name)
    windows = activity(run.timeline, run.accelerator, windows=50)
    for name in windows.columns[2:]:
        changes = pd.Series(dict(found["counters", name]))
        at = changes.reindex(windows["cycle_start"], method="ffill")
        assert at.tolist() == pytest.approx(windows[name].tolist(), rel=1e-15), name


def test_a_cap_is_told_in_the_comment(timeline, machine, tmp_path):
    told = write_vcd(timeline, machine, tmp_path / "t.vcd", stretches=4, windows=4)
    texts, found = read_back(tmp_path / "t.vcd")
    assert told.startswith("3 of the 7 stretches of busy time")
    assert told in texts["COMMENT"]
    assert ("array", "busy") not in found


def test_says_how_to_get_the_package(timeline, machine, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vcd", None)
    with pytest.raises(ConfigError, match=r"pip install 'accelsim\[vcd\]'"):
        write_vcd(timeline, machine, tmp_path / "t.vcd")


def test_rejects_a_path_that_cannot_be_written(timeline, machine, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write .*file/t.vcd: "):
        write_vcd(timeline, machine, tmp_path / "file" / "t.vcd")
