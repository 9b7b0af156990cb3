"""accelsim plot and export-timeline: figures of results, and runs as files of viewers."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.completion import choices
from accelsim.cli.output import note, warn
from accelsim.errors import ConfigError, DataError, nearest

__all__ = ["export_timeline", "plot"]

KINDS = (
    *("energy", "latency", "roofline", "utilization", "bandwidth", "timeline"),
    *("pareto", "robustness", "transfer"),
)
"""Names of `accelsim.figures.kinds.FIGURES`, which a key pressed need not import."""

PICTURES = (".png", ".svg", ".pdf")

CyclesOption = Annotated[
    str | None,
    typer.Option(
        "--cycles",
        metavar="START:[STOP]",
        help="A part of the run, to its end if no STOP; all by default.",
    ),
]


def plot(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR...", help="Folders that simulate, score or sweep wrote."),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf file.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Of runs: energy (by component), latency (by layer), roofline, utilization (of "
            "each PE), bandwidth and timeline (over time); of scores: robustness (accuracy against "
            "epsilon), transfer (who fools whom); pareto: of runs, with scores or without, or of "
            "a sweep.",
            autocompletion=choices(*KINDS),
        ),
    ] = "energy",
    cycles: CyclesOption = None,
) -> None:
    """Draw a figure of results, side by side where there are several.

    pareto takes the strongest attack that all units met; --cycles is for bandwidth and timeline.

    Example: accelsim plot runs/x --kind timeline --cycles 64000:72000 --out timeline.pdf
    """
    from pathlib import Path

    from accelsim.figures import rendered
    from accelsim.figures.kinds import FIGURES
    from accelsim.files import write_atomically

    if kind not in FIGURES:
        known = ", ".join(FIGURES)
        raise ConfigError(f"no figure {kind!r}; known: {known}.{nearest(kind, FIGURES)}")
    path, figure = Path(out), FIGURES[kind]
    if path.suffix.lower() not in PICTURES:
        raise ConfigError(f"--out must end in .png, .svg or .pdf, got {out!r}")
    how = {}
    if cycles is not None:
        if not figure.over_time:
            timed = [name for name, one in FIGURES.items() if one.over_time]
            raise ConfigError(f"--cycles is for {' and '.join(timed)}, not for {kind}")
        how["cycles"] = _span(cycles)
    content = rendered(figure.draw(folders, **how), path.suffix[1:].lower())
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    note(f"wrote {path}")


def export_timeline(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of one run of simulate.")],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A .json file (Chrome trace: ui.perfetto.dev, chrome://tracing), or a .vcd file "
            "(value change dump: GTKWave; needs accelsim[vcd]).",
        ),
    ],
    cycles: CyclesOption = None,
    stretches: Annotated[
        int | None,
        typer.Option("--stretches", metavar="N", help="Most stretches of busy time; 200,000."),
    ] = None,
    windows: Annotated[
        int | None, typer.Option("--windows", metavar="N", help="Values of each counter; 1,000.")
    ] = None,
) -> None:
    """Write a run's timeline for a viewer: blocks, bandwidth, queue and utilization over time.

    What a cap leaves out is said here and in the file.

    Example: accelsim export-timeline runs/x/ax_fpm --out timeline.json
    """
    from pathlib import Path

    from accelsim.results import load_run, moved_of
    from accelsim.timeline import STRETCHES, WINDOWS, write_perfetto, write_vcd

    writers = {".json": write_perfetto, ".vcd": write_vcd}
    path = Path(out)
    if path.suffix.lower() not in writers:
        raise ConfigError(f"--out must end in .json or .vcd, got {out!r}")
    one = load_run(run)
    left_out = writers[path.suffix.lower()](
        moved_of(one),
        one.accelerator,
        path,
        cycles=None if cycles is None else _span(cycles),
        stretches=STRETCHES if stretches is None else stretches,
        windows=WINDOWS if windows is None else windows,
    )
    if left_out is not None:
        warn(left_out)
    note(f"wrote {path}")


def _span(text: str) -> tuple[int, int | None]:
    """Return what START:STOP or START: says."""
    start, colon, stop = text.partition(":")
    if not (colon and start.isdecimal() and (stop.isdecimal() or not stop)):
        raise ConfigError(
            f"--cycles takes START:STOP, two whole numbers, got {text!r}; START: goes to the end"
        )
    return int(start), int(stop) if stop else None
