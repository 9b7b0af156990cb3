"""A folder of scores: outcomes piece by piece, and the rates that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.errors import DataError
from accelsim.folders import (
    prepare_folder,
    read_manifest,
    versions,
    write_manifest,
    write_table,
)
from accelsim.store import point_key
from accelsim.version import __version__

__all__ = ["TABLE", "ScoreFolder"]

TABLE = "scores.csv"


class ScoreFolder:
    """Scores under one set of settings, of any attacks.

    Parameters
    ----------
    folder : path
        Made if missing.
    settings : mapping
        What determines the outcomes besides the attacks.
    attacks : sequence of str
        Those that are asked for; `attacks` has those of earlier calls before them.

    Raises
    ------
    DataError
        The folder cannot be written, or holds scores under other settings.
    """

    def __init__(
        self, folder: str | Path, settings: Mapping[str, Any], attacks: Sequence[str]
    ) -> None:
        self.path = prepare_folder(folder, "score")
        self.settings = dict(settings)
        self._hash = point_key({**settings, "version": __version__})[:16]
        earlier: list[str] = []
        if (self.path / TABLE).exists():
            found = read_manifest(self.path, "score")
            if found.get("config_hash") != self._hash:
                changed = [name for name in settings if found.get(name) != settings[name]]
                raise DataError(
                    f"{str(folder)!r} holds scores made with other settings "
                    f"({', '.join(changed) or 'another version'}); give another folder"
                )
            earlier = found.get("attacks", [])
        self.attacks = list(dict.fromkeys([*earlier, *attacks]))
        self._write_manifest(earlier)

    def write(self, scores: pd.DataFrame) -> None:
        """Store the rates of all `attacks`, as `accelsim.robustness.summarize` returns them."""
        fixed = {name: self.settings[name] for name in ("workload", "weights_hash", "accumulator")}
        table = scores.assign(**fixed, config_hash=self._hash, version=__version__)
        write_table(self.path / TABLE, table[[*fixed, *scores, "config_hash", "version"]])
        self._write_manifest(self.attacks)

    def _write_manifest(self, attacks: Sequence[str]) -> None:
        write_manifest(
            self.path,
            {
                "kind": "score",
                **self.settings,
                "attacks": list(attacks),
                "config_hash": self._hash,
                "versions": versions(),
            },
        )
