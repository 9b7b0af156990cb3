"""accelsim score: how units stand up to adversarial examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.options import (
    DataOption,
    JsonOption,
    OutOption,
    SchemeOption,
    UnitsOption,
    WeightsOption,
    WorkloadArgument,
    build_accelerator,
    build_scheme,
    unique,
)
from accelsim.cli.output import note, print_json, print_table, progress
from accelsim.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from accelsim.scores import ScoreFolder

__all__ = ["score"]


def score(
    workload: WorkloadArgument,
    multiplier: UnitsOption = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="NAME", help="From 'accelsim list attacks'; repeatable."),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option("--scenario", help="transfer: made on the exact model, judged on every unit."),
    ] = "transfer",
    images: Annotated[int, typer.Option("--images", min=1, help="Test images.")] = 200,
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", help="Budget in (0, 1]; each attack's own if none.")
    ] = None,
    accumulator: Annotated[
        str | None,
        typer.Option(
            "--accumulator",
            help="From 'accelsim list accumulators'; the accelerator's if none, or each unit's "
            "usual one.",
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            "--accelerator",
            metavar="FILE|PRESET",
            help="Add products as its dataflow does; k ascending if none.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the attacks' random starts.")] = 0,
    quantization: SchemeOption = None,
    weights: WeightsOption = None,
    data: DataOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Score WORKLOAD under attack: accuracy, confidence and what transfers, with 95 % intervals.

    Rows are written as they are made; interrupted, the same command goes on. Without -m:
    exact_fp32 and ax_fpm; without --attack: fgsm and pgd. Units of integers are calibrated on the
    first 128 training images; --set quantization.per_channel=false and the like change their
    scheme. With --accelerator, units are judged as they are in its PEs (which matters where its
    dataflow is rs), quantization is its own, and --set changes any of its fields.

    Example: accelsim score lenet5_digits -m ax_fpm --attack pgd --epsilon 0.1 --out scores/x
    """
    from accelsim.datasets import fingerprint
    from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
    from accelsim.multipliers.imported import file_fingerprints
    from accelsim.quantization import scheme_of
    from accelsim.robustness import check_settings
    from accelsim.scores import ScoreFolder
    from accelsim.workload import (
        WORKLOADS,
        load_workload,
        weights_hash,
        weights_text,
        workload_split,
    )

    machine = None if accelerator is None else build_accelerator(accelerator, quantization)
    scheme = build_scheme(quantization) if machine is None else scheme_of(machine)
    if accumulator is None:
        accumulator = "auto" if machine is None else machine.accumulator
    units = unique(multiplier or ["exact_fp32", "ax_fpm"])
    attacks = unique(attack or ["fgsm", "pgd"])
    check_settings(scenario, attacks, units, accumulator, epsilon, seed)
    model, batch, labels = load_workload(workload, limit=images, weights=weights, data=data)
    if labels is None:
        raise DataError(
            f"workload {workload!r} cannot be scored with {weights_text(workload, weights)} on "
            f"{data or WORKLOADS[workload].dataset}: give trained weights with --weights, and "
            "images with labels with --data"
        )
    settings = {
        "workload": workload,
        "weights_hash": weights_hash(workload, weights),
        "data_hash": fingerprint(batch, labels)[:16],
        "scenario": scenario,
        "multipliers": units,
        "accumulator": accumulator,
        "images": images,
        "epsilon": epsilon,
        "seed": seed,
    }
    if any(isinstance(MULTIPLIERS[name], IntegerMultiplier) for name in units):
        from accelsim.nn import CALIBRATION_IMAGES, WORKLOAD_CALIBRATION

        train = workload_split(WORKLOADS[workload], "train", data).first(CALIBRATION_IMAGES)
        settings |= {
            "calibration": WORKLOAD_CALIBRATION,
            "calibration_data_hash": fingerprint(train.images, train.labels)[:16],
            "quantization": vars(scheme),
        }
    if machine is not None:
        settings["accelerator"] = machine.model_dump(mode="json")
    if files := file_fingerprints(units):
        settings["unit_files"] = files
    folder = None if out is None else ScoreFolder(out, settings)
    rows: list[dict[str, Any]] = [] if folder is None else folder.rows(attacks)
    left = [name for name in attacks if name not in {row["attack"] for row in rows}]
    if left:
        _run(model, batch, labels, data, left, settings, folder, rows)
    rows.sort(key=lambda row: attacks.index(row["attack"]))
    if json:
        print_json(rows)
    else:
        _print_scores(rows)
    if folder is not None:
        note(f"wrote {out}")


def _run(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    data: str | None,
    attacks: list[str],
    settings: dict[str, Any],
    folder: ScoreFolder | None,
    rows: list[dict[str, Any]],
) -> None:
    """Add the rows of *attacks* to *rows* and to the folder, as they are made."""
    from accelsim.config import Accelerator
    from accelsim.nn import calibrate_workload
    from accelsim.quantization import Scheme
    from accelsim.robustness import evaluate

    calibration = scheme = machine = None
    if "accelerator" in settings:
        machine = Accelerator.from_dict(settings["accelerator"])
    if "calibration" in settings:
        calibration = calibrate_workload(settings["workload"], model, data)
        scheme = Scheme(**settings["quantization"])
    fixed = ("scenario", "multipliers", "accumulator", "epsilon", "seed")
    total, before = len(attacks) * len(settings["multipliers"]), len(rows)

    def keep(row: dict[str, Any]) -> None:
        rows.append({**settings, **row} if folder is None else folder.add(row))

    try:
        with progress("score") as update:
            evaluate(
                model,
                images,
                labels,
                attacks=attacks,
                calibration=calibration,
                scheme=scheme,
                accelerator=machine,
                progress=lambda what: update(len(rows) - before, total, what),
                on_row=keep,
                **{name: settings[name] for name in fixed},
            )
    except KeyboardInterrupt:
        kept = "nothing is kept (no --out)"
        if folder is not None:
            kept = f"{len(rows)} rows are kept in {folder.path}"
        note(f"{kept}; the same command goes on with the first unfinished attack")
        raise typer.Exit(130) from None


def _print_scores(scores: list[dict[str, Any]]) -> None:
    import pandas as pd

    table = pd.DataFrame(scores)
    first = table.iloc[0]
    rows = [
        [
            f"{row.attack} {row.epsilon:g}",
            row.multiplier,
            f"{100 * row.clean_accuracy:.1f}",
            _rate(row, "robust_accuracy"),
            f"{row.fooled_both}/{row.fooled_source}",
            _rate(row, "transfer_success"),
            f"{row.mean_confidence_adversarial:.2f}",
        ]
        for row in table.itertuples(index=False)
    ]
    print_table(
        f"{first['workload']}, {first['images']} images, {first['scenario']} from the exact model; "
        "% with 95 % interval",
        ["attack", "multiplier", "clean", "robust acc.", "fooled", "transfer", "conf."],
        rows,
        text=(0, 1),
    )


def _rate(row: Any, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{bound}") for bound in ("", "_low", "_high"))
    return "-" if value != value else f"{100 * value:.1f} ({100 * low:.0f}-{100 * high:.0f})"
