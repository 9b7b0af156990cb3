"""What accelsim score runs: the attacks, and the checks of the networks that judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from accelsim.cli.output import progress, warn
from accelsim.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import pandas as pd
    from torch import nn

    from accelsim.datasets import Split
    from accelsim.robustness import Proxies
    from accelsim.scores import ScoreFolder

__all__ = ["calibration_settings", "run_scores"]


def run_scores(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    data: str | None,
    attacks: list[str],
    settings: dict[str, Any],
    folder: ScoreFolder | None,
    workers: int,
) -> pd.DataFrame:
    """Return the rates of *attacks*; in a folder their outcomes are kept as they are made."""
    from accelsim.config import Accelerator
    from accelsim.nn import calibrate_workload
    from accelsim.quantization import Scheme
    from accelsim.robustness import evaluate, summarize

    more: dict[str, Any] = {}
    if "accelerator" in settings:
        more["accelerator"] = Accelerator.from_dict(settings["accelerator"])
    if "calibration" in settings:
        more["calibration"] = calibrate_workload(settings["workload"], model, data)
    if "quantization" in settings:
        more["scheme"] = Scheme(**settings["quantization"])
    if "queries" in settings:
        more["proxies"] = _proxies(settings["workload"], data, settings["queries"])
    for name in ("sources", "gradients"):
        if name in settings:
            more[name] = settings[name]
    fixed = ("scenario", "multipliers", "accumulator", "epsilon", "seed")
    done = 0
    try:
        with progress("score") as update:

            def count(finished: int, total: int, what: str) -> None:
                nonlocal done
                done = finished
                update(finished, total, what)

            outcomes = evaluate(
                model,
                images,
                labels,
                attacks=attacks,
                folder=None if folder is None else folder.path,
                determined_by=settings,
                workers=workers,
                progress=count,
                proxy_progress=update,
                **more,
                **{name: settings[name] for name in fixed},
            )
            if folder is not None:
                _check_networks(model, images, labels, outcomes, folder, more, update)
    except KeyboardInterrupt:
        kept = "nothing is kept (no --out)"
        if folder is not None:
            kept = f"{done} pieces are kept in {folder.path}"
        warn(f"{kept}; the same command goes on with the first unfinished piece")
        raise typer.Exit(130) from None
    return summarize(outcomes)


def _check_networks(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    outcomes: pd.DataFrame,
    folder: ScoreFolder,
    more: Mapping[str, Any],
    progress: Callable[[int, int, str], None],
) -> None:
    """Run the checks of the networks of *outcomes* that *folder* does not keep, and keep them.

    *more*: the calibration and accelerator that the units were judged with, and the scheme.
    """
    from accelsim.layer_units import unit_label
    from accelsim.robustness.checks import NETWORK_IMAGES, network_checks
    from accelsim.robustness.scenarios import EXACT

    accumulator = folder.settings["accumulator"]
    how = {name: more[name] for name in ("calibration", "scheme") if name in more}
    machine = more.get("accelerator")
    networks: dict[str, tuple[str, Any]] = {}
    if folder.settings["scenario"] == "black_box":
        networks[EXACT] = (EXACT, None)  # Judges beside each unit, in no PEs unless asked for.
    for unit in folder.settings["multipliers"]:
        own = machine and machine.replace(multiplier=unit, accumulator=accumulator)
        networks[unit_label(own) if own else unit] = (unit, machine)
    for done, (target, (unit, where)) in enumerate(networks.items()):
        kept = folder.checks.get(target)
        followed = _followed(outcomes, target, folder.settings)
        missing = [name for name in followed if kept is None or name not in kept.slopes]
        if kept is None or missing:
            progress(done, len(networks), f"checks of the network on {target}")
            found = network_checks(
                model,
                images[:NETWORK_IMAGES],
                labels[:NETWORK_IMAGES],
                unit,
                gradients=missing,
                accumulator=accumulator,
                accelerator=where,
                **how,
            )
            folder.keep_checks(target, found)


def _followed(outcomes: pd.DataFrame, target: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the gradients of *target*'s own network that were followed.

    Where no attack of a white box follows one, one that it may: its slopes are checked all the
    same. None in other scenarios, whose claims do not depend on them.
    """
    if settings["scenario"] not in ("white_box", "adaptive"):
        return []
    followed = outcomes.loc[outcomes["target"] == target, "gradient"].unique()
    usual = "effective" if "effective" in settings.get("gradients", ["effective"]) else "exact"
    return [name for name in followed if name != "none"] or [usual]


def calibration_settings(workload: str, data: str | None, integers: bool) -> dict[str, str]:
    """Return the settings that tell what a workload is calibrated on.

    Raises
    ------
    DataError
        If there are no training images; without units of *integers* only the gradient ``effective``
        needs them.
    """
    from accelsim.datasets import fingerprint
    from accelsim.nn import CALIBRATION_IMAGES, WORKLOAD_CALIBRATION

    try:
        train = _training(workload, data, CALIBRATION_IMAGES)
    except DataError as error:
        if integers:
            raise
        raise DataError(
            f"{error}; the gradient 'effective' is taken over the activations of training images, "
            "--scenario white_box --gradient exact takes none"
        ) from None
    known = fingerprint(train.images, train.labels)[:16]
    return {"calibration": WORKLOAD_CALIBRATION, "calibration_data_hash": known}


def _training(workload: str, data: str | None, count: int) -> Split:
    """Return the first *count* training images of a workload's data."""
    from accelsim.workload import WORKLOADS, workload_split

    return workload_split(WORKLOADS[workload], "train", data).first(count)


def _proxies(workload: str, data: str | None, queries: int) -> Proxies:
    """Return what proxies are trained from: the workload's network and recipe, training images."""
    from accelsim.robustness import Proxies
    from accelsim.workload import WORKLOADS

    entry = WORKLOADS[workload]
    if entry.recipe is None:
        raise ConfigError(
            f"workload {workload!r} has no recipe to train a proxy by; the scenario 'black_box' "
            "takes networks that accelsim trains, see 'accelsim list workloads'"
        )
    train = _training(workload, data, queries)
    if len(train) < queries:
        raise DataError(f"--queries asks for {queries} training images, there are {len(train)}")
    return Proxies(entry.build, train.images, entry.recipe)
