"""accelsim score: how units stand up to adversarial examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.completion import choices, names
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
from accelsim.cli.output import note, print_json, print_table
from accelsim.cli.scoring import calibration_settings, run_scores
from accelsim.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["score"]

QUERIES = 2000


def score(
    workload: WorkloadArgument,
    multiplier: UnitsOption = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            "--attack",
            metavar="NAME",
            help="From 'accelsim list attacks'; repeatable.",
            autocompletion=names("attacks"),
        ),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario",
            help="transfer: made on the exact model, judged on every unit; black_box: on a proxy "
            "trained on the unit's answers; white_box: on the unit itself; adaptive: on its "
            "effective weights.",
            autocompletion=choices("transfer", "black_box", "white_box", "adaptive"),
        ),
    ] = "transfer",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="NAME",
            help="Of transfer: torch (the exact model) or a unit; repeatable. By default torch.",
            autocompletion=names("multipliers", more=["torch"]),
        ),
    ] = None,
    gradient: Annotated[
        list[str] | None,
        typer.Option(
            "--gradient",
            metavar="NAME",
            help="Of white_box, and attacks that follow one: exact, effective, unit, smoothed; "
            "repeatable. By default exact and effective.",
            autocompletion=choices("exact", "effective", "unit", "smoothed"),
        ),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(
            "--queries",
            min=2,
            help=f"Of black_box: training images that the unit is asked for. By default {QUERIES}.",
        ),
    ] = None,
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
            autocompletion=names("accumulators"),
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            "--accelerator",
            metavar="FILE|PRESET",
            help="Add products as its dataflow does; k ascending if none.",
            autocompletion=names("presets"),
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the attacks' random starts.")] = 0,
    quantization: SchemeOption = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes, which share the CPUs.")
    ] = 1,
    weights: WeightsOption = None,
    data: DataOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Score WORKLOAD under attack: accuracy, confidence and what transfers, with 95 % intervals.

    With --out outcomes are kept as they are made, image by image, and with them whether the
    networks are fit to be judged (docs/checks.md); interrupted, the same command goes on.
    Without -m: exact_fp32 and ax_fpm; without --attack: fgsm and pgd. Units of integers and
    effective weights are calibrated on the first 128 training images; --set
    quantization.per_channel=false and the like change how integers are made. With --accelerator,
    units are judged as they are in its PEs (which matters where its dataflow is rs), quantization
    is its own, and --set changes any of its fields: layers in layer_multipliers stay on their
    units, the others run on each of -m.

    Example: accelsim score lenet5_digits -m ax_fpm --attack pgd --epsilon 0.1 --out scores/x
    """
    from accelsim.datasets import fingerprint
    from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
    from accelsim.multipliers.imported import file_fingerprints
    from accelsim.quantization import scheme_of
    from accelsim.robustness import check_settings, plans_of
    from accelsim.robustness.scenarios import TORCH
    from accelsim.scores import ScoreFolder
    from accelsim.workload import WORKLOADS, load_workload, weights_hash, weights_text

    machine = None if accelerator is None else build_accelerator(accelerator, quantization)
    scheme = build_scheme(quantization) if machine is None else scheme_of(machine)
    if accumulator is None:
        accumulator = "auto" if machine is None else machine.accumulator
    units = unique(multiplier or ["exact_fp32", "ax_fpm"])
    sources = unique(source or [TORCH])
    attacked = [name for name in sources if name != TORCH] if scenario == "transfer" else []
    layers = () if machine is None else machine.layer_multipliers.values()
    in_pes = unique([*units, *layers, *attacked])
    attacks = unique(attack or ["fgsm", "pgd"])
    gradients = unique(gradient or ["exact", "effective"])
    plans = plans_of(attacks, epsilon)
    check_settings(scenario, plans, units, accumulator, seed, gradients=gradients)
    given = {"--source": source, "--gradient": gradient, "--queries": queries}
    _check_options(scenario, [name for name, value in given.items() if value])
    model, batch, labels = load_workload(workload, limit=images, weights=weights, data=data)
    if labels is None:
        raise DataError(
            f"workload {workload!r} cannot be scored with {weights_text(workload, weights)} on "
            f"{data or WORKLOADS[workload].dataset}: give trained weights with --weights, and "
            "images with labels with --data"
        )
    settings: dict[str, Any] = {
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
    extra: dict[str, dict[str, Any]] = {
        "transfer": {"sources": sources},
        "white_box": {"gradients": gradients},
        "black_box": {"queries": queries or QUERIES},
    }
    settings |= extra.get(scenario, {})
    integers = any(isinstance(MULTIPLIERS[name], IntegerMultiplier) for name in in_pes)
    effective = scenario == "adaptive" or "effective" in settings.get("gradients", ())
    if integers or effective:
        settings |= calibration_settings(workload, data, integers)
    if integers:
        settings["quantization"] = vars(scheme)
    if machine is not None:
        settings["accelerator"] = machine.model_dump(mode="json")
    if files := file_fingerprints(in_pes):
        settings["unit_files"] = files
    folder = None if out is None else ScoreFolder(out, settings, attacks)
    asked = attacks if folder is None else folder.attacks
    scores = run_scores(model, batch, labels, data, asked, settings, folder, workers)
    if folder is not None:
        folder.write(scores)
    rows = [{**settings, **row} for row in scores.to_dict("records") if row["attack"] in attacks]
    rows.sort(key=lambda row: attacks.index(row["attack"]))
    if json:
        print_json(rows)
    else:
        _print_scores(rows)
    if folder is not None:
        note(f"wrote {out}")


def _check_options(scenario: str, given: Sequence[str]) -> None:
    """Raise `ConfigError` if one of the options *given* belongs to another scenario."""
    of = {"--source": "transfer", "--gradient": "white_box", "--queries": "black_box"}
    if others := [name for name in given if of[name] != scenario]:
        belong = ", ".join(f"{name} belongs to the scenario {of[name]}" for name in others)
        raise ConfigError(
            f"{belong}; this one is {scenario}: leave out what it has no use for, or give another "
            "--scenario"
        )


def _print_scores(scores: list[dict[str, Any]]) -> None:
    import pandas as pd

    table = pd.DataFrame(scores)
    first = table.iloc[0]
    alone = set(table["source"]) == {"torch"}
    cells: dict[str, Callable[[Any], str]] = {
        "attack": _strength,
        "source": lambda row: row.source.removesuffix(f" of {row.target}"),
        "gradient": lambda row: row.gradient,
        "multiplier": lambda row: row.target,
        "clean": lambda row: f"{100 * row.clean_accuracy:.1f}",
        "robust acc.": lambda row: _rate(row, "robust_accuracy"),
        "fooled": lambda row: f"{row.fooled_both}/{row.fooled_source}",
        "transfer": lambda row: _rate(row, "transfer_success"),
        "conf.": lambda row: f"{row.mean_confidence_attacked:.2f}",
    }
    # What fits into 80 columns.
    left_out = {"clean", "gradient", "conf."}
    if alone:
        left_out = {"source", "gradient"}
    elif first["scenario"] == "white_box":
        left_out = {"source", "fooled", "transfer"}
    shown = [name for name in cells if name not in left_out]
    print_table(
        f"{first['workload']}, {first['images']} images, {first['scenario']}"
        f"{' from the exact model' if alone else ''}; % with 95 % interval",
        shown,
        [[cells[name](row) for name in shown] for row in table.itertuples(index=False)],
        text=tuple(range(shown.index("multiplier") + 1)),
    )


def _strength(row: Any) -> str:
    """Return the attack with its budget, or the median distance of what it found."""
    found = getattr(row, f"median_{row.norm}")
    return f"{row.attack} {row.epsilon if row.epsilon == row.epsilon else found:.3g}"


def _rate(row: Any, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{bound}") for bound in ("", "_low", "_high"))
    return "-" if value != value else f"{100 * value:.1f} ({100 * low:.0f}-{100 * high:.0f})"
