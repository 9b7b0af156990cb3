"""Where the shipped folders lie: workloads and energy tables, installed or in a source checkout.

The top-level folders ``workloads/`` and ``energy_tables/`` are mapped as the sub-packages
`accelsim.workloads` and `accelsim.energy_tables`. An installed accelsim therefore holds them inside
the package; a source checkout, or a Python started in the root of one, has them beside it.
"""

from __future__ import annotations

from pathlib import Path

from accelsim.errors import AccelsimError, nearest

__all__ = ["RESOURCES", "resource_dir"]

RESOURCES = ("energy_tables", "workloads")


def resource_dir(name: str) -> Path:
    """Return the folder of the resource *name*: inside the package if it is there, else beside it.

    The current directory is never searched, and a folder beside the package counts only next to
    the ``setup.cfg`` or ``pyproject.toml`` of a source checkout: in site-packages a neighbor called
    ``workloads`` belongs to somebody else.

    Parameters
    ----------
    name : str
        ``"workloads"`` or ``"energy_tables"``.

    Returns
    -------
    pathlib.Path
        An existing folder with an ``__init__.py``.

    Raises
    ------
    AccelsimError
        If *name* is unknown, or the folder is in neither place.

    >>> (resource_dir("workloads") / "__init__.py").is_file()
    True
    """
    if name not in RESOURCES:
        raise AccelsimError(
            f"no resource folder named {name!r}; known: {', '.join(RESOURCES)}."
            f"{nearest(name, RESOURCES)}"
        )
    package = _package_dir()
    root = package.parent
    candidates = [package / name]
    if (root / "setup.cfg").is_file() or (root / "pyproject.toml").is_file():
        candidates.append(root / name)
    for folder in candidates:
        if (folder / "__init__.py").is_file():
            return folder
    raise AccelsimError(
        f"the folder {name!r} of accelsim is missing; looked at "
        f"{' and '.join(str(folder) for folder in candidates)}. Reinstall accelsim, or run it from "
        "a complete checkout"
    )


def _package_dir() -> Path:
    return Path(__file__).resolve().parent
