"""accelsim validate: measured chips beside what is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.options import JsonOption
from accelsim.cli.output import note, print_json, print_table, progress
from accelsim.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["validate"]


def validate(
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping",
            help="How Eyeriss' layers lie on it. table: as on the chip; chosen: by the mapper.",
        ),
    ] = "table",
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Figure of Eyeriss: a .png, .svg or .pdf file."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Simulate Eyeriss and the TPU v1, and print signed errors against the measured chips.

    Eyeriss: the row-stationary machine on AlexNet's and VGG-16's convolutions. TPU: the bound that
    weights set to a weight-stationary array.

    Example: accelsim validate --out eyeriss.png
    """
    from pathlib import Path

    from accelsim.files import write_atomically
    from accelsim.validation import validate_eyeriss, validate_tpu

    path = None if out is None else Path(out)
    if path is not None and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--out must end in .png, .svg or .pdf, got {out!r}")
    with progress("validate") as update:
        eyeriss = validate_eyeriss(mapping, progress=update)
    tpu = validate_tpu()
    if path is not None:
        from accelsim.figures import measured_and_simulated, rendered

        content = rendered(measured_and_simulated(eyeriss), path.suffix[1:].lower())
        try:
            write_atomically(path, content)
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror}") from None
    if json:
        records = {"eyeriss": eyeriss, "tpu_v1": tpu}
        print_json({name: table.to_dict("records") for name, table in records.items()})
    else:
        _print(eyeriss, tpu)
    if path is not None:
        note(f"wrote {path}")


def _print(eyeriss: pd.DataFrame, tpu: pd.DataFrame) -> None:
    for network, part in eyeriss.groupby("network", sort=False):
        print_table(
            f"{network} on Eyeriss: processing latency, GLB accesses, total latency",
            ["layer", "mapping", "ms", "sim.", "err.%", "GLB MB", "err.%", "total ms", "err.%"],
            [
                [
                    row.layer,
                    row.mapping_source if row.layer != "total" else "",
                    f"{row.measured_ms:.1f}",
                    f"{row.simulated_ms:.1f}",
                    _percent(row.error),
                    f"{row.glb_measured_mb:.1f}",
                    _percent(row.glb_error),
                    f"{row.total_measured_ms:.1f}",
                    _percent(row.total_error),
                ]
                for row in part.itertuples(index=False)
            ],
            text=(0, 1),
        )
    print_table(
        "TPU v1: measured, and the bound that weights set",
        ["application", "TOPS", "bound", "err.%"],
        [
            [
                row.app,
                f"{row.measured_tops:.1f}",
                f"{row.simulated_tops:.1f}",
                _percent(row.error),
            ]
            for row in tpu.itertuples(index=False)
        ],
    )


def _percent(error: float) -> str:
    return f"{100 * error:+.1f}"
