"""Result folders: how runs, sweeps and scores lie on disk.

A result folder holds ``manifest.json`` (what it is, what determined it, versions) beside tables as
CSV. Every file is written whole or not at all, the manifest last.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.errors import DataError
from accelsim.files import write_atomically
from accelsim.version import __version__

__all__ = [
    "SCHEMA",
    "find_results",
    "prepare_folder",
    "read_manifest",
    "read_table",
    "versions",
    "write_manifest",
    "write_results",
    "write_table",
]

SCHEMA = 1
"""Version of the folder's layout; a newer one is refused."""

MANIFEST = "manifest.json"

KIND_FILES = {
    "run": (
        "layers.csv",
        "actions.csv",
        "summary.csv",
        "timeline.csv.gz",
        "pes.csv",
        "outputs.csv",
    ),
    "characterization": (
        "metrics.csv",
        "metrics.json",
        "costs.csv",
        "layers.csv",
        "error_surface.png",
        "error_magnitude.png",
    ),
    "accelergy": ("action_counts.yaml", "ERT.yaml", "ART.yaml"),
    "rtl": (
        "bench.v",
        "parameters.vh",
        "Makefile",
        "unit.sv",
        "pairs.hex",
        "products.hex",
        "arithmetic.sv",
        "tokens.sv",
        "pipe.sv",
        "lanes.sv",
        "controller.sv",
        "pe_os.sv",
        "pe_ws.sv",
        "systolic.sv",
        "gemm.hex",
        "left.hex",
        "top.hex",
        "psums.hex",
        "expected.hex",
    ),
}
"""Kind -> files that `write_results` writes. A folder that has the first of them, and nothing else,
but no manifest was left by an interruption while they were moved into place."""

NAMED = 5
"""Result folders that a message names."""

TEXT_COLUMNS = dict.fromkeys(
    ("config_hash", "trace_hash", "table_hash", "weights_hash", "version"), str
)
"""Columns that must not be taken for numbers, though some hashes look like one."""


def versions() -> dict[str, str]:
    """Return the versions of accelsim, Python and the libraries that results depend on."""
    return {
        "accelsim": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "numba", "simpy", "torch")},
    }


_version = cache(metadata.version)
"""It reads files, which every run would do again."""


def prepare_folder(folder: str | Path, kind: str) -> Path:
    """Return *folder* made ready for results of *kind*: created if missing, writable, not foreign.

    Raises
    ------
    DataError
        It is a file, cannot be written, or holds files that are not accelsim's results.
    """
    path = Path(folder)
    try:
        for part in (path, *path.parents):
            if part.exists() and not part.is_dir():
                raise DataError(
                    f"results folder {str(path)!r}: {str(part)!r} is a file; give a folder"
                )
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
        foreign = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
        own = KIND_FILES.get(kind, ("",))
        if own[0] in foreign:
            foreign.difference_update(own)
    except OSError as error:
        raise DataError(
            f"results folder {str(path)!r} cannot be written: {error.strerror}"
        ) from None
    if foreign and not (path / MANIFEST).exists() and not any(path.glob(f"*/{MANIFEST}")):
        raise DataError(
            f"results folder {str(path)!r} holds files that are not results of accelsim; "
            "give an empty or a new folder"
        )
    if (path / MANIFEST).exists():
        found = read_manifest(path)["kind"]
        if found != kind:
            raise DataError(
                f"results folder {str(path)!r} holds a {found}, not a {kind}; give another folder"
            )
    return path


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a result folder."""
    _write(folder / MANIFEST, _json(manifest))


def read_manifest(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Return the manifest of *folder*, checked to be of *kind* if one is given.

    Raises
    ------
    DataError
        There is none, it is damaged, newer than this accelsim, or of another kind.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        below = _below(folder)
        names = ", ".join(repr(str(one)) for one in below[:NAMED])
        more = f" and {len(below) - NAMED} more" if len(below) > NAMED else ""
        raise DataError(
            f"{str(folder)!r} holds no result of accelsim (no {MANIFEST})"
            f"{f'; there are {names}{more}; give one of them' if below else ''}"
        ) from None
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    if not isinstance(manifest, dict) or not {"schema", "kind"} <= manifest.keys():
        raise DataError(f"{path} is not a manifest of accelsim")
    if not isinstance(manifest["schema"], int) or manifest["schema"] > SCHEMA:
        raise DataError(
            f"{path} was written by a newer accelsim (layout {manifest['schema']}, this one "
            f"reads up to {SCHEMA}); update accelsim"
        )
    if kind is not None and manifest["kind"] != kind:
        raise DataError(f"{str(folder)!r} holds a {manifest['kind']}, expected a {kind}")
    return manifest


def find_results(folders: Iterable[str | Path]) -> list[Path]:
    """Return the result folders in *folders*: each itself, or those one level below.

    Raises
    ------
    DataError
        A folder holds no results.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        here = [folder] if (folder / MANIFEST).exists() else []
        below = _below(folder)
        if not (here or below):
            raise DataError(f"{str(folder)!r} holds no result of accelsim (no {MANIFEST})")
        found += here + below
    return found


def _below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write *frame* as CSV, compressed where *path* ends in .gz, whole or not at all."""
    _write(path, _csv(path.name, frame))


def write_results(
    folder: Path, files: Mapping[str, pd.DataFrame | bytes], manifest: dict[str, Any]
) -> None:
    """Make the tables (or other contents) and manifest of *folder* these, in place of what it had.

    All files are written aside first: when that fails, a full disk say, what the folder had is
    still there. An interruption while they are moved into place leaves no manifest, so nothing
    that could be taken for a result.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    contents = {
        name: content if isinstance(content, bytes) else _csv(name, content)
        for name, content in files.items()
    }
    contents[MANIFEST] = _json(manifest)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as aside:
            for name, content in contents.items():
                write_atomically(Path(aside) / name, content)
            (folder / MANIFEST).unlink(missing_ok=True)
            for stale in set(KIND_FILES[manifest["kind"]]) - contents.keys():
                (folder / stale).unlink(missing_ok=True)
            for name in contents:
                os.replace(Path(aside) / name, folder / name)
    except OSError as error:
        raise DataError(f"cannot write into {str(folder)!r}: {error.strerror}") from None


def read_table(path: Path) -> pd.DataFrame:
    """Return the table in *path*.

    Raises
    ------
    DataError
        The file is missing or is not CSV.
    """
    try:
        return pd.read_csv(path, dtype=TEXT_COLUMNS)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from None


def _csv(name: str, frame: pd.DataFrame) -> bytes:
    content = frame.to_csv(index=False).encode()
    # No time stamp inside: the same table gives the same file.
    return gzip.compress(content, mtime=0) if name.endswith(".gz") else content


def _json(manifest: dict[str, Any]) -> bytes:
    return (json.dumps({"schema": SCHEMA, **manifest}, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
