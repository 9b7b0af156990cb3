"""The store of a sweep: one SQLite file, one row a point, written by the driver alone.

A row is either there or not: SQLite in write-ahead mode survives a kill at any moment. The key of a
point is a hash of all that determines its result, so a point that is stored is never run again.
Several sweeps may use one store, also at the same time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from accelsim.errors import DataError

__all__ = ["Store", "point_key", "stored_rows"]

APPLICATION = 0x4143434C
"""What SQLite files of ours say that they are: "ACCL"."""

LAYOUT = 1
"""Version of the tables; others are refused."""

PATIENCE_S = 60
"""Seconds that one writer waits for another."""


def point_key(determined_by: Mapping[str, Any]) -> str:
    """Return the SHA-256 of *determined_by*'s canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(determined_by, sort_keys=True).encode()).hexdigest()


class Store:
    """Results by key; use it as a context manager.

    Parameters
    ----------
    path : Path
        The SQLite file, made if missing.

    Raises
    ------
    DataError
        The file cannot be opened, is not a store, or is one of an older or newer accelsim. It is
        left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)
        except sqlite3.Error as error:
            raise DataError(f"{path} cannot be opened as a store: {error}") from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise DataError(f"{path} cannot be opened as a store: {error}") from None
        except DataError:
            self._database.close()
            raise

    def _prepare(self) -> None:
        """Check whose file it is before anything is written into it; make a new one ours."""
        self._database.execute("BEGIN IMMEDIATE")
        application, layout = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        tables = [name for (name,) in self._database.execute("SELECT name FROM sqlite_master")]
        if application != APPLICATION and tables and "points" not in tables:
            raise DataError(f"{self.path} is a database, but no store of accelsim; give another")
        if (application, layout) != (APPLICATION, LAYOUT) and tables:
            age = "a newer" if layout > LAYOUT else "an older"
            raise DataError(
                f"{self.path} was written by {age} accelsim (layout {layout}, this one has "
                f"{LAYOUT}); give another folder or store, or use that accelsim"
            )
        if not tables:
            self._database.execute("CREATE TABLE points (key TEXT PRIMARY KEY, row TEXT NOT NULL)")
            self._database.execute(f"PRAGMA application_id={APPLICATION}")
            self._database.execute(f"PRAGMA user_version={LAYOUT}")
        self._database.execute("COMMIT")
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def put(self, key: str, row: Mapping[str, Any]) -> None:
        """Store *row* under *key*, in place of what was there.

        Raises
        ------
        DataError
            It cannot be written, e.g. because the disk is full. What was stored before is kept.
        """
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO points VALUES (?, ?)", (key, json.dumps(row))
            )
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path} cannot be written: {error}; what it has is kept, and the same "
                "command goes on"
            ) from None

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the row under *key*, None where there is none."""
        try:
            found = self._database.execute("SELECT row FROM points WHERE key = ?", (key,))
            row = found.fetchone()
            return None if row is None else json.loads(row[0])
        except (sqlite3.Error, ValueError) as error:
            raise DataError(f"{self.path} is damaged: {error}") from None

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return all rows by key, in the order in which they came."""
        return _rows(self._database, self.path)


def stored_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Return all rows of the store in *path*, as `Store.rows` does, without writing anything.

    So its folder may be one that cannot be written.

    Raises
    ------
    DataError
        There is no store, or it is damaged.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing")
    # SQLite makes files beside a store in write-ahead mode even to read it; not where it is told
    # that nothing is left in its log.
    log = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if log.exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)) as database:
            return _rows(database, path)
    except sqlite3.Error as error:
        raise DataError(f"{path} cannot be opened as a store: {error}") from None


def _rows(database: sqlite3.Connection, path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = database.execute("SELECT key, row FROM points ORDER BY rowid")
        return {key: json.loads(row) for key, row in found}
    except (sqlite3.Error, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
