"""accelsim config: accelerators as files, for people, editors and other runs."""

from __future__ import annotations

from typing import Annotated

import typer

from accelsim.cli.completion import names
from accelsim.cli.options import SetOption, build_accelerator
from accelsim.cli.output import print_json
from accelsim.cli.verb import register

__all__ = ["config"]

config = typer.Typer(no_args_is_help=True)


def show(
    accelerator: Annotated[
        str,
        typer.Argument(
            metavar="[FILE|PRESET]", help="YAML file or preset.", autocompletion=names("presets")
        ),
    ] = "edge_16x16",
    settings: SetOption = None,
) -> None:
    """Print an accelerator with all its fields as YAML, to be changed and given to --accelerator.

    An energy table or a unit of yours that it names is looked for from the folder of its file.

    Example: accelsim config show edge_16x16 --set array.rows=32 > mine.yaml

    Example: accelsim config show server_64x64 --set array.dataflow=ws --set clock_mhz=auto
    """
    print(build_accelerator(accelerator, settings).to_yaml(), end="")


def schema() -> None:
    """Print the JSON schema of accelerator files, by which editors check and complete them.

    VS Code (its YAML extension), Neovim, Emacs and others that use yaml-language-server read it
    from the first line of a file: # yaml-language-server: $schema=accelerator.schema.json

    Example: accelsim config schema > accelerator.schema.json
    """
    from accelsim.config import json_schema

    print_json(json_schema())


register(config, show)
register(config, schema)
