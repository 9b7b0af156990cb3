"""What attacks did: rates, paired comparisons, the sanity checks, and what may be concluded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from accelsim.comparison import attack_label
from accelsim.errors import DataError
from accelsim.report.network import counting, network_of
from accelsim.report.results import Results
from accelsim.report.tables import Cell, Column, Table, estimated, number
from accelsim.results import BASELINE
from accelsim.robustness.checks import RULES, Check, NetworkChecks, Study, run_checks
from accelsim.robustness.claims import Claim, verdict
from accelsim.robustness.outcomes import strongest
from accelsim.robustness.summary import RATES, compare, estimate
from accelsim.statistics import Estimate

__all__ = ["Evidence", "evidence"]

HALF = 0.5
"""Bound of the claims of a report: whether more often than not. Whoever claims more says so by
`accelsim.robustness.claims`."""

STATES = {True: ("pass", "pass"), False: ("FAIL", "fail"), None: ("not run", "skip")}
GRADES = {"supported": "pass", "contradicted": "fail", "inconclusive": "skip"}


@dataclass
class Evidence:
    """What a report tells about attacks."""

    rates: Table
    pairs: list[Table] = field(default_factory=list)
    checks: list[tuple[str, Table]] = field(default_factory=list)
    """Of each unit: its name with how many passed, and the checks."""
    verdicts: Table | None = None
    problems: list[str] = field(default_factory=list)
    """What cannot be told, and why."""


def evidence(results: Results) -> Evidence | None:
    """Return what attacks did in *results*; None where there are no scores."""
    if not results.scores:
        return None
    rates = pd.concat([score.rates for score in results.scores], ignore_index=True)
    rates = rates.drop_duplicates(ignore_index=True)
    found = Evidence(_rates(rates))
    outcomes = results.outcomes()
    if outcomes is None:
        bare = ", ".join(str(one.folder) for one in results.scores if one.outcomes is None)
        found.problems.append(
            f"Sanity checks and paired comparisons were not run: {bare} keeps no outcomes of "
            "images; accelsim score --out makes them"
        )
        return found
    targets = sorted(outcomes["target"].unique(), key=lambda name: name != BASELINE)
    for other in targets[1:]:
        _compare(outcomes, targets[0], other, found)
    networks = {name: network_of(results.scores, name) for name in targets}
    checks = {name: run_checks(Study(outcomes, name, baseline=BASELINE)) for name in targets}
    for place, (name, own) in enumerate(checks.items()):
        shown = _shown(own, networks[name])
        table = _checks(f"checks-{place}", name, shown)
        found.checks.append((f"{name}: {_tally([check for _, check in shown])}", table))
    found.verdicts = _verdicts(rates, checks, networks)
    return found


def _rates(rates: pd.DataFrame) -> Table:
    heads = [
        Column("attack", numeric=False), Column("scenario and source", numeric=False),
        Column("unit", numeric=False), Column("images"),
        Column("clean", "%"), Column("robust", "%"), Column("source success", "%"),
        Column("transfer success", "%"), Column("transfer of right", "%"),
        Column("L2"), Column("conf.", "%"),
    ]  # fmt: skip
    rows = [
        [
            Cell(_strength(row)), Cell(_source(row)), Cell(str(row["target"])),
            number(row["images"]),
            *(_percent(row, name) for name in RATES),
            number(row["median_l2"]), number(100 * row["mean_confidence_attacked"]),
        ]
        for _, row in rates.iterrows()
    ]  # fmt: skip
    caption = (
        "Rates with 95 % intervals (Wilson): accuracy without (clean) and under attack (robust), "
        "confidence under attack (conf.). Source success: of the images that the source classifies "
        "right, those whose examples fool it, at the median L2; transfer success: of these, those "
        "that fool the unit too; transfer of right: of these, without those that the unit gets "
        "wrong by itself"
    )
    return Table("rates", caption, heads, rows)


def _percent(row: pd.Series, name: str) -> Cell:
    return estimated(Estimate(*(100 * bound for bound in estimate(row, name))))


def _words(name: str) -> Cell:
    return Cell(name.replace("_", " "))


def _strength(row: pd.Series) -> str:
    """Return an attack with its budget, or that it looks for the smallest change."""
    reach = "smallest" if pd.isna(row["epsilon"]) else f"{row['epsilon']:g}"
    return f"{row['attack']} {row['norm']} {reach}"


def _source(row: pd.Series) -> str:
    scenario = _words(row["scenario"]).text
    if row["source"] == "torch":
        return f"{scenario}, exact network"
    return f"{scenario}, {row['source']}, gradient {row['gradient']}"


def _compare(outcomes: pd.DataFrame, first: str, other: str, found: Evidence) -> None:
    """Add the comparison of two targets, scenario by scenario."""
    rows = []
    for scenario, part in outcomes.groupby("scenario", sort=False):
        try:
            # Units have different choices of gradients in a white box: each image's worst counts.
            same = strongest(part, ("gradient",)) if scenario == "white_box" else part
            pairs = compare(same, first, other)
        except DataError as error:
            found.problems.append(f"{_words(str(scenario)).text}, {other}: {error}")
            continue
        rows += [_pair(row) for _, row in pairs.iterrows()]
    heads = [
        Column("scenario", numeric=False), Column("attack", numeric=False),
        Column("source", numeric=False), Column("images"), Column(f"fool only {first}"),
        Column(f"fool only {other}"), Column("p", "Holm"), Column("norm ratio"),
    ]  # fmt: skip
    caption = (
        f"{other} against {first}, image by image, on those that both and their sources classify "
        "right: McNemar's exact test. Below 0.05 they differ. Norm ratio: how much more noise "
        f"fooling {other} takes, where the smallest was looked for"
    )
    if rows:
        found.pairs.append(Table(f"pairs-{len(found.pairs)}", caption, heads, rows))


def _pair(row: pd.Series) -> list[Cell]:
    return [
        _words(row["scenario"]), Cell(_strength(row)), Cell(str(row["source"])),
        number(row["images"]), number(row["only_baseline"]), number(row["only_other"]),
        number(row["p_holm"], "differs" if row["p_holm"] < 0.05 else ""),
        estimated(estimate(row, "norm_ratio")),
    ]  # fmt: skip


def _tally(checks: Sequence[Check]) -> str:
    counts = {state: sum(one.passed is state for one in checks) for state in (True, False, None)}
    return f"{counts[True]} passed, {counts[False]} failed, {counts[None]} not run"


def _shown(checks: Sequence[Check], network: NetworkChecks) -> list[tuple[str, Check]]:
    """Return (what is added to its name, check), those of slopes for each gradient."""
    of_slopes = [f"slopes of {gradient}" for gradient in network.slopes for _ in range(2)]
    slopes = [check for pair in network.slopes.values() for check in pair] or network.of()[1:]
    added = ["", *(of_slopes or ["", ""])]
    of_network = list(zip(added, [network.determinism, *slopes], strict=True))
    names = {check.name for _, check in of_network}
    return [*of_network, *(("", check) for check in checks if check.name not in names)]


def _checks(name: str, target: str, checks: Sequence[tuple[str, Check]]) -> Table:
    heads = [
        Column("no."), Column("check", numeric=False), Column("result", numeric=False),
        Column("numbers, or why not", numeric=False), Column("bears on", numeric=False),
    ]  # fmt: skip
    rows = []
    for added, check in checks:
        text, tone = STATES[check.passed]
        rule = RULES[check.name]
        bears = [*(one.replace("_", " ") for one in rule.bears_on)]
        bears += ["success"] if rule.success else []
        rows.append([
            number(check.number),
            Cell(_words(check.name).text + (added and f", {added}"),
                 more=(f"Passes if {rule.demand}.",)),
            Cell(text, tone=tone), Cell(check.reason), Cell(", ".join(bears)),
        ])  # fmt: skip
    return Table(name, f"Sanity checks of {target}; unfold for what each demands", heads, rows)


def _verdicts(
    rates: pd.DataFrame, checks: dict[str, list[Check]], networks: dict[str, NetworkChecks]
) -> Table | None:
    heads = [
        Column("claim", numeric=False), Column("scenario", numeric=False), Column("measured", "%"),
        Column("verdict", numeric=False), Column("why", numeric=False),
    ]  # fmt: skip
    rows = []
    for row, claim, measured in _claims(rates[rates["target"].isin(list(checks))]):
        target = str(row["target"])
        gradient = counting(networks[target], str(row["gradient"]))
        finding = verdict(networks[target].among(checks[target], gradient), claim, measured)
        short, _, _ = finding.reason.partition(", but ")
        count = len(finding.failing)
        way = f", but {count} check{'s are' if count > 1 else ' is'} in the way" if count else ""
        rows.append([
            Cell(claim.text), _words(row["scenario"]),
            estimated(Estimate(*(100 * bound for bound in measured))),
            Cell(finding.grade, tone=GRADES[finding.grade]),
            Cell(short + way, more=tuple(f"check {check}" for check in finding.failing)),
        ])  # fmt: skip
    if not rows:
        return None
    caption = (
        "A claim counts if the whole interval lies on its side of one half, and each check passed "
        "that bears on it; one that was not run has not passed"
    )
    return Table("verdicts", caption, heads, rows)


def _claims(rates: pd.DataFrame) -> Iterator[tuple[pd.Series, Claim, Estimate]]:
    """Yield (row, claim, what was measured): that a unit resists more often than not."""
    for _, row in rates[rates["target"] != BASELINE].iterrows():
        unit, attack = str(row["target"]), attack_label(row)
        if row["scenario"] in ("transfer", "black_box"):
            text = f"less than half of what {attack} makes of images that {unit} has right fools it"
            claim = Claim(text, str(row["scenario"]), "below", HALF, robust=True)
            yield row, claim, estimate(row, "transfer_of_right")
        else:
            text = f"{unit} classifies more than half rightly under {attack}"
            claim = Claim(text, "white_box", "above", HALF, robust=True)
            yield row, claim, estimate(row, "robust_accuracy")
