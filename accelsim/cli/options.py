"""Options that several verbs take, and how their values are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.completion import fields, names
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    from accelsim.config import Accelerator
    from accelsim.quantization import Scheme

__all__ = [
    "AcceleratorOption",
    "BatchOption",
    "DataOption",
    "JsonOption",
    "MachineBatchOption",
    "OutOption",
    "SchemeOption",
    "SetOption",
    "UnitsOption",
    "WeightsOption",
    "WorkloadArgument",
    "WorkloadOrTopologyArgument",
    "assignments",
    "build_accelerator",
    "build_scheme",
    "scalar",
    "unique",
]

WorkloadArgument = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD",
        help="Name from 'accelsim list workloads', or an .onnx file (with --data).",
        autocompletion=names("workloads"),
    ),
]
WorkloadOrTopologyArgument = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD|FILE.csv",
        help="Name from 'accelsim list workloads', or a topology of SCALE-Sim: convolutions or "
        "matrix products by shape, for --timing-only.",
        autocompletion=names("workloads"),
    ),
]
UnitsOption = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--multiplier",
        metavar="NAME",
        help="Functional unit; give it again for more.",
        autocompletion=names("multipliers"),
    ),
]
AcceleratorOption = Annotated[
    str,
    typer.Option(
        "--accelerator",
        metavar="FILE|PRESET",
        help="YAML file or preset.",
        autocompletion=names("presets"),
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field, e.g. array.rows=32; repeatable.",
        autocompletion=fields(),
    ),
]
SchemeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="How units of integers quantize, e.g. quantization.weights=affine; repeatable.",
        autocompletion=fields("quantization."),
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Weights instead of the workload's own; random:SEED: drawn.",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR|SET",
        help="Folder of the datasets, else ACCELSIM_DATA; or another set: FILE.npz, folder:PATH "
        "and others of 'accelsim list datasets'.",
    ),
]
BatchOption = Annotated[int, typer.Option("--images", min=1, help="Test images, run as one batch.")]
MachineBatchOption = Annotated[
    int | None,
    typer.Option(
        "--images",
        min=1,
        help="Test images, run as one batch: 16 by default, in a sweep 4, of a topology 1.",
    ),
]
OutOption = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, no tables.")]


def assignments(
    texts: Sequence[str] | None, option: str, form: str = "FIELD=VALUE"
) -> dict[str, str]:
    """Return ``FIELD=TEXT`` strings, *form* in messages, as a dict; a field may be given once."""
    found: dict[str, str] = {}
    for text in texts or ():
        field, equals, value = text.partition("=")
        if not (field and equals and value):
            raise ConfigError(f"{option} takes {form}, got {text!r}")
        if field in found:
            raise ConfigError(f"{option} gives {field!r} twice")
        found[field] = value
    return found


def scalar(text: str) -> Any:
    """Return *text* as YAML reads it: a number, a truth value, null (None) or the text itself."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe").load(text)
    except YAMLError:
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def build_accelerator(name: str, settings: Sequence[str] | None, **changes: object) -> Accelerator:
    """Return preset or file *name* with ``--set`` *settings* and other changes applied."""
    from accelsim.config import Accelerator

    fields = {field: scalar(text) for field, text in assignments(settings, "--set").items()}
    return Accelerator.load(name).replace(**{**changes, **fields})


def build_scheme(settings: Sequence[str] | None) -> Scheme:
    """Return the scheme that ``--set`` *settings* describe, for a verb without an accelerator."""
    from accelsim.quantization import scheme_of

    for field in assignments(settings, "--set"):
        if not field.startswith("quantization."):
            raise ConfigError(
                "--set changes quantization here, such as quantization.weights=affine or "
                f"quantization.per_channel=false, got {field!r}"
            )
    return scheme_of(build_accelerator("edge_16x16", settings))


def unique(names: Sequence[str]) -> list[str]:
    """Return *names* without repetitions, in order."""
    return list(dict.fromkeys(names))
