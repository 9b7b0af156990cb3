"""What the analyses have in common: networks, units, images, and what is kept of attacks."""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from growing import RESULTS
from torch import nn

import accelsim
from accelsim.datasets.base import folder_or_default
from accelsim.errors import ConfigError
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.nn import ApproximateModule, approximate, calibrate_workload
from accelsim.quantization import Calibration
from accelsim.robustness.analyses import layer_gains
from accelsim.robustness.controls import (
    exact_times_gain,
    gaussian_noise,
    power_of_two_weights,
    quantized_weights,
)
from accelsim.workload import WORKLOADS, weights_hash, workload_split

UNITS = [
    "ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16", "exact_bfloat16", "mitchell_fp32",
    "drum4_u8",
]  # fmt: skip
GAIN_IMAGES = 500
"""Training images on which gain and noise of layers are measured."""
LIKE: dict[str, Callable[[nn.Module, pd.DataFrame], nn.Module]] = {
    "gain": exact_times_gain,
    "noise": gaussian_noise,
    "noise_gain": lambda model, layers: gaussian_noise(model, layers, gain=True),
}
"""What a control takes from a unit -> function of the exact network and the unit's layer gains."""
ROUNDED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weights_po2": power_of_two_weights,
    **{f"weights_int{bits}": partial(quantized_weights, bits=bits) for bits in range(2, 17)},
}
"""Control that takes nothing from a unit -> function of the exact network."""
WITHOUT_DATA = ["lenet5_digits"]
WITH_DATA = ["lenet5_classic_mnist", "lenet5_mnist", "alexnet_cifar10"]


def workloads() -> list[str]:
    """Return the workloads of the command line, else all for which there are data."""
    return sys.argv[1:] or (WITH_DATA if folder_or_default(None) else WITHOUT_DATA)


def parser_of(about: str) -> argparse.ArgumentParser:
    """Return the parser of a script that reads what is kept of attacks on a workload."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("workload", choices=[n for n in WORKLOADS if WORKLOADS[n].recipe])
    parser.add_argument("--weights", type=Path, help="a file in place of the shipped weights")
    parser.add_argument("--folder", type=Path, help="of outcomes; by default where they are kept")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of what is written")
    return parser


def label(workload: str, weights: Path | None = None) -> str:
    """Return what files of *workload* with its own or other weights are named after."""
    return workload if weights is None else f"{workload}_{weights.stem}"


def kept_outcomes(workload: str, weights: Path | None = None) -> Path:
    """Return the folder of the outcomes of attacks on *workload* with the weights it has now."""
    name = f"{label(workload, weights)}-{weights_hash(workload, weights)}"
    return RESULTS / "outcomes" / name


def judged_on(workload: str, weights: Path | None = None) -> str:
    """Return the name of the table that ``no_retraining.py`` writes of a whole test set."""
    return "no_retraining" if weights is None else f"no_retraining_{label(workload, weights)}"


def without_retraining(workload: str, weights: Path | None = None) -> pd.DataFrame:
    """Return the rows of ``no_retraining.py`` on *workload* with the weights it has now."""
    path = RESULTS / f"{judged_on(workload, weights)}.csv"
    if not path.exists():
        return pd.DataFrame({"multiplier": []})
    table = pd.read_csv(path)
    mine = table["weights"] == weights_hash(workload, weights)
    return table[mine & (table["workload"] == workload)]


@cache
def network(workload: str) -> object:
    """Return the trained network of *workload*."""
    return accelsim.load_workload(workload, limit=1)[0]


def images(workload: str, split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first *count* images and labels of a split, or all where there are fewer."""
    found = workload_split(WORKLOADS[workload], split)
    found = found.first(min(count, len(found)))
    return found.images, found.truth


@cache
def on_unit(workload: str, multiplier: str) -> ApproximateModule:
    """Return the network of *workload* on a unit, calibrated on training images where need be."""
    integer = isinstance(MULTIPLIERS[multiplier], IntegerMultiplier)
    ranges = calibrate_workload(workload, network(workload)) if integer else None
    return approximate(
        network(workload), multiplier=multiplier, gradient="none", calibration=ranges
    )


def unit_of(control: str) -> str | None:
    """Return the unit whose gain or noise a control of this name has, if any."""
    for kind in LIKE:
        unit = control.removesuffix(f"_{kind}")
        if unit != control and unit in MULTIPLIERS:
            return unit
    return None


def controls(
    names: Iterable[str], model: nn.Module, workload: str, ranges: Calibration
) -> dict[str, nn.Module]:
    """Return name -> control of *model*; gains are measured on the workload's training images.

    Raises
    ------
    ConfigError
        If there is no such control.
    """
    units = {name: unit_of(name) for name in names}
    gains: dict[str, pd.DataFrame] = {}
    made = {}
    for name, unit in units.items():
        if name in ROUNDED:
            made[name] = ROUNDED[name](model)
            continue
        if unit is None:
            raise ConfigError(
                f"no control named {name!r}; there are {', '.join(ROUNDED)} and, of each "
                f"multiplier UNIT, {', '.join(f'UNIT_{kind}' for kind in LIKE)}"
            )
        if unit not in gains:
            net = approximate(model, multiplier=unit, gradient="none", calibration=ranges)
            gains[unit] = layer_gains(net, images(workload, "train", GAIN_IMAGES)[0])
        made[name] = LIKE[name.removeprefix(f"{unit}_")](model, gains[unit])
    return made
