"""Registry: a Mapping from name to entry that finds its entries' files on first look-up.

Think of a shelf: a file put into the registry's folder, holding one decorated or registered
entry, is on the shelf the next time somebody looks.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from accelsim.errors import AccelsimError, UnknownNameError, nearest

__all__ = ["Family", "Registry", "modules_of"]

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Family(Generic[Entry]):
    """Entries that differ in numbers, made when they are asked for by name.

    Attributes
    ----------
    form : str
        How a name is written, for people ("drum<k>_<u|s><bits>").
    pattern : str
        Regular expression that a whole name matches; its named groups are the numbers.
    title : str
        What they are, one line.
    make : callable
        Called with the name and the groups as keywords; returns the entry or raises ConfigError
        naming what is wrong with the numbers.
    """

    form: str
    pattern: str
    title: str
    make: Callable[..., Entry]


class Registry(Mapping[str, Entry], Generic[Entry]):
    """An ordered Mapping name -> entry whose files are imported on first look-up.

    A name that nobody registered may still belong to a `Family`, or be the path of a file that
    holds an entry; such entries are made once, and are not among the names that are listed. Threads
    may look up at the same time.

    Parameters
    ----------
    kind : str
        What an entry is, singular, for messages ("multiplier").
    discover : callable
        Called once, at the first look-up; it imports the files that register entries. These may
        look up what is registered by then.
    """

    def __init__(self, kind: str, discover: Callable[[], None]) -> None:
        self.kind = kind
        self._discover: Callable[[], None] | None = discover
        self._discovering = threading.RLock()
        self._inside_discover = False
        self._entries: dict[str, Entry] = {}
        self._made: dict[str, Entry] = {}
        self._families: list[Family[Entry]] = []
        self._open_file: tuple[str, Callable[[str], Entry]] | None = None

    def register(self, name: str, entry: Entry) -> Entry:
        """Add *entry* under *name* and return it; a name can be taken once only."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def register_family(self, family: Family[Entry]) -> Family[Entry]:
        """Add *family* and return it."""
        self._families.append(family)
        return family

    def register_files(self, suffix: str, open_file: Callable[[str], Entry]) -> None:
        """Let names that end with *suffix* be paths of files that *open_file* reads.

        A file is read anew at each look-up, since it may have changed; of one that is missing or
        cannot be used *open_file* raises `UnknownNameError` or another `AccelsimError`.
        """
        self._open_file = (suffix, open_file)

    @property
    def families(self) -> tuple[Family[Entry], ...]:
        """Families whose members can be asked for by name."""
        self._load()
        return tuple(self._families)

    def __getitem__(self, name: str) -> Entry:
        self._load()
        entry = self._find(name)
        if entry is not None:
            return entry
        known = sorted(self._entries)
        forms = "".join(f", {family.form}" for family in self._families)
        raise UnknownNameError(
            f"no {self.kind} named {name!r}; known: {', '.join(known)}{forms}."
            f"{nearest(name, known)}"
        )

    def __contains__(self, name: object) -> bool:
        """Return whether looking *name* up returns an entry."""
        self._load()
        try:
            return self._find(name) is not None
        except AccelsimError:
            return False

    def recognizes(self, name: object) -> bool:
        """Return whether *name* is an entry's, or written as those of a family or a file are.

        Looking such a name up returns an entry, or says what is wrong with its numbers or its file.
        """
        self._load()
        return name in self._entries or self._is_file(name) or self._family_of(name) is not None

    def _find(self, name: object) -> Entry | None:
        if not isinstance(name, str):
            return None
        if name in self._entries:
            return self._entries[name]
        if self._open_file is not None and self._is_file(name):
            return self._open_file[1](name)
        found = self._family_of(name)
        if found is None:
            return None
        if name not in self._made:
            family, groups = found
            # Of two threads that make it at once the first one's counts.
            self._made.setdefault(name, family.make(name, **groups))
        return self._made[name]

    def _is_file(self, name: object) -> bool:
        return (
            isinstance(name, str)
            and self._open_file is not None
            and name.endswith(self._open_file[0])
        )

    def _family_of(self, name: object) -> tuple[Family[Entry], dict[str, str]] | None:
        """Return the family that *name* belongs to, with the numbers in it."""
        if isinstance(name, str):
            for family in self._families:
                match = re.fullmatch(family.pattern, name)
                if match:
                    return family, match.groupdict()
        return None

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Registry of {self.kind}s: {', '.join(self)}>"

    def _load(self) -> None:
        """Call `discover` unless it has been; other threads wait for it, its own look-ups do not.

        If it raises, the next look-up calls it again.
        """
        if self._discover is None:
            return
        with self._discovering:
            if self._discover is None or self._inside_discover:
                return
            self._inside_discover = True
            try:
                self._discover()
            finally:
                self._inside_discover = False
            self._discover = None


def modules_of(package: str) -> Callable[[], None]:
    """Return a `discover` for `Registry` that imports every module of *package*."""

    def discover() -> None:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")

    return discover
