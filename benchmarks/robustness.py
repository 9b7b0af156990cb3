"""What robustness studies cost: attacks and judging on units beside torch's exact network.

Run ``python benchmarks/robustness.py``; ``--help`` says what can be chosen, ``--images 4`` tries
it. Each study is done in a temporary folder, so that nothing kept helps, and after it the same with
torch's exact network in place of the units; only ratios mean anything on a shared machine.

``transfer``: eight attacks that follow gradients, once each at the settings of the presets (the
first of several, budgets at epsilon 0.2), on 500 images: made on the exact network, judged by four
units. ``queries``: HopSkipJump's 1,000 questions about each of 100 images to the network on
``ax_fpm``.

CPU seconds are of this process and its workers, whose start takes seconds; kernels are compiled
before. Images count once for each attack; forwards are those that attackers asked for, judging not
among them. The aim is the wall time of the whole study on two idle cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import accelsim
from accelsim.nn import calibrate_workload
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.pieces import Piece, Plan
from accelsim.robustness.presets import preset, preset_workloads
from accelsim.robustness.scenarios import TORCH, Networks, pieces_of
from accelsim.robustness.study import run_study

GRADIENT = {
    "paper": ("fgsm", "pgd", "jsma", "cw", "deepfool"),
    "standard": ("mim", "apgd_dlr", "ddn"),
}
"""Preset -> those of its attacks that the transfer study makes."""
EPSILON = 0.2
PIECES = 10
"""For each attack, as in ``plots/robustness.py``."""


class Study(NamedTuple):
    """A study and how long it may take.

    Attributes
    ----------
    scenario : str
    plans : callable
        Takes a workload.
    units : tuple of str
    images : int
    aim_s : float
        Wall time.
    """

    scenario: str
    plans: Callable[[str], list[Plan]]
    units: tuple[str, ...]
    images: int
    aim_s: float


class Cost(NamedTuple):
    """What one study took."""

    wall_s: float
    cpu_s: float
    forwards: float


def gradient_attacks(workload: str) -> list[Plan]:
    """Return each attack once."""
    return [
        _first(name, attack, workload) for name, attacks in GRADIENT.items() for attack in attacks
    ]


def hopskipjump(workload: str) -> list[Plan]:
    """Return the attack of 1,000 queries."""
    return [_first("paper", "hopskipjump", workload)]


def _first(name: str, attack: str, workload: str) -> Plan:
    """Return the first of the attack's runs in a preset, at `EPSILON` if it has a budget."""
    epsilon = EPSILON if ATTACKS[attack].aim == "budget" else None
    run = next(
        run for run in preset(name, workload) if (run.attack, run.epsilon) == (attack, epsilon)
    )
    return Plan(run.attack, run.epsilon, run.settings)


STUDIES = {
    "transfer": Study(
        "transfer", gradient_attacks, ("exact_fp32", "ax_fpm", "ax_fpm_flat", "ax_bfloat16"),
        500, 15 * 60,
    ),
    "queries": Study("white_box", hopskipjump, ("ax_fpm",), 100, 5 * 60),
}  # fmt: skip


def measured(pieces: Sequence[Piece], workers: int) -> Cost:
    """Do the pieces, none of which is kept anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        before, start = sum(os.times()[:4]), time.monotonic()
        table = run_study(pieces, {}, folder=Path(folder), workers=workers)
        wall, cpu = time.monotonic() - start, sum(os.times()[:4]) - before
    one = table[table["target"] == table["target"].iloc[0]]
    return Cost(wall, cpu, one["forwards"].sum())


def study(name: str, asked: argparse.Namespace) -> None:
    """Print what a study costs on units and on torch's exact network."""
    what = STUDIES[name]
    model, images, labels = accelsim.load_workload(asked.workload)
    count = min(asked.images or what.images, what.images, len(images))
    networks = Networks(model.eval(), calibration=calibrate_workload(asked.workload, model))
    plans = what.plans(asked.workload)

    def pieces(units: Sequence[str], number: int = count) -> list[Piece]:
        found = pieces_of(
            what.scenario, networks, units, plans, images[:number], labels[:number],
            chunk=max(1, number // PIECES),
        )  # fmt: skip
        return list(found)

    contenders = {"units": tuple(asked.unit or what.units), TORCH: (TORCH,)}
    costs: dict[str, list[Cost]] = {one: [] for one in contenders}
    run_study(pieces(contenders["units"], 1), {})  # compiles
    for _ in range(asked.repeats):
        for one, units in contenders.items():
            costs[one].append(measured(pieces(units), asked.workers))
    attacks = ", ".join(plan.attack for plan in plans)
    print(f"{name}: {attacks}\n{count} images of {asked.workload}, {asked.workers} workers, "
          f"{os.cpu_count()} CPUs; units: {', '.join(contenders['units'])}")  # fmt: skip
    print(f"{'':8}{'wall s':>9}{'CPU s':>9}{'images/s':>10}{'forwards/s':>12}")
    middle = {}
    for one, taken in costs.items():
        wall, cpu, forwards = (statistics.median(column) for column in zip(*taken, strict=True))
        middle[one] = wall, cpu
        print(f"{one:8}{wall:>9.1f}{cpu:>9.1f}{count * len(plans) / wall:>10.2f}"
              f"{forwards / wall:>12.0f}")  # fmt: skip
    (wall, cpu), (exact_wall, exact_cpu) = middle["units"], middle[TORCH]
    print(f"units / torch: {wall / exact_wall:.2f} by wall, {cpu / exact_cpu:.2f} by CPU")
    told = f"{wall / what.aim_s:.0%} of the aim of {what.aim_s:.0f} s"
    if count < what.images:
        told = f"the aim of {what.aim_s:.0f} s is for {what.images} images"
    print(f"{told}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(STUDIES), help=", ".join(STUDIES))
    lenets = [name for name in preset_workloads() if name.startswith("lenet5")]
    parser.add_argument("--workload", default="lenet5_mnist", choices=lenets)
    parser.add_argument("--images", type=int, help="fewer than the study has")
    parser.add_argument("--unit", action="append", help="in place of the study's")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, help="of which the medians are told")
    asked = parser.parse_args()
    if unknown := [part for part in asked.parts if part not in STUDIES]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    for part in asked.parts:
        study(part, asked)


if __name__ == "__main__":
    main()
