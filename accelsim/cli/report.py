"""accelsim report: results of one network as one HTML file."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.output import note
from accelsim.errors import ConfigError, DataError

__all__ = ["report"]


def report(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Folders written by simulate, score and sweep."),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="An .html file.")],
) -> None:
    """Write one HTML page on all results of a network; ratios are to the first unit.

    Headline ratios, figures, tables that sort, sanity checks and verdicts, the source of every
    energy, and the commands that make the results again. The page needs no other file and no
    network, and prints. Accelerators, units, attacks and scenarios may differ.

    Example: accelsim report runs/x scores/x --out report.html
    """
    from pathlib import Path

    from accelsim.files import write_atomically
    from accelsim.report import report as make_report

    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out must end in .html, got {out!r}")
    page = make_report(folders).encode()
    try:
        write_atomically(path, page)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    note(f"wrote {path}")
