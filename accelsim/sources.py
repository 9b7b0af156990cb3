"""What is kept on disk between processes: where it lies, and the digest of what it was made from.

Importing this costs next to nothing: no third-party library is behind it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["PACKAGE", "cache_root", "source_digest"]

PACKAGE = Path(__file__).resolve().parent
"""The folder of accelsim's own modules."""


def cache_root() -> Path:
    """Return the folder of all that is kept: ``NUMBA_CACHE_DIR``, else the user's cache directory.

    It need not exist, nor be writable.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local") / "accelsim/Cache"
    if sys.platform == "darwin":
        return home / "Library/Caches/accelsim"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "accelsim"


def source_digest(root: Path, sources: Iterable[str], suffixes: tuple[str, ...] = (".py",)) -> str:
    """Return the sha256 of the names and contents of the files among *sources*.

    Parameters
    ----------
    root : Path
        The folder that *sources* are relative to.
    sources : iterable of str
        Files, and folders that count with all their files; a missing one counts as empty.
    suffixes : tuple of str
        How the names of a folder's files end that count.
    """
    digest = hashlib.sha256()
    for source in sources:
        place = root / source
        files = [place]
        if place.is_dir():
            files = sorted(file for file in place.rglob("*") if file.name.endswith(suffixes))
        for file in files:
            if file.is_file():
                digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
