"""What the analyses have in common: networks, units, images, and what is kept of attacks."""

import sys
from functools import cache
from pathlib import Path

import numpy as np

import accelsim
from accelsim.datasets.base import folder_or_default
from accelsim.multipliers import MULTIPLIERS, IntegerMultiplier
from accelsim.nn import ApproximateModule, approximate, calibrate_workload
from accelsim.workload import WORKLOADS, weights_hash, workload_split

UNITS = [
    "ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16", "exact_bfloat16", "mitchell_fp32",
    "drum4_u8",
]  # fmt: skip
WITHOUT_DATA = ["lenet5_digits"]
WITH_DATA = ["lenet5_classic_mnist", "lenet5_mnist", "alexnet_cifar10"]


def workloads() -> list[str]:
    """Return the workloads of the command line, else all for which there are data."""
    return sys.argv[1:] or (WITH_DATA if folder_or_default(None) else WITHOUT_DATA)


def label(workload: str, weights: Path | None = None) -> str:
    """Return what files of *workload* with its own or other weights are named after."""
    return workload if weights is None else f"{workload}_{weights.stem}"


def kept_outcomes(workload: str, weights: Path | None = None) -> Path:
    """Return the folder of the outcomes of attacks on *workload* with the weights it has now."""
    name = f"{label(workload, weights)}-{weights_hash(workload, weights)}"
    return Path(__file__).parent / "results" / "outcomes" / name


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
