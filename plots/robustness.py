"""The robustness study: the presets' attacks in every scenario, on every unit, with its rates.

Run ``python plots/robustness.py WORKLOAD [--preset paper|standard] [--scenario NAME ...]`` (all
options: ``--help``); where the data are says ``ACCELSIM_DATA``. Outcomes of every image are
kept below ``results/outcomes`` (not committed) as they are made; interrupted, the same command goes
on. Writes ``results/robustness_<workload>_<preset>.csv``: a row for each attack, source and judge.
Rows of earlier runs on the same weights stay, so that scenarios, attacks and units can be run one
by one. ``--images`` takes fewer images than the preset asks for; ``--weights`` other weights, whose
file's name goes into that of the results. Drawn are the accuracies of judges of the exact network's
examples against epsilon, and what transfers of its smallest perturbations against how far beyond
its boundary they are taken; where ``--source`` has had units attacked in transfer, a matrix of who
fools whom, too. Proxies of the black box have the workload's own shape, and ask for 5,000 training
images (all, where there are fewer) once each.

``--control`` has networks that need no approximate circuit attacked and judged beside the units,
for check 11: ``UNIT_gain``, ``UNIT_noise`` and ``UNIT_noise_gain`` (what UNIT does to each layer's
sums, measured on 500 training images: a factor, Gaussian noise of the same power, both),
``weights_po2`` (powers of two) and ``weights_int2`` to ``weights_int16``. Ask for all at once:
those that judge in transfer are kept together.
"""

import argparse
import dataclasses
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd
from study import controls, kept_outcomes, label

import accelsim
from accelsim.cli import script
from accelsim.errors import ConfigError, nearest
from accelsim.figures import accuracy_by_epsilon, transfer_by_margin, transfer_matrix
from accelsim.files import write_atomically
from accelsim.nn import calibrate_workload
from accelsim.robustness import SCENARIOS, Plan, Proxies, evaluate, summarize
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import KEYS
from accelsim.robustness.presets import preset
from accelsim.robustness.scenarios import TORCH
from accelsim.workload import WORKLOADS, weights_hash, workload_split

HERE = Path(__file__).parent
RESULTS = HERE / "results"
UNITS = (
    *("exact_fp32", "ax_fpm", "ax_fpm_carry", "ax_fpm_flat", "ax_bfloat16", "exact_bfloat16"),
    *("exact_int8", "drum4_s8"),
)
QUERIES = 5000
EPOCHS = 20
"""Of the proxies: few images take more passes than the recipe has."""
PIECES = 10
"""For each attack: what can be done at once, and how little a kill costs."""
SCALES = (1.0, 1.05, 1.1, 1.25, 1.5, 2.0)
"""Of the examples of attacks for the minimum: how far beyond the source's boundary they go."""


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=[n for n in WORKLOADS if WORKLOADS[n].recipe])
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--attack", action="append", help="of the preset's, these alone")
    parser.add_argument("--unit", action="append", help="these units alone")
    parser.add_argument("--control", action="append", default=[], help="e.g. ax_fpm_noise")
    parser.add_argument("--source", action="append", help="of transfer: torch, or units")
    parser.add_argument("--gradient", action="append", help="of the white box: these alone")
    parser.add_argument("--weights", type=Path, help="a file in place of the shipped weights")
    parser.add_argument("--images", type=int)
    parser.add_argument("--workers", type=int)
    asked = parser.parse_args()
    check(asked)
    return asked


def check(asked: argparse.Namespace) -> None:
    """Raise `ConfigError` where the preset has not what is asked for."""
    if asked.images is not None and asked.images < 1:
        raise ConfigError(f"--images must be >= 1, got {asked.images}")
    runs = preset(asked.preset, asked.workload)
    names = list(dict.fromkeys(run.attack for run in runs))
    for name in asked.attack or ():
        if name not in names:
            raise ConfigError(
                f"preset {asked.preset!r} has no attack {name!r}, but {', '.join(names)}."
                f"{nearest(name, names)}"
            )
    scenarios = asked.scenario or SCENARIOS
    if not any(groups(asked, scenario) for scenario in scenarios):
        others = [name for name in SCENARIOS if groups(asked, name)]
        raise ConfigError(
            f"preset {asked.preset!r} has {', '.join(asked.attack)} in {', '.join(others)} only, "
            f"not in {', '.join(scenarios)}"
        )


def groups(asked: argparse.Namespace, scenario: str) -> dict[tuple[int, int], list[Plan]]:
    """Return (images, seed) -> the preset's plans for so many images in *scenario*."""
    found = defaultdict(list)
    for run in preset(asked.preset, asked.workload):
        if scenario not in run.scenarios or (asked.attack and run.attack not in asked.attack):
            continue
        transfers = scenario != "white_box" and ATTACKS[run.attack].aim == "minimum"
        count = min(run.images, asked.images or run.images)
        plan = Plan(run.attack, run.epsilon, run.settings, SCALES if transfers else (1.0,))
        for seed in run.seeds:
            found[count, seed].append(plan)
    return found


def proxies(workload: str) -> Proxies:
    """Return what the black box's proxies are trained from."""
    entry = WORKLOADS[workload]
    train = workload_split(entry, "train")
    recipe = dataclasses.replace(entry.recipe, epochs=EPOCHS)
    return Proxies(entry.build, train.first(min(QUERIES, len(train))).images, recipe)


def written(path: Path, rates: pd.DataFrame) -> pd.DataFrame:
    """Write *rates* beside the rows that are there; return all.

    Rows of other weights go. Of the same run on more and on fewer images the one on more stays.
    Where an earlier version did not tell a number the cell is empty.
    """
    rates = rates.round(6)
    if path.exists():
        old = pd.read_csv(path, dtype={"settings": str}).fillna({"settings": ""})
        rates = pd.concat([old[old["weights"] == rates["weights"].iloc[0]], rates])[list(rates)]
    rates = rates.sort_values("images", kind="stable").drop_duplicates(list(KEYS), keep="last")
    rates = rates.sort_values(list(KEYS), ignore_index=True)
    write_atomically(path, rates.to_csv(index=False).encode())
    return rates


def drawn(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the figure: transfer from the exact network, by attacks with a budget.

    Of an attack's runs with more and less effort the one that fools more is drawn.
    """
    of = (rates["scenario"] == "transfer") & (rates["source"] == TORCH) & rates["epsilon"].notna()
    points = ["target", "attack", "norm", "epsilon"]
    return rates[of].sort_values("robust_accuracy").drop_duplicates(points).sort_index()


def between(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the matrix: transfer as made, by attacks on several sources.

    Of an attack's budgets the one at which the exact network is fooled next to half of the time:
    where all are fooled or none, the matrix tells nothing.
    """
    sources = [TORCH, *UNITS]
    made = rates[(rates["scenario"] == "transfer") & (rates["scale"] == 1)]
    made = made[made["source"].isin(sources) & made["target"].isin(UNITS)]
    run = ["attack", "settings", "norm", "epsilon"]
    several = made.groupby(run, dropna=False)["source"].transform("nunique") > 1
    exact = made[several & (made["source"] == TORCH)].drop_duplicates(run)
    half = (exact["source_success"] - 0.5).abs()
    chosen = exact.loc[half.groupby(exact["attack"], sort=False).idxmin(), run]
    order = {name: number for number, name in enumerate(sources)}
    pairs = made.merge(chosen, on=run)
    return pairs.sort_values(["source", "target"], key=lambda names: names.map(order))


def drawn_out(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the margins: what transfers from the exact network to units."""
    of = (
        (rates["scenario"] == "transfer") & (rates["source"] == TORCH) & (rates["aim"] == "minimum")
    )
    return rates[of & rates["target"].isin(UNITS) & rates["transfer_of_right"].notna()]


def tell(done: int, total: int, what: str) -> None:
    """Say how far the pieces are."""
    print(done, total, what, file=sys.stderr, flush=True)


def tell_proxy(done: int, total: int, what: str) -> None:
    """Say how far the training of a proxy is, once for each pass over its images."""
    if done % max(1, total // EPOCHS) == 0:
        tell(done, total, what)


def main() -> None:
    """Attack, judge, keep; then write the rates."""
    asked = arguments()
    name = asked.workload
    title, folder = label(name, asked.weights), kept_outcomes(name, asked.weights)
    folder.mkdir(parents=True, exist_ok=True)
    model, images, labels = accelsim.load_workload(name, weights=asked.weights)
    ranges = calibrate_workload(name, model)
    beside = controls(asked.control, model, name, ranges)
    tables = []
    for scenario in asked.scenario or SCENARIOS:
        for (count, seed), plans in groups(asked, scenario).items():
            tables.append(
                evaluate(
                    model,
                    images[:count],
                    labels[:count],
                    attacks=plans,
                    multipliers=asked.unit or UNITS,
                    controls=beside,
                    scenario=scenario,
                    sources=asked.source or (TORCH,),
                    gradients=asked.gradient or ("exact", "effective", "smoothed"),
                    proxies=proxies(name) if scenario == "black_box" else None,
                    calibration=ranges,
                    seed=seed,
                    folder=folder,
                    workers=asked.workers,
                    chunk=max(1, count // PIECES),
                    progress=tell,
                    proxy_progress=tell_proxy,
                )
            )
    rates = summarize(pd.concat(tables, ignore_index=True))
    rates.insert(0, "weights", weights_hash(name, asked.weights))
    rates.insert(0, "workload", name)
    kept = written(RESULTS / f"robustness_{title}_{asked.preset}.csv", rates)
    budgets = drawn(kept)
    if len(budgets):
        text = f"{title}: examples of the exact network, up to {budgets['images'].max()} images"
        picture = HERE / f"robustness_{title}_{asked.preset}.png"
        accuracy_by_epsilon(budgets, text).savefig(picture, dpi=120)
    farther = drawn_out(kept)
    if len(farther):
        text = f"{title}: examples of the exact network, beyond its boundary"
        picture = HERE / f"margin_{title}_{asked.preset}.png"
        transfer_by_margin(farther, text, "transfer_of_right").savefig(picture, dpi=120)
    pairs = between(kept)
    if len(pairs):
        text = f"{title}: examples that fool who they were made on, and others"
        picture = HERE / f"transfer_{title}_{asked.preset}.png"
        transfer_matrix(pairs, text).savefig(picture, dpi=120)
    shown = ["scenario", "source", "gradient", "target", "attack", "epsilon", "scale", "images"]
    shown += ["source_success", "transfer_success", "robust_accuracy"]
    print(rates[shown].round(4).to_string(index=False))


if __name__ == "__main__":
    script(main)
