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

    from accelsim.figures import FIGURES
    from accelsim.folders import find_results, read_manifest
    from accelsim.results import BASELINE, load_run

    if kind not in FIGURES:
        known = ", ".join(FIGURES)
        raise ConfigError(f"no figure {kind!r}; known: {known}.{nearest(kind, FIGURES)}")
    path = Path(out)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--out must end in .png, .svg or .pdf, got {out!r}")
    runs = [load_run(at) for at in find_results(folders) if read_manifest(at)["kind"] == "run"]
    runs.sort(key=lambda run: run.accelerator.multiplier != BASELINE)
    if not runs:
        raise DataError(f"no simulated run in {', '.join(folders)}; make one with simulate --out")
    figure = FIGURES[kind](runs)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    note(f"wrote {path}")
