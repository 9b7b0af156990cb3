"""accelsim characterize: how far a unit's products are from exact, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from accelsim.cli.completion import choices, names
from accelsim.cli.options import (
    BatchOption,
    DataOption,
    JsonOption,
    OutOption,
    SchemeOption,
    build_scheme,
)
from accelsim.cli.output import note, print_json, print_table, progress, warn
from accelsim.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from accelsim.characterization import Characterization
    from accelsim.multipliers import Multiplier
    from accelsim.operands import OperandPairs

__all__ = ["characterize"]


def characterize(
    unit: Annotated[
        str,
        typer.Argument(
            metavar="UNIT",
            help="Name from 'accelsim list multipliers', or a file.",
            autocompletion=names("multipliers"),
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="NAME",
            help="Unit to compare costs with; the exact one of the same operands if none.",
            autocompletion=names("multipliers"),
        ),
    ] = None,
    pairs: Annotated[
        int, typer.Option("--pairs", help="Random pairs, where not all pairs are measured.")
    ] = 1_000_000,
    seed: Annotated[int, typer.Option("--seed", help="Of the random pairs.")] = 0,
    distribution: Annotated[
        str,
        typer.Option(
            "--distribution",
            help="Of float operands: uniform in (-1, 1), significand or normal.",
            autocompletion=choices("uniform", "significand", "normal"),
        ),
    ] = "uniform",
    exhaustive_bits: Annotated[
        int,
        typer.Option(
            "--exhaustive-bits", help="Integers of up to so many bits: all pairs; 12 at most."
        ),
    ] = 8,
    workload: Annotated[
        str | None,
        typer.Option(
            "--workload",
            metavar="NAME",
            help="Measure over the products of its layers, too.",
            autocompletion=names("workloads"),
        ),
    ] = None,
    images: BatchOption = 16,
    data: DataOption = None,
    settings: SchemeOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Measure UNIT: error metrics with their conventions, and costs beside the exact unit's.

    With --out tables and two figures are written. For a unit of integers the operands of the
    workload's layers are quantized, calibrated on the first 128 training images; --set
    quantization.per_channel=false and the like change how.

    Example: accelsim characterize ax_fpm --workload lenet5_digits --out units/ax_fpm
    """
    from pathlib import Path

    from accelsim.characterization import baseline_of
    from accelsim.characterization import characterize as run
    from accelsim.folders import prepare_folder
    from accelsim.multipliers import MULTIPLIERS
    from accelsim.operands import choose_pairs
    from accelsim.workload import WORKLOADS, workload_split

    entry = MULTIPLIERS[unit]
    baseline = baseline_of(entry, against)
    choose_pairs(entry, pairs, seed, distribution, exhaustive_bits)
    scheme = build_scheme(settings)
    if workload is not None:
        workload = WORKLOADS[workload].name
    elif settings:
        raise ConfigError("--set changes how a workload's operands are quantized; give --workload")
    elif data is not None:
        raise ConfigError("--data says where a workload's data lie; give --workload")
    if workload is not None:
        workload_split(WORKLOADS[workload], "test", data)
    if out is not None:
        # Found out now, not after the work.
        prepare_folder(out, "characterization")
    try:
        with progress(f"characterize {entry.name}") as update:
            found = run(
                entry,
                against=baseline,
                pairs=pairs,
                seed=seed,
                distribution=distribution,
                exhaustive_bits=exhaustive_bits,
                workload=workload,
                images=images,
                data=data,
                scheme=scheme,
                progress=update,
            )
            pictures = {}
            if out is not None:
                few = min(pairs, PICTURED)
                drawn = choose_pairs(entry, few, seed, distribution, min(exhaustive_bits, 8))
                pictures = _pictures(entry, drawn)
        if out is not None:
            found.save(Path(out), pictures)
    except KeyboardInterrupt:
        warn("nothing is written; the same command starts again")
        raise typer.Exit(130) from None
    if json:
        print_json(found.to_dict())
    else:
        _print(found)
    if out is not None:
        note(f"wrote {out}")


PICTURED = 250_000
"""Random pairs that are enough for a figure."""


def _pictures(unit: Multiplier, pairs: OperandPairs) -> dict[str, bytes]:
    """Return the figures by file name; the second one of *pairs*, a single chunk."""
    from accelsim.figures import error_magnitude, error_surfaces, rendered
    from accelsim.metrics import exact_product
    from accelsim.surfaces import error_surface

    ((a, w),) = pairs.chunks()
    title = f"{unit.name}: relative error of products, {pairs.text}"
    product = unit.product(a, w).astype(float)
    return {
        "error_surface.png": rendered(error_surfaces([error_surface(unit)])),
        "error_magnitude.png": rendered(error_magnitude(exact_product(a, w), product, title)),
    }


PERCENT = (
    "error_rate", "nmed", "nmed_span", "mred", "mred_all_pairs", "mred_max_1", "bias",
    "relative_error_std", "wcre", "inflated", "exact_zero", "not_finite", "not_commuting",
)  # fmt: skip
"""Metrics that are printed in percent: shares and relative errors."""


def _print(found: Characterization) -> None:
    columns = ["metric", "value", "95 % interval", "convention"]
    rows = [
        [row.metric, *_scaled(row.metric, row.value, row.low, row.high), row.convention]
        for row in found.metrics.itertuples(index=False)
    ]
    if found.exhaustive:
        del columns[2]
        rows = [[*row[:2], row[3]] for row in rows]
    print_table(
        f"{found.unit} over {found.operands}; M exact, M' its product, E = M' - M",
        columns,
        rows,
        text=(0, len(columns) - 1),
    )
    print_table(
        # Names are not columns' heads: a long one leaves no room.
        f"One product of {found.unit}, against {found.against}",
        ["cost", "unit", "against", "ratio", "from"],
        [
            [row.cost, _number(row.value), _number(row.against), _number(row.ratio), row.note]
            for row in found.costs.itertuples(index=False)
        ],
        text=(0, 4),
        whole=(0,),
    )
    if found.layers is not None:
        _print_layers(f"{found.manifest['workload']}, {found.manifest['weights']}", found.layers)


def _print_layers(network: str, layers: pd.DataFrame) -> None:
    print_table(
        f"Products of {network}, as activation and weight meet in an exact run, "
        f"{layers['pairs'].iloc[0]:,} a layer; all: weighted by MACs; in % with 95 % interval",
        ["layer", "M MACs", "M = 0", "error_rate", "inflated", "mred", "bias"],
        [
            [
                row.layer,
                f"{row.macs / 1e6:.3f}",
                *(f"{100 * value:.1f}" for value in (row.exact_zero, row.error_rate, row.inflated)),
                *(
                    f"{100 * value:.2f} ±{50 * (high - low):.2f}"
                    for value, low, high in (
                        (row.mred, row.mred_low, row.mred_high),
                        (row.bias, row.bias_low, row.bias_high),
                    )
                ),
            ]
            for row in layers.itertuples(index=False)
        ],
    )


def _scaled(metric: str, value: float, low: float, high: float) -> tuple[str, str]:
    """Return value and interval as text, in percent where the metric is a share or a ratio."""
    scale, unit = (100, " %") if metric in PERCENT else (1, "")
    bounds = f"{scale * low:.4g} to {scale * high:.4g}"
    if low == high:
        bounds = ""
    elif high == float("inf"):
        bounds = "or more"
    elif low != low:
        bounds = "-"
    return f"{scale * value:.4g}{unit}", bounds


def _number(value: float) -> str:
    return "-" if value != value else f"{value:,.4g}"
