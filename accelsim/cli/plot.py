"""accelsim plot: a figure of simulated runs."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.output import note
from accelsim.errors import ConfigError, DataError, nearest

__all__ = ["plot"]


def plot(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Folders that 'accelsim simulate --out' wrote."),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf file.")],
    kind: Annotated[
        str, typer.Option("--kind", help="energy: by component; latency: by layer.")
    ] = "energy",
) -> None:
    """Draw runs side by side: energy by component, or latency by layer.

    Example: accelsim plot runs/x --kind latency --out latency.png
    """
    from pathlib import Path

    from accelsim.figures import FIGURES, rendered
    from accelsim.files import write_atomically
    from accelsim.results import load_runs

    if kind not in FIGURES:
        known = ", ".join(FIGURES)
        raise ConfigError(f"no figure {kind!r}; known: {known}.{nearest(kind, FIGURES)}")
    path = Path(out)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--out must end in .png, .svg or .pdf, got {out!r}")
    figure = FIGURES[kind](load_runs(folders))
    try:
        write_atomically(path, rendered(figure, path.suffix[1:].lower()))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    note(f"wrote {path}")
