"""A folder of scores: outcomes piece by piece, the rates made of them, and the networks' checks."""

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
from accelsim.robustness.checks import RULES, Check, NetworkChecks
from accelsim.store import point_key
from accelsim.version import __version__

__all__ = ["CHECKS", "TABLE", "ScoreFolder", "kept_checks"]

TABLE = "scores.csv"
CHECKS = "checks.csv"
STATES = {"pass": True, "FAIL": False, "not run": None}
COLUMNS = ("target", "gradient", "check", "result", "numbers", "config_hash")
"""Of `CHECKS`; the gradient is empty where a check is of none."""


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

    Attributes
    ----------
    checks : dict of str to NetworkChecks
        Target -> the checks of its network that are kept, under the same settings.

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
        self.checks = kept_checks(self.path, self._hash)
        self._write_manifest(earlier)

    def write(self, scores: pd.DataFrame) -> None:
        """Store the rates of all `attacks`, as `accelsim.robustness.summarize` returns them."""
        fixed = {name: self.settings[name] for name in ("workload", "weights_hash", "accumulator")}
        table = scores.assign(**fixed, config_hash=self._hash, version=__version__)
        write_table(self.path / TABLE, table[[*fixed, *scores, "config_hash", "version"]])
        self._write_manifest(self.attacks)

    def keep_checks(self, target: str, found: NetworkChecks) -> None:
        """Store the checks of the network of *target*, beside those by other gradients."""
        known = self.checks.get(target)
        slopes = {**(known.slopes if known else {}), **found.slopes}
        self.checks[target] = NetworkChecks(found.determinism, slopes)
        rows = [
            (name, gradient, one)
            for name, network in self.checks.items()
            for gradient, checks in [("", (network.determinism,)), *network.slopes.items()]
            for one in checks
        ]
        states = {passed: state for state, passed in STATES.items()}
        table = pd.DataFrame(
            [(name, gradient, one.name, states[one.passed], one.reason, self._hash)
             for name, gradient, one in rows],
            columns=list(COLUMNS),
        )  # fmt: skip
        write_table(self.path / CHECKS, table)

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


def kept_checks(folder: Path, config_hash: str) -> dict[str, NetworkChecks]:
    """Return target -> the checks of its network that *folder* keeps of these settings.

    Raises
    ------
    DataError
        The table is damaged.
    """
    path = folder / CHECKS
    if not path.exists():
        return {}
    table = read_table(path)
    if lacking := [name for name in COLUMNS if name not in table]:
        raise DataError(f"{path} is damaged: it lacks {', '.join(lacking)}")
    table["gradient"] = table["gradient"].astype(object).fillna("")
    found: dict[str, NetworkChecks] = {}
    try:
        mine = table[table["config_hash"] == config_hash]
        for target, rows in mine.groupby("target", sort=False):
            of = {
                gradient: _checks(part) for gradient, part in rows.groupby("gradient", sort=False)
            }
            (determinism,) = of.pop("")
            slopes = {str(gradient): (first, second) for gradient, (first, second) in of.items()}
            found[str(target)] = NetworkChecks(determinism, slopes)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}; without it accelsim score makes it") from None
    return found


def _checks(rows: pd.DataFrame) -> list[Check]:
    return [
        Check(RULES[name].number, name, STATES[result], str(numbers))
        for name, result, numbers in rows[["check", "result", "numbers"]].to_numpy()
    ]
