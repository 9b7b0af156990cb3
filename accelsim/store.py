"""The store of a sweep: one SQLite file, one row a point, written by the driver alone.

A row is either there or not: SQLite in write-ahead mode survives a kill at any moment. The key of a
point is a hash of all that determines its result, so a point that is stored is never run again.
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
        The file cannot be opened, or is not a store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS points (key TEXT PRIMARY KEY, row TEXT NOT NULL)"
            )
        except sqlite3.Error as error:
            raise DataError(f"{path} cannot be opened as a store: {error}") from None

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
            It cannot be written, e.g. because the disk is full.
        """
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO points VALUES (?, ?)", (key, json.dumps(row))
            )
        except sqlite3.Error as error:
            raise DataError(f"{self.path} cannot be written: {error}") from None

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
