"""Registry: a Mapping from name to entry that finds its entries' files on first look-up.

Think of a shelf: a file put into the registry's folder, holding one decorated or registered
entry, is on the shelf the next time somebody looks.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from accelsim.errors import UnknownNameError, nearest

__all__ = ["Registry", "modules_of"]

Entry = TypeVar("Entry")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """An ordered Mapping name -> entry whose files are imported on first look-up.

    Parameters
    ----------
    kind : str
        What an entry is, singular, for messages ("multiplier").
    discover : callable
        Called once, before the first look-up; it imports the files that register entries.
    """

    def __init__(self, kind: str, discover: Callable[[], None]) -> None:
        self.kind = kind
        self._discover: Callable[[], None] | None = discover
        self._entries: dict[str, Entry] = {}

    def register(self, name: str, entry: Entry) -> Entry:
        """Add *entry* under *name* and return it; a name can be taken once only."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> Entry:
        self._load()
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            known = sorted(self._entries)
            raise UnknownNameError(
                f"no {self.kind} named {name!r}; known: {', '.join(known)}.{nearest(name, known)}"
            ) from None

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Registry of {self.kind}s: {', '.join(self)}>"

    def _load(self) -> None:
        if self._discover is not None:
            discover, self._discover = self._discover, None
            try:
                discover()
            except BaseException:
                self._discover = discover
                raise


def modules_of(package: str) -> Callable[[], None]:
    """Return a `discover` for `Registry` that imports every module of *package*."""

    def discover() -> None:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")

    return discover
