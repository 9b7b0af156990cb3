"""The store of a sweep: one SQLite file, one row a point, written by the driver alone.

A row is either there or not: SQLite in write-ahead mode survives a kill at any moment. The key of a
point is a hash of all that determines its result, so a point that is stored is never run again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from accelsim.errors import DataError

__all__ = ["Store", "point_key"]


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
        try:
            found = self._database.execute("SELECT key, row FROM points ORDER BY rowid")
            return {key: json.loads(row) for key, row in found}
        except (sqlite3.Error, ValueError) as error:
            raise DataError(f"{self.path} is damaged: {error}") from None
