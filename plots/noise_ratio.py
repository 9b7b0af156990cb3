"""How much more noise a white box takes on each unit than on the exact network.

Run ``python plots/noise_ratio.py WORKLOAD`` after ``robustness.py`` has kept outcomes of white
boxes. For each unit and control that was attacked itself, each attack for the smallest perturbation
that the exact network met, too, with the same settings, and each gradient (the exact network has
one): the ratio of squared errors image by image, over the images that both have right and were
fooled on, with a paired bootstrap interval of 95 %; the same of distances in the attack's norm
(``norm_ratio``), and in dB. The last row of a unit is of the smallest perturbation of each image
over DDN and DeepFool, all gradients but the smoothed and all settings that both met: what most
units met. Medians are in the attack's norm, over the images attacked on both that the unit, or the
exact network, has right and is fooled on.

Writes ``results/noise_ratio_<workload>.csv``, and draws the units' ratios, with that of the claim
``noise_mse`` of ``claims.yaml``, ``noise_ratio_<workload>.png``.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from study import RESULTS, kept_outcomes, label, parser_of

from accelsim.cli import script
from accelsim.errors import ConfigError, DataError
from accelsim.figures import noise_by_attack
from accelsim.figures.attacks import as_told
from accelsim.multipliers import MULTIPLIERS
from accelsim.robustness import compare
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.outcomes import strongest
from accelsim.robustness.scenarios import EXACT
from accelsim.robustness.study import outcomes_in
from accelsim.workload import weights_hash
from accelsim.yaml_files import load_yaml

HERE = Path(__file__).parent
BEST = ("ddn", "deepfool")
BEST_NAME = "smallest of ddn and deepfool"
SHARP = ("exact", "effective", "unit")
RUN = ["attack", "settings", "norm"]
RATIOS = [f"{name}{end}" for name in ("mse_ratio", "psnr_db", "norm_ratio")
          for end in ("", "_low", "_high")]  # fmt: skip


def claimed() -> float:
    """Return the ratio of squared errors that the paper claims."""
    table = load_yaml(HERE / "claims.yaml", "table of claims", ConfigError)["claims"]
    return next(one["above"] for one in table if one["name"] == "noise_mse")


def pairs(own: pd.DataFrame, exact: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (attack, gradient, outcomes of both) of all that a unit and the exact network met.

    The exact network's one gradient stands for each of the unit's, but for the smoothed. Of several
    seeds that both had, the best of each image.
    """
    exact = exact.replace({"gradient": dict.fromkeys(SHARP, "sharp")})
    exact = exact.drop_duplicates([*RUN, "seed", "gradient", "image"])
    for run, part in own.groupby([*RUN, "gradient"], sort=False):
        *_, gradient = run
        like = [*run[:-1], "sharp" if gradient in SHARP else gradient]
        met = exact[(exact[[*RUN, "gradient"]] == like).all(axis=1)].assign(gradient=gradient)
        found = on_the_same(part, met, ("seed",))
        if len(found):
            yield str(run[0]), str(gradient), found
    sharp = own["gradient"].isin(SHARP) & own["attack"].isin(BEST)
    met = exact[(exact["gradient"] == "sharp") & exact["attack"].isin(BEST)]
    found = on_the_same(own[sharp], met, ("gradient", "attack", "settings", "seed"), BEST)
    if len(found):
        yield BEST_NAME, "none", found


def on_the_same(
    own: pd.DataFrame, exact: pd.DataFrame, over: tuple[str, ...], attacks: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the best of both over the columns *over*, of runs and images that both met.

    Without a row where they share none, or not all of *attacks*.
    """
    both = pd.concat([own, exact], ignore_index=True)
    both = both[both.groupby([*RUN, "seed"])["target"].transform("nunique") == 2]
    if both.empty or not set(attacks) <= set(both["attack"]):
        return both[:0]
    best = strongest(both, over)
    return best[best.groupby("image")["target"].transform("nunique") == 2]


def place(names: Sequence[str], name: str) -> int:
    """Return where *name* is among *names*, behind the last if it is none of them."""
    return names.index(name) if name in names else len(names)


def median(outcomes: pd.DataFrame, target: str) -> float:
    """Return the median distance in the run's norm of what fools *target*."""
    fooled = outcomes["target_right"] & outcomes["target_fooled"]
    norm = outcomes["norm"].iloc[0]
    return float(outcomes.loc[fooled & (outcomes["target"] == target), norm].median())


def ratios(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each unit and control, attack and gradient."""
    white = outcomes["scenario"] == "white_box"
    table = outcomes[white & (outcomes["aim"] == "minimum") & (outcomes["scale"] == 1)]
    exact = table[table["target"] == EXACT]
    rows = []
    targets = [name for name in table["target"].unique() if name != EXACT]
    for unit in sorted(targets, key=partial(place, list(MULTIPLIERS.keys()))):
        for attack, gradient, both in pairs(table[table["target"] == unit], exact):
            (found,) = compare(both, EXACT, unit).to_dict("records")
            settings = "" if attack == BEST_NAME else found["settings"]
            rows.append(
                {"multiplier": unit, "attack": attack, "gradient": gradient}
                | {"settings": settings, "norm": found["norm"]}
                | {"images": found["images"], "both_fooled": found["both_fooled"]}
                | {"median_exact": median(both, EXACT), "median": median(both, unit)}
                | {name: found[name] for name in RATIOS}
            )
    if not rows:
        raise DataError(
            f"no attack for the smallest perturbation was made on {EXACT} and another unit in the "
            "white box; have robustness.py make some, e.g. --preset standard --scenario white_box "
            "--attack ddn"
        )
    order = partial(place, [*ATTACKS, BEST_NAME])
    # Of texts that differ in one number the shorter is the smaller.
    rows.sort(key=lambda row: (
        order(row["attack"]), len(row["settings"]), row["settings"], row["gradient"]
    ))  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    """Compare, write, draw."""
    asked = parser_of(__doc__).parse_args()
    name, weights = asked.workload, asked.weights
    table = ratios(outcomes_in(asked.folder or kept_outcomes(name, weights))).round(6)
    table.insert(0, "weights", weights_hash(name, weights))
    table.insert(0, "workload", name)
    asked.out.mkdir(parents=True, exist_ok=True)
    title = label(name, weights)
    table.to_csv(asked.out / f"noise_ratio_{title}.csv", index=False)
    units = table[table["multiplier"].isin(MULTIPLIERS.keys())]
    picture = (HERE if asked.out == RESULTS else asked.out) / f"noise_ratio_{title}.png"
    text = f"{title}: white box, noise that fools each unit"
    noise_by_attack(units, text, claimed()).savefig(picture, dpi=120)
    shown = ["multiplier", "median_exact", "median", "mse_ratio", "mse_ratio_low", "mse_ratio_high"]
    print(table[shown].round(2).set_index(pd.Index(as_told(table), name="attack")).to_string())


if __name__ == "__main__":
    script(main)
