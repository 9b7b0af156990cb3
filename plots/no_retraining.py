"""Accuracy of every trained workload on every unit, without retraining, on its whole test set.

Run ``python plots/no_retraining.py [WORKLOAD ...]``; where the data are says ``ACCELSIM_DATA``.
Writes ``results/no_retraining.csv``, unit by unit (interrupted, the same command goes on; another
version of the weights makes its rows anew), and ``no_retraining.png``. ``--weights FILE`` takes
other weights of one workload, whose table and figure have its name and the file's behind theirs.
Integer units are calibrated on the first 128 training images. ``agree`` counts the images that get
the class that ``exact_fp32`` gives them; ``lost`` and ``won`` those that only ``exact_fp32`` or
only the unit classifies correctly, ``p`` is McNemar's exact test of the two.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from growing import GrowingTable
from study import judged_on

import accelsim
from accelsim.cli import script
from accelsim.errors import ConfigError
from accelsim.figures import accuracy_by_unit
from accelsim.multipliers import MULTIPLIERS, FloatMultiplier
from accelsim.nn import approximate, calibrate_workload
from accelsim.statistics import mcnemar, wilson
from accelsim.workload import WORKLOADS

HERE = Path(__file__).parent
BASELINE = "exact_fp32"
BATCH = 100


def classes(model: torch.nn.Module, images: np.ndarray, name: str, ranges: object) -> np.ndarray:
    """Return the class of each image on unit *name*; -1 where a logit is not finite."""
    net = approximate(model, multiplier=name, gradient="none", calibration=ranges)
    logits = np.concatenate([net(part).numpy() for part in torch.from_numpy(images).split(BATCH)])
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def row(name: str, found: np.ndarray, exact: np.ndarray, labels: np.ndarray) -> dict:
    """Return what is measured on unit *name*."""
    exact, labels = exact[: len(found)], labels[: len(found)]
    right, base = found == labels, exact == labels
    lost, won = int((base & ~right).sum()), int((right & ~base).sum())
    accuracy, low, high = wilson(int(right.sum()), len(right))
    return {
        "kind": "float" if isinstance(MULTIPLIERS[name], FloatMultiplier) else "integer",
        "images": len(found),
        "right": int(right.sum()),
        "accuracy": round(accuracy, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "agree": int((found == exact).sum()),
        "lost": lost,
        "won": won,
        "p": float(f"{mcnemar(lost, won):.3g}"),
    }


def units() -> list[str]:
    """Return the baseline, the other units of floats, then those of integers."""
    names = [name for name in MULTIPLIERS if name != BASELINE]
    floats = [name for name in names if isinstance(MULTIPLIERS[name], FloatMultiplier)]
    return [BASELINE, *floats, *(name for name in names if name not in floats)]


def measure(workload: str, table: GrowingTable) -> None:
    """Add the rows of *workload* that are missing."""
    model, images, labels = accelsim.load_workload(workload, weights=table.weights)
    ranges = calibrate_workload(workload, model)
    exact = classes(model, images, BASELINE, None)
    for name in units():
        if table.has(workload, name):
            continue
        start = time.monotonic()
        found = row(name, classes(model, images, name, ranges), exact, labels)
        table.add(workload, name, pd.DataFrame([found]))
        print(f"{workload} {name} {found['accuracy']:.4f} {time.monotonic() - start:.0f} s",
              flush=True)  # fmt: skip


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trained = [name for name in WORKLOADS if WORKLOADS[name].weights_path.is_file()]
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", default=trained,
                        help=f"of {', '.join(trained)}; by default all")  # fmt: skip
    parser.add_argument("--weights", type=Path, help="a file in place of the shipped weights")
    asked = parser.parse_args()
    if asked.weights is not None and len(asked.workloads) != 1:
        raise ConfigError(
            f"--weights are of one workload, got {', '.join(asked.workloads)}; give that one"
        )
    return asked


def main() -> None:
    """Measure what is missing, print the table, draw it."""
    asked = arguments()
    name = judged_on(asked.workloads[0], asked.weights)
    table = GrowingTable(name, asked.weights)
    for workload in asked.workloads:
        measure(workload, table)
    order = pd.Categorical(table.rows["multiplier"], units())
    rows = table.rows.assign(multiplier=order).sort_values(["workload", "multiplier"])
    print(rows.to_string(index=False))
    title = "Without retraining, 95 % intervals; dashed: exact_fp32"
    if asked.weights is not None:
        title = f"{asked.weights.stem}: {title}"
    accuracy_by_unit(rows, BASELINE, title).savefig(HERE / f"{name}.png", dpi=120)


if __name__ == "__main__":
    script(main)
