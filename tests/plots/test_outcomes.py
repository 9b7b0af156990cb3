"""Tests of plots/outcomes.py: what studies kept, packed and unpacked."""

from __future__ import annotations

import shutil

import pytest

from accelsim.errors import DataError
from accelsim.robustness.study import STORE, outcomes_in
from accelsim.store import Store, stored_rows

NAME = "lenet5_digits"


@pytest.fixture
def packed(script, kept, tmp_path, monkeypatch, capsys):
    """The script, about to unpack what was packed, and the folder it will unpack into."""
    outcomes = script("outcomes", "pack", NAME)
    first, second = tmp_path / "first" / NAME, tmp_path / "second" / NAME
    shutil.copytree(kept, first)
    monkeypatch.setattr(outcomes, "RESULTS", tmp_path)
    monkeypatch.setattr(outcomes, "kept_outcomes", lambda *_: first)
    outcomes.main()
    assert f"outcomes_{NAME}.sqlite.xz: " in capsys.readouterr().out
    monkeypatch.setattr(outcomes, "kept_outcomes", lambda *_: second)
    monkeypatch.setattr("sys.argv", ["outcomes.py", "unpack", NAME])
    return outcomes, second


def test_what_was_packed_comes_back(packed, kept, capsys):
    outcomes, folder = packed
    outcomes.main()
    assert stored_rows(folder / STORE) == stored_rows(kept / STORE)
    told = capsys.readouterr().out.splitlines()
    count = len(stored_rows(kept / STORE))
    assert told[0] == f"{folder}: {count} pieces were not there yet"
    assert "transfer   fgsm         3 judges, up to 12 images" in told


def test_what_is_there_stays_and_is_packed_with_the_rest(packed, kept, monkeypatch):
    outcomes, folder = packed
    rows = stored_rows(kept / STORE)
    first, *_ = rows
    folder.mkdir(parents=True)
    own = {"own": rows[first] | {"image": [99] * len(rows[first]["image"])}}
    with Store(folder / STORE) as store:
        store.put("own", own["own"])
    monkeypatch.setattr("sys.argv", ["outcomes.py", "pack", NAME])
    outcomes.pack(folder, outcomes.RESULTS / f"outcomes_{NAME}.sqlite.xz")
    assert stored_rows(folder / STORE) == rows | own
    again = folder.parent / "again"
    assert outcomes.unpack(outcomes.RESULTS / f"outcomes_{NAME}.sqlite.xz", again) == len(rows) + 1
    assert stored_rows(again / STORE) == rows | own


def test_a_piece_that_was_made_again_is_left_out(packed, kept):
    """Though the folder has that alone, and the archive comes second: what is there is the later.

    A piece of which one image was not made again is needed.
    """
    outcomes, folder = packed
    rows = stored_rows(kept / STORE)
    first, second, *others = rows
    part = {name: values[1:] for name, values in rows[second].items()}
    part["confidence_attacked"] = [0.125] * len(part["image"])
    folder.mkdir(parents=True)
    with Store(folder / STORE) as store:
        store.put("whole", rows[first])
        store.put("all but one", part)
    archive = outcomes.RESULTS / f"outcomes_{NAME}.sqlite.xz"
    outcomes.pack(folder, archive)
    again = folder.parent / "again"
    outcomes.unpack(archive, again)
    assert list(stored_rows(again / STORE)) == [second, *others, "whole", "all but one"]
    found = [len(outcomes_in(one)) for one in (kept, folder, again)]
    assert len(set(found)) == 1
    told = outcomes_in(folder)
    assert (told["confidence_attacked"] == 0.125).sum() == len(part["image"])


def test_a_damaged_archive_leaves_what_is_there(packed):
    outcomes, folder = packed
    outcomes.main()
    before = outcomes_in(folder)
    archive = outcomes.RESULTS / f"outcomes_{NAME}.sqlite.xz"
    archive.write_bytes(archive.read_bytes()[:100])
    for change in (outcomes.unpack, lambda archive, folder: outcomes.pack(folder, archive)):
        with pytest.raises(DataError, match=r"outcomes_lenet5_digits.sqlite.xz is damaged: "):
            change(archive, folder)
    assert outcomes_in(folder).equals(before)
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("what", ["pack", "unpack"])
def test_nothing_to_pack_or_unpack_is_said(script, tmp_path, monkeypatch, what):
    outcomes = script("outcomes", what, NAME)
    monkeypatch.setattr(outcomes, "RESULTS", tmp_path)
    monkeypatch.setattr(outcomes, "kept_outcomes", lambda *_: tmp_path / NAME)
    reason = "holds no outcomes" if what == "pack" else "nothing is committed of these weights"
    with pytest.raises(DataError, match=reason):
        outcomes.main()
