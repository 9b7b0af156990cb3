"""A folder of scores: rows as they are made, and going on where an earlier call stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.errors import DataError
from accelsim.folders import (
    prepare_folder,
    read_manifest,
    read_table,
    versions,
    write_manifest,
    write_table,
)
from accelsim.store import point_key
from accelsim.version import __version__

__all__ = ["ScoreFolder"]

TABLE = "scores.csv"


class ScoreFolder:
    """Scores under one set of settings.

    Parameters
    ----------
    folder : path
        Made if missing.
    settings : mapping
        What determines a row besides its attack; ``multipliers`` are the rows of an attack.

    Raises
    ------
    DataError
        The folder cannot be written, or holds scores under other settings.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.path = prepare_folder(folder, "score")
        self.settings = dict(settings)
        self._hash = point_key({**settings, "version": __version__})[:16]
        self._rows: list[dict[str, Any]] = []
        if (self.path / TABLE).exists():
            found = read_manifest(self.path, "score")
            if found.get("config_hash") != self._hash:
                changed = [name for name in settings if found.get(name) != settings[name]]
                raise DataError(
                    f"{str(folder)!r} holds scores made with other settings "
                    f"({', '.join(changed) or 'another version'}); give another folder"
                )
            self._rows = read_table(self.path / TABLE).to_dict("records")
        write_manifest(
            self.path,
            {"kind": "score", **settings, "config_hash": self._hash, "versions": versions()},
        )

    def rows(self, attacks: Sequence[str]) -> list[dict[str, Any]]:
        """Return the stored rows of those of *attacks* that are complete; forget half ones."""
        units = len(self.settings["multipliers"])
        complete = {
            attack
            for attack in {row["attack"] for row in self._rows}
            if sum(row["attack"] == attack for row in self._rows) == units
        }
        self._rows = [row for row in self._rows if row["attack"] in complete]
        return [row for row in self._rows if row["attack"] in attacks]

    def add(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store *row* and return it as it is stored."""
        fixed = {name: self.settings[name] for name in ("workload", "weights_hash")}
        kept = {**fixed, **row, "config_hash": self._hash, "version": __version__}
        self._rows.append(kept)
        write_table(self.path / TABLE, pd.DataFrame(self._rows))
        return kept
