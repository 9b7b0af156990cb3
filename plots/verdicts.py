"""What becomes of the paper's claims on robustness: measured, checked, and judged.

Run ``python plots/verdicts.py WORKLOAD`` after ``robustness.py`` has kept outcomes of it, in any
scenarios and presets. The claims are those of ``claims.yaml``; every approximate unit is asked for
each. Before a claim is judged the sanity checks are run on all that was kept of the unit, see
``docs/checks.md``; the controls are units that round and approximate nothing, and what
``robustness.py --control`` had attacked, but for the gain and noise of other units. Of each unit
``UNIT_noise`` has to be among them, and ``weights_po2`` and ``exact_int8``. Writes
``results/verdicts_<workload>.csv``, a row for each claim, unit and run, and prints how the runs of
each claim and unit came out, with the numbers of the checks that stand in the way.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from study import kept_outcomes, label, parser_of, unit_of, without_retraining

import accelsim
from accelsim.cli import script
from accelsim.errors import ConfigError, DataError
from accelsim.multipliers import MULTIPLIERS
from accelsim.nn import calibrate_workload
from accelsim.robustness.attacks import ATTACKS
from accelsim.robustness.checks import (
    NETWORK_IMAGES,
    RULES,
    Check,
    NetworkChecks,
    Study,
    convergence,
    gain_invariance,
    network_checks,
    ordering,
    run_checks,
)
from accelsim.robustness.checks.network import USUAL
from accelsim.robustness.claims import GRADES, Claim, verdict
from accelsim.robustness.measures import MEASURES, UNKNOWN, Measured
from accelsim.robustness.outcomes import distance
from accelsim.robustness.scenarios import EXACT
from accelsim.robustness.study import outcomes_in
from accelsim.statistics import RunningMean
from accelsim.workload import weights_hash
from accelsim.yaml_files import load_yaml

HERE = Path(__file__).parent
NEEDED = ("{unit}_noise", "weights_po2", "exact_int8")
"""Controls without which check 11 is not run: noise like a unit's, powers of two, few bits."""
CONTROLS = ("exact_bfloat16",)
"""Units that cost no approximate circuit; controls where they were judged."""
FOLLOWED = {"noise_db_exact_gradient": "exact"}
"""Measure of what attackers did who followed one gradient alone -> whose slopes are checked for it;
of others it is `USUAL`."""
ROWS = {
    "transfer": ("transfer",),
    "black_box": ("black_box",),
    "white_box": ("white_box", "adaptive"),
}
"""Scenario of a claim -> scenarios of the outcomes that its checks look at."""
OVER = {"kindest_average": "kindest", "harshest_average": "harshest"}
"""How the printed table names averages."""


def claims(workload: str) -> Iterator[tuple[str, list[str], str, bool, Claim]]:
    """Yield (name, measures, source, of every attack, claim) of the claims on *workload*."""
    for one in load_yaml(HERE / "claims.yaml", "table of claims", ConfigError)["claims"]:
        if workload.startswith(one["workloads"]):
            side = "below" if "below" in one else "above"
            claim = Claim(one["text"], one["scenario"], side, one[side], one["robust"])
            yield one["name"], one["measures"], one["source"], "attacks" in one, claim


def of_network(workload: str, unit: str, weights: Path | None) -> NetworkChecks:
    """Return the checks of the network on *unit*, slopes by all gradients that claims speak of."""
    model, images, labels = accelsim.load_workload(workload, limit=NETWORK_IMAGES, weights=weights)
    ranges = calibrate_workload(workload, model)
    followed = (USUAL, *FOLLOWED.values())
    return network_checks(model, images, labels, unit, gradients=followed, calibration=ranges)


def accuracy_lost(workload: str, unit: str, weights: Path | None = None) -> list[Measured]:
    """Return the share of test images that *unit* loses to the exact one, less what it wins."""
    table = without_retraining(workload, weights)
    found = []
    for row in table[table["multiplier"] == unit].to_dict("records"):
        count, lost, won = row["images"], row["lost"], row["won"]
        spread = lost + won - (lost - won) ** 2 / count
        mean = RunningMean(count, float(lost - won), spread)
        found.append(Measured("none", mean.estimate(), count))
    return found


def controls(unit: str, targets: Iterable[str]) -> list[str]:
    """Return the controls that *unit* has to beat: those needed, and others among *targets*."""
    needed = [name.format(unit=unit) for name in NEEDED]
    judged = [name for name in targets if name not in MULTIPLIERS or name in CONTROLS]
    return needed + [
        name for name in judged if name not in needed and unit_of(name) in (None, unit)
    ]


def nearest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return *rows* without attacks for the minimum that come nearest to no image in their norm.

    How long those go on changes no smallest distance.
    """
    minimum = rows["aim"] == "minimum"
    found = rows[minimum & (rows["scale"] == 1) & rows["target_right"] & rows["target_fooled"]]
    lengths = distance(found)
    best = lengths.groupby([found["norm"], found["image"]]).transform("min")
    return rows[~minimum | rows["attack"].isin(found.loc[lengths <= best, "attack"])]


def checks_of_exact(outcomes: pd.DataFrame) -> dict[str, list[Check]]:
    """Return norm -> what has to be true of white boxes on the exact network to speak of it.

    Without these checks no unit needs less noise than it: 5 on the `nearest`, and 10 on what looked
    for the smallest perturbation in that norm; one in another norm is not compared. Of the others,
    some ask what no gradient misleads: the exact network's is its own.
    """
    rows = outcomes[outcomes["scenario"].isin(ROWS["white_box"]) & (outcomes["target"] == EXACT)]
    if rows.empty:
        return {}
    converged = convergence(Study(nearest(rows), EXACT))
    return {
        str(norm): [converged, gain_invariance(Study(part, EXACT))]
        for norm, part in rows[rows["aim"] == "minimum"].groupby("norm")
    }


def norm_of(run: str) -> str:
    """Return the norm of a run that measures noise: an attack, or the best of all in a norm.

    >>> norm_of("deepfool"), norm_of("best of all, l0")
    ('l2', 'l0')
    """
    name = run.removeprefix("best of all, ")
    return ATTACKS[name].norm if name in ATTACKS else name


def checks_of_unit(
    outcomes: pd.DataFrame, unit: str, of_network: list[Check]
) -> dict[str, list[Check]]:
    """Return scenario of a claim -> the checks of what was kept of *unit* in it.

    So that what one scenario lacks stands in no other's way. Check 4 compares scenarios, and what
    nobody attacks needs those of the network alone.
    """
    beaten = controls(unit, outcomes["target"].unique())
    everywhere = ordering(Study(outcomes, unit, controls=beaten))
    found = {"clean": of_network}
    for scenario, names in ROWS.items():
        rows = outcomes[outcomes["scenario"].isin(names)]
        if unit not in set(rows["target"]):
            found[scenario] = of_network
            continue
        own = run_checks(Study(rows, unit, controls=beaten), of_network)
        found[scenario] = [everywhere if one.name == everywhere.name else one for one in own]
    return found


def judged(
    workload: str,
    outcomes: pd.DataFrame,
    unit: str,
    weights: Path | None,
    exact: dict[str, list[Check]],
) -> list[dict]:
    """Return a row for each claim and run of *unit*; *exact* as of `checks_of_exact`."""
    network = of_network(workload, unit, weights)
    checks = checks_of_unit(outcomes, unit, network.of(USUAL))
    paper = load_yaml(HERE / "claims.yaml", "table of claims", ConfigError)["attacks"]
    rows = []
    for name, measures, source, every, claim in claims(workload):
        attacks = list(outcomes["attack"].unique()) if every else list(paper)
        for measure in measures:
            own = network.among(checks[claim.scenario], FOLLOWED.get(measure, USUAL))
            if measure == "accuracy_lost":
                numbers = accuracy_lost(workload, unit, weights)
            else:
                numbers = MEASURES[measure](outcomes, unit, attacks)
            nothing = [Measured("nothing to measure", UNKNOWN, 0)]
            for attack, found, images in numbers or nothing:
                beside = exact.get(norm_of(attack), ()) if measure.startswith("noise") else ()
                finding = verdict(own, claim, found, beside)
                rows.append({
                    "workload": workload, "weights": weights_hash(workload, weights), "claim": name,
                    "unit": unit, "measure": measure, "attack": attack, "images": images,
                    "measured": found.value, "low": found.low, "high": found.high,
                    "side": claim.side, "bound": claim.bound, "verdict": finding.grade,
                    "failing": " ".join(check.name for check in finding.failing),
                    "numbers": "; ".join(map(str, finding.failing)),
                    "text": claim.text, "source": source,
                })  # fmt: skip
    return rows


def summary(table: pd.DataFrame) -> list[str]:
    """Return lines of at most 100 columns: the runs of each claim and unit together."""
    titles = ("claim", "unit", "over", "measured", "bound", "supp", "open", "contra")
    lines = [_line(*titles, "failing checks")]
    for (claim, unit, measure), part in table.groupby(["claim", "unit", "measure"], sort=False):
        ends = part["measured"].agg(["min", "max"]).unique()
        sign = "<" if part["side"].iloc[0] == "below" else ">"
        failing = {name for names in part["failing"] for name in names.split()}
        lines.append(
            _line(
                claim,
                unit,
                OVER.get(measure, f"{len(part)} run{'s' * (len(part) > 1)}"),
                " to ".join(f"{one:.3g}" for one in ends if one == one) or "-",
                f"{sign}{part['bound'].iloc[0]:g}",
                *((part["verdict"] == grade).sum() for grade in GRADES),
                ranges(sorted({RULES[name].number for name in failing})),
            )
        )
    return lines


def _line(*cells: object) -> str:
    widths = (12, 12, 8, -17, -6, -4, -4, -6, 15)
    return " ".join(
        f"{cell!s:<{width}}" if width > 0 else f"{cell!s:>{-width}}"
        for cell, width in zip(cells, widths, strict=True)
    ).rstrip()


def ranges(numbers: list[int]) -> str:
    """Return sorted numbers, neighbors as a range.

    >>> ranges([1, 2, 3, 7, 9, 10])
    '1-3,7,9-10'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def main() -> None:
    """Judge every claim on every approximate unit that was judged; write and print."""
    asked = parser_of(__doc__).parse_args()
    name, weights = asked.workload, asked.weights
    accelsim.load_workload(name, limit=1, weights=weights)  # Where its data are missing, at once.
    outcomes = outcomes_in(asked.folder or kept_outcomes(name, weights))
    units = [name for name in outcomes["target"].unique()
             if name in MULTIPLIERS and not name.startswith("exact_")]  # fmt: skip
    if not units:
        raise DataError(f"no approximate unit was judged on {name}; give robustness.py some")
    exact = checks_of_exact(outcomes)
    rows = [row for unit in units for row in judged(name, outcomes, unit, weights, exact)]
    table = pd.DataFrame(rows)
    asked.out.mkdir(parents=True, exist_ok=True)
    table.round(6).to_csv(asked.out / f"verdicts_{label(name, weights)}.csv", index=False)
    print("\n".join(summary(table)))


if __name__ == "__main__":
    script(main)
