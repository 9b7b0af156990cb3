"""The typer application: every verb registered, options that verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli import (
    accelergy,
    characterize,
    compare,
    config,
    export_rtl,
    import_,
    listing,
    plot,
    report,
    score,
    simulate,
    sweep,
    train,
    validate,
)
from accelsim.cli.verb import register
from accelsim.version import __version__

__all__ = ["app"]

app = typer.Typer(
    name="accelsim",
    help="Simulate CNN accelerators with exact and approximate multipliers: logits, cycles, "
    "energy and robustness from the same bits.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"accelsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


for _verb in (
    simulate.simulate,
    score.score,
    sweep.sweep,
    characterize.characterize,
    compare.compare,
    plot.plot,
    plot.export_timeline,
    report.report,
    listing.list_,
    listing.show,
    train.train,
    import_.import_,
    export_rtl.export_rtl,
    accelergy.export_accelergy,
    accelergy.import_accelergy,
    validate.validate,
):
    register(app, _verb)
app.add_typer(
    config.config, name="config", help="Accelerators as files: print one, or the schema of all."
)
