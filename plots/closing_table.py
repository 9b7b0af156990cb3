"""The closing table: what each unit costs and what it withstands, on one machine.

Run ``python plots/closing_table.py WORKLOAD`` after ``robustness.py`` has kept outcomes of it.
Joins for each unit the accuracy (of the whole test set where ``results/no_retraining.csv`` has it
for these weights, else of the images that were attacked), the robust accuracy at one epsilon in the
infinity norm, in the worst case of each image and by attack, the smallest perturbation in L2 that a
white box or an adaptive attacker found (the median), and latency and energy of one image on one
machine. The worst case is over all scenarios, sources, gradients, attacks and settings that were
tried on the unit; of the black box, over proxies of its own. Every row is over the same images:
those on which every attack on every unit was made. As more was tried on some units, there are the
worst case and the smallest perturbation over what every unit met, too: these compare, as the
columns of attacks do, and are drawn. Controls (``robustness.py --control``) stand beside the units,
without latency and energy, and, as they met less, with what every row met in transfer alone to
compare. What met no attack at the epsilon has no robust accuracy. ``--clock auto`` lets every unit
have the clock that it allows, which is what a faster unit is bought for; ``--clock preset`` keeps
the machine's.

Writes ``results/closing_<workload>.csv``, the same as a Markdown table, ``.md``, and the Pareto
plot of the units whose costs are known, ``closing_<workload>.png``.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from study import RESULTS, kept_outcomes, label, parser_of, without_retraining

import accelsim
from accelsim.cli import script
from accelsim.config import presets
from accelsim.errors import DataError
from accelsim.figures import pareto
from accelsim.multipliers import MULTIPLIERS
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import strongest
from accelsim.robustness.study import outcomes_in
from accelsim.robustness.summary import by_role
from accelsim.statistics import wilson
from accelsim.workload import weights_hash

HERE = Path(__file__).parent
OVER = ("scenario", "source", "gradient", "attack", "settings", "seed")
ALIKE = ["scenario", "source", "attack", "settings", "seed"]
"""What two units met both; through which gradient is the attacker's choice."""
TITLES = {
    "unit": "unit",
    "accuracy": "accuracy (%)",
    "robust_images": "images",
    "robust_accuracy": "robust, worst case (%)",
    "robust_alike": "robust, what every unit met (%)",
    "robust_transfer": "robust, transfer that every row met (%)",
    "median_l2": "median L2, all",
    "median_l2_alike": "median L2, what every unit met",
    "latency_ns": "latency (us)",
    "energy_pj": "energy (uJ)",
}
"""Column -> its head in Markdown; those of attacks come in between."""


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = parser_of(__doc__)
    parser.add_argument("--accelerator", default="edge_16x16", choices=presets())
    parser.add_argument("--clock", default="auto", choices=["auto", "preset"])
    parser.add_argument("--epsilon", type=float, help="by default that of most attacks")
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


def robustness(outcomes: pd.DataFrame, units: Iterable[str], epsilon: float) -> dict[str, dict]:
    """Return unit -> its robust accuracies at *epsilon*, and its smallest perturbation.

    Those of all units are over the same images, else one could stand higher for easier images.
    """
    within, own, notes = {}, {}, {}
    for unit in units:
        tried = attempts(outcomes, unit)
        linf = tried["norm"] == "linf"
        within[unit] = tried[linf & np.isclose(tried["epsilon"], epsilon)]
        knowing = tried["scenario"].isin(["white_box", "adaptive"])
        own[unit] = tried[knowing & (tried["norm"] == "l2") & (tried["aim"] == "minimum")]
        met = ", ".join(f"{one:g}" for one in sorted(tried.loc[linf, "epsilon"].unique())) or "none"
        notes[unit] = f"met no attack at a linf epsilon of {epsilon:g}, but at {met}"
    found = {unit: {"note": notes[unit]} for unit in within}
    within, own = on_same_images(within), on_same_images(own)
    for unit, table in within.items():
        found[unit] = survived("robust_accuracy", table)
        found[unit] |= {"robust_images": table["image"].nunique()}
    alike = met_by_all(within, [unit for unit in within if unit in MULTIPLIERS])
    for unit, table in alike.items():
        found[unit] |= survived("robust_alike", table)
    transfer = {unit: table[table["scenario"] == "transfer"] for unit, table in within.items()}
    for unit, table in met_by_all(transfer, list(transfer)).items():
        found[unit]["robust_transfer"] = withstood(table)
    for unit, table in alike.items():
        for attack, part in table.groupby("attack", sort=False):
            found[unit][f"robust_{attack}"] = withstood(part)
    for unit, table in own.items():
        found[unit] |= {"median_l2": smallest(table), "l2_images": table["image"].nunique()}
    for unit, table in met_by_all(own, [unit for unit in own if unit in MULTIPLIERS]).items():
        found[unit]["median_l2_alike"] = smallest(table)
    return found


def on_same_images(tried: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return what was *tried* of each unit on the images on which everything was tried on all.

    Fewer where many queries were. Units on which nothing was tried are left out.

    Raises
    ------
    DataError
        If there is no such image.
    """
    tried = {unit: table for unit, table in tried.items() if len(table)}
    met = [set(strongest(table, OVER)["image"]) for table in tried.values()]
    images = set.intersection(*met) if met else set()
    if tried and not images:
        raise DataError(
            f"{', '.join(tried)} met the attacks on no image in common; attack the same images"
        )
    return {unit: table[table["image"].isin(images)] for unit, table in tried.items()}


def met_by_all(tried: dict[str, pd.DataFrame], deciding: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return what was *tried* of each that was tried on all *deciding*, too.

    What did not meet all of that is left out.
    """
    roles = {unit: by_role(table, unit)[ALIKE] for unit, table in tried.items()}
    met = {unit: set(table.itertuples(index=False, name=None)) for unit, table in roles.items()}
    common = set.intersection(*(met[unit] for unit in deciding)) if deciding else set()
    return {
        unit: table[[one in common for one in roles[unit].itertuples(index=False, name=None)]]
        for unit, table in tried.items()
        if common and common <= met[unit]
    }


def survived(name: str, tried: pd.DataFrame) -> dict:
    """Return as *name*, with its interval, the share of images that withstand all of *tried*."""
    worst = strongest(tried, OVER)
    right = int((~worst["target_fooled"]).sum())
    return dict(zip((name, f"{name}_low", f"{name}_high"), wilson(right, len(worst)), strict=True))


def withstood(tried: pd.DataFrame) -> float:
    """Return the share of images that withstand all of *tried*."""
    return 1 - strongest(tried, OVER)["target_fooled"].mean()


def smallest(tried: pd.DataFrame) -> float:
    """Return the median of the smallest perturbations in L2, of images that the unit has right."""
    best = strongest(tried, OVER)
    right = best[best["target_right"]]
    return right["l2"].where(right["target_fooled"], np.inf).median()


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
    for unit, found in robustness(outcomes, outcomes["target"].unique(), epsilon).items():
        costs = cost(trace, unit, machine)
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
    counts = {name: "Int64" for name in ("robust_images", "l2_images") if name in table}
    return table.astype(counts)


def markdown(table: pd.DataFrame) -> str:
    """Return the table for readers: shares in percent, microseconds, microjoules."""
    fixed = ("robust_accuracy", "robust_alike", "robust_images", "robust_transfer")
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
        f"{first['workload']}, weights {first['weights']}, on {first['accelerator']} (clock: "
        f"{first['clock']}), one image; robust at a linf epsilon of {first['epsilon']:g}, over the "
        f"images on which every attack on every unit was made{_of_l2(table)}. Columns of attacks: "
        f"what every unit met. {_of_accuracy(table)}",
    ]
    lines += [f"{row.unit}: {row.note}." for row in table.itertuples() if row.note]
    return "\n".join(lines) + "\n"


def _of_l2(table: pd.DataFrame) -> str:
    """Return over how many images the smallest perturbations were sought."""
    if "l2_images" not in table:
        return ""
    return f"; the smallest perturbation over {table['l2_images'].max()} such images"


def _of_accuracy(table: pd.DataFrame) -> str:
    """Return over how many images the accuracies are."""
    counts = {
        int(count): ", ".join(part["unit"]) for count, part in table.groupby("images", sort=False)
    }
    if len(counts) == 1:
        return f"Accuracy over {next(iter(counts))} images."
    told = [f"{count} images ({units})" for count, units in counts.items()]
    return f"Accuracy over {'; '.join(told)}: compare none across these."


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
    if len(known) and "robust_alike" in known:
        title = f"{name} on {asked.accelerator} (clock: {asked.clock}), attacks that every unit met"
        drawn = {"latency_us": known["latency_ns"] / 1e3, "energy_uj": known["energy_pj"] / 1e6}
        for end in ("", "_low", "_high"):
            drawn[f"robust_accuracy{end}"] = known[f"robust_alike{end}"]
        folder = HERE if asked.out == RESULTS else asked.out
        figure = pareto(known.assign(**drawn), title, x="energy_uj", size="latency_us")
        figure.savefig(folder / f"closing_{name}.png", dpi=120)


if __name__ == "__main__":
    script(main)
