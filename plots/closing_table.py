"""The closing table: what each unit costs and what it withstands, on one machine.

Run ``python plots/closing_table.py WORKLOAD`` after ``robustness.py`` has kept outcomes of it.
Joins for each unit the accuracy (of the whole test set where ``results/no_retraining.csv`` has it
for these weights, else of the images that were attacked), the robust accuracy at one epsilon in the
infinity norm, in the worst case of each image and by attack, the smallest perturbation in L2 that
a white box or an adaptive attacker found (the median), and latency and energy of one image on one
machine. The worst case is over all scenarios, sources, gradients, attacks and settings that were
tried on the unit; of the black box, over proxies of its own. Controls (``robustness.py --control``)
stand beside the units, without latency and energy. What met no attack at the epsilon has no robust
accuracy. ``--clock auto`` lets every unit have the clock
that it allows, which is what a faster unit is bought for; ``--clock preset`` keeps the machine's.

Writes ``results/closing_<workload>.csv``, the same as a Markdown table, ``.md``, and the Pareto
plot of the units whose costs are known, ``closing_<workload>.png``.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from study import RESULTS, kept_outcomes, label, without_retraining

import accelsim
from accelsim.cli import script
from accelsim.config import presets
from accelsim.errors import DataError
from accelsim.figures import pareto
from accelsim.multipliers import MULTIPLIERS
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import strongest
from accelsim.robustness.study import outcomes_in
from accelsim.statistics import wilson
from accelsim.workload import WORKLOADS, weights_hash

HERE = Path(__file__).parent
OVER = ("scenario", "source", "gradient", "attack", "settings", "seed")
TITLES = {
    "unit": "unit",
    "accuracy": "accuracy (%)",
    "robust_images": "images",
    "robust_accuracy": "robust, worst case (%)",
    "robust_transfer": "robust, transfer alone (%)",
    "median_l2": "median L2",
    "latency_ns": "latency (us)",
    "energy_pj": "energy (uJ)",
}
"""Column -> its head in Markdown; those of attacks come in between."""


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=[n for n in WORKLOADS if WORKLOADS[n].recipe])
    parser.add_argument("--weights", type=Path, help="a file in place of the shipped weights")
    parser.add_argument("--accelerator", default="edge_16x16", choices=presets())
    parser.add_argument("--clock", default="auto", choices=["auto", "preset"])
    parser.add_argument("--epsilon", type=float, help="by default that of most attacks")
    parser.add_argument("--folder", type=Path, help="of outcomes; by default where they are kept")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the table")
    return parser.parse_args()


def attempts(outcomes: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Return what attackers of *unit* tried, as their attacks made it; random noise is none."""
    noise = [name for name, attack in ATTACKS.items() if attack.access == "none"]
    of = outcomes[(outcomes["target"] == unit) & (outcomes["scale"] == 1)]
    others = of["source"].str.startswith("proxy of ") & (of["source"] != f"proxy of {unit}")
    return of[~others & ~of["attack"].isin(noise)]


def common_epsilon(outcomes: pd.DataFrame) -> float:
    """Return the epsilon in the infinity norm that most attacks have; of equals the least."""
    budgets = outcomes[(outcomes["norm"] == "linf") & (outcomes["aim"] == "budget")]
    if budgets.empty:
        raise DataError("no attack has a budget in the infinity norm; run one, e.g. pgd")
    counts = budgets.groupby("epsilon")["attack"].nunique()
    return float(counts.idxmax())


def robustness(outcomes: pd.DataFrame, unit: str, epsilon: float) -> dict:
    """Return the robust accuracies of *unit* at *epsilon*, and its smallest perturbation."""
    tried = attempts(outcomes, unit)
    return {**within_budget(tried, epsilon), **smallest(tried)}


def within_budget(tried: pd.DataFrame, epsilon: float) -> dict:
    """Return the robust accuracies under what was *tried* at *epsilon*, or a note of none."""
    linf = tried["norm"] == "linf"
    within = tried[linf & np.isclose(tried["epsilon"], epsilon)]
    if within.empty:
        met = ", ".join(f"{one:g}" for one in sorted(tried.loc[linf, "epsilon"].unique()))
        return {"note": f"met no attack at a linf epsilon of {epsilon:g}, but at {met or 'none'}"}
    worst = strongest(within, OVER)
    # All columns over the images on which everything was tried: fewer where many queries were.
    within = within[within["image"].isin(worst["image"])]
    found = dict(zip(
        ("robust_accuracy", "robust_accuracy_low", "robust_accuracy_high"),
        wilson(int((~worst["target_fooled"]).sum()), len(worst)), strict=True,
    ))  # fmt: skip
    found["robust_images"] = len(worst)
    transfer = within[within["scenario"] == "transfer"]
    if len(transfer):
        found["robust_transfer"] = 1 - strongest(transfer, OVER)["target_fooled"].mean()
    for attack, part in within.groupby("attack", sort=False):
        found[f"robust_{attack}"] = 1 - strongest(part, OVER)["target_fooled"].mean()
    return found


def smallest(tried: pd.DataFrame) -> dict:
    """Return the median of the smallest perturbations in L2 that were found knowing the unit."""
    own = tried[tried["scenario"].isin(["white_box", "adaptive"])]
    minimum = own[(own["norm"] == "l2") & (own["aim"] == "minimum")]
    if minimum.empty:
        return {}
    best = strongest(minimum, OVER)
    right = best[best["target_right"]]
    return {"median_l2": right["l2"].where(right["target_fooled"], np.inf).median()}


def cost(trace: accelsim.Trace, unit: str, machine: accelsim.Accelerator) -> dict:
    """Return latency and energy of the trace's image on *machine* with *unit* in its PEs.

    Raises
    ------
    DataError
        If the machine adds in another order than the outcomes were judged by: k ascending.
    """
    if unit not in MULTIPLIERS:
        return {"note": "a control, no unit, so that no machine can be built"}
    if MULTIPLIERS[unit].delay_ps is None:
        return {"note": "no delay is known, so that no machine can be built"}
    machine = machine.replace(multiplier=unit)
    if accelsim.accumulation_orders(trace, machine) is not None:
        raise DataError(
            f"accelerator {machine.name!r} adds products in an order of its own, in which the kept "
            "outcomes were not judged; take one whose dataflow is os, ws or is"
        )
    summary = accelsim.simulate(trace, machine, values=False).summary.iloc[0]
    return {
        "latency_cycles": summary["latency_cycles"],
        "clock_mhz": summary["clock_mhz"],
        "latency_ns": 1000 * summary["latency_us"],
        "energy_pj": 1e6 * summary["energy_uj"],
        "note": "",
    }


def accuracy(outcomes: pd.DataFrame, unit: str, workload: str, weights: Path | None) -> dict:
    """Return the accuracy of *unit* on images that nobody attacks, with its interval."""
    table = without_retraining(workload, weights)
    of = table[table["multiplier"] == unit]
    if len(of):
        right, count = int(of["right"].item()), int(of["images"].item())
    else:
        seen = outcomes[outcomes["target"] == unit].drop_duplicates("image")["target_right"]
        right, count = int(seen.sum()), len(seen)
    names = "accuracy", "accuracy_low", "accuracy_high"
    return {"images": count, **dict(zip(names, wilson(right, count), strict=True))}


def closing_table(asked: argparse.Namespace) -> pd.DataFrame:
    """Return a row for each unit, in the order of the outcomes."""
    name, weights = asked.workload, weights_hash(asked.workload, asked.weights)
    outcomes = outcomes_in(asked.folder or kept_outcomes(name, asked.weights))
    epsilon = common_epsilon(outcomes) if asked.epsilon is None else asked.epsilon
    model, images, _ = accelsim.load_workload(name, limit=1)
    trace = accelsim.trace(model, images)
    machine = accelsim.Accelerator.preset(asked.accelerator).replace(accumulator="auto")
    if asked.clock == "auto":
        machine = machine.replace(clock_mhz="auto")
    rows = []
    for unit in outcomes["target"].unique():
        found, costs = robustness(outcomes, unit, epsilon), cost(trace, unit, machine)
        notes = [part.pop("note", "") for part in (found, costs)]
        rows.append({
            "workload": name, "weights": weights, "accelerator": asked.accelerator,
            "clock": asked.clock, "unit": unit,
            **accuracy(outcomes, unit, name, asked.weights),
            "epsilon": epsilon, **found, **costs, "note": "; ".join(filter(None, notes)),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    if "robust_images" not in table:
        raise DataError("; ".join(table["unit"] + " " + table["note"]))
    return table.astype({"robust_images": "Int64"})


def markdown(table: pd.DataFrame) -> str:
    """Return the table for readers: shares in percent, microseconds, microjoules."""
    fixed = ("robust_accuracy", "robust_images", "robust_transfer")
    attacks = [one for one in table if one.startswith("robust_") and not one.startswith(fixed)]
    shown = [name for name in TITLES if name in table]
    middle = shown.index("median_l2") if "median_l2" in shown else len(shown) - 2
    shown[middle:middle] = attacks
    lines = [
        "| " + " | ".join(TITLES.get(one, one.removeprefix("robust_")) for one in shown) + " |",
        "|---" * len(shown) + "|",
    ]
    for row in table.to_dict("records"):
        cells = [_cell(name, row[name]) for name in shown]
        lines.append("| " + " | ".join(cells) + " |")
    first = table.iloc[0]
    lines += [
        "",
        f"{first['workload']} on {first['accelerator']} (clock: {first['clock']}), one image; "
        f"robust at a linf epsilon of {first['epsilon']:g}, over the images on which every attack "
        "was made.",
    ]
    lines += [f"{row.unit}: {row.note}." for row in table.itertuples() if row.note]
    return "\n".join(lines) + "\n"


def _cell(name: str, value: object) -> str:
    if name == "unit":
        return f"`{value}`"
    if pd.isna(value):
        return "-"
    if name == "robust_images":
        return str(value)
    if name.startswith(("robust", "accuracy")):
        return f"{100 * value:.1f}"
    return {"latency_ns": "{:.1f}", "energy_pj": "{:.1f}"}.get(name, "{:.3g}").format(
        value / {"latency_ns": 1e3, "energy_pj": 1e6}.get(name, 1)
    )


def main() -> None:
    """Join, write, print."""
    asked = arguments()
    name = label(asked.workload, asked.weights)
    table = closing_table(asked)
    asked.out.mkdir(parents=True, exist_ok=True)
    table.round(6).to_csv(asked.out / f"closing_{name}.csv", index=False)
    text = markdown(table)
    (asked.out / f"closing_{name}.md").write_text(text, encoding="utf-8")
    print(text, end="")
    known = table.dropna(subset=["latency_ns"])
    if len(known):
        title = f"{name} on {asked.accelerator} (clock: {asked.clock})"
        micro = {"latency_us": known["latency_ns"] / 1e3, "energy_uj": known["energy_pj"] / 1e6}
        folder = HERE if asked.out == RESULTS else asked.out
        drawn = pareto(known.assign(**micro), title, x="energy_uj", size="latency_us")
        drawn.savefig(folder / f"closing_{name}.png", dpi=120)


if __name__ == "__main__":
    script(main)
