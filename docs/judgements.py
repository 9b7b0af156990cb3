"""Tables of docs/findings.md of what the study comes to: costs beside robustness, and verdicts."""

from __future__ import annotations

import pandas as pd
from cells import ALEXNET, OTHERS, OURS, RESULTS, lines, share

from accelsim.robustness.claims import GRADES

__all__ = ["closing", "verdicts"]


def closing() -> str:
    units = ("exact_fp32", "ax_fpm", "ax_fpm_flat", "ax_bfloat16", "exact_bfloat16", "exact_int8")
    found = pd.read_csv(RESULTS / f"closing_{OURS}.csv").set_index("unit")
    heads = ["unit", "accuracy, all 10,000", "withstands PGD at 0.1", "what every unit met"]
    heads += ["median L2, white box", "latency (us)", "energy (uJ)"]
    return lines(
        heads,
        [
            [
                f"`{unit}`",
                share("accuracy")(one),
                *(f"{100 * one[f'robust_{name}']:.0f} %" for name in ("pgd", "alike")),
                f"{one['median_l2_alike']:.2f}",
                f"{one['latency_ns'] / 1e3:.0f}",
                f"{one['energy_pj'] / 1e6:.0f}",
            ]
            for unit, one in ((unit, found.loc[unit]) for unit in units)
        ],
    )


OF_TRANSFER = ("transfer_80", "transfer_71")
"""The paper's claims of transfer on LeNet-5, and on AlexNet."""
CLAIMS = [
    ("under 20 % of the examples transfer (AlexNet 28.5), each run", OF_TRANSFER, "transfer", "%"),
    ("... the average, each attack at its lowest", OF_TRANSFER, "kindest_average", "%"),
    ("... the average, each attack at its highest", OF_TRANSFER, "harshest_average", "%"),
    ("under half of a proxy's examples that fool the exact network fool it, each run",
     ("proxy_half",), "from_proxy", "%"),
    ("of those that fool one of both over half fool the exact network alone, each run",
     ("proxy_less",), "only_exact", "%"),
    ("a white box needs 4 dB more, each norm", ("noise_4db",), "noise_db", "dB"),
    ("one through the exact layers' gradient needs 4 dB more, each attack", ("noise_plain",),
     "noise_db_exact_gradient", "dB"),
    ("confidence in the true class rises (points)", ("confidence",), "confidence_gain", ""),
    ("accuracy falls by under two points", ("accuracy",), "accuracy_lost", ""),
]  # fmt: skip
"""Text, names, measure and unit of what is claimed."""


def verdicts() -> str:
    nets = {"our weights": OURS, **OTHERS, "AlexNet": ALEXNET}
    tables = {title: pd.read_csv(RESULTS / f"verdicts_{title}.csv") for title in nets.values()}
    rows = []
    for text, names, measure, unit in CLAIMS:
        rows.append([text])
        for table in tables.values():
            runs = table[table["claim"].isin(names) & (table["measure"] == measure)]
            rows[-1].append(_judged(runs[runs["unit"] == "ax_fpm"], unit))
    return lines(["claim, for `ax_fpm`", *nets], rows)


def _judged(runs: pd.DataFrame, unit: str) -> str:
    """Return how many of *runs* support, leave open and contradict a claim, and what was found."""
    counts = {grade: int((runs["verdict"] == grade).sum()) for grade in GRADES}
    numbers = runs["measured"].dropna() * (1 if unit == "dB" else 100)
    if numbers.empty:
        return "not asked"
    ends = dict.fromkeys(f"{one:.1f}" for one in (numbers.min(), numbers.max()))
    grades = ", ".join(
        f"{count} {grade}" if len(runs) > 1 else grade for grade, count in counts.items() if count
    )
    return f"{grades.replace('inconclusive', 'open')}: {' to '.join(ends)} {unit}".rstrip()
