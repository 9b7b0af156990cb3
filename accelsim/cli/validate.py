"""accelsim validate: measured chips beside what is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.completion import choices
from accelsim.cli.options import JsonOption
from accelsim.cli.output import note, print_json, print_table, progress
from accelsim.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["validate"]


def validate(
    mapping: Annotated[
        str,
        typer.Option(
            "--mapping",
            help="How Eyeriss' layers lie on it. table: as on the chip; chosen: by the mapper, "
            "without power and energy, which were measured as on the chip.",
            autocompletion=choices("table", "chosen"),
        ),
    ] = "table",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Figure of Eyeriss' latency: a .png, .svg or .pdf file. The one of its power goes "
            "beside it, with _energy behind its name.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Simulate Eyeriss and the TPU v1, and print signed errors against the measured chips.

    Eyeriss: latency, GLB accesses, power and energy of the row-stationary machine on AlexNet's and
    VGG-16's convolutions. TPU: the bound that weights set to a weight-stationary array.

    Example: accelsim validate --out eyeriss.png
    """
    from pathlib import Path

    from accelsim.validation import (
        power_shares,
        validate_eyeriss,
        validate_eyeriss_energy,
        validate_tpu,
    )

    path = None if out is None else Path(out)
    if path is not None and path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--out must end in .png, .svg or .pdf, got {out!r}")
    with progress("validate") as update:
        tables = {"eyeriss": validate_eyeriss(mapping, progress=update)}
    if mapping == "table":
        tables["eyeriss_energy"] = validate_eyeriss_energy()
        tables["eyeriss_shares"] = power_shares(tables["eyeriss_energy"])
    tables["tpu_v1"] = validate_tpu()
    written = [] if path is None else _draw(path, tables)
    if json:
        print_json({name: table.to_dict("records") for name, table in tables.items()})
    else:
        _print_latency(tables["eyeriss"])
        if mapping == "table":
            _print_energy(tables["eyeriss_energy"], tables["eyeriss_shares"])
        _print_bound(tables["tpu_v1"])
    for one in written:
        note(f"wrote {one}")


def _draw(path: Path, tables: dict[str, pd.DataFrame]) -> list[Path]:
    """Write a figure for each table of Eyeriss that has one, and return where."""
    from accelsim.figures import measured_and_simulated, power_by_component

    figures = {path: measured_and_simulated(tables["eyeriss"])}
    if "eyeriss_energy" in tables:
        beside = path.with_stem(f"{path.stem}_energy")
        figures[beside] = power_by_component(tables["eyeriss_energy"])
    for place, figure in figures.items():
        _write(place, figure)
    return list(figures)


def _write(path: Path, figure: Figure) -> None:
    from accelsim.figures import rendered
    from accelsim.files import write_atomically

    try:
        write_atomically(path, rendered(figure, path.suffix[1:].lower()))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None


def _print_latency(eyeriss: pd.DataFrame) -> None:
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


def _print_energy(energy: pd.DataFrame, shares: pd.DataFrame) -> None:
    from accelsim.validation.eyeriss_energy import COMPONENTS, FITTED_ON

    clock_mw = energy["clock_mw"].iloc[0]
    for network, part in energy.groupby("network", sort=False):
        fitted = "fitted to this mean" if network == FITTED_ON else f"fitted on {FITTED_ON}"
        print_table(
            f"{network} on Eyeriss: power and energy, without and with {clock_mw:.1f} mW of clock, "
            f"{fitted}",
            ["layer", "zeros%", "mW", "sim.", "err.%", "+clock", "err.%", "mJ", "+clock", "err.%"],
            [
                [
                    row.layer,
                    "" if row.layer == "total" else f"{100 * row.ifmap_zeros:.1f}",
                    f"{row.measured_mw:.0f}",
                    f"{row.simulated_mw:.0f}",
                    _percent(row.error),
                    f"{row.clocked_mw:.0f}",
                    _percent(row.clocked_error),
                    f"{row.measured_mj:.1f}",
                    f"{row.clocked_mj:.1f}",
                    _percent(row.clocked_energy_error),
                ]
                for row in part.itertuples(index=False)
            ],
        )
        names = [*COMPONENTS, "clock"]
        print_table(
            f"{network} on Eyeriss: pJ a MAC by component; in the measured time; ungated",
            [
                "layer",
                *("leak" if name == "leakage" else name for name in names),
                *("sum", "timed", "measured", "ungated"),
            ],
            [
                [row["layer"]]
                + [f"{1e9 * row[f'{name}_mj'] / row['macs']:.2f}" for name in names]
                + [
                    f"{row[f'{kind}_pj_per_mac']:.2f}"
                    for kind in ("clocked", "timed", "measured", "ungated")
                ]
                for row in part.to_dict("records")
            ],
        )
    print_table(
        f"{FITTED_ON} on Eyeriss: shares of the power, clock included (%)",
        ["layer", "component", "published", "sim."],
        [
            [
                row.layer,
                row.component,
                f"{row.published_percent:.1f}",
                f"{row.simulated_percent:.1f}",
            ]
            for row in shares.itertuples(index=False)
        ],
        text=(0, 1),
    )


def _print_bound(tpu: pd.DataFrame) -> None:
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
