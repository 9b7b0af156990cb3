"""YAML files whose values know their lines, so that faults can be told with file and line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from accelsim.errors import AccelsimError

__all__ = ["dump_yaml", "load_yaml"]


def load_yaml(path: Path, what: str, error: type[AccelsimError]) -> Any:
    """Return what the YAML file *path* holds; its mappings and lists have ruamel's line marks.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for messages: ``"accelerator file"``.
    error : type
        Kind of error to raise.

    Raises
    ------
    AccelsimError
        Of kind *error*: the file cannot be read or parsed, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise error(f"cannot read {what} {str(path)!r}: {reason}") from None
    try:
        return YAML().load(text)
    except (RecursionError, ValueError) as fault:
        raise error(f"{path}: not usable YAML: {fault}") from None
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise error(f"{where}: not valid YAML: {fault.problem}") from None
    except YAMLError as fault:
        raise error(f"{path}: not valid YAML: {' '.join(str(fault).split())}") from None


def dump_yaml(data: Any) -> str:
    """Return *data*, of plain mappings, lists and scalars, as YAML text."""
    stream = StringIO()
    YAML().dump(data, stream)
    return stream.getvalue()
