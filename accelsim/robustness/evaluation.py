"""Evaluation: how a network on approximate multipliers stands up to adversarial examples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO, accumulator_of
from accelsim.datasets import fingerprint
from accelsim.errors import ConfigError, DataError, nearest
from accelsim.multipliers import MULTIPLIERS
from accelsim.robustness.attack import checked_epsilon, checked_seed
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.judges import judging_networks
from accelsim.robustness.pieces import CHUNK, Plan
from accelsim.robustness.scenarios import (
    TORCH,
    Networks,
    Proxies,
    Smoothing,
    check_scenario,
    pieces_of,
)
from accelsim.robustness.study import run_study
from accelsim.robustness.verdict import judge
from accelsim.workers import check_workers
from accelsim.workload import check_images, check_labels

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from accelsim.config import Accelerator
    from accelsim.quantization import Calibration, Scheme

__all__ = ["GRADIENTS", "check_settings", "evaluate", "plans_of"]

GRADIENTS = ("exact", "effective", "unit", "smoothed")
"""What a white box can follow."""

PROXIES = "proxies"


def evaluate(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    attacks: Sequence[str | Plan],
    multipliers: Sequence[str],
    controls: Mapping[str, nn.Module] | None = None,
    scenario: str = "transfer",
    sources: Sequence[str] = (TORCH,),
    gradients: Sequence[str] = ("exact", "effective"),
    smoothing: Smoothing | None = None,
    proxies: Proxies | None = None,
    accumulator: str = AUTO,
    epsilon: float | None = None,
    seed: int = 0,
    batch_size: int = 64,
    calibration: NDArray[np.float32] | Calibration | None = None,
    scheme: Scheme | None = None,
    accelerator: Accelerator | str | None = None,
    chunk: int = CHUNK,
    folder: Path | None = None,
    determined_by: Mapping[str, Any] | None = None,
    workers: int | None = 1,
    progress: Callable[[int, int, str], None] | None = None,
    proxy_progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """Return what became of every image: a row for each attack, source, judge and image.

    `accelsim.robustness.summarize` makes rates of it, `compare` paired tests, `strongest` the worst
    case of every image.

    In the scenario ``transfer`` the attacker knows the exact network only. The examples are made on
    *model* as torch computes it and then classified by the bit-accurate network of every multiplier
    (`accelsim.nn.approximate`). ``exact_fp32`` is judged the same way: it rounds as float32 does,
    but adds products in its own order and not in that of torch's BLAS, so its logits differ from
    torch's in the last bits, and an example that sits on the decision boundary may fall on the
    other side. The other scenarios: `accelsim.robustness.scenarios`.

    Parameters
    ----------
    model : torch.nn.Module
        Returns (N, classes) logits; used in eval mode, on a copy.
    images : (N, C, H, W) float32 in [0, 1]
    labels : (N,) integers
        The true classes.
    attacks : sequence of str or Plan
        Keys of `ATTACKS`, or with epsilon, settings and scales of their own.
    multipliers : sequence of str
        Keys of `accelsim.multipliers.MULTIPLIERS`.
    controls : mapping of str to torch.nn.Module, optional
        Name -> network beside those of the multipliers, whose gradient is its own:
        `accelsim.robustness.controls` makes some of *model*. Used as they are, whatever
        *accumulator* and *accelerator*. ``transfer`` makes the examples once more for them, so that
        what is kept of the multipliers does not depend on them; ``adaptive`` leaves them out.
    scenario : str
        One of `SCENARIOS`.
    sources, gradients, proxies
        As of `accelsim.robustness.scenarios.pieces_of`.
    smoothing : Smoothing, optional
        Of the gradient ``"smoothed"``.
    accumulator : str
        Key of `accelsim.accumulators.ACCUMULATORS`, or ``"auto"``: each multiplier's usual one.
    epsilon : float, optional
        The budget in (0, 1] for every attack that has one and is given by name; by default each
        attack's own.
    seed : int
        Of the attacks' random starts.
    batch_size : int
        Images at once; it bounds memory. The verdict of a multiplier does not depend on it; torch's
        own bits, and so the examples, may.
    calibration : images or Calibration, optional
        For units of integers, which cannot do without; see `accelsim.nn.approximate`.
    scheme : Scheme, optional
        How units of integers quantize.
    accelerator : Accelerator or str, optional
        Whose networks are judged (or a preset's name, or a YAML file's path): each unit and
        *accumulator* in its PEs, products added in the order of its dataflow, see
        `accelsim.accumulation_orders`. Without: k ascending. Layers that it has on units of their
        own stay there, and judges are then called as `accelsim.layer_units.unit_label` does it;
        a source, and the exact judge of a black box, is one unit in all layers, and has to fit into
        the PEs, too.
    chunk : int
        Images attacked together: what a kill can cost, and what workers share out.
    folder, workers, progress
        As of `accelsim.robustness.study.run_study`; in `PROXIES` below *folder* the proxies of
        black boxes are kept, too.
    proxy_progress
        As of `accelsim.robustness.scenarios.pieces_of`.
    determined_by : mapping, optional
        With *folder*: what the outcomes depend on besides the settings here, weights, images and
        labels, as JSON can hold it: the hashes of unit files. Controls are known by their names and
        the bits of their logits: one that differs in its gradient alone needs another name.

    Returns
    -------
    pandas.DataFrame
        Columns as `accelsim.robustness.OUTCOMES`. Logits that are not finite count as wrong with
        confidence 0.

    Raises
    ------
    UnknownNameError
        If an attack, a multiplier or the accumulator does not exist.
    ConfigError
        If a setting cannot be used, a unit of integers is not calibrated, an attack needs gradients
        of a network that has none, or *accelerator* has units for layers that are not there.
    MappingError
        If *accelerator* cannot run the network, on a source of *sources* either.
    DataError
        If images or labels cannot be used, or *model* classifies no image correctly.

    Sources
    -------
    Guesmi et al., "Defensive Approximation", ASPLOS 2021, for the scenarios.
    """
    plans = plans_of(attacks, epsilon)
    check_settings(scenario, plans, multipliers, accumulator, seed, batch_size, gradients)
    checked = _checked_controls(controls or {})
    check_workers(workers)
    images = check_images(images)
    labels = check_labels(labels, len(images))
    networks, judges = judging_networks(
        model,
        images,
        multipliers,
        accumulator=accumulator,
        calibration=calibration,
        scheme=scheme,
        accelerator=accelerator,
        smoothing=smoothing,
        controls=checked,
    )
    if not judge(networks.model, images, labels, batch_size).right.any():
        raise DataError(
            f"the model classifies none of the {len(images)} images correctly, so there is nothing "
            "to attack; check its weights, and that the labels belong to the images"
        )
    pieces = pieces_of(
        scenario,
        networks,
        judges,
        plans,
        images,
        labels,
        sources=sources,
        gradients=gradients,
        proxies=proxies,
        seed=seed,
        batch_size=batch_size,
        chunk=chunk,
        folder=None if folder is None else folder / PROXIES,
        proxy_progress=proxy_progress,
    )
    known = {**(determined_by or {}), "networks": _described(networks, accelerator, proxies)}
    return run_study(pieces, known, folder=folder, workers=workers, progress=progress)


def _described(
    networks: Networks, accelerator: Accelerator | str | None, proxies: Proxies | None
) -> dict[str, Any]:
    """Return what the networks' outputs depend on, besides what the units are, for JSON."""
    from accelsim.config import Accelerator
    from accelsim.quantization import Scheme

    weights = sha256()
    for name, value in networks.model.state_dict().items():
        weights.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        weights.update(value.detach().cpu().contiguous().numpy().tobytes())
    machine = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    ranges = networks.calibration
    return {
        "weights": weights.hexdigest(),
        "accumulator": networks.accumulator,
        "ranges": None if ranges is None else [ranges.ranges, ranges.samples],
        "scheme": vars(networks.scheme or Scheme()),
        "smoothing": vars(networks.smoothing),
        # Since orders 2 sources and the exact judge of a black box add in that of the machine, too.
        "accelerator": None
        if machine is None
        else {**machine.model_dump(mode="json"), "orders": 2},
        "proxies": None
        if proxies is None
        else [
            fingerprint(proxies.images, np.zeros(len(proxies.images), np.int64)),
            vars(proxies.recipe),
            proxies.seed,
        ],
    }


def plans_of(attacks: Iterable[str | Plan], epsilon: float | None = None) -> list[Plan]:
    """Return a plan for each of *attacks*; *epsilon* is that of named ones that have a budget.

    Raises
    ------
    UnknownNameError
        If there is no such attack.
    ConfigError
        If none is given or one twice, epsilon cannot be used, or none has a budget for it.
    """
    if isinstance(attacks, str) or not attacks:
        raise ConfigError(f"attacks must be a list of at least one name, got {attacks!r}")
    if epsilon is not None:
        checked_epsilon(epsilon)
    plans = []
    for one in attacks:
        if isinstance(one, Plan):
            plans.append(one)
        else:
            budget = epsilon if ATTACKS[one].aim == "budget" else None
            plans.append(Plan(one, budget))
    for plan in plans:
        attack = ATTACKS[plan.attack].replace(**plan.settings)
        attack.budget(plan.epsilon)
    if epsilon is not None and all(plan.epsilon is None for plan in plans):
        names = ", ".join(plan.attack for plan in plans)
        raise ConfigError(
            f"epsilon {epsilon} is the budget of none of the attacks, which look for the smallest "
            f"perturbation: {names}; leave it out"
        )
    _check_once("attacks", [f"{one.attack} {one.epsilon} {one.settings_text}" for one in plans])
    return plans


def check_settings(
    scenario: str,
    plans: Sequence[Plan],
    multipliers: Sequence[str],
    accumulator: str = AUTO,
    seed: int = 0,
    batch_size: int = 64,
    gradients: Sequence[str] = GRADIENTS,
) -> None:
    """Check the settings of `evaluate` before any work is done; *plans* as of `plans_of`.

    Raises
    ------
    UnknownNameError
        If a multiplier or the accumulator does not exist.
    ConfigError
        If another setting cannot be used.
    """
    check_scenario(scenario)
    if isinstance(multipliers, str) or not multipliers:
        raise ConfigError(f"multipliers must be a list of at least one name, got {multipliers!r}")
    _check_once("multipliers", multipliers)
    for name in multipliers:
        accumulator_of(MULTIPLIERS[name], accumulator)
    for name in gradients:
        if name not in GRADIENTS:
            without = ", ".join(one for one in ATTACKS if ATTACKS[one].access != "gradient")
            way_out = f" Attacks that follow no gradient have it by themselves: {without}"
            raise ConfigError(
                f"gradients must be of {', '.join(GRADIENTS)}, got {name!r}."
                f"{way_out if name == 'none' else nearest(name, GRADIENTS)}"
            )
    checked_seed(seed)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be an int >= 1, got {batch_size!r}")


def _checked_controls(controls: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return the controls on copies, in eval mode.

    Raises
    ------
    ConfigError
        If a name is that of a unit or of the model, or cannot be told from what else is attacked,
        or a network is none.
    """
    from torch import nn

    for name, control in controls.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(
                f"controls must have names of letters, digits and _, such as 'weights_po2', got "
                f"{name!r}"
            )
        if name == TORCH or name in MULTIPLIERS:
            what = "the exact model" if name == TORCH else "a multiplier"
            raise ConfigError(f"controls: {name!r} is the name of {what}; give it another")
        if not isinstance(control, nn.Module):
            raise ConfigError(
                f"controls: {name!r} must be a torch.nn.Module, got {type(control).__name__}; "
                "accelsim.robustness.controls makes some"
            )
    return {name: copy.deepcopy(control).eval() for name, control in controls.items()}


def _check_once(field: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"{field} must name each once, got {', '.join(twice)} twice")
