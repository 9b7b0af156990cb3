"""Evaluation: how a network on approximate multipliers stands up to adversarial examples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from accelsim.accumulators import AUTO, accumulator_of
from accelsim.errors import ConfigError, DataError, nearest
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.robustness.attack import AttackResult, checked_epsilon, checked_seed
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.verdict import Verdict, judge
from accelsim.statistics import wilson
from accelsim.workload import check_images, check_labels

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from accelsim.config import Accelerator
    from accelsim.dataflows.order import AccumulationOrder
    from accelsim.quantization import Calibration, Scheme

__all__ = ["COLUMNS", "SCENARIOS", "check_settings", "evaluate", "evaluate_rows"]

Row = dict[str, Any]

SCENARIOS = ("transfer",)

# What the examples are made on: the model as torch computes it, exact float32.
SOURCE = "torch"

_RATES = ("clean_accuracy", "robust_accuracy", "source_success", "transfer_success")
COLUMNS = (
    *("scenario", "source", "multiplier", "accumulator", "attack", "norm", "epsilon", "seed"),
    *("images", "attacked", "fooled_source", "fooled_both"),
    *(rate + bound for rate in _RATES for bound in ("", "_low", "_high")),
    *("mean_confidence_clean", "mean_confidence_adversarial"),
    *("max_perturbation", "forwards_per_image"),
)


def evaluate(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    attacks: Sequence[str],
    multipliers: Sequence[str],
    scenario: str = "transfer",
    accumulator: str = AUTO,
    epsilon: float | None = None,
    seed: int = 0,
    batch_size: int = 64,
    calibration: NDArray[np.float32] | Calibration | None = None,
    scheme: Scheme | None = None,
    accelerator: Accelerator | str | None = None,
    progress: Callable[[str], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> pd.DataFrame:
    """Return one row for each attack and multiplier: accuracy under attack, and what transfers.

    In the scenario ``transfer`` the attacker knows the exact network only. The examples are made
    once on *model* as torch computes it, for all images from their true labels, and then classified
    by the bit-accurate network of every multiplier (`accelsim.nn.approximate`). ``exact_fp32`` is
    judged the same way: it rounds as float32 does, but adds products in its own order and not in
    that of torch's BLAS, so its logits differ from torch's in the last bits, and an example that
    sits on the decision boundary may fall on the other side.

    Parameters
    ----------
    model : torch.nn.Module
        Returns (N, classes) logits; used in eval mode, on a copy.
    images : (N, C, H, W) float32 in [0, 1]
    labels : (N,) integers
        The true classes.
    attacks, multipliers : sequence of str
        Keys of `ATTACKS` and of `accelsim.multipliers.MULTIPLIERS`.
    scenario : str
        ``"transfer"``.
    accumulator : str
        Key of `accelsim.accumulators.ACCUMULATORS`, or ``"auto"``: each multiplier's usual one.
    epsilon : float, optional
        The budget in (0, 1] for every attack; by default each attack's own.
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
        `accelsim.accumulation_orders`. Without: k ascending.
    progress : callable, optional
        Called with a line before each piece of work.
    on_row : callable, optional
        Called with each row as it is done, so that an interrupted run keeps what it has.

    Returns
    -------
    pandas.DataFrame
        Columns as `COLUMNS`. Rates are shares of 1 with Wilson 95 % bounds ``_low`` and ``_high``.

        - ``images``; ``attacked``: those that *model* classifies correctly without an attack;
          ``fooled_source``: those of them that it gets wrong under attack; ``fooled_both``: those
          of them that the multiplier's network gets wrong under attack too.
        - ``clean_accuracy``, ``robust_accuracy``: share of all images that the multiplier's network
          classifies right without and under attack.
        - ``source_success``: fooled_source / attacked.
        - ``transfer_success``: fooled_both / fooled_source, the paper's measure. NaN with bounds 0
          and 1 if nothing fools the source. It also counts an image that the multiplier's network
          gets wrong anyway: read it beside ``clean_accuracy``.
        - ``mean_confidence_...``: mean over all images of the softmax probability of the true
          class. Logits that are not finite count as wrong with confidence 0.
        - ``max_perturbation``: the largest ``|x' - x|_inf``, as measured.
        - ``forwards_per_image``: how often the attack ran the source, per image.

    Raises
    ------
    UnknownNameError
        If an attack, a multiplier or the accumulator does not exist.
    ConfigError
        If a setting cannot be used, or a unit of integers is not calibrated.
    MappingError
        If *accelerator* cannot run the network.
    DataError
        If images or labels cannot be used, or *model* classifies no image correctly.

    Sources
    -------
    Guesmi et al., "Defensive Approximation", ASPLOS 2021, for the transfer scenario.
    """
    import pandas as pd

    rows = []
    for row in evaluate_rows(
        model,
        images,
        labels,
        attacks=attacks,
        multipliers=multipliers,
        scenario=scenario,
        accumulator=accumulator,
        epsilon=epsilon,
        seed=seed,
        batch_size=batch_size,
        calibration=calibration,
        scheme=scheme,
        accelerator=accelerator,
        progress=progress,
    ):
        if on_row is not None:
            on_row(dict(row))
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def evaluate_rows(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    attacks: Sequence[str],
    multipliers: Sequence[str],
    scenario: str = "transfer",
    accumulator: str = AUTO,
    epsilon: float | None = None,
    seed: int = 0,
    batch_size: int = 64,
    calibration: NDArray[np.float32] | Calibration | None = None,
    scheme: Scheme | None = None,
    accelerator: Accelerator | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Row]:
    """Yield the rows of `evaluate` as they are done; all settings are checked at the first."""
    from accelsim.nn import approximate
    from accelsim.nn.calibration import as_calibration

    check_settings(scenario, attacks, multipliers, accumulator, epsilon, seed, batch_size)
    images = check_images(images)
    labels = check_labels(labels, len(images))
    report = progress if progress is not None else _no_progress
    integers = [name for name in multipliers if isinstance(MULTIPLIERS[name], IntegerMultiplier)]
    if integers and calibration is not None:
        calibration = as_calibration(model, calibration)
    exact = copy.deepcopy(model).eval()
    orders = _orders(exact, images, multipliers, accumulator, accelerator)
    units = {
        name: approximate(
            model,
            multiplier=name,
            accumulator=accumulator,
            gradient="none",
            calibration=calibration,
            scheme=scheme,
            orders=orders[name],
        ).eval()
        for name in multipliers
    }
    report(f"classify {len(images)} images on the exact model")
    source = judge(exact, images, labels, batch_size)
    if not source.right.any():
        raise DataError(
            f"the model classifies none of the {len(images)} images correctly, so there is nothing "
            "to attack; check its weights, and that the labels belong to the images"
        )
    clean: dict[str, Verdict] = {}
    for attack_name in attacks:
        attack = ATTACKS[attack_name]
        report(f"{attack_name}: attack {len(images)} images on the exact model")
        result = attack.run(
            exact,
            images,
            labels,
            classes=source.classes,
            epsilon=epsilon,
            seed=seed,
            batch_size=batch_size,
        )
        source_attacked = judge(exact, result.examples, labels, batch_size)
        for name, unit in units.items():
            if name not in clean:
                report(f"{name}: classify {len(images)} images")
                clean[name] = judge(unit, images, labels, batch_size)
            report(f"{name}: classify {len(images)} examples of {attack_name}")
            attacked = judge(unit, result.examples, labels, batch_size)
            yield {
                "scenario": scenario,
                "source": SOURCE,
                "multiplier": name,
                "accumulator": accumulator_of(MULTIPLIERS[name], accumulator).name,
                "attack": attack_name,
                "norm": attack.norm,
                "seed": seed,
                **_measures(source, source_attacked, clean[name], attacked),
                **_effort(result, images),
            }


def _orders(
    model: nn.Module,
    images: NDArray[np.float32],
    multipliers: Sequence[str],
    accumulator: str,
    accelerator: Accelerator | str | None,
) -> dict[str, tuple[AccumulationOrder, ...] | None]:
    """Return multiplier -> the orders in which *accelerator* adds its products."""
    if accelerator is None:
        return dict.fromkeys(multipliers)
    from accelsim.config import Accelerator
    from accelsim.machine.array import accumulation_orders
    from accelsim.tracing import trace

    machine = Accelerator.load(accelerator) if isinstance(accelerator, str) else accelerator
    traced = trace(model, images[:1])
    return {
        name: accumulation_orders(traced, machine.replace(multiplier=name, accumulator=accumulator))
        for name in multipliers
    }


def _measures(source: Verdict, source_attacked: Verdict, clean: Verdict, attacked: Verdict) -> Row:
    fooled_source = source.right & ~source_attacked.right
    fooled_both = fooled_source & ~attacked.right
    counts = {
        "images": len(source.right),
        "attacked": int(source.right.sum()),
        "fooled_source": int(fooled_source.sum()),
        "fooled_both": int(fooled_both.sum()),
    }
    rates = {
        "clean_accuracy": wilson(int(clean.right.sum()), counts["images"]),
        "robust_accuracy": wilson(int(attacked.right.sum()), counts["images"]),
        "source_success": wilson(counts["fooled_source"], counts["attacked"]),
        "transfer_success": wilson(counts["fooled_both"], counts["fooled_source"]),
    }
    row: Row = dict(counts)
    for name, rate in rates.items():
        row |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
    row["mean_confidence_clean"] = float(clean.confidence.mean())
    row["mean_confidence_adversarial"] = float(attacked.confidence.mean())
    return row


def _effort(result: AttackResult, images: NDArray[np.float32]) -> Row:
    return {
        "epsilon": result.epsilon,
        "max_perturbation": float(np.abs(result.examples - images).max()),
        "forwards_per_image": result.forwards_per_image,
    }


def check_settings(
    scenario: str,
    attacks: Sequence[str],
    multipliers: Sequence[str],
    accumulator: str = AUTO,
    epsilon: float | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> None:
    """Check the settings of `evaluate` before any work is done.

    Raises
    ------
    UnknownNameError
        If an attack, a multiplier or the accumulator does not exist.
    ConfigError
        If another setting cannot be used.
    """
    if scenario not in SCENARIOS:
        raise ConfigError(
            f"scenario must be one of {', '.join(SCENARIOS)}, got {scenario!r}."
            f"{nearest(scenario, SCENARIOS)}"
        )
    for field, names in (("attacks", attacks), ("multipliers", multipliers)):
        if isinstance(names, str) or not names:
            raise ConfigError(f"{field} must be a list of at least one name, got {names!r}")
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if twice:
            raise ConfigError(f"{field} must name each once, got {', '.join(twice)} twice")
    for name in attacks:
        ATTACKS[name]
    for name in multipliers:
        accumulator_of(MULTIPLIERS[name], accumulator)
    checked_seed(seed)
    if epsilon is not None:
        checked_epsilon(epsilon)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"batch_size must be an int >= 1, got {batch_size!r}")


def _no_progress(line: str) -> None:
    """Ignore a line of progress."""
