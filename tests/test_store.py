import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from accelsim.errors import DataError
from accelsim.store import Store, point_key, stored_rows


def test_rows_come_back_in_order(tmp_path):
    with Store(tmp_path / "a.sqlite") as store:
        store.put("b", {"x": 1})
        store.put("a", {"x": None})
        assert store.rows() == {"b": {"x": 1}, "a": {"x": None}}
    with Store(tmp_path / "a.sqlite") as store:
        store.put("b", {"x": 2})
        assert store.rows()["b"] == {"x": 2}


def test_reading_writes_nothing(tmp_path):
    path = tmp_path / "a.sqlite"
    with Store(path) as store:
        store.put("b", {"x": 1})
        # Still in the log beside the file: nobody has closed the store yet.
        assert stored_rows(path) == {"b": {"x": 1}}
    before = path.read_bytes()
    assert stored_rows(path) == {"b": {"x": 1}}
    assert [file.name for file in tmp_path.iterdir()] == ["a.sqlite"]
    assert path.read_bytes() == before


def test_rejects_what_is_no_store_to_read(tmp_path):
    with pytest.raises(DataError, match=r"none\.sqlite is missing"):
        stored_rows(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("no database" * 100)
    with pytest.raises(DataError, match="text.sqlite is damaged: file is not a database"):
        stored_rows(tmp_path / "text.sqlite")


def test_the_key_sees_content_not_order():
    assert point_key({"a": 1, "b": 2}) == point_key({"b": 2, "a": 1})
    assert point_key({"a": 1}) != point_key({"a": 2})


def test_what_was_put_survives_a_kill(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom accelsim.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for i in range(10**9):\n    store.put(str(i), {'i': i})\n    print(i, flush=True)\n"
    )
    path = tmp_path / "a.sqlite"
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    for _ in range(20):
        worker.stdout.readline()
    os.kill(worker.pid, signal.SIGKILL)
    acknowledged = len(worker.stdout.read().splitlines()) + 20 - 1  # the last line may be torn
    worker.wait()
    worker.stdout.close()
    with Store(path) as store:
        rows = store.rows()
    assert len(rows) >= acknowledged
    assert all(row == {"i": int(key)} for key, row in rows.items())


def test_rejects_a_file_that_is_no_store(tmp_path):
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"this is not a database at all, whatever its name may say" * 20)
    with pytest.raises(DataError, match="cannot be opened as a store"):
        Store(path)


def test_one_row(tmp_path):
    with Store(tmp_path / "a.sqlite") as store:
        store.put("b", {"x": 1})
        assert store.get("b") == {"x": 1}
        assert store.get("a") is None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE points (key TEXT, row TEXT)", "an older accelsim .layout 0, this one has 1"),
        (
            "CREATE TABLE points (key TEXT, row TEXT); PRAGMA user_version=2; "
            "PRAGMA application_id=0x4143434C",
            "a newer accelsim .layout 2, this one has 1",
        ),
        ("CREATE TABLE songs (name TEXT)", "is a database, but no store of accelsim"),
    ],
)
def test_rejects_stores_of_others_and_leaves_them_alone(tmp_path, script, message):
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(script)
    database.close()
    before = path.read_bytes()
    with pytest.raises(DataError, match=message):
        Store(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.sqlite"]
