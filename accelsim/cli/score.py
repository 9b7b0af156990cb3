"""accelsim score: how units stand up to adversarial examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelsim.cli.options import (
    JsonOption,
    OutOption,
    UnitsOption,
    WeightsOption,
    WorkloadArgument,
    unique,
)
from accelsim.cli.output import note, print_json, print_table, progress

if TYPE_CHECKING:
    import pandas as pd

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
        str, typer.Option("--accumulator", help="From 'accelsim list accumulators'.")
    ] = "float32",
    seed: Annotated[int, typer.Option("--seed", help="Of the attacks' random starts.")] = 0,
    weights: WeightsOption = None,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Score WORKLOAD under attack: accuracy, confidence and what transfers, with 95 % intervals.

    Rows are written as they are made. Without -m: exact_fp32 and ax_fpm; without --attack: fgsm
    and pgd.

    Example: accelsim score lenet5_digits -m ax_fpm --attack pgd --epsilon 0.1 --out scores/x
    """
    from accelsim.accumulators import ACCUMULATORS
    from accelsim.folders import prepare_folder, versions, write_manifest
    from accelsim.multipliers import MULTIPLIERS
    from accelsim.robustness.attacks import ATTACKS
    from accelsim.store import point_key
    from accelsim.workload import WORKLOADS, load_workload

    units = unique(multiplier or ["exact_fp32", "ax_fpm"])
    attacks = unique(attack or ["fgsm", "pgd"])
    settings: dict[str, Any] = {
        "workload": WORKLOADS[workload].name,
        "multipliers": [MULTIPLIERS[name].name for name in units],
        "attacks": [name for name in attacks if ATTACKS[name]],
        "accumulator": ACCUMULATORS[accumulator].name,
        "scenario": scenario,
        "images": images,
        "epsilon": epsilon,
        "seed": seed,
    }
    folder = None if out is None else prepare_folder(out, "score")
    model, batch, labels = load_workload(workload, limit=images, weights=weights)
    rows: list[dict[str, Any]] = []

    import pandas as pd

    from accelsim.folders import write_table
    from accelsim.robustness import evaluate

    with progress("score") as update:

        def keep(row: dict[str, Any]) -> None:
            rows.append({"workload": workload, **row})
            if folder is not None:
                write_table(folder / "scores.csv", pd.DataFrame(rows))

        if folder is not None:
            write_manifest(
                folder,
                {
                    "kind": "score",
                    **settings,
                    "config_hash": point_key(settings),
                    "versions": versions(),
                },
            )
        try:
            evaluate(
                model,
                batch,
                labels,
                attacks=attacks,
                multipliers=units,
                scenario=scenario,
                accumulator=accumulator,
                epsilon=epsilon,
                seed=seed,
                progress=lambda what: update(len(rows), len(units) * len(attacks), what),
                on_row=keep,
            )
        except KeyboardInterrupt:
            kept = f"{len(rows)} rows are kept in {out}" if out else "nothing was kept (no --out)"
            note(f"{kept}; the same command starts again")
            raise typer.Exit(130) from None
    table = pd.DataFrame(rows)
    if json:
        print_json(table.to_dict("records"))
    else:
        _print_scores(table)
    if folder is not None:
        note(f"wrote {folder}")


def _print_scores(table: pd.DataFrame) -> None:
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
        left=2,
    )


def _rate(row: Any, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{bound}") for bound in ("", "_low", "_high"))
    return "-" if value != value else f"{100 * value:.1f} ({100 * low:.0f}-{100 * high:.0f})"
