"""Cells of the tables of docs/findings.md: rows of the rates, chosen, and written for readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from accelsim.robustness.outcomes import KEYS

RESULTS = Path(__file__).parents[1] / "plots" / "results"
OURS, AUTHORS = "lenet5_mnist", "lenet5_mnist_trained_lenet5"
CLASSIC, DIGITS, ALEXNET = "lenet5_classic_mnist", "lenet5_digits", "alexnet_cifar10"
CLASSIC_DIGITS = "lenet5_classic_digits"
OTHERS = {
    "authors' weights": AUTHORS,
    "classic": CLASSIC,
    "digits": DIGITS,
    "classic, digits": CLASSIC_DIGITS,
}
"""The other LeNet-5."""

Cell = Callable[[pd.Series], str]
Where = dict[str, Any]

FGSM, PGD, MIM = ({"attack": name} for name in ("fgsm", "pgd", "mim"))
APGD, APGD_T = ({"attack": name, "restarts": 1} for name in ("apgd_dlr", "apgd_t"))
SQUARE, FAB, JSMA, LSA = ({"attack": name} for name in ("square", "fab", "jsma", "lsa"))
DEEPFOOL, DDN = {"attack": "deepfool"}, {"attack": "ddn", "steps": 100}
TWO_DDN = [("DDN, as it stops", DDN), ("DDN, 1.25 times as far", DDN | {"scale": 1.25})]


def cw(confidence: float) -> Where:
    return {"attack": "cw", "confidence": confidence}


def asking(attack: str, queries: int) -> Where:
    return {"attack": attack, "queries": queries}


@cache
def rates(title: str) -> pd.DataFrame:
    """Return the rates of both presets of a study, with a column for each setting of an attack."""
    parts = [
        pd.read_csv(RESULTS / f"robustness_{title}_{one}.csv") for one in ("paper", "standard")
    ]
    table = pd.concat(parts).drop_duplicates(list(KEYS), ignore_index=True)
    settings = table["settings"].fillna("{}").map(json.loads)
    return table.join(pd.DataFrame(settings.to_list()))


def cell(title: str, where: Where, text: Cell) -> str:
    """Return the text of the only row for which *where* holds; "" if there is none."""
    found = rates(title)
    for name, value in {"scale": 1.0, **where}.items():
        same = (found[name] - value).abs() < 1e-9 if isinstance(value, float) else None
        found = found[found[name] == value if same is None else same]
    if len(found) > 1:
        raise ValueError(f"{title}: {len(found)} rows for {where}")
    return text(found.iloc[0]) if len(found) else ""


def share(name: str) -> Cell:
    """Return what writes a rate in per cent."""
    return lambda row: f"{100 * row[name]:.1f} %"


def interval(name: str) -> Cell:
    """Return what writes a rate in per cent with its interval."""

    def text(row: pd.Series) -> str:
        if pd.isna(row[name]):
            return "of none"
        low, high = (100 * row[f"{name}_{end}"] for end in ("low", "high"))
        return f"{share(name)(row)} ({low:.0f} to {high:.0f})"

    return text


def length(row: pd.Series) -> str:
    return f"{row['median_l2']:.2f}"


def pixels(row: pd.Series) -> str:
    return f"{row['median_l0']:g}"


def from_exact(target: str) -> Where:
    return {"scenario": "transfer", "source": "torch", "target": target}


def on_itself(unit: str, gradient: str) -> Where:
    """Return where *unit* is attacked itself; the exact one has no gradient but its own."""
    own = "exact" if (unit, gradient) == ("exact_fp32", "effective") else gradient
    return {"scenario": "white_box", "source": unit, "target": unit, "gradient": own}


def from_proxy(unit: str, target: str) -> Where:
    return {"scenario": "black_box", "source": f"proxy of {unit}", "target": target}


def knowing(unit: str, source: str) -> Where:
    return {"scenario": "adaptive", "source": f"{source} of {unit}", "target": unit}


def lines(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    cells = ["".join(f" {one} |" if one else " |" for one in row) for row in (heads, *rows)]
    return "\n".join(f"|{row}" for row in (cells[0], "---|" * len(heads), *cells[1:]))


def grid(
    head: str, runs: list[tuple[str, Where]], columns: dict[str, tuple[str, Where, Cell]]
) -> str:
    """Return a row for each of *runs* (name, where); *columns*: head -> title, where, text."""
    return lines(
        [head, *columns],
        [
            [name, *(cell(title, where | more, text) for title, more, text in columns.values())]
            for name, where in runs
        ],
    )


def part(count: int) -> Where:
    """Return where epsilon is *count* / 255, rounded as the tables of rates are."""
    return {"epsilon": round(count / 255, 6)}


def of_right(row: pd.Series) -> str:
    """Return transfer over the images that the target has right; "" of rows that do not tell it."""
    if pd.isna(row["transfer_of_right"]) and row["transferable"] != 0:
        return ""
    return f"{100 * row['transfer_of_right']:.0f} % of {row['transferable']:.0f}"
