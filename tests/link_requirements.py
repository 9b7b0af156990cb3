"""Gives an environment that holds a wheel alone what the wheel asks for: links, not downloads.

``python link_requirements.py SITE NAME``, by the interpreter of an environment that has all of it.
Linked into the folder of packages SITE is what the distribution NAME there requires, directly or
through others, and nothing else: code that imports a package of the tests fails as at a user's.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement


def link_requirements(site: Path, name: str) -> None:
    """Link the distributions that *name*, installed in *site*, requires into *site*."""
    (own,) = distributions(name=name, path=[str(site)])
    todo, seen = required(own, set()), set()
    while todo:
        requirement = todo.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            found = distribution(requirement.name)
            link(found, site)
            todo += required(found, requirement.extras)


def required(owner: Distribution, extras: set[str]) -> list[Requirement]:
    """Return what *owner* requires here, with some of its *extras*."""
    requirements = [Requirement(text) for text in owner.requires or ()]
    return [
        one
        for one in requirements
        if one.marker is None
        or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def link(found: Distribution, site: Path) -> None:
    """Link the files and folders that *found* has at the top of its folder of packages."""
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(found.locate_file(top))


if __name__ == "__main__":
    link_requirements(Path(sys.argv[1]), sys.argv[2])
